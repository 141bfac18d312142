import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError

from npvae import VAE, Autoencoder
from npvae.study import (
    code_moments,
    decode_point,
    interpolate,
    interpolate_images,
    nearest_code,
)


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(256, size=(200, 12), dtype=np.uint8)


@pytest.fixture(scope="module", params=[Autoencoder, VAE])
def model(request, pixels):
    return request.param(latent_dim=2, hidden=(8,), max_epochs=2, random_state=0).fit(pixels)


def test_moments_against_numpy(rng):
    codes = rng.standard_normal((100, 4)) @ rng.standard_normal((4, 4)) + 3
    moments = code_moments(codes)
    covariance = np.cov(codes, rowvar=False)
    np.testing.assert_allclose(moments.mean, codes.mean(axis=0))
    np.testing.assert_allclose(moments.mean_norm, np.sqrt(np.sum(codes.mean(axis=0) ** 2)))
    np.testing.assert_allclose(moments.std**2, np.diag(covariance))
    np.testing.assert_allclose(moments.eigenvalues, np.linalg.eigvalsh(covariance)[::-1], rtol=1e-9)
    assert moments.n_codes == 100


def test_moments_of_fewer_codes_than_dimensions(rng):
    codes = rng.standard_normal((3, 5))
    eigenvalues = code_moments(codes).eigenvalues
    np.testing.assert_allclose(eigenvalues, np.linalg.eigvalsh(np.cov(codes, rowvar=False))[::-1], atol=1e-12)
    assert np.all(eigenvalues >= 0)


def test_moments_need_two_codes():
    with pytest.raises(ValueError, match="at least 2 rows, got 1"):
        code_moments([[1.0, 2.0]])


@pytest.mark.parametrize("kind", ["linear", "spherical"])
@given(
    z0=st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=6),
    n=st.integers(2, 9),
    seed=st.integers(0, 99),
)
def test_interpolation_includes_both_ends(kind, z0, n, seed):
    z1 = np.random.default_rng(seed).standard_normal(len(z0))
    Z = interpolate(z0, z1, n, kind)
    assert Z.shape == (n, len(z0))
    np.testing.assert_array_equal(Z[0], z0)
    np.testing.assert_array_equal(Z[-1], z1)


def test_linear_steps_are_equal(rng):
    Z = interpolate(rng.standard_normal(5), rng.standard_normal(5), 7)
    np.testing.assert_allclose(np.diff(Z, n=2, axis=0), 0, atol=1e-12)


def test_spherical_keeps_the_norm_and_turns_evenly(rng):
    z0, z1 = rng.standard_normal((2, 10))
    z0, z1 = 3 * z0 / np.linalg.norm(z0), 3 * z1 / np.linalg.norm(z1)
    Z = interpolate(z0, z1, 9, "spherical")
    np.testing.assert_allclose(np.linalg.norm(Z, axis=1), 3, rtol=1e-12)
    steps = np.arccos(np.sum(Z[1:] * Z[:-1], axis=1) / 9)
    np.testing.assert_allclose(steps, np.arccos(z0 @ z1 / 9) / 8, rtol=1e-9)


@pytest.mark.parametrize("z1", [[2.0, 4.0], [0.5, 1.0], [-1.0, -2.0], [0.0, 0.0], [1.0, 2.0 + 1e-9]])
def test_spherical_takes_the_line_where_there_is_no_arc(z1):
    np.testing.assert_allclose(
        interpolate([1.0, 2.0], z1, 5, "spherical"), interpolate([1.0, 2.0], z1, 5), rtol=1e-12
    )


def test_nearly_parallel_ends_are_continuous():
    """On both sides of the switch from the arc to the line the points agree."""
    for angle in (0.9e-6, 1.1e-6):
        z1 = [np.cos(angle), np.sin(angle)]
        arc = interpolate([1.0, 0.0], z1, 5, "spherical")
        np.testing.assert_allclose(arc, interpolate([1.0, 0.0], z1, 5), atol=1e-11)


def test_interpolation_keeps_float32(rng):
    z0, z1 = rng.standard_normal((2, 3), dtype=np.float32)
    assert interpolate(z0, z1, 3, "spherical").dtype == np.float32
    assert interpolate(z0, z1.astype(np.float64), 3).dtype == np.float64
    assert interpolate([0, 1], [4, 5], 3).dtype == np.float64


def test_interpolation_errors():
    with pytest.raises(ValueError, match=r"vectors of the same length, got shapes \(2,\) and \(3,\)"):
        interpolate([0, 1], [0, 1, 2], 3)
    with pytest.raises(ValueError, match='kind must be "linear" or "spherical", got \'cubic\''):
        interpolate([0, 1], [1, 0], 3, "cubic")
    with pytest.raises(ValueError, match="n must be an integer of at least 2, got 1"):
        interpolate([0, 1], [1, 0], 1)


def test_images_go_from_one_reconstruction_to_the_other(model, pixels):
    X = interpolate_images(model, pixels[0], pixels[1], 5)
    assert X.shape == (5, 12)
    assert X.dtype == np.float32
    np.testing.assert_allclose(X[[0, -1]], model.reconstruct(pixels[:2]), rtol=1e-5, atol=1e-6)
    middle = model.transform(pixels[:2]).mean(axis=0, keepdims=True)
    np.testing.assert_allclose(X[2], model.inverse_transform(middle)[0], rtol=1e-5, atol=1e-6)


def test_a_point_of_ones_own(model):
    np.testing.assert_array_equal(decode_point(model, (-2.5, 2)), model.inverse_transform([[-2.5, 2.0]])[0])
    with pytest.raises(ValueError, match=r"z must have 2 numbers, as the model has latent_dim=2, got 3"):
        decode_point(model, (1, 2, 3))
    with pytest.raises(ValueError, match=r"latent_dim=2, got an array of shape \(1, 2\)"):
        decode_point(model, [[1, 2]])
    with pytest.raises(ValueError, match="NaN"):
        decode_point(model, (1, np.nan))
    with pytest.raises(NotFittedError):
        decode_point(VAE(), (1, 2))


def test_the_nearest_code(rng):
    codes = rng.standard_normal((50, 3))
    z = rng.standard_normal(3)
    index, distance = nearest_code(codes, z)
    distances = [np.sqrt(sum((c - z) ** 2)) for c in codes]
    assert index == np.argmin(distances)
    assert distance == pytest.approx(min(distances))
    assert nearest_code(codes, codes[7]) == (7, 0.0)
    with pytest.raises(ValueError, match="z must be 3 finite numbers"):
        nearest_code(codes, [1.0, 2.0])
