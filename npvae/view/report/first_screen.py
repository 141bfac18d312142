"""What report.html shows first: codes, draws and class counts of both models, as HTML and inline SVG."""

import base64
import html
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from npvae.counted import counted
from npvae.study.comparison import Comparison
from npvae.study.experiment.cache import KINDS
from npvae.study.metrics.quality import SURE
from npvae.study.summary import (
    class_names,
    class_noun,
    class_shares,
    contrast,
    describe_draws,
    number,
    percent,
    share_in_region,
    summarised_dims,
)
from npvae.view.draw.class_names import move_apart, readable_on
from npvae.view.draw.latent import MOST_CLASSES, RADII, picture_axes, square_around
from npvae.view.draw.style import CLASS_COLOURS
from npvae.view.draw.tiles import ImageShape, ValueRange, tile_images

N_COLUMNS, N_ROWS = 8, 3  # of draws
_N_DRAWS = N_COLUMNS * N_ROWS
_MOST_DOTS = 2000
_SIDE = 320  # of a scatter, in SVG units
_BARS_WIDTH, _BARS_HEIGHT, _TEXT = 320, 108, 13
_NAMES = {"AE": "Autoencoder (AE)", "VAE": "Variational autoencoder (VAE)"}


def first_screen(comparison: Comparison, value_range: ValueRange) -> str:
    """Return a section for the smallest and one for the largest latent dimension.

    Parameters
    ----------
    comparison : Comparison
    value_range : (float, float) or None
        What is drawn black and white.

    Returns
    -------
    str
        HTML. In each section the AE's panel and the VAE's stand side by side.
    """
    sections = "\n".join(_section(comparison, d, value_range) for d in summarised_dims(comparison))
    return sections.replace(" %", "&nbsp;%")  # a number and its unit stay together


def legend(comparison: Comparison) -> str:
    """Return, as HTML, how to read the panels."""
    text = (
        "Each dot is the code of a test image; each cross is a draw from N(0, I), whose standard deviations "
        f"are the circles. Each panel shows {_N_DRAWS} decoded draws"
    )
    if not class_names(comparison):
        return f"{text}."
    confident = percent(SURE).replace(" ", "&nbsp;")
    return (
        f"{text}. Bars count the {html.escape(class_noun(comparison))} that a classifier sees in "
        f'{comparison.n_compared} draws: <span class="key sure"></span>with more than {confident} '
        'confidence, <span class="key all"></span>with less.'
    )


def _section(comparison: Comparison, latent_dim: int, value_range: ValueRange) -> str:
    dimensions = counted(latent_dim, "latent dimension", number)
    text = dimensions[0].upper() + dimensions[1:]
    if latent_dim != summarised_dims(comparison)[0]:  # of the first the title speaks
        text += f": {contrast(comparison, latent_dim)}"
    panels = "\n".join(_panel(comparison, kind, latent_dim, value_range) for kind in KINDS)
    return (
        f'<section aria-labelledby="first-d{latent_dim}">\n'
        f'<h2 id="first-d{latent_dim}">{html.escape(text)}</h2>\n'
        f'<div class="pair">\n{panels}\n</div>\n</section>'
    )


def _panel(comparison: Comparison, kind: str, latent_dim: int, value_range: ValueRange) -> str:
    study, data = comparison.study(kind, latent_dim), comparison.data
    labels = None if data.y_test is None else data.y_test[: len(study.codes)]
    drawn = study.samples["prior"]
    inside = share_in_region(comparison, kind, latent_dim)
    where = f"{percent(inside)} of the codes lie in the region that holds 99 % of N(0, I)"
    parts = [f"<h3>{_NAMES[kind]}</h3>"]
    if latent_dim > 1:
        plane = scatter(study.codes[:_MOST_DOTS], None if labels is None else labels[:_MOST_DOTS],
                        drawn.z[:_N_DRAWS], f"{kind}: {where}")  # fmt: skip
        hidden = latent_dim - 2
        seen = f"; the plane hides {counted(hidden, 'more direction', number)}" if hidden else ""
        caption = f"{kind}: {where}{seen}"
        parts.append(f'<figure class="plane">{plane}<figcaption>{html.escape(caption)}</figcaption></figure>')
    names = class_names(comparison)
    shares = class_shares(comparison, kind, latent_dim) if names else np.empty(0)
    said = describe_draws(comparison, kind, latent_dim) if names else f"{_N_DRAWS} draws"
    grid = draws(drawn.images[:_N_DRAWS], data.image_shape, value_range, f"Draws of the {kind}: {said}")
    parts.append(f'<figure class="draws">{grid}</figure>')
    if names and len(names) <= MOST_CLASSES:
        confident = class_shares(comparison, kind, latent_dim, "confident_shares")
        highest = max(class_shares(comparison, each, latent_dim).max() for each in KINDS)
        chart = bars(shares, confident, names, comparison.n_compared, highest, f"{kind}: {said}")
        parts.append(f'<figure class="bars">{chart}<figcaption>{html.escape(said)}</figcaption></figure>')
    inner = "\n".join(parts)
    return f'<article class="panel {kind.lower()}">\n{inner}\n</article>'


