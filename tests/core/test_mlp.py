from itertools import pairwise

import numpy as np
import pytest

from npvae.core.activations import ACTIVATIONS, get_activation
from npvae.core.mlp import layer_backward, layer_forward, mlp_backward, mlp_forward

WIDTHS = (3, 5, 4, 2)


@pytest.fixture
def layers(rng):
    return [(rng.standard_normal((i, o)), rng.standard_normal(o)) for i, o in pairwise(WIDTHS)]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_layer_is_the_activation_of_an_affine_map(name, layers, rng):
    x, (W, b) = rng.standard_normal((6, 3)), layers[0]
    y, _ = layer_forward(x, W, b, ACTIVATIONS[name])
    expected, _ = ACTIVATIONS[name].forward(x @ W + b, np.zeros(5))
    np.testing.assert_allclose(y, expected, rtol=1e-12)


def test_relu_layer_by_hand():
    x, W, b = np.array([[1.0, 2.0]]), np.array([[1.0, -1.0], [1.0, 0.0]]), np.array([0.5, 0.5])
    y, cache = layer_forward(x, W, b, get_activation("relu"))
    np.testing.assert_array_equal(y, [[3.5, 0]])
    dx, dW, db = layer_backward(np.array([[2.0, 7.0]]), cache)
    np.testing.assert_array_equal(dx, [[2, 2]])
    np.testing.assert_array_equal(dW, [[2, 0], [4, 0]])
    np.testing.assert_array_equal(db, [2, 0])


def test_mlp_is_its_layers_one_after_another(layers, rng):
    x = rng.standard_normal((6, 3))
    y, caches = mlp_forward(x, layers, get_activation("tanh"))
    for W, b in layers:
        x = np.tanh(x @ W + b)
    np.testing.assert_allclose(y, x, rtol=1e-13)
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


def test_out_is_overwritten(layers, rng):
    y, caches = mlp_forward(rng.standard_normal((6, 3)), layers, get_activation("softplus"))
    dx, gradients = mlp_backward(y, caches)
    out = [(np.full_like(W, np.nan), np.full_like(b, np.nan)) for W, b in layers]
    out_dx, _ = mlp_backward(y, caches, out=out)
    np.testing.assert_array_equal(out_dx, dx)
    for (dW, db), (out_dW, out_db) in zip(gradients, out, strict=True):
        np.testing.assert_array_equal(out_dW, dW)
        np.testing.assert_array_equal(out_db, db)


def test_dx_can_be_left_out(layers, rng):
    y, caches = mlp_forward(rng.standard_normal((6, 3)), layers, get_activation("tanh"))
    dx, gradients = mlp_backward(y, caches, need_dx=False)
    assert dx is None
    np.testing.assert_array_equal(gradients[0][0], mlp_backward(y, caches)[1][0][0])


def test_no_layers_at_all(rng):
    x = rng.standard_normal((6, 3))
    y, caches = mlp_forward(x, [], get_activation("relu"))
    dx, gradients = mlp_backward(x, caches, out=[])
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
