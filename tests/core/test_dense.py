import numpy as np
import pytest

from npvae.core.dense import DenseCache, dense_backward, dense_forward

X = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
W = np.array([[1.0, 0.0, -1.0], [2.0, 1.0, 0.5]])
B = np.array([10.0, 20.0, 30.0])
DY = np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0], [-1.0, 3.0, 1.0]])


def test_forward_by_hand():
    y, _ = dense_forward(X, W, B)
    np.testing.assert_array_equal(y, [[15, 22, 30], [21, 24, 29], [27, 26, 28]])


def test_backward_by_hand():
    dx, dW, db = dense_backward(DY, DenseCache(X, W))
    np.testing.assert_array_equal(dx, [[-1, 3], [0, 1], [-2, 1.5]])
    np.testing.assert_array_equal(dW, [[-4, 18, 7], [-4, 22, 10]])
    np.testing.assert_array_equal(db, [0, 4, 3])


def test_backward_changes_none_of_its_inputs():
    arguments = [DY.copy(), X.copy(), W.copy()]
    dense_backward(arguments[0], DenseCache(*arguments[1:]))
    for after, before in zip(arguments, [DY, X, W], strict=True):
        np.testing.assert_array_equal(after, before)


def test_out_is_overwritten_and_returned():
    _, dW, db = dense_backward(DY, DenseCache(X, W))
    out = np.full_like(W, np.nan), np.full_like(B, np.nan)
    for _ in range(2):  # the second time nothing is added to the first
        _, out_dW, out_db = dense_backward(DY, DenseCache(X, W), out=out)
        assert out_dW is out[0]
        assert out_db is out[1]
        np.testing.assert_array_equal(out_dW, dW)
        np.testing.assert_array_equal(out_db, db)


def test_out_may_be_half_of_a_wider_block():
    wide = np.full((2, 6), np.nan)
    dense_backward(DY, DenseCache(X, W), out=(wide[:, 3:], np.empty(3)))
    np.testing.assert_array_equal(wide[:, 3:], X.T @ DY)
    assert np.isnan(wide[:, :3]).all()


def test_dx_can_be_left_out():
    dx, dW, db = dense_backward(DY, DenseCache(X, W), need_dx=False)
    assert dx is None
    np.testing.assert_array_equal(dW, X.T @ DY)
    np.testing.assert_array_equal(db, DY.sum(axis=0))


def test_empty_batch():
    y, cache = dense_forward(X[:0], W, B)
    dx, dW, db = dense_backward(DY[:0], cache)
    assert (y.shape, dx.shape) == ((0, 3), (0, 2))
    np.testing.assert_array_equal(dW, np.zeros((2, 3)))
    np.testing.assert_array_equal(db, np.zeros(3))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble, np.complex128])
def test_data_type_is_kept(dtype):
    y, cache = dense_forward(X.astype(dtype), W.astype(dtype), B.astype(dtype))
    arrays = [y, *dense_backward(DY.astype(dtype), cache)]
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}


def test_any_memory_layout():
    y, cache = dense_forward(np.asfortranarray(X), np.repeat(W, 2, axis=1)[:, ::2], B[::-1][::-1])
    np.testing.assert_array_equal(y, X @ W + B)
    _, dW, _ = dense_backward(np.asfortranarray(DY), cache)
    np.testing.assert_array_equal(dW, X.T @ DY)


def test_complex_bias_alone():
    """Complex step along b: one argument is complex, the others stay real."""
    y, _ = dense_forward(X, W, B + 1e-30j)
    np.testing.assert_array_equal(y.imag, np.full((3, 3), 1e-30))