def scatter(codes: np.ndarray, labels: np.ndarray | None, samples: np.ndarray, alternative: str) -> str:
    """Return codes (N, Z >= 2), the circles of N(0, I) and draws from it (M, Z) as an SVG element.

    Of more than two dimensions it shows the codes' principal directions, as `draw_latent_codes` does.
    """
    axes = picture_axes(codes)
    points, crosses = codes @ axes, samples @ axes
    middle, half = square_around(np.concatenate([points, crosses]))
    scale = _SIDE / (2 * half)

    def place(xy: np.ndarray) -> np.ndarray:
        return (xy - middle) * [scale, -scale] + _SIDE / 2

    classes, members = np.unique(np.zeros(len(points)) if labels is None else labels, return_inverse=True)
    named = labels is not None and len(classes) <= MOST_CLASSES
    if not named:
        classes, members = np.array([""]), np.zeros(len(points), dtype=int)
    dots = "".join(
        f'<path stroke="{CLASS_COLOURS[k % len(CLASS_COLOURS)]}" d="{_dots(place(points[members == k]))}"/>'
        for k in range(len(classes))
    )
    x, y = place(np.zeros(2))
    circles = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius * scale:.1f}"/>' for radius in RADII)
    strokes = "".join(f"M{u - 3:.1f} {v - 3:.1f}l6 6m0-6l-6 6" for u, v in place(crosses))
    tags = ""
    if named:
        medians = np.array([np.median(points[members == k], axis=0) for k in range(len(classes))])
        tags = _tags(place(medians), [str(name) for name in classes])
    return (
        f'<svg viewBox="0 0 {_SIDE} {_SIDE}" role="img" aria-label="{html.escape(alternative)}">'
        f'<g class="dots">{dots}</g><g class="rings">{circles}</g>'
        f'<path class="halo" d="{strokes}"/><path class="cross" d="{strokes}"/>{tags}</svg>'
    )


def _dots(places: np.ndarray) -> str:
    """Return a path of round points: lines of length 0."""
    return "".join(f"M{u:.1f} {v:.1f}h0" for u, v in places)


def _tags(places: np.ndarray, names: Sequence[str]) -> str:
    """Return the classes' names on their colours, moved apart where they would overlap."""
    widths = np.array([0.62 * len(name) * _TEXT + 7 for name in names])
    height = _TEXT + 4.0
    moved = move_apart(places, np.column_stack([widths, np.full(len(names), height)]))
    moved = np.clip(moved, [[height, height]], [[_SIDE - height, _SIDE - height]])
    tags = []
    for k, ((x, y), width, name) in enumerate(zip(moved, widths, names, strict=True)):
        colour = CLASS_COLOURS[k % len(CLASS_COLOURS)]
        tags.append(
            f'<rect x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" width="{width:.1f}" height="{height}" '
            f'rx="6" fill="{colour}"/><text x="{x:.1f}" y="{y + 0.36 * _TEXT:.1f}" '
            f'fill="{readable_on(colour)}">{html.escape(name)}</text>'
        )
    return f'<g class="tags">{"".join(tags)}</g>'


def draws(images: np.ndarray, image_shape: ImageShape, value_range: ValueRange, alternative: str) -> str:
    """Return images (n, D), eight in a row, as one PNG in an img element."""
    n_columns = N_COLUMNS if image_shape is not None else 1
    n_rows = -(-len(images) // n_columns)
    grid = np.full((n_rows * n_columns, images.shape[1]), np.nan)
    grid[: len(images)] = images
    tiled = tile_images(grid.reshape(n_rows, n_columns, -1), image_shape)
    low, high = value_range or (float(images.min()), float(images.max()))
    grey = np.clip((tiled - low) / max(high - low, 1e-12), 0, 1)
    shown = np.isfinite(tiled)
    pixels = np.stack([np.where(shown, 255 * grey, 0), np.where(shown, 255, 0)], axis=-1).round()
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, format="PNG")
    data = base64.b64encode(file.getvalue()).decode("ascii")
    height, width = tiled.shape
    return (
        f'<img src="data:image/png;base64,{data}" width="{width}" height="{height}" '
        f'alt="{html.escape(alternative)}">'
    )


def bars(
    shares: np.ndarray, confident: np.ndarray, names: Sequence[str], n: int, highest: float, alternative: str
) -> str:
    """Return class counts among n draws as an SVG element: a bar for each class, below its confident part.

    A bar of share `highest` has the full height.
    """
    top, bottom = _TEXT + 2, _BARS_HEIGHT - _TEXT - 5
    width = _BARS_WIDTH / len(shares)
    scale = (bottom - top) / max(highest, 1 / len(shares))
    parts = []
    for k, (share, sure, name) in enumerate(zip(shares, confident, names, strict=True)):
        x, middle = k * width + 0.12 * width, (k + 0.5) * width
        for kind, value in (("all", share), ("sure", sure)):
            height = value * scale
            parts.append(
                f'<rect class="{kind}" x="{x:.1f}" y="{bottom - height:.1f}" width="{0.76 * width:.1f}" '
                f'height="{height:.1f}"/>'
            )
        parts.append(f'<text x="{middle:.1f}" y="{bottom - share * scale - 3:.1f}">{share * n:.0f}</text>')
        room = max(int(width / (0.6 * _TEXT)), 1)
        shown = name if len(name) <= room else name[: room - 1] + "\u2026"
        parts.append(
            f'<text class="name" x="{middle:.1f}" y="{_BARS_HEIGHT - 3}">{html.escape(shown)}</text>'
        )
    line = f'<path class="axis" d="M0 {bottom}H{_BARS_WIDTH}"/>'
    return (
        f'<svg viewBox="0 0 {_BARS_WIDTH} {_BARS_HEIGHT}" role="img" '
        f'aria-label="{html.escape(alternative)}">{"".join(parts)}{line}</svg>'
    )
