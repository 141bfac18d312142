import numpy as np
import pytest

from npvae.view import draw_image_grid, draw_image_rows, draw_samples
from npvae.view.draw.tiles import draw_tiles, tile_images


def drawn(ax):
    """Return the values of the only image, NaN where nothing is drawn, and how it is scaled."""
    (image,) = ax.images
    return np.ma.filled(image.get_array().astype(float), np.nan), image.get_clim()


def tile_at(ax, column, row, height, width):
    """Return the pixels around the data point (column, row), as many as an image has."""
    (image,) = ax.images
    left, right, bottom, top = image.get_extent()
    assert image.origin == "upper"
    values, _ = drawn(ax)
    x = (column - left) / (right - left) * values.shape[1]
    y = (row - top) / (bottom - top) * values.shape[0]
    i, j = round(y - height / 2), round(x - width / 2)
    assert y - height / 2 == pytest.approx(i)
    assert x - width / 2 == pytest.approx(j)
    return values[i : i + height, j : j + width]


def test_every_tile_is_the_image_given_there(rng):
    images = rng.random((12, 6))
    ax = draw_image_grid(images, (2, 3), n_columns=4)
    for k, image in enumerate(images):
        np.testing.assert_array_equal(tile_at(ax, k % 4, k // 4, 2, 3), image.reshape(2, 3))
    assert ax.get_xlim() == pytest.approx((-0.5 + 0.125, 3.5 - 0.125))
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first row is the top


def test_pixels_are_square(rng):
    ax = draw_image_grid(rng.random((12, 6)), (2, 3), n_columns=4)
    ax.figure.draw_without_rendering()
    values, _ = drawn(ax)
    box = ax.images[0].get_window_extent()
    assert box.height / values.shape[0] == pytest.approx(box.width / values.shape[1])


def test_gaps_are_white_or_black(rng):
    images = rng.random((2, 2, 9))
    assert np.isnan(tile_images(images, (3, 3))[3]).all()
    assert (tile_images(images, (3, 3), gap_value=0.0)[:, 3] == 0).all()


@pytest.mark.parametrize(("n", "shape"), [(1, (1, 1)), (5, (2, 3)), (9, (3, 3)), (10, (3, 4))])
def test_grid_is_about_square_and_leaves_the_rest_empty(rng, n, shape):
    values, _ = drawn(draw_image_grid(rng.random((n, 16)), (4, 4)))
    assert values.shape == (shape[0] * 5 - 1, shape[1] * 5 - 1)
    assert np.isfinite(values).sum() == n * 16


def test_images_are_black_at_zero_and_white_at_one_whatever_they_hold(rng):
    ax = draw_image_grid(0.4 + 0.1 * rng.random((4, 4)), (2, 2))
    assert drawn(ax)[1] == (0, 1)
    shades = ax.images[0].to_rgba(np.array([[-1.0, 0.0, 1.0, 2.0]]))[0, :, 0]
    np.testing.assert_array_equal(shades, [0, 0, 1, 1])


def test_a_value_range_of_ones_own_is_taken(rng):
    assert drawn(draw_image_grid(rng.random((4, 4)), (2, 2), value_range=(-2, 3)))[1] == (-2, 3)


def test_bytes_are_pixels():
    images = np.array([[0, 51, 204, 255]], dtype=np.uint8)
    values, limits = drawn(draw_image_grid(images, (2, 2)))
    np.testing.assert_allclose(values, [[0, 0.2], [0.8, 1]], rtol=1e-6)
    assert limits == (0, 1)


def test_rows_that_are_no_images_are_bar_codes(rng):
    rows = rng.normal(0, 9, (5, 7))
    ax = draw_image_grid(rows)
    _, limits = drawn(ax)
    assert limits == (rows.min(), rows.max())
    for i, row in enumerate(rows):
        np.testing.assert_array_equal(tile_at(ax, 0, i, 8, 7), np.tile(row, (8, 1)))


def test_constant_and_missing_features_are_drawn(rng):
    draw_image_grid(np.ones((3, 4))).figure.draw_without_rendering()
    draw_image_grid(np.full((3, 4), np.nan)).figure.draw_without_rendering()


@pytest.mark.parametrize(
    ("images", "shape", "message"),
    [
        (np.zeros((0, 4)), (2, 2), "n >= 1"),
        (np.zeros(4), (2, 2), "n >= 1"),
        (np.zeros((3, 5)), (2, 2), "2 x 2 pixels does not have 5"),
    ],
)
def test_images_that_do_not_fit_are_refused(images, shape, message):
    with pytest.raises(ValueError, match=message):
        draw_image_grid(images, shape)


@pytest.mark.parametrize("n_sources", [1, 3, 4, 5, 9])
def test_every_source_of_samples_has_its_grid_and_title(rng, n_sources):
    samples = {f"source {k}": rng.random((4, 6)) for k in range(n_sources)}
    panels = draw_samples(samples, (2, 3))
    assert list(panels) == panels[0].figure.axes
    for ax, (source, images) in zip(panels, samples.items(), strict=True):
        assert ax.get_title() == source
        np.testing.assert_array_equal(tile_at(ax, 1, 0, 2, 3), images[1].reshape(2, 3))


def test_named_rows_stand_below_each_other_in_their_order(rng):
    rows = {
        "original": rng.integers(0, 256, (5, 6), dtype=np.uint8),
        "AE": rng.random((5, 6), dtype=np.float32),
        "VAE": rng.random((5, 6)),
    }
    ax = draw_image_rows(rows, (3, 2), column_names="abcde", title="rows")
    places = {label.get_text(): y for label, y in zip(ax.get_yticklabels(), ax.get_yticks(), strict=True)}
    assert places == {"original": 0, "AE": 1, "VAE": 2}
    assert [label.get_text() for label in ax.get_xticklabels()] == list("abcde")
    np.testing.assert_array_equal(ax.get_xticks(), range(5))
    for name, y in places.items():
        expected = rows[name] / np.float32(255) if name == "original" else rows[name]
        for column, image in enumerate(expected):
            np.testing.assert_allclose(tile_at(ax, column, y, 3, 2), image.reshape(3, 2), rtol=1e-6)


def test_rows_of_different_lengths_are_refused(rng):
    with pytest.raises(ValueError, match="same shape"):
        draw_image_rows({"a": rng.random((3, 4)), "b": rng.random((2, 4))}, (2, 2))


def test_drawing_leaves_the_images_alone(rng):
    images = rng.random((2, 2, 4))
    images.flags.writeable = False
    draw_tiles(draw_image_grid(images[0], (2, 2)), images, (2, 2))
