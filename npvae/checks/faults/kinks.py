"""Points without a derivative, where several slopes are acceptable and all others are wrong."""

import numpy as np

from npvae.checks.faults.activations import SLOPE
from npvae.checks.faults.fault import Array, Cache, Pair, fault


def maximum_forward(x: Array) -> tuple[Array, Cache]:
    """Compute the largest entry of each row."""
    largest = x.real.argmax(axis=1)[:, None]
    return np.take_along_axis(x, largest, axis=1)[:, 0], (x, largest)


def maximum_backward(dy: Array, cache: Cache) -> Array:
    """Return dx: all of dy goes to the largest entry, or to the first of those that tie."""
    x, largest = cache
    dx = np.zeros_like(x)
    np.put_along_axis(dx, largest, dy[:, None], axis=1)
    return dx


def shared_maximum_backward(dy: Array, cache: Cache) -> Array:
    """Return dx: the entries that tie for the maximum of a row share its dy equally."""
    x, _ = cache
    ties = x == x.max(axis=1, keepdims=True)
    return dy[:, None] * ties / ties.sum(axis=1, keepdims=True)


def tied_args(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw x (3, n) in which two entries tie for the maximum of the first row."""
    x = rng.standard_normal((3, n))
    x[0, :2] = x[0].max() + 0.1
    return [x]


def absolute_forward(x: Array) -> tuple[Array, Cache]:
    """Compute |x|."""
    return np.where(x.real < 0, -x, x), x


def absolute_backward(dy: Array, x: Cache) -> Array:
    """Return dx = dy sign(x)."""
    return dy * np.sign(x)


def args_with_a_zero(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw x (3, n), and set one entry to zero."""
    x = rng.standard_normal((3, n))
    x[1, -1] = 0.0
    return [x]


def new_unit_forward(x: Array, W: Array, b: Array) -> tuple[Array, Cache]:
    """Compute y = z where z > 0, else SLOPE z, with z = x W + b for x (3, n), W (n, n) and b (n,)."""
    z = x @ W + b
    return np.where(z.real >= 0, z, SLOPE * z), (x, W, z)


def new_unit_backward(dy: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Return dx, dW and db; where z is zero, use the slope from the left."""
    x, W, z = cache
    dz = np.where(z > 0, dy, SLOPE * dy)
    return dz @ W.T, x.T @ dz, dz.sum(axis=0)


def new_unit_args(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw x, W and b. The first unit has zero weights; the last has a negative z for the first sample."""
    x, W, b = rng.standard_normal((3, n)), rng.standard_normal((n, n)), rng.standard_normal(n)
    W[:, 0], b[0] = 0.0, 0.0
    b[-1] = -0.5 - x[0] @ W[:, -1]
    return [x, W, b]


def rectify_forward(x: Array) -> tuple[Array, Cache]:
    """Compute max(x, 0)."""
    return np.where(x.real > 0, x, 0), x


def rectify_backward(dy: Array, x: Cache) -> Array:
    """Return dx = dy where x > 0, else 0."""
    return np.where(x > 0, dy, 0)


def args_close_to_zero(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw x (3, n) with two entries of magnitude 1e-5."""
    x = rng.standard_normal((3, n))
    x[1, :2] = 1e-5, -1e-5
    return [x]


MAXIMUM = Pair(maximum_forward, maximum_backward)
SHARED_MAXIMUM = Pair(maximum_forward, shared_maximum_backward)
ABSOLUTE = Pair(absolute_forward, absolute_backward)
NEW_UNIT = Pair(new_unit_forward, new_unit_backward)
RECTIFY = Pair(rectify_forward, rectify_backward)


@fault("kinks", MAXIMUM, tied_args)
def maximum_ties_take_all(dy: Array, cache: Cache) -> Array:
    """Give dy to every entry that equals the maximum, so that two entries that tie get it twice."""
    x, _ = cache
    return dy[:, None] * (x == x.max(axis=1, keepdims=True))


@fault("kinks", SHARED_MAXIMUM, tied_args)
def maximum_ties_take_none(dy: Array, cache: Cache) -> Array:
    """Give dy to the entry that is larger than all others, so that neither of two that tie gets it."""
    x, _ = cache
    ties = x == x.max(axis=1, keepdims=True)
    return dy[:, None] * (ties & (ties.sum(axis=1, keepdims=True) == 1))


@fault("kinks", ABSOLUTE, args_with_a_zero)
def absolute_divided(dy: Array, x: Cache) -> Array:
    """Write x / |x| for the sign, which is 0 / 0 where x is zero."""
    with np.errstate(invalid="ignore"):
        return dy * x / np.abs(x)


@fault("kinks", ABSOLUTE, args_with_a_zero)
def absolute_both_slopes_at_zero(dy: Array, x: Cache) -> Array:
    """Write the sign with two overlapping conditions, as 1 - 3 (x <= 0) + (x < 0), which is -2 at zero."""
    return dy * (1.0 - 3.0 * (x <= 0) + 1.0 * (x < 0))


@fault("kinks", NEW_UNIT, new_unit_args)
def new_unit_linear(dy: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Forget the slope of the leaky ReLU, in a layer that has a new unit with zero weights."""
    x, W, _ = cache
    return dy @ W.T, x.T @ dy, dy.sum(axis=0)


@fault("kinks", RECTIFY, args_close_to_zero)
def half_slope_close_to_zero(dy: Array, x: Cache) -> Array:
    """Treat numbers below 1e-4 as zeros, and give them the mean of both slopes."""
    return dy * np.where(np.abs(x) < 1e-4, 0.5, x > 0)


FAULTS = (
    maximum_ties_take_all,
    maximum_ties_take_none,
    absolute_divided,
    absolute_both_slopes_at_zero,
    new_unit_linear,
    half_slope_close_to_zero,
)
