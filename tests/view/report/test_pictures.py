"""Which pictures are made, and that they show the comparison's numbers; how they look is tested elsewhere."""

from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot
from PIL import Image

from npvae.study import SAMPLERS, WAYS
from npvae.view.report import pictures
from npvae.view.report.pictures import write_pictures
from tests.comparisons import N_TEST, small_comparison

ALWAYS = ["latent.png", "histograms.png", "samples.png", "reconstructions.png", "interpolation.png"]
PLANE = ["plane-ae.png", "plane-vae.png", "point.png"]
LOSS = ["loss.png"]


@pytest.fixture(scope="module")
def comparison():
    return small_comparison()


@pytest.fixture(scope="module")
def studies(comparison):
    return {kind: comparison.study(kind, 2) for kind in WAYS}


def draw(comparison):
    """Return the figures in place of the files, by the name of the file."""
    drawn = {}

    def keep(figure_or_axes, path):
        drawn[path.name] = figure_or_axes.get_figure(root=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "save_figure", keep)
        assert write_pictures(comparison, Path("nowhere")) == list(drawn)
    return drawn


@pytest.fixture(scope="module")
def figures(comparison):
    return draw(comparison)


def images_of(figure):
    """What each image of the figure shows, without the gaps, as a flat array; and its limits."""
    shown = [image for ax in figure.axes for image in ax.get_images()]
    arrays = [np.ma.filled(image.get_array().astype(float), np.nan) for image in shown]
    return arrays, [image.get_clim() for image in shown]


def tile(array, row, column, height=3, width=4):
    top, left = row * (height + 1), column * (width + 1)
    return array[top : top + height, left : left + width].ravel()


def test_the_files_of_a_plane(comparison, tmp_path, monkeypatch):
    """No window is opened, and no display needed."""
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setattr("npvae.view.draw.save._DPI", 30)
    folder = tmp_path / "new" / "folder"
    assert write_pictures(comparison, folder) == ALWAYS + PLANE + LOSS
    assert {path.name for path in folder.iterdir()} == {*ALWAYS, *PLANE, *LOSS}
    for path in folder.iterdir():
        with Image.open(path) as image:
            image.load()
    assert pyplot.get_fignums() == []
    assert matplotlib.get_backend().lower() == "agg"


@pytest.mark.parametrize("latent_dim", [1, 3])
def test_no_plane(latent_dim):
    figures = draw(small_comparison((latent_dim,)))
    assert list(figures) == ALWAYS + LOSS
    for figure in figures.values():
        figure.draw_without_rendering()


def test_several_dimensions_and_seeds():
    """Each dimension has its pictures, of the first seed, and all have one together."""
    comparison = small_comparison((3, 2), (4, 0))
    figures = draw(comparison)
    of_three = [name.replace(".png", "-d3.png") for name in ALWAYS + LOSS]
    of_two = [name.replace(".png", "-d2.png") for name in ALWAYS + PLANE + LOSS]
    assert list(figures) == ["metrics.png", *of_three, *of_two]
    arrays, _ = images_of(figures["samples-d3.png"])
    first = comparison.study("AE", 3, 4).samples["prior"].images[0]
    assert any(np.allclose(tile(array, 0, 0), first, atol=1e-6) for array in arrays)


@pytest.mark.parametrize("case", [{"labels": False}, {"tabular": True, "labels": False}])
def test_without_labels_or_images(case):
    figures = draw(small_comparison(**case))
    assert list(figures) == ALWAYS + PLANE + LOSS
    for figure in figures.values():
        figure.draw_without_rendering()  # text that cannot be drawn fails only here


def test_one_class_only():
    """There is no image of another class to interpolate to."""
    figures = draw(small_comparison(n_classes=1))
    (array,), _ = images_of(figures["interpolation.png"])
    assert not np.allclose(tile(array, 0, 0), tile(array, 0, 11), atol=1e-4), "from an image to itself"


def test_interpolation_goes_from_one_image_to_another(comparison, studies, figures):
    """The same two in both latent spaces, with equal steps between the codes."""
    (array,), _ = images_of(figures["interpolation.png"])
    X = comparison.data.X_test
    for row, study in enumerate(studies.values()):
        reconstructions = study.estimator.reconstruct(X)
        np.testing.assert_allclose(tile(array, row, 0), reconstructions[0], atol=1e-6)
        codes = studies["VAE"].estimator.transform(X)
        end = np.argmax(((codes - codes[0]) ** 2).sum(axis=1))
        np.testing.assert_allclose(tile(array, row, 11), reconstructions[end], atol=1e-6)
        z0, z1 = study.estimator.transform(X[[0, end]])
        third = study.estimator.inverse_transform([z0 + (z1 - z0) * 3 / 11])[0]
        np.testing.assert_allclose(tile(array, row, 3), third, atol=1e-5)
        assert end > 0


