import numpy as np
import pytest

from npvae.view import draw_latent_point


def test_point_and_image_are_drawn_for_each_model(rng):
    codes = {"AE": rng.normal(6, 5, (30, 2)), "VAE": rng.standard_normal((30, 2))}
    images = {"AE": rng.random(6), "VAE": rng.random(6)}
    panels = draw_latent_point((-2.5, 2), images, codes, np.arange(30) % 3, (2, 3))
    assert [ax.get_title() for ax in panels[::2]] == ["AE", "VAE"]
    for plane, picture, name in zip(panels[::2], panels[1::2], codes, strict=True):
        points, star = plane.collections
        np.testing.assert_array_equal(points.get_offsets(), codes[name])
        np.testing.assert_array_equal(star.get_offsets(), [[-2.5, 2]])
        np.testing.assert_array_equal(picture.images[0].get_array(), images[name].reshape(2, 3))
        distance = np.linalg.norm(codes[name] - [-2.5, 2], axis=1)
        assert f"class {distance.argmin() % 3}, {distance.min():.2f} away" in picture.get_xlabel()
        assert "(-2.5, 2)" in picture.get_title()


def test_a_distant_point_is_in_view(rng):
    plane, _ = draw_latent_point((40, -30), {"AE": rng.random(4)}, {"AE": rng.standard_normal((9, 2))})
    assert plane.get_xlim()[1] > 40
    assert plane.get_ylim()[0] < -30


def test_more_dimensions_show_the_points_shadow(rng):
    codes = rng.standard_normal((50, 3)) * [5, 1e-3, 3]
    plane, _ = draw_latent_point((1, 7, 2), {"VAE": rng.random(4)}, {"VAE": codes}, None, (2, 2))
    np.testing.assert_allclose(plane.collections[1].get_offsets(), [[1, 2]], atol=0.5)


def test_models_must_be_the_same(rng):
    with pytest.raises(ValueError, match="images are of"):
        draw_latent_point((0, 0), {"AE": rng.random(4)}, {"VAE": rng.random((5, 2))})
