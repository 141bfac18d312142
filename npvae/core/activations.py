"""Elementwise nonlinearities y = f(a + b): the bias is added in the same pass.

In a dense layer ``a`` is the product x W. Every derivative is written in terms
of the output y, which the next layer keeps anyway as its input, so no pair
caches another array. ``backward`` returns da; the gradient of b is the column
sum of da, which ``dense_backward`` takes.

The functions run on complex numbers too (complex-step differentiation); a
complex a + b is on the side of the kink on which its real part is.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from npvae import kernels


class OutputCache(NamedTuple):
    """The output of the activation."""

    y: np.ndarray  # (N, H)


class LeakyReluCache(NamedTuple):
    """The output of leaky_relu and its slope left of zero."""

    y: np.ndarray  # (N, H)
    slope: float


def _check(a: np.ndarray, b: np.ndarray) -> None:
    if a.ndim != 2 or b.shape != a.shape[1:]:
        raise ValueError(f"a must be (N, H) and b (H,), got {a.shape} and {b.shape}")


def identity_forward(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, tuple[()]]:
    """Compute y = a + b, for layers without a nonlinearity.

    Parameters
    ----------
    a : (N, H) array
    b : (H,) array

    Returns
    -------
    y : (N, H) array
    cache : empty tuple

    Raises
    ------
    ValueError
        The shapes are not (N, H) and (H,); so for every activation here.
    """
    _check(a, b)
    return a + b, ()


def identity_backward(dy: np.ndarray, cache: tuple[()]) -> np.ndarray:
    """Return da = dy (N, H): the derivative is 1."""
    return dy.copy()


def relu_forward(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, OutputCache]:
    """Compute y = max(a + b, 0); shapes as for `identity_forward`."""
    _check(a, b)
    y = kernels.relu(a, b)
    return y, OutputCache(y)


def relu_backward(dy: np.ndarray, cache: OutputCache) -> np.ndarray:
    """Return da (N, H): dy where y > 0, else 0.

    Notes
    -----
    f'(t) = 1 for t > 0, 0 for t < 0. At the kink t = 0 any value in [0, 1] is a
    subgradient; 0 is taken, as everybody does. y > 0 exactly where t > 0.
    """
    return kernels.relu_gradient(dy, cache.y)


def leaky_relu_forward(
    a: np.ndarray, b: np.ndarray, slope: float = 0.01
) -> tuple[np.ndarray, LeakyReluCache]:
    """Compute y = t for t = a + b > 0 and slope * t elsewhere, shapes as for `identity_forward`."""
    _check(a, b)
    if not slope > 0:
        raise ValueError(f"slope must be positive, got {slope}; for slope 0 take relu")
    slope = float(slope)  # a NumPy float64 would widen float32
    y = kernels.leaky_relu(a, b, slope)
    return y, LeakyReluCache(y, slope)


def leaky_relu_backward(dy: np.ndarray, cache: LeakyReluCache) -> np.ndarray:
    """Return da (N, H): dy where y > 0, else slope * dy (y and t have the same sign as slope > 0)."""
    return kernels.leaky_relu_gradient(dy, cache.y, cache.slope)


def tanh_forward(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, OutputCache]:
    """Compute y = tanh(a + b); shapes as for `identity_forward`."""
    _check(a, b)
    y = np.tanh(a + b)
    return y, OutputCache(y)


def tanh_backward(dy: np.ndarray, cache: OutputCache) -> np.ndarray:
    """Return da = dy (1 - y^2), (N, H), since tanh = sinh / cosh and tanh' = 1 - tanh^2."""
    return kernels.tanh_gradient(dy, cache.y)


def sigmoid_forward(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, OutputCache]:
    """Compute y = 1 / (1 + exp(-(a + b))); shapes as for `identity_forward`."""
    _check(a, b)
    y = kernels.sigmoid(a, b)
    return y, OutputCache(y)


def sigmoid_backward(dy: np.ndarray, cache: OutputCache) -> np.ndarray:
    """Return da = dy y (1 - y), (N, H).

    Notes
    -----
    y = 1 / (1 + e^-t);  y' = e^-t / (1 + e^-t)^2 = y * e^-t / (1 + e^-t) = y (1 - y).
    """
    return kernels.sigmoid_gradient(dy, cache.y)


def softplus_forward(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, OutputCache]:
    """Compute y = ln(1 + exp(a + b)); shapes as for `identity_forward`."""
    _check(a, b)
    y = kernels.softplus(a, b)
    return y, OutputCache(y)


def softplus_backward(dy: np.ndarray, cache: OutputCache) -> np.ndarray:
    """Return da = dy (1 - exp(-y)), (N, H).

    Notes
    -----
    y = ln(1 + e^t);  y' = e^t / (1 + e^t) = 1 - 1 / (1 + e^t) = 1 - e^-y. expm1 keeps
    the digits where y is small and y' is nearly y.
    """
    return -dy * np.expm1(-cache.y)


class Activation(NamedTuple):
    """A forward and its backward."""

    forward: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, Any]]
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
    """Return the pair called `name`; `negative_slope` is leaky_relu's.

    Raises
    ------
    ValueError
        There is no activation of that name.
    """
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {name!r}")
    if name == "leaky_relu":
        forward = functools.partial(leaky_relu_forward, slope=negative_slope)
        return Activation(forward, leaky_relu_backward)
    return ACTIVATIONS[name]
