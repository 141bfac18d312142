"""The pictures of a comparison, for one latent dimension each; and one of all."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from npvae.data import to_unit_interval
from npvae.study.comparison import Comparison
from npvae.study.experiment.cache import KINDS
from npvae.study.experiment.model_study import N_CODES, ModelStudy
from npvae.study.sampling.samplers import SAMPLERS, WAYS, draw_codes
from npvae.study.walks.interpolation import interpolate_images
from npvae.study.walks.latent_point import decode_point
from npvae.study.walks.plane import decode_plane, latent_plane
from npvae.view.draw.history import draw_history
from npvae.view.draw.images import draw_image_rows, draw_samples
from npvae.view.draw.latent import draw_latent_comparison, draw_latent_histograms
from npvae.view.draw.latent_point import draw_latent_point
from npvae.view.draw.metrics import draw_metrics
from npvae.view.draw.plane import draw_decoded_plane
from npvae.view.draw.save import save_figure

LECTURE_POINT = (-2.5, 2.0)  # "an arbitrary point": STAT453, L17.2
_N_GRID, _N_ROW, _N_SIDE = 36, 12, 15


def write_pictures(comparison: Comparison, folder: Path) -> list[str]:
    """Draw and save every picture that the comparison allows; those of models show the first seed's.

    Parameters
    ----------
    comparison : Comparison
    folder : Path
        Made where it is missing; pictures of the same names are replaced.

    Returns
    -------
    list of str
        File names. For each latent dimension: latent, histograms, samples, reconstructions, interpolation,
        loss; for two latent dimensions plane-ae, plane-vae and point too. Of several latent dimensions, each
        picture's name says which, as in samples-d10.png, and metrics.png comes first.
    """
    pictures = _pictures(comparison.latent_dims)
    for name, draw in pictures.items():
        save_figure(draw(comparison), folder / name)
    return list(pictures)


def picture_names(latent_dims: Sequence[int]) -> list[str]:
    """Return the names of the files that `write_pictures` will write."""
    return list(_pictures(latent_dims))


def _pictures(latent_dims: Sequence[int]) -> dict[str, Callable[[Comparison], Axes]]:
    pictures: dict[str, Callable[[Comparison], Axes]] = {}
    several = len(latent_dims) > 1
    if several:
        pictures["metrics.png"] = lambda comparison: draw_metrics(comparison)[0]
    for latent_dim in latent_dims:
        suffix = f"-d{latent_dim}.png" if several else ".png"
        for name, draw in _pictures_of(latent_dim).items():
            pictures[name + suffix] = _with_dimension(draw, latent_dim)
    return pictures


def _with_dimension(draw: Callable[[Comparison, int], Axes], latent_dim: int) -> Callable[[Comparison], Axes]:
    return lambda comparison: draw(comparison, latent_dim)


def _pictures_of(latent_dim: int) -> dict[str, Callable[[Comparison, int], Axes]]:
    pictures: dict[str, Callable[[Comparison, int], Axes]] = {
        "latent": _latent,
        "histograms": _histograms,
        "samples": _samples,
        "reconstructions": _reconstructions,
        "interpolation": _interpolation,
    }
    if latent_dim == 2:
        pictures |= {"plane-ae": partial(_plane, "AE"), "plane-vae": partial(_plane, "VAE"), "point": _point}
    return pictures | {"loss": _loss}


def _studies(comparison: Comparison, latent_dim: int) -> dict[str, ModelStudy]:
    return {kind: comparison.study(kind, latent_dim) for kind in KINDS}


def _loss(comparison: Comparison, latent_dim: int) -> Axes:
    studies = _studies(comparison, latent_dim)
    histories = {kind: study.estimator.history_ for kind, study in studies.items()}
    return draw_history(histories, validation_name="test")[0]


def _latent(comparison: Comparison, latent_dim: int) -> Axes:
    studies = _studies(comparison, latent_dim)
    codes = {kind: study.codes for kind, study in studies.items()}
    y, n = comparison.data.y_test, len(codes["VAE"])
    z = studies["VAE"].samples["prior"].z
    return draw_latent_comparison(codes, None if y is None else y[:n], z)[0]


def _histograms(comparison: Comparison, latent_dim: int) -> Axes:
    X, rng = _test_images(comparison, N_CODES), np.random.default_rng(0)
    z = {
        kind: draw_codes(study.estimator, X, rng) for kind, study in _studies(comparison, latent_dim).items()
    }
    return draw_latent_histograms(z)[0]


def _samples(comparison: Comparison, latent_dim: int) -> Axes:
    """Each model's ways in a line of their own, after the test images."""
    grids = {"test images": _test_images(comparison, _N_GRID)}
    for kind, study in _studies(comparison, latent_dim).items():
        for way in WAYS[kind]:
            grids[f"{kind}: {SAMPLERS[way].label}"] = study.samples[way].images[:_N_GRID]
    return draw_samples(grids, comparison.data.image_shape, value_range=value_range_of(comparison))[0]


