import numpy as np
import pytest

from npvae.study import latent_plane
from npvae.view import draw_decoded_plane


def picture_of(z):
    """Decode z to a 2 x 3 image that tells where it came from."""
    images = np.zeros((*z.shape[:-1], 6))
    images[..., 0], images[..., 5] = z[..., 0], z[..., 1]
    return images


@pytest.mark.parametrize("n", [1, 2, 7, 15, 20, 31])
def test_z1_is_to_the_right_and_z2_upwards_as_the_ticks_say(n):
    points = latent_plane(n)
    ax = draw_decoded_plane(picture_of(points), points, (2, 3), value_range=(-3, 3))
    values = ax.images[0].get_array()
    z1 = values[::3][:, ::4]  # a tile is 2 + 1 high, 3 + 1 wide
    z2 = values[1::3][:, 2::4]
    np.testing.assert_allclose(z1, points[..., 0], rtol=1e-6)
    np.testing.assert_allclose(z2, points[..., 1], rtol=1e-6)
    for label, j in zip(ax.get_xticklabels(), ax.get_xticks(), strict=True):
        assert float(label.get_text()) == pytest.approx(z1[0, j], abs=0.051)
    for label, i in zip(ax.get_yticklabels(), ax.get_yticks(), strict=True):
        assert float(label.get_text()) == pytest.approx(z2[i, 0], abs=0.051)
    assert np.all(np.diff(z1[0]) > 0)
    assert np.all(np.diff(z2[:, 0]) < 0)
    assert ax.images[0].origin == "upper"
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
    assert 1 <= len(ax.get_xticks()) <= 10


def test_ticks_are_at_the_middles_of_their_tiles():
    points = latent_plane(5)
    ax = draw_decoded_plane(picture_of(points), points, (2, 3))
    left, right, bottom, top = ax.images[0].get_extent()
    assert (left + right) / 2 == pytest.approx(ax.get_xticks()[2])
    assert (bottom + top) / 2 == pytest.approx(ax.get_yticks()[2])
    assert (right - left) == pytest.approx(5 - 1 / 4)  # a unit is a tile and a gap
    assert (bottom - top) == pytest.approx(5 - 1 / 3)


def test_upside_down_and_shuffled_grids_are_refused(rng):
    points = latent_plane(4)
    for wrong in (points[::-1], points[:, ::-1], rng.permuted(points, axis=0), points.swapaxes(0, 1)):
        with pytest.raises(ValueError, match="z1 must rise"):
            draw_decoded_plane(picture_of(wrong), wrong, (2, 3))


def test_points_that_are_not_those_of_the_images_are_refused():
    with pytest.raises(ValueError, match="need points"):
        draw_decoded_plane(picture_of(latent_plane(4)), latent_plane(3), (2, 3))
