import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npvae.data import to_unit_interval
from npvae.data.scaling import as_floats


@given(hnp.arrays(np.uint8, hnp.array_shapes(max_dims=3)))
def test_pixels_are_divided_by_255(X):
    scaled = to_unit_interval(X)
    assert scaled.dtype == np.float32
    np.testing.assert_array_equal(scaled, (X.astype(np.float64) / 255).astype(np.float32))


@given(hnp.arrays(st.sampled_from([np.float32, np.float64]), 5, elements=st.floats(0, 1, width=32)))
def test_floats_in_the_unit_interval_are_unchanged(X):
    assert to_unit_interval(X) is X


def test_an_empty_batch_stays_empty():
    assert to_unit_interval(np.empty((0, 5))).shape == (0, 5)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.array([0.0, 255.0]), r"from 0 to 255, outside \[0, 1\].*X / 255"),
        (np.array([-0.5, 1.0]), r"from -0.5 to 1, outside"),
        (np.array([0.5, np.nan]), "NaN"),
        (np.array([0.5, np.inf]), "to inf"),
        (np.array([0, 255]), r"int64 with values from 0 to 255.*astype\(np.uint8\)"),
        (np.array([False, True]), "bool with values from False to True"),
    ],
)
def test_other_ranges_are_refused(X, message):
    with pytest.raises(ValueError, match=message):
        to_unit_interval(X)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pixels_are_scaled_to_the_unit_interval(dtype):
    x = as_floats(np.array([[0, 51, 255]], np.uint8), np.dtype(dtype))
    assert x.dtype == dtype
    np.testing.assert_allclose(x, [[0, 0.2, 1]], rtol=1e-7)


def test_floats_are_converted_and_not_scaled():
    x = as_floats(np.array([[-3.0, 700.0]]), np.dtype(np.float32))
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x, [[-3, 700]])


def test_floats_keep_their_dtype():
    for X in (np.zeros((2, 3), np.float32), np.zeros((2, 3))):
        assert as_floats(X) is X
    assert as_floats(np.zeros(3, np.uint8)).dtype == np.float32
    assert as_floats(np.zeros(3, np.int64)).dtype == np.float64
