"""Products of every shape and layout, and that nothing but its factors enters one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npvae import kernels
from npvae.kernels import tiles
from npvae.kernels.products import multiplied

compiled_alone = pytest.mark.skipif(
    not tiles.VECTOR_BYTES or kernels.choice() != "compiled", reason="products are those of BLAS here"
)
SHAPES = [(3, 4, 5), (128, 784, 400), (784, 128, 400), (128, 400, 784), (700, 301, 333), (2, 2000, 4000)]
LAYOUTS = (np.ascontiguousarray, np.asfortranarray, lambda x: np.repeat(x, 2, axis=1)[:, ::2])


def product(a, b, bias=None):
    """The compiled product, and NumPy's for what it is not for."""
    y = multiplied(a, b, bias)
    return a @ b + (0 if bias is None else bias) if y is None else y


def assert_product_is_right(a, b, bias):
    """Compare with sums in double precision; every layout gives the same to rounding."""
    exact, dtype = a.astype(np.complex128) @ b, np.result_type(a, b)
    scale = np.abs(a).astype(np.float64) @ np.abs(b)
    if bias is not None:
        exact, scale = exact + bias, scale + np.abs(bias)
    tolerance = (2 + a.shape[1]) * np.finfo(dtype).eps * scale
    for first in (layout(a) for layout in LAYOUTS):
        for second in (layout(b) for layout in LAYOUTS):
            y = product(first, second, bias)
            assert y.dtype == dtype
            assert np.all(np.abs(y - exact) <= tolerance)


def draw(rng, shape, dtype):
    n, k, m = shape
    return [rng.standard_normal(size).astype(dtype) for size in ((n, k), (k, m), (m,))]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128, np.longdouble])
@pytest.mark.parametrize("has_bias", [False, True])
@settings(max_examples=30, deadline=None)
@given(shape=st.tuples(*[st.integers(0, 70)] * 3), seed=st.integers(0, 2**32 - 1))
def test_product_of_any_shape(dtype, has_bias, shape, seed):
    a, b, bias = draw(np.random.default_rng(seed), shape, dtype)
    assert_product_is_right(a, b, bias if has_bias else None)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_large_products(shape, dtype, rng):
    a, b, bias = draw(rng, shape, dtype)
    assert_product_is_right(a, b, None)
    assert_product_is_right(a, b, bias)


@compiled_alone
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_row_does_not_depend_on_the_others_nor_a_column(dtype, rng):
    a, b, bias = draw(rng, (150, 90, 101), dtype)
    y = product(a, b, bias)
    for some in (slice(0, 1), slice(3, 9), slice(128, 150)):
        np.testing.assert_array_equal(product(a[some], b, bias), y[some])
    for some in (slice(0, 1), slice(5, 40), slice(64, 101)):
        columns = np.ascontiguousarray(b[:, some]), np.ascontiguousarray(bias[some])
        np.testing.assert_array_equal(product(a, *columns), y[:, some])


@compiled_alone
@pytest.mark.parametrize("rows", [1, 5, 8])
@pytest.mark.parametrize("columns", [1, 15, 16, 17, 31, 32, 33])
def test_nothing_is_written_beyond_the_borders(rows, columns, rng):
    from npvae.kernels.gemm import multiply

    a, b, _ = draw(rng, (rows, 6, columns), np.float32)
    whole = np.full(20 + rows * columns + 20, np.nan, np.float32)
    out = whole[20:-20].reshape(rows, columns)
    multiply(a, False, b, False, np.empty(0, np.float32), out, 0, rows, 0, columns)
    assert np.isfinite(out).all()
    assert np.isnan(whole[:20]).all()
    assert np.isnan(whole[-20:]).all()


@pytest.mark.parametrize("where", [0, 1])
def test_nan_and_infinity_stay_in_their_row_or_column(where, rng):
    for value in (np.nan, np.inf):
        factors = draw(rng, (20, 30, 40), np.float32)[:2]
        factors[where][3, 3] = value
        finite = np.isfinite(product(*factors))
        spoiled = finite[3] if where == 0 else finite[:, 3]
        assert not spoiled.any()
        assert finite.sum() == finite.size - spoiled.size


@pytest.mark.parametrize(
    ("a", "b", "bias"), [((3, 4), (5, 6), None), ((3, 4), (4, 6), (5,)), ((3,), (3, 4), None)]
)
def test_shapes_that_do_not_fit_are_left_to_numpy(a, b, bias):
    a, b, bias = (shape and np.zeros(shape, np.float32) for shape in (a, b, bias))
    assert multiplied(a, b, bias) is None


@compiled_alone
def test_which_products_are_compiled(rng):
    """Those of contiguous float32 and float64, and of their transposes."""
    for dtype in (np.float32, np.float64):
        a, b, bias = draw(rng, (9, 8, 7), dtype)
        assert multiplied(a, b, bias) is not None
        assert multiplied(a.T.copy().T, b.T.copy().T) is not None
        assert multiplied(a[:, ::-1], b) is None
        assert multiplied(a, b.astype(np.complex64)) is None
        assert multiplied(a.astype(np.longdouble), b.astype(np.longdouble)) is None
