"""Dense layers and chains of them."""

from itertools import pairwise

import numpy as np
import pytest

from npvae.core.activations import ACTIVATIONS, get_activation
from npvae.core.layers import dense_backward, dense_forward, mlp_backward, mlp_forward

X = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
W = np.array([[1.0, 0.0, -1.0], [2.0, 1.0, 0.5]])
B = np.array([10.0, 20.0, 30.0])
DY = np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0], [-1.0, 3.0, 1.0]])


def test_forward_by_hand():
    y, _ = dense_forward(X, W, B)
    np.testing.assert_array_equal(y, [[15, 22, 30], [21, 24, 29], [27, 26, 28]])


def test_backward_by_hand():
    dx, dW, db = dense_backward(DY, (X, W))
    np.testing.assert_array_equal(dx, [[-1, 3], [0, 1], [-2, 1.5]])
    np.testing.assert_array_equal(dW, [[-4, 18, 7], [-4, 22, 10]])
    np.testing.assert_array_equal(db, [0, 4, 3])


def test_backward_changes_none_of_its_inputs():
    arguments = [DY.copy(), X.copy(), W.copy()]
    dense_backward(arguments[0], tuple(arguments[1:]))
    for after, before in zip(arguments, [DY, X, W], strict=True):
        np.testing.assert_array_equal(after, before)


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


WIDTHS = (3, 5, 4, 2)


@pytest.fixture
def layers(rng):
    return [(rng.standard_normal((i, o)), rng.standard_normal(o)) for i, o in pairwise(WIDTHS)]


def test_a_relu_layer_by_hand():
    x, W, b = np.array([[1.0, 2.0]]), np.array([[1.0, -1.0], [1.0, 0.0]]), np.array([0.5, 0.5])
    y, caches = mlp_forward(x, [(W, b)], get_activation("relu"))
    np.testing.assert_array_equal(y, [[3.5, 0]])
    dx, [(dW, db)] = mlp_backward(np.array([[2.0, 7.0]]), caches)
    np.testing.assert_array_equal(dx, [[2, 2]])
    np.testing.assert_array_equal(dW, [[2, 0], [4, 0]])
    np.testing.assert_array_equal(db, [2, 0])


def test_mlp_is_its_layers_one_after_another(layers, rng):
    x = rng.standard_normal((6, 3))
    y, caches = mlp_forward(x, layers, get_activation("tanh"))
    for W, b in layers:
        x = np.tanh(x @ W + b)
    np.testing.assert_allclose(y, x, rtol=1e-11)
    assert len(caches) == len(layers)


def test_linear_mlp_is_one_product(layers, rng):
    """With the identity for an activation the Jacobian is the product of the weights."""
    dy = rng.standard_normal((6, 2))
    _, caches = mlp_forward(rng.standard_normal((6, 3)), layers, get_activation("identity"))
    dx, _ = mlp_backward(dy, caches)
    W0, W1, W2 = (W for W, _ in layers)
    np.testing.assert_allclose(dx, dy @ (W0 @ W1 @ W2).T, rtol=1e-12)


def test_gradients_come_in_the_order_of_the_layers(layers, rng):
    y, caches = mlp_forward(rng.standard_normal((6, 3)), layers, get_activation("tanh"))
    _, gradients = mlp_backward(np.ones_like(y), caches)
    assert [(dW.shape, db.shape) for dW, db in gradients] == [(W.shape, b.shape) for W, b in layers]


def test_no_layers_at_all(rng):
    x = rng.standard_normal((6, 3))
    y, caches = mlp_forward(x, [], get_activation("relu"))
    dx, gradients = mlp_backward(x, caches)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(dx, x)
    assert (caches, gradients) == ((), [])


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_layers_change_none_of_their_inputs(name, layers, rng):
    x, dy = rng.standard_normal((6, 3)), rng.standard_normal((6, 2))
    arrays = [x, dy, *(array for layer in layers for array in layer)]
    before = [array.copy() for array in arrays]
    _, caches = mlp_forward(x, layers, ACTIVATIONS[name])
    first = mlp_backward(dy, caches)
    second = mlp_backward(dy, caches)
    for array, old in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, old)
    np.testing.assert_array_equal(second[0], first[0])
