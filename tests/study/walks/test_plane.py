import numpy as np
import pytest
from scipy import stats

from npvae import VAE
from npvae.study import decode_plane, latent_plane


def test_the_plane_lies_at_the_priors_quantiles():
    plane = latent_plane(20)
    quantiles = stats.norm.ppf((np.arange(20) + 0.5) / 20)
    assert plane.shape == (20, 20, 2)
    np.testing.assert_allclose(plane[:, :, 0], np.tile(quantiles, (20, 1)), rtol=1e-6)
    np.testing.assert_allclose(plane[:, :, 1], np.tile(quantiles[::-1, None], (1, 20)), rtol=1e-6)


def test_the_plane_reads_like_a_picture():
    top_left, bottom_right = latent_plane(5)[0, 0], latent_plane(5)[-1, -1]
    assert top_left[0] < 0 < top_left[1]
    assert bottom_right[1] < 0 < bottom_right[0]
    np.testing.assert_array_equal(latent_plane(1), [[[0, 0]]])


def test_the_decoded_plane_is_in_the_planes_order(model):
    X = decode_plane(model, 4)
    assert X.shape == (4, 4, 12)
    np.testing.assert_allclose(X[1, 3], model.inverse_transform(latent_plane(4)[1, 3][None])[0], rtol=1e-5)


def test_only_a_plane_has_a_plane(pixels):
    model = VAE(latent_dim=3, hidden=(8,), max_epochs=1, random_state=0).fit(pixels)
    with pytest.raises(ValueError, match="a plane needs a model with latent_dim=2, got 3"):
        decode_plane(model, 4)
    with pytest.raises(ValueError, match="n_side must be an integer of at least 1"):
        latent_plane(0)


def test_over_codes_each_column_and_row_stands_for_the_same_share_of_them(rng):
    codes = rng.exponential(size=(1000, 2)) * [3, 0.1] + [5, -1]
    plane = latent_plane(4, codes)
    assert plane.dtype == np.float32
    for z, coordinates in ((plane[0, :, 0], codes[:, 0]), (plane[::-1, 0, 1], codes[:, 1])):
        shares = [np.mean(coordinates <= value) for value in z]
        np.testing.assert_allclose(shares, [1 / 8, 3 / 8, 5 / 8, 7 / 8], atol=1.1e-3)
    assert np.all(plane[:, :, 0] == plane[0, :, 0])
    assert np.all(plane[:, :, 1] == plane[:, :1, 1])


def test_a_plane_over_codes_is_decoded_there(model, pixels):
    codes = model.transform(pixels)
    X = decode_plane(model, 3, codes)
    np.testing.assert_allclose(
        X[1, 1], model.inverse_transform(np.median(codes, axis=0)[None])[0], rtol=1e-4, atol=1e-6
    )


def test_codes_that_are_no_plane():
    with pytest.raises(ValueError, match="must have 2 columns, got 3"):
        latent_plane(4, np.ones((5, 3)))
    with pytest.raises(ValueError, match=r"too few distinct values .* 4 different"):
        latent_plane(4, np.stack([np.arange(9), np.zeros(9)], axis=1))
    with pytest.raises(ValueError, match="codes holds NaN"):
        latent_plane(4, np.full((5, 2), np.nan))
