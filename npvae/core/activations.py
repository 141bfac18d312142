"""Elementwise nonlinearities y = f(x), each differentiated through its output.

L is the loss at the end of the network; dy stands for ∂L/∂y and dx for ∂L/∂x, here and in all of core. By
the chain rule dx = dy f'(x). f'(x) is written in terms of y, which the next layer keeps as its input anyway,
so no pair caches another array.

All functions run on complex numbers too, for checks by complex steps: therefore `np.where`, which compares
real parts first, in place of `np.abs`, whose derivative is lost there.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from npvae.kernels import compiled_twin


def identity_forward(x: np.ndarray) -> tuple[np.ndarray, tuple[()]]:
    """Return y = x, for layers without a nonlinearity."""
    return x.copy(), ()  # a copy, since no layer's output is another's


def identity_backward(dy: np.ndarray, cache: tuple[()]) -> np.ndarray:
    """Return dx = dy: the derivative is 1."""
    return dy.copy()


def relu_forward(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute y = max(x, 0); the cache is y, of x's shape."""
    y = np.maximum(x, 0)
    return y, y


def relu_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return dx: dy where y > 0, else 0.

    Notes
    -----
    f'(x) = 1 for x > 0, 0 for x < 0. At the kink x = 0 any value in [0, 1] is a subgradient; the usual choice
    is 0. y > 0 exactly where x > 0.
    """
    return np.where(y > 0, dy, 0)


def leaky_relu_forward(x: np.ndarray, slope: float = 0.01) -> tuple[np.ndarray, tuple[np.ndarray, float]]:
    """Compute y = x for x > 0 and slope * x elsewhere."""
    if not slope > 0:
        raise ValueError(f"slope must be positive, got {slope}; for slope 0 take relu")
    slope = float(slope)  # a NumPy float64 would widen float32
    y = np.where(x > 0, x, slope * x)
    return y, (y, slope)


def leaky_relu_backward(dy: np.ndarray, cache: tuple[np.ndarray, float]) -> np.ndarray:
    """Return dx: dy where y > 0, else slope * dy (y and x have the same sign as slope > 0)."""
    y, slope = cache
    return np.where(y > 0, dy, slope * dy)


def tanh_forward(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute y = tanh(x)."""
    y = np.tanh(x)
    return y, y


def tanh_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return dx = dy (1 - y²): tanh = sinh / cosh, so tanh' = (cosh² - sinh²) / cosh² = 1 - tanh²."""
    return dy * (1 - y * y)


@compiled_twin
def sigmoid_forward(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute y = 1 / (1 + e⁻ˣ) where x > 0, and eˣ / (1 + eˣ), which is equal, elsewhere: no overflow."""
    e = np.exp(np.where(x > 0, -x, x))  # at most 1
    y = np.where(x > 0, 1, e) / (1 + e)
    return y, y


def sigmoid_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return dx = dy y (1 - y).

    Notes
    -----
    y = 1 / (1 + e⁻ˣ);  y' = e⁻ˣ / (1 + e⁻ˣ)² = y e⁻ˣ / (1 + e⁻ˣ) = y (1 - y).
    """
    return dy * y * (1 - y)


@compiled_twin
def softplus_forward(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute y = x + ln(1 + e⁻ˣ) where x > 0, and ln(1 + eˣ), which is equal, elsewhere: no overflow."""
    e = np.exp(np.where(x > 0, -x, x))  # at most 1
    y = np.maximum(x, 0) + np.log1p(e)
    return y, y


def softplus_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return dx = dy (1 - e⁻ʸ).

    Notes
    -----
    y = ln(1 + eˣ);  y' = eˣ / (1 + eˣ) = 1 - 1 / (1 + eˣ) = 1 - e⁻ʸ. expm1 keeps the digits where y is small
    and y' is nearly y.
    """
    return -dy * np.expm1(-y)


class Activation(NamedTuple):
    """A forward and its backward: ``forward(x) -> (y, cache)``, ``backward(dy, cache) -> dx``."""

    forward: Callable[..., tuple[np.ndarray, Any]]
    backward: Callable[[np.ndarray, Any], np.ndarray]


ACTIVATIONS = {
    "identity": Activation(identity_forward, identity_backward),
    "relu": Activation(relu_forward, relu_backward),
    "leaky_relu": Activation(leaky_relu_forward, leaky_relu_backward),
    "tanh": Activation(tanh_forward, tanh_backward),
    "sigmoid": Activation(sigmoid_forward, sigmoid_backward),
    "softplus": Activation(softplus_forward, softplus_backward),
}


def get_activation(name: str, negative_slope: float = 0.01) -> Activation:
    """Return the pair called `name`; `negative_slope` is leaky_relu's."""
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {name!r}")
    if name == "leaky_relu":
        forward = functools.partial(leaky_relu_forward, slope=negative_slope)
        return Activation(forward, leaky_relu_backward)
    return ACTIVATIONS[name]