def test_reconstructions_stand_below_their_originals(comparison, studies, figures):
    figure = figures["reconstructions.png"]
    (array,), _ = images_of(figure)
    X = comparison.data.X_test[:12]
    rows = [X / 255, *(study.estimator.reconstruct(X) for study in studies.values())]
    for r, images in enumerate(rows):
        for c in range(12):
            np.testing.assert_allclose(tile(array, r, c), images[c], atol=1e-6)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["original", "AE", "VAE"]


def test_samples_are_those_that_were_measured(comparison, studies, figures):
    figure = figures["samples.png"]
    arrays, limits = images_of(figure)
    expected = {"test images": comparison.data.X_test / 255} | {
        f"{kind}: {SAMPLERS[way].label}": samples.images
        for kind, study in studies.items()
        for way, samples in study.samples.items()
    }
    shown = dict(zip([ax.get_title().split("\n")[0] for ax in figure.axes], arrays, strict=False))
    assert set(expected) == {title for title in shown if title}
    for title, images in expected.items():
        np.testing.assert_allclose(tile(shown[title], 0, 0), images[0], atol=1e-6)
        np.testing.assert_allclose(tile(shown[title], 0, 5), images[5], atol=1e-6)
    assert set(limits) == {(0, 1)}


def test_features_are_drawn_over_the_datas_range():
    comparison = small_comparison(tabular=True)
    figures = draw(comparison)
    for name in ("samples.png", "reconstructions.png", "plane-ae.png", "plane-vae.png", "point.png"):
        _, limits = images_of(figures[name])
        for limit in limits:
            assert limit == pytest.approx(comparison.data.value_range), name
        figures[name].draw_without_rendering()


@pytest.mark.parametrize("latent_dim", [2, 3])
def test_histograms_of_every_dimension(latent_dim):
    """Of the AE's codes, and of draws from the VAE's posteriors: their means spread less."""
    comparison = small_comparison((latent_dim,))
    figure = draw(comparison)["histograms.png"]
    assert len(figure.axes) == 2 * latent_dim
    X = comparison.data.X_test
    codes = comparison.study("AE", latent_dim).estimator.transform(X)
    mu, log_var = comparison.study("VAE", latent_dim).estimator.encode(X)
    for d, ax in enumerate(figure.axes[:latent_dim]):
        edges = np.linspace(*ax.get_xlim(), 26)
        heights = [bar.get_height() for bar in ax.patches]
        np.testing.assert_allclose(heights, np.histogram(codes[:, d], edges, density=True)[0], atol=1e-6)
    widths = [_spread(ax) for ax in figure.axes[latent_dim:]]
    expected = np.sqrt(mu.var(axis=0) + np.exp(log_var).mean(axis=0))
    np.testing.assert_allclose(widths, expected, rtol=0.4)
    assert np.all(np.array(widths) > 3 * mu.std(axis=0))


def _spread(ax):
    """The standard deviation of what a histogram shows."""
    middles = np.array([bar.get_x() + bar.get_width() / 2 for bar in ax.patches])
    weights = np.array([bar.get_height() for bar in ax.patches])
    mean = np.average(middles, weights=weights)
    return np.sqrt(np.average((middles - mean) ** 2, weights=weights))


def test_the_planes_have_the_priors_median_in_their_middle(comparison, studies, figures):
    for kind, study in studies.items():
        figure = figures[f"plane-{kind.lower()}.png"]
        (array,), _ = images_of(figure)
        middle = study.estimator.inverse_transform([[0.0, 0.0]])[0]
        np.testing.assert_allclose(tile(array, 7, 7), middle, atol=1e-5)
        assert figure.axes[0].get_title().startswith(f"{kind}:")


def test_the_lectures_point(comparison, studies, figures):
    arrays, _ = images_of(figures["point.png"])
    shown = [array.ravel() for array in arrays]
    for kind, study in studies.items():
        decoded = study.estimator.inverse_transform([[-2.5, 2.0]])[0]
        assert any(a.shape == decoded.shape and np.allclose(a, decoded, atol=1e-5) for a in shown), kind


def test_the_fewest_images(comparison):
    """Fewer than a grid or a row has places for."""
    few = slice(10)
    data = replace(comparison.data, X_test=comparison.data.X_test[few], y_test=comparison.data.y_test[few])
    studies = {
        cell: replace(
            study,
            codes=study.codes[few],
            samples={
                way: replace(samples, z=samples.z[few], images=samples.images[few])
                for way, samples in study.samples.items()
            },
        )
        for cell, study in comparison.studies.items()
    }
    assert len(comparison.data.X_test) == N_TEST
    figures = draw(replace(comparison, data=data, studies=studies))
    (array,), _ = images_of(figures["reconstructions.png"])
    np.testing.assert_allclose(tile(array, 0, 9), data.X_test[9] / 255, atol=1e-6)
    for figure in figures.values():
        figure.draw_without_rendering()
