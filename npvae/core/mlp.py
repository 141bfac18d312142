"""A chain of dense layers, each followed by an activation."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from npvae.core.activations import Activation
from npvae.core.dense import DenseCache, dense_backward
from npvae.kernels import product

Weights = tuple[np.ndarray, np.ndarray]  # W (I, O) and b (O,) of a layer, or their gradients


class LayerCache(NamedTuple):
    """What the two halves of a layer keep."""

    dense: DenseCache
    activation: Activation
    activated: Any


def layer_forward(
    x: np.ndarray, W: np.ndarray, b: np.ndarray, activation: Activation
) -> tuple[np.ndarray, LayerCache]:
    """Compute y = f(x W + b); x (N, I), W (I, O), b (O,), y (N, O)."""
    y, activated = activation.forward(product(x, W), b)
    return y, LayerCache(DenseCache(x, W), activation, activated)


def layer_backward(
    dy: np.ndarray, cache: LayerCache, *, out: Weights | None = None, need_dx: bool = True
) -> tuple[Any, np.ndarray, np.ndarray]:
    """Carry dL/dy (N, O) back to dx (N, I), dW and db.

    Notes
    -----
    y = f(a) with a = x W + b. First da = dy f'(a), then the dense layer's rule for da. `out` and
    `need_dx` are those of `dense_backward`.
    """
    da = cache.activation.backward(dy, cache.activated)
    return dense_backward(da, cache.dense, out=out, need_dx=need_dx)


def mlp_forward(
    x: np.ndarray, layers: Sequence[Weights], activation: Activation
) -> tuple[np.ndarray, tuple[LayerCache, ...]]:
    """Apply the layers one after another.

    Parameters
    ----------
    x : (N, I) array
    layers : sequence of (W, b)
        May be empty: then y is x.
    activation : Activation
        Follows every layer.

    Returns
    -------
    y : (N, O) array
    caches : tuple of LayerCache, one for each layer
    """
    caches = []
    for W, b in layers:
        x, cache = layer_forward(x, W, b, activation)
        caches.append(cache)
    return x, tuple(caches)


def mlp_backward(
    dy: np.ndarray,
    caches: Sequence[LayerCache],
    *,
    out: Sequence[Weights] | None = None,
    need_dx: bool = True,
) -> tuple[Any, list[Weights]]:
    """Carry dL/dy (N, O) back through the layers, the last one first; `out` holds a (dW, db) for each layer.

    Returns
    -------
    dx : (N, I) array or None
    gradients : list of (dW, db), in the layers' order
    """
    gradients: list[Weights] = []
    dx = dy
    for i in reversed(range(len(caches))):
        into = out[i] if out is not None else None
        dx, dW, db = layer_backward(dx, caches[i], out=into, need_dx=need_dx or i > 0)
        gradients.insert(0, (dW, db))
    return dx, gradients
