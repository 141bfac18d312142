"""The dense layer y = x W + b, and a chain of dense layers with an activation after each."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from npvae.core.activations import Activation
from npvae.kernels import compiled_twin

Weights = tuple[np.ndarray, np.ndarray]  # W (I, O) and b (O,) of a layer, or their gradients


@compiled_twin
def dense_forward(x: np.ndarray, W: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, Any]:
    """Compute y (N, O) = x W + b, one row for each sample, from x (N, I), W (I, O) and b (O,)."""
    y = x @ W + b
    return y, (x, W)


@compiled_twin
def dense_backward(dy: np.ndarray, cache: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Carry dy (N, O) back to the input, the weights and the bias: dx (N, I), dW (I, O), db (O,).

    Notes
    -----
    In coordinates y_no = Σ_i x_ni W_io + b_o. By the chain rule

        ∂L/∂x_ni = Σ_o ∂L/∂y_no ∂y_no/∂x_ni = Σ_o dy_no W_io     dx = dy Wᵀ
        ∂L/∂W_io = Σ_n ∂L/∂y_no ∂y_no/∂W_io = Σ_n x_ni dy_no     dW = xᵀ dy
        ∂L/∂b_o  = Σ_n ∂L/∂y_no                                  db = the column sums of dy

    Every sample uses the same W and b, so their gradients sum over n; dx has a row for each sample.

    References
    ----------
    Rumelhart, Hinton & Williams (1986), Learning representations by back-propagating errors, equations 6, 7.
    """
    x, W = cache
    dx = dy @ W.T  # (N, I)
    dW = x.T @ dy  # (I, O)
    db = dy.sum(axis=0)  # (O,)
    return dx, dW, db


def mlp_forward(
    x: np.ndarray, layers: Sequence[Weights], activation: Activation
) -> tuple[np.ndarray, tuple[Any, ...]]:
    """Compute h (N, O) from x (N, I): dense layers, each followed by the activation. Without any, h is x."""
    h, caches = x, []
    for W, b in layers:
        a, dense_cache = dense_forward(h, W, b)
        h, activation_cache = activation.forward(a)
        caches.append((dense_cache, activation, activation_cache))
    return h, tuple(caches)


def mlp_backward(dh: np.ndarray, caches: Sequence[Any]) -> tuple[np.ndarray, list[Weights]]:
    """Carry dh (N, O) back, the last layer first; return dx (N, I), and dW and db in the layers' order."""
    gradients: list[Weights] = []
    for dense_cache, activation, activation_cache in reversed(caches):
        da = activation.backward(dh, activation_cache)
        dh, dW, db = dense_backward(da, dense_cache)
        gradients.insert(0, (dW, db))
    return dh, gradients
