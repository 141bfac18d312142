"""Which pictures are made, and that they show the comparison's numbers; how they look is tested elsewhere."""

from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot
from PIL import Image

from npvae import VAE, Autoencoder
from npvae.data import Dataset
from npvae.study.compare import compare
from npvae.view import compare_pictures
from npvae.view.compare_pictures import write_pictures

ALWAYS = ["loss.png", "latent.png", "samples.png", "reconstructions.png", "interpolation.png"]
PLANE = ["plane-ae.png", "plane-vae.png", "point.png"]


def made_comparison(latent_dim=2, *, labels=True, tabular=False, n_epochs=2):
    rng = np.random.default_rng(0)
    X = rng.integers(256, size=(140, 12), dtype=np.uint8)
    likelihood = "bernoulli"
    if tabular:
        X, likelihood = (3 * rng.standard_normal((140, 12)) + 1).astype(np.float32), "gaussian"
    y = rng.integers(3, size=140) if labels else None
    parts = (X[:90], None if y is None else y[:90], X[90:], None if y is None else y[90:])
    data = Dataset("noise", *parts, None if tabular else (3, 4))
    settings = {"hidden": (6,), "likelihood": likelihood, "max_epochs": n_epochs, "random_state": 0}
    models = [cls(latent_dim, **settings).fit(data.X_train) for cls in (Autoencoder, VAE)]
    return compare(data, *models)


@pytest.fixture(scope="module")
def comparison():
    return made_comparison()


@pytest.fixture
def figures(monkeypatch):
    """The figures in place of the files, by the name of the file."""
    drawn = {}

    def keep(figure_or_axes, path):
        drawn[path.name] = figure_or_axes.get_figure(root=True)

    monkeypatch.setattr(compare_pictures, "save_figure", keep)
    yield drawn
    for figure in drawn.values():
        pyplot.close(figure)


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
    monkeypatch.setattr("npvae.view.save._DPI", 30)
    folder = tmp_path / "new" / "folder"
    assert write_pictures(comparison, folder) == ALWAYS + PLANE
    assert {path.name for path in folder.iterdir()} == {*ALWAYS, *PLANE}
    for path in folder.iterdir():
        with Image.open(path) as image:
            image.load()
    assert pyplot.get_fignums() == []
    assert matplotlib.get_backend().lower() == "agg"


@pytest.mark.parametrize("latent_dim", [1, 3])
def test_no_plane(latent_dim, figures, tmp_path):
    assert write_pictures(made_comparison(latent_dim), tmp_path) == ALWAYS == list(figures)


@pytest.mark.parametrize("case", [{"labels": False}, {"tabular": True}, {"tabular": True, "labels": False}])
def test_without_labels_or_images(case, figures, tmp_path):
    assert write_pictures(made_comparison(**case), tmp_path) == ALWAYS + PLANE
    for figure in figures.values():
        figure.draw_without_rendering()  # text that cannot be drawn fails only here


def test_one_class_only(comparison, figures, tmp_path):
    """There is no image of another class to interpolate to."""
    y = np.zeros(len(comparison.data.X_test), dtype=int)
    write_pictures(replace(comparison, data=replace(comparison.data, y_test=y)), tmp_path)
    (array,), _ = images_of(figures["interpolation.png"])
    assert not np.allclose(tile(array, 0, 0), tile(array, 0, 11), atol=1e-4), "from an image to itself"


def test_interpolation_goes_from_one_image_to_another(comparison, figures, tmp_path):
    """The same two in both latent spaces, with equal steps between the codes."""
    write_pictures(comparison, tmp_path)
    (array,), _ = images_of(figures["interpolation.png"])
    X = comparison.data.X_test
    ends = []
    for row, study in enumerate((comparison.ae, comparison.vae)):
        reconstructions = study.estimator.reconstruct(X)
        np.testing.assert_allclose(tile(array, row, 0), reconstructions[0], atol=1e-6)
        (end,) = np.flatnonzero(np.abs(reconstructions - tile(array, row, 11)).max(axis=1) < 1e-6)
        z0, z1 = study.estimator.transform(X[[0, end]])
        third = study.estimator.inverse_transform([z0 + (z1 - z0) * 3 / 11])[0]
        np.testing.assert_allclose(tile(array, row, 3), third, atol=1e-5)
        ends.append(end)
    assert ends[0] == ends[1] > 0


def test_reconstructions_stand_below_their_originals(comparison, figures, tmp_path):
    write_pictures(comparison, tmp_path)
    figure = figures["reconstructions.png"]
    (array,), _ = images_of(figure)
    X = comparison.data.X_test[:12]
    rows = [X / 255, comparison.ae.estimator.reconstruct(X), comparison.vae.estimator.reconstruct(X)]
    for r, images in enumerate(rows):
        for c in range(12):
            np.testing.assert_allclose(tile(array, r, c), images[c], atol=1e-6)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["original", "AE", "VAE"]


def test_samples_are_those_that_were_measured(comparison, figures, tmp_path):
    write_pictures(comparison, tmp_path)
    figure = figures["samples.png"]
    arrays, limits = images_of(figure)
    titles = [ax.get_title() for ax in figure.axes]
    assert [title.split("\n")[0] for title in titles] == [
        "AE, z ~ N(0, I)",
        "VAE, z ~ N(0, I)",
        "test images",
        "AE, z ~ diagonal Gaussian",
        "AE, z ~ full Gaussian",
        "AE, z ~ mixture of 10",
    ]
    ae, vae = comparison.ae.samples, comparison.vae.samples
    expected = [
        ae["prior"].images,
        vae["prior"].images,
        comparison.data.X_test / 255,
        ae["diagonal"].images,
        ae["full"].images,
        ae["mixture"].images,
    ]
    for array, images in zip(arrays, expected, strict=True):
        np.testing.assert_allclose(tile(array, 0, 0), images[0], atol=1e-6)
        np.testing.assert_allclose(tile(array, 0, 5), images[5], atol=1e-6)
    assert set(limits) == {(0, 1)}


def test_features_are_drawn_over_the_datas_range(figures, tmp_path):
    comparison = made_comparison(tabular=True)
    write_pictures(comparison, tmp_path)
    for name in ("samples.png", "reconstructions.png", "plane-ae.png", "plane-vae.png", "point.png"):
        _, limits = images_of(figures[name])
        for limit in limits:
            assert limit == pytest.approx(comparison.data.value_range), name


def test_the_planes_have_the_priors_median_in_their_middle(comparison, figures, tmp_path):
    write_pictures(comparison, tmp_path)
    for name, study in [("plane-ae.png", comparison.ae), ("plane-vae.png", comparison.vae)]:
        (array,), _ = images_of(figures[name])
        middle = study.estimator.inverse_transform([[0.0, 0.0]])[0]
        np.testing.assert_allclose(tile(array, 7, 7), middle, atol=1e-5)
        assert study.name + ":" in figures[name].axes[0].get_title()


def test_the_lectures_point(comparison, figures, tmp_path):
    write_pictures(comparison, tmp_path)
    arrays, _ = images_of(figures["point.png"])
    shown = [array.ravel() for array in arrays]
    for study in (comparison.ae, comparison.vae):
        decoded = study.estimator.inverse_transform([[-2.5, 2.0]])[0]
        assert any(a.shape == decoded.shape and np.allclose(a, decoded, atol=1e-5) for a in shown), study.name
