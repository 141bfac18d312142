import numpy as np
import pytest

from npvae.view import draw_nearest


@pytest.fixture
def found(rng):
    """Five samples of 4 x 3 pixels with two neighbours each."""
    return rng.random((5, 12)), rng.integers(256, size=(5, 2, 12), dtype=np.uint8), rng.random((5, 2)) * 20


def tile(ax, column, row, height, width):
    """The image at the top of a tile, by the data coordinates of the tile."""
    (image,) = ax.images
    left, right, bottom, top = image.get_extent()
    values = np.ma.filled(image.get_array().astype(float), np.nan)
    x = round((column - 0.5 - left) / (right - left) * values.shape[1] + 0.5)
    y = round((row - 0.5 - top) / (bottom - top) * values.shape[0] + 0.5)
    return values[y : y + height, x : x + width]


def test_neighbours_stand_below_their_samples(found):
    samples, neighbours, distances = found
    ax = draw_nearest(samples, neighbours, distances, (4, 3))
    for i in range(5):
        np.testing.assert_allclose(tile(ax, i, 0, 4, 3), samples[i].reshape(4, 3))
        for j in range(2):
            expected = neighbours[i, j].reshape(4, 3) / 255
            np.testing.assert_allclose(tile(ax, i, j + 1, 4, 3), expected, rtol=1e-6)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["sample", "nearest", "2nd"]


def test_each_distance_is_below_its_image(found):
    ax = draw_nearest(*found, (4, 3))
    ax.figure.draw_without_rendering()
    texts = [text for text in ax.texts if text.get_text()]
    places = {(int(np.rint(text.get_position()[0])), int(text.get_position()[1])): text for text in texts}
    assert len(texts) == len(places) == 10
    values = np.ma.filled(ax.images[0].get_array().astype(float), np.nan)
    left, right, bottom, top = ax.images[0].get_extent()
    for i in range(5):
        for j in range(2):
            text = places[i, j + 1]
            assert text.get_text() == f"{found[2][i, j]:.2f}"
            x, y = text.get_position()
            column = int((x - left) / (right - left) * values.shape[1])
            row = int((y - top) / (bottom - top) * values.shape[0])
            assert np.isnan(values[row, column]), "a distance on an image"


def test_the_frame_is_around_the_samples(found):
    ax = draw_nearest(*found, (4, 3))
    (frame,) = ax.patches
    assert (frame.get_x(), frame.get_y(), frame.get_width()) == (-0.5, -0.5, 5)
    assert 0.5 < frame.get_height() < 1
    assert ax.get_yticks()[0] == pytest.approx(frame.get_y() + frame.get_height() / 2)


def test_bar_codes(rng):
    ax = draw_nearest(rng.normal(0, 9, (3, 7)), rng.normal(0, 9, (3, 2, 7)), np.ones((3, 2)), title="bars")
    ax.figure.draw_without_rendering()
    assert len(ax.get_yticks()) == 3


def test_shapes_that_contradict_each_other(found):
    samples, neighbours, distances = found
    for wrong in (
        (samples[:4], neighbours, distances),
        (samples, neighbours[:, :1], distances),
        (samples[:, :3], neighbours, distances),
    ):
        with pytest.raises(ValueError, match=r"need neighbours of shape \(5, 2, D\)"):
            draw_nearest(*wrong, (4, 3))
    with pytest.raises(ValueError, match="5 x 3 pixels does not have 12"):
        draw_nearest(samples, neighbours, distances, (5, 3))
