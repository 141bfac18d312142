"""The pictures of a comparison."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from npvae.data import to_unit_interval
from npvae.study.compare import Comparison
from npvae.study.latent import decode_plane, decode_point, interpolate_images, latent_plane
from npvae.view.history import draw_history
from npvae.view.images import draw_image_rows, draw_samples
from npvae.view.latent import draw_latent_comparison
from npvae.view.plane import draw_decoded_plane
from npvae.view.point import draw_point
from npvae.view.save import save_figure

LECTURE_POINT = (-2.5, 2.0)  # "an arbitrary point": STAT453, L17.2
_N_GRID, _N_ROW, _N_SIDE = 64, 12, 15


def write_pictures(comparison: Comparison, folder: Path) -> list[str]:
    """Draw and save every picture that the comparison allows.

    Parameters
    ----------
    comparison : Comparison
    folder : Path
        Made where it is missing; pictures of the same names are replaced.

    Returns
    -------
    list of str
        File names: loss, latent, samples, reconstructions, interpolation; and for two latent dimensions
        plane-ae, plane-vae and point.
    """
    pictures: dict[str, Callable[[Comparison], Axes]] = {
        "loss.png": _loss,
        "latent.png": _latent,
        "samples.png": _samples,
        "reconstructions.png": _reconstructions,
        "interpolation.png": _interpolation,
    }
    if comparison.vae.codes.shape[1] == 2:
        pictures |= {"plane-ae.png": _plane_ae, "plane-vae.png": _plane_vae, "point.png": _point}
    for name, draw in pictures.items():
        save_figure(draw(comparison), folder / name)
    return list(pictures)


def _loss(comparison: Comparison) -> Axes:
    histories = {study.name: study.estimator.history_ for study in (comparison.ae, comparison.vae)}
    return draw_history(histories, validation_name="test")[0]


def _latent(comparison: Comparison) -> Axes:
    codes = {"AE": comparison.ae.codes, "VAE": comparison.vae.codes}
    z = comparison.vae.samples["prior"].z
    return draw_latent_comparison(codes, comparison.data.y_test, z[:100])[0]


def _samples(comparison: Comparison) -> Axes:
    studies = (comparison.ae, comparison.vae)
    grids = {f"{study.name}, z ~ N(0, I)": study.samples["prior"].images for study in studies}
    grids["test images"] = _test_images(comparison, _N_GRID)
    for study in studies:
        for way, samples in study.samples.items():
            if way != "prior":
                grids[f"{study.name}, z ~ {samples.label}\nfitted to its codes"] = samples.images
    shown = {source: images[:_N_GRID] for source, images in grids.items()}
    return draw_samples(shown, comparison.data.image_shape, value_range=_value_range(comparison))[0]


def _reconstructions(comparison: Comparison) -> Axes:
    images = _test_images(comparison, _N_ROW)
    rows = {"original": images} | {
        study.name: study.estimator.reconstruct(images) for study in (comparison.ae, comparison.vae)
    }
    return draw_image_rows(
        rows,
        comparison.data.image_shape,
        title="test images and what is left of them after the latent space",
        value_range=_value_range(comparison),
    )


def _interpolation(comparison: Comparison) -> Axes:
    """From the first test image to that whose code in the VAE lies furthest from its own."""
    codes = comparison.vae.codes
    furthest = int(np.argmax(np.linalg.norm(codes - codes[0], axis=1)))
    images = _test_images(comparison, None)
    rows = {
        study.name: interpolate_images(study.estimator, images[0], images[furthest], _N_ROW)
        for study in (comparison.ae, comparison.vae)
    }
    return draw_image_rows(
        rows,
        comparison.data.image_shape,
        column_names=[f"{share:.0%}" for share in np.linspace(0, 1, _N_ROW)],
        title="along the straight line between the codes of two test images",
        value_range=_value_range(comparison),
    )


def _plane_ae(comparison: Comparison) -> Axes:
    return _plane(comparison, "ae")


def _plane_vae(comparison: Comparison) -> Axes:
    return _plane(comparison, "vae")


def _plane(comparison: Comparison, kind: str) -> Axes:
    study = getattr(comparison, kind)
    return draw_decoded_plane(
        decode_plane(study.estimator, _N_SIDE),
        latent_plane(_N_SIDE),
        comparison.data.image_shape,
        title=f"{study.name}: decoded at the quantiles of N(0, I)",
        value_range=_value_range(comparison),
    )


def _point(comparison: Comparison) -> Axes:
    studies = {study.name: study for study in (comparison.ae, comparison.vae)}
    return draw_point(
        LECTURE_POINT,
        {name: decode_point(study.estimator, LECTURE_POINT) for name, study in studies.items()},
        {name: study.codes for name, study in studies.items()},
        comparison.data.y_test,
        comparison.data.image_shape,
        value_range=_value_range(comparison),
    )[0]


def _test_images(comparison: Comparison, n: int | None) -> np.ndarray:
    X = comparison.data.X_test[:n]
    return to_unit_interval(X) if X.dtype == np.uint8 else X


def _value_range(comparison: Comparison) -> tuple[float, float] | None:
    """Images are drawn from 0 to 1, other data from its least to its greatest value."""
    low, high = (0.0, 1.0) if comparison.data.X_test.dtype == np.uint8 else comparison.data.value_range
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)