def _reconstructions(comparison: Comparison, latent_dim: int) -> Axes:
    images = _test_images(comparison, _N_ROW)
    studies = _studies(comparison, latent_dim)
    rows = {"original": images} | {
        kind: study.estimator.reconstruct(images) for kind, study in studies.items()
    }
    return draw_image_rows(
        rows,
        comparison.data.image_shape,
        title=f"test images and what is left of them after {_dimensions(latent_dim)}",
        value_range=value_range_of(comparison),
    )


def _interpolation(comparison: Comparison, latent_dim: int) -> Axes:
    """From the first test image to that whose code in the VAE lies furthest from its own."""
    studies = _studies(comparison, latent_dim)
    codes = studies["VAE"].codes
    furthest = int(np.argmax(np.linalg.norm(codes - codes[0], axis=1)))
    images = _test_images(comparison, len(codes))
    rows = {
        kind: interpolate_images(study.estimator, images[0], images[furthest], _N_ROW)
        for kind, study in studies.items()
    }
    return draw_image_rows(
        rows,
        comparison.data.image_shape,
        column_names=[f"{share:.0%}" for share in np.linspace(0, 1, _N_ROW)],
        title="along the straight line between the codes of two test images",
        value_range=value_range_of(comparison),
    )


def _plane(kind: str, comparison: Comparison, latent_dim: int) -> Axes:
    return draw_decoded_plane(
        decode_plane(comparison.study(kind, latent_dim).estimator, _N_SIDE),
        latent_plane(_N_SIDE),
        comparison.data.image_shape,
        title=f"{kind}: decoded at the quantiles of N(0, I)",
        value_range=value_range_of(comparison),
    )


def _point(comparison: Comparison, latent_dim: int) -> Axes:
    studies = _studies(comparison, latent_dim)
    y, n = comparison.data.y_test, len(studies["VAE"].codes)
    return draw_latent_point(
        LECTURE_POINT,
        {kind: decode_point(study.estimator, LECTURE_POINT) for kind, study in studies.items()},
        {kind: study.codes for kind, study in studies.items()},
        None if y is None else y[:n],
        comparison.data.image_shape,
        value_range=value_range_of(comparison),
    )[0]


def _dimensions(latent_dim: int) -> str:
    return "one latent dimension" if latent_dim == 1 else f"{latent_dim} latent dimensions"


def _test_images(comparison: Comparison, n: int | None) -> np.ndarray:
    X = comparison.data.X_test[:n]
    return to_unit_interval(X) if X.dtype == np.uint8 else X


def value_range_of(comparison: Comparison) -> tuple[float, float] | None:
    """Images are drawn from 0 to 1, other data from its least to its greatest value."""
    low, high = (0.0, 1.0) if comparison.data.X_test.dtype == np.uint8 else comparison.data.value_range
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)
