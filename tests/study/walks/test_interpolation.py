import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npvae.study import interpolate, interpolate_images


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
