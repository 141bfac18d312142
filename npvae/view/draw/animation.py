"""A latent plane over training, as an animated GIF."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from npvae.view.draw.latent import RADII, draw_plane, picture_axes
from npvae.view.draw.style import new_figure, set_title
from npvae.writing import write_atomically

_DPI = 72
_FRAME, _LAST_FRAME = 120, 2500  # milliseconds
_COLOURS = 64
_SHOWN = 0.995  # share of the codes that the limits include


def chosen_epochs(n_epochs: int, n_frames: int) -> list[int]:
    """Return at most n_frames of the epochs 0 to n_epochs - 1: most in the beginning, where most happens.

    Examples
    --------
    >>> chosen_epochs(100, 8)
    [0, 1, 3, 6, 13, 26, 51, 99]
    >>> chosen_epochs(3, 8)
    [0, 1, 2]
    """
    if n_epochs <= n_frames:
        return list(range(n_epochs))
    wanted = np.geomspace(1, n_epochs, n_frames).round().astype(int) - 1
    return sorted(set(wanted.tolist()))


def write_latent_animation(
    path: str | os.PathLike[str],
    codes: Mapping[str, Sequence[np.ndarray]],
    labels: npt.ArrayLike | None = None,
    *,
    n_frames: int = 60,
) -> int:
    """Write a GIF of the codes of several models, side by side, epoch by epoch.

    Parameters
    ----------
    path : path
        Replaced atomically if it exists.
    codes : mapping from a model's name to a sequence of (N, Z) arrays, Z >= 2
        One for each epoch, as `npvae.study.CodeRecorder` keeps them; of the same N samples. More than two
        dimensions are shown in the principal directions of the last epoch.
    labels : (N,) array, optional
        Classes, for the colours.
    n_frames : int
        At most.

    Returns
    -------
    int
        Number of frames.

    Raises
    ------
    ValueError
        There are no codes, or models have different numbers of epochs.
    OSError
        The file cannot be written.
    """
    lengths = {len(epochs) for epochs in codes.values()}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(f"every model needs codes of the same number of epochs, got {sorted(lengths)}")
    chosen = chosen_epochs(lengths.pop(), n_frames)
    figure = new_figure(5.6 * len(codes), 6.0)
    panels = figure.subplots(1, len(codes), squeeze=False)[0]
    canvas = FigureCanvasAgg(figure)
    frames = []
    for epoch in chosen:
        for ax, (name, epochs) in zip(panels, codes.items(), strict=True):
            ax.clear()
            draw_plane(ax, epochs[epoch], labels, axes=picture_axes(epochs[-1]))
            half = _half_side(epochs)
            ax.set(xlim=(-half, half), ylim=(-half, half))
            set_title(ax, f"{name}, epoch {epoch + 1}")
        figure.set_dpi(_DPI)
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())[:, :, :3]
        frames.append(Image.fromarray(pixels.copy()).quantize(_COLOURS, dither=Image.Dither.NONE))
    durations = [_FRAME] * (len(frames) - 1) + [_LAST_FRAME]

    def write(temporary: Path) -> None:
        frames[0].save(
            temporary, format="GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0
        )

    write_atomically(Path(path), write)
    return len(frames)


def _half_side(epochs: Sequence[np.ndarray]) -> float:
    """Return half the side of a square around the origin, the same for all epochs."""
    axes = picture_axes(epochs[-1])
    reach = max(float(np.quantile(np.abs(codes @ axes), _SHOWN)) for codes in epochs)
    return 1.08 * max(reach, RADII[-1])
