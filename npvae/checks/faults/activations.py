"""Elementwise nonlinearities y = f(x)."""

import numpy as np

from npvae.checks.faults.fault import Array, Cache, Pair, fault

SLOPE = 0.2  # slope of leaky_relu for x < 0


def sigmoid(x: Array) -> Array:
    """Compute 1 / (1 + exp(-x)) without overflow."""
    e = np.exp(np.where(x.real > 0, -x, x))
    return np.where(x.real > 0, 1, e) / (1 + e)


def signed_args(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw x (3, n) with neighbours of opposite sign, so that both sides of zero occur."""
    signs = np.where(np.arange(3 * n) % 2, -1.0, 1.0).reshape(3, n)
    return [signs * (0.1 + np.abs(rng.standard_normal((3, n))))]


def args_with_a_zero(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw x (3, n) as `signed_args` does, and set one entry to zero."""
    (x,) = signed_args(rng, n)
    x[0, 0] = 0.0
    return [x]


def tanh_forward(x: Array) -> tuple[Array, Cache]:
    """Compute tanh(x)."""
    y = np.tanh(x)
    return y, (x, y)


def tanh_backward(dy: Array, cache: Cache) -> Array:
    """Return dx = dy (1 - y^2)."""
    _, y = cache
    return dy * (1 - y**2)


def sigmoid_forward(x: Array) -> tuple[Array, Cache]:
    """Compute 1 / (1 + exp(-x))."""
    y = sigmoid(x)
    return y, (x, y)


def sigmoid_backward(dy: Array, cache: Cache) -> Array:
    """Return dx = dy y (1 - y)."""
    _, y = cache
    return dy * y * (1 - y)


def softplus_forward(x: Array) -> tuple[Array, Cache]:
    """Compute ln(1 + exp(x))."""
    return np.log1p(np.exp(-np.where(x.real > 0, x, -x))) + np.where(x.real > 0, x, 0), x


def softplus_backward(dy: Array, x: Cache) -> Array:
    """Return dx = dy sigmoid(x)."""
    return dy * sigmoid(x)


def relu_forward(x: Array) -> tuple[Array, Cache]:
    """Compute max(x, 0)."""
    return np.where(x.real > 0, x, 0), x


def relu_backward(dy: Array, x: Cache) -> Array:
    """Return dx = dy where x > 0, else 0."""
    return np.where(x > 0, dy, 0)


def leaky_relu_forward(x: Array) -> tuple[Array, Cache]:
    """Compute x where it is positive, else SLOPE x."""
    return np.where(x.real > 0, x, SLOPE * x), x


def leaky_relu_backward(dy: Array, x: Cache) -> Array:
    """Return dx = dy where x > 0, else SLOPE dy."""
    return np.where(x > 0, dy, SLOPE * dy)


def swish_forward(x: Array) -> tuple[Array, Cache]:
    """Compute t sigmoid(t) with t = 2 x; the cache is t."""
    t = 2 * x
    return t * sigmoid(t), t


def swish_backward(dy: Array, t: Cache) -> Array:
    """Return dx = 2 dy (s + t s (1 - s)) with s = sigmoid(t)."""
    s = sigmoid(t)
    return 2 * dy * (s + t * s * (1 - s))


def swish_in_place_forward(x: Array) -> tuple[Array, Cache]:
    """Compute the same, but write the result into the cached array."""
    t = 2 * x
    cache = t
    t *= sigmoid(t)
    return t, cache


TANH = Pair(tanh_forward, tanh_backward)
SIGMOID = Pair(sigmoid_forward, sigmoid_backward)
SOFTPLUS = Pair(softplus_forward, softplus_backward)
RELU = Pair(relu_forward, relu_backward)
LEAKY_RELU = Pair(leaky_relu_forward, leaky_relu_backward)
SWISH = Pair(swish_forward, swish_backward)


@fault("activations", TANH, signed_args)
def tanh_of_the_input(dy: Array, cache: Cache) -> Array:
    """Use the input x in 1 - y^2, which requires the output y."""
    x, _ = cache
    return dy * (1 - x**2)


@fault("activations", SIGMOID, signed_args)
def sigmoid_of_the_input(dy: Array, cache: Cache) -> Array:
    """Use the input x in y (1 - y), which requires the output y."""
    x, _ = cache
    return dy * x * (1 - x)


@fault("activations", SIGMOID, signed_args)
def sigmoid_twice(dy: Array, cache: Cache) -> Array:
    """Call sigmoid'(t) = s(t) (1 - s(t)) with the output, to which s has been applied already."""
    _, y = cache
    return dy * sigmoid(y) * (1 - sigmoid(y))


@fault("activations", SOFTPLUS, signed_args)
def softplus_complement(dy: Array, x: Cache) -> Array:
    """Derive exp(x) / (1 + exp(x)) and simplify it to 1 / (1 + exp(x))."""
    return dy * sigmoid(-x)


@fault("activations", RELU, signed_args)
def relu_mask_of_the_gradient(dy: Array, x: Cache) -> Array:
    """Mask by the sign of dy instead of the sign of x."""
    return np.where(dy > 0, dy, 0)


@fault("activations", LEAKY_RELU, signed_args)
def leaky_slope_forgotten(dy: Array, x: Cache) -> Array:
    """Replace relu by leaky_relu in the forward pass, and keep the backward pass of relu."""
    return np.where(x > 0, dy, 0)


@fault("activations", LEAKY_RELU, args_with_a_zero)
def leaky_both_slopes_at_zero(dy: Array, x: Cache) -> Array:
    """Add two masked terms whose masks both include zero, so that the slopes there add up to 1.2."""
    return dy * (x >= 0) + SLOPE * dy * (x <= 0)


@fault("activations", SWISH, signed_args, forward=swish_in_place_forward)
def swish_spoils_its_cache(dy: Array, cache: Cache) -> Array:
    """Save an allocation by writing the output into the array that the backward pass will need."""
    return swish_backward(dy, cache)


FAULTS = (
    tanh_of_the_input,
    sigmoid_of_the_input,
    sigmoid_twice,
    softplus_complement,
    relu_mask_of_the_gradient,
    leaky_slope_forgotten,
    leaky_both_slopes_at_zero,
    swish_spoils_its_cache,
)
