import numpy as np
import pytest

from npvae.study import Traversal
from npvae.view import draw_traversal


@pytest.fixture
def traversal(rng):
    """Dimensions 4, 0 and 11 around a point; each image is its point's first twelve coordinates."""
    dims, centre = np.array([4, 0, 11]), rng.standard_normal(12)
    values = centre[dims][:, None] + np.array([-3, -1, 0, 1, 20])
    points = np.tile(centre, (3, 5, 1))
    for row, d in enumerate(dims):
        points[row, :, d] = values[row]
    return Traversal(dims, centre, values, np.array([2.5, 1.25, 0.0]), points, points)


@pytest.mark.parametrize("shape", [(4, 3), None])
def test_every_image_is_above_its_value(traversal, shape):
    ax = draw_traversal(traversal, shape, value_range=(-30, 30))
    texts = {(round(t.get_position()[0], 6), int(np.floor(t.get_position()[1] + 0.5))): t for t in ax.texts}
    values = np.ma.filled(ax.images[0].get_array().astype(float), np.nan)
    height, width = values.shape[0] // 3, (values.shape[1] + 1) // 5
    for row in range(3):
        for column in range(5):
            text = texts[column, row].get_text()
            assert float(text) == pytest.approx(traversal.values[row, column], abs=0.051)
            assert len(text) <= 5
            image = values[row * (height + 1) :, column * width :]
            expected = traversal.images[row, column]
            expected = expected.reshape(shape) if shape else np.tile(expected, (12, 1))
            np.testing.assert_array_equal(image[: expected.shape[0], : expected.shape[1]], expected)


def test_rows_are_named_from_1_and_say_their_activity(traversal):
    ax = draw_traversal(traversal, (4, 3), activity_name="KL")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["$z_{5}$", "$z_{1}$", "$z_{12}$"]
    beside = {t.get_position()[1]: t.get_text() for t in ax.texts if t.get_text().startswith("KL")}
    assert [beside[y] for y in ax.get_yticks()] == ["KL\n2.50", "KL\n1.25", "KL\n0.00"]


def test_the_frame_is_around_the_middle(traversal):
    (frame,) = draw_traversal(traversal, (4, 3)).patches
    assert (frame.get_x(), frame.get_width()) == (1.5, 1)
    assert (frame.get_y(), frame.get_height()) == (-0.5, 3)


def test_nothing_is_minus_zero(traversal):
    traversal.values[0, 0] = -0.001
    texts = [text.get_text() for text in draw_traversal(traversal, (4, 3)).texts]
    assert "0.00" in texts
    assert "-0.00" not in texts


def test_activity_may_be_unknown(traversal):
    unknown = Traversal(**{**vars(traversal), "activity": None})
    assert len(draw_traversal(unknown, (4, 3), title="t", subtitle="s").texts) <= 16


def test_images_that_do_not_fit_are_refused(traversal):
    with pytest.raises(ValueError, match="5 x 3 pixels does not have 12"):
        draw_traversal(traversal, (5, 3))
