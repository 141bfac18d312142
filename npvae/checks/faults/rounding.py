"""Points where numerical differentiation is hard: terms cancel, a minimum is near, or an oracle is wrong."""

import numpy as np

from npvae.checks.faults.fault import Array, Cache, Pair, fault

TINY = 1e-8  # added to a variance
NEAR = 1e-10  # size of the residuals near a minimum
OFFSET = 1e8  # a constant much larger than the part that depends on x
OFFSET_SINGLE = 1e3  # the same for float32
SAFE = 1e-3  # added to a divisor
ROOT = np.sqrt(2 / np.pi)


def batch_norm_forward(x: Array) -> tuple[Array, Cache]:
    """Compute u = (x - mean) / std of each feature over the batch."""
    centred = x - x.mean(axis=0)
    inverse_std = 1 / np.sqrt((centred**2).mean(axis=0) + TINY)
    u = centred * inverse_std
    return u, (x, u, inverse_std)


def batch_norm_backward(dy: Array, cache: Cache) -> Array:
    """Return dx = (dy - mean(dy) - u mean(u dy)) / std."""
    _, u, inverse_std = cache
    return inverse_std * (dy - dy.mean(axis=0) - u * (u * dy).mean(axis=0))


def far_args(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw x (5, n) around 1e5."""
    return [1e5 + rng.standard_normal((5, n))]


def remote_args(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw x (5, n) around 2000."""
    return [2000 + rng.standard_normal((5, n))]


def least_squares_forward(x: Array, w: Array, target: Array) -> tuple[Array, Cache]:
    """Compute |x w - target|^2 / 2 for x (8, n)."""
    residual = x @ w - target
    return np.sum(residual**2) / 2, (x, w, target)


def least_squares_backward(d_loss: Array, cache: Cache) -> Array:
    """Return dw by the normal equations: x^T x w - x^T target."""
    x, w, target = cache
    return d_loss * ((x.T @ x) @ w - x.T @ target)


def near_minimum_args(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw x, w and targets close to x w."""
    x, w = rng.standard_normal((8, n)), rng.standard_normal(n)
    return [x, w, x @ w + NEAR * rng.standard_normal(8)]


def constraint_forward(x: Array) -> tuple[Array, Cache]:
    """Compute the sum of each row of softmax(x) minus 1, which is zero for any x."""
    e = np.exp(x - x.real.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return p.sum(axis=1) - 1, p


def constraint_backward(dy: Array, p: Cache) -> Array:
    """Return dx = p (dy - dy sum(p)), which is zero up to rounding."""
    return p * (dy[:, None] - np.sum(p * dy[:, None], axis=1, keepdims=True))


def row_args(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw x (3, n)."""
    return [rng.standard_normal((3, n))]


def unit_forward(x: Array) -> tuple[Array, Cache]:
    """Compute x / |x| for each row; np.linalg.norm of complex numbers is real."""
    norm = np.linalg.norm(x, axis=1, keepdims=True)
    return x / norm, (x / norm, norm)


def unit_backward(dy: Array, cache: Cache) -> Array:
    """Return dx = (dy - u sum(u dy)) / |x|."""
    u, norm = cache
    return (dy - u * np.sum(u * dy, axis=1, keepdims=True)) / norm


def gelu_forward(x: Array) -> tuple[Array, Cache]:
    """Compute x (1 + tanh(ROOT x)) / 2."""
    t = np.tanh(x.dtype.type(ROOT) * x)
    return x * (1 + t) / 2, (x, t)


def gelu_backward(dy: Array, cache: Cache) -> Array:
    """Return dx = dy ((1 + t) + ROOT x (1 - t^2)) / 2."""
    x, t = cache
    return dy * ((1 + t) + x.dtype.type(ROOT) * x * (1 - t**2)) / 2


def offset_gelu_forward(x: Array) -> tuple[Array, Cache]:
    """Compute the same plus a large constant."""
    y, cache = gelu_forward(x)
    return OFFSET + y, cache


def length_forward(x: Array) -> tuple[Array, Cache]:
    """Compute 1000 + |x| for each row; np.linalg.norm of complex numbers is real."""
    length = np.linalg.norm(x, axis=1)
    return x.real.dtype.type(OFFSET_SINGLE) + length, (x, length)


def length_backward(dy: Array, cache: Cache) -> Array:
    """Return dx = dy x / |x|."""
    x, length = cache
    return dy[:, None] * x / length[:, None]


def single_precision_args(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw x (3, n) in float32."""
    return [rng.standard_normal((3, n)).astype(np.float32)]


def logarithm_forward(x: Array) -> tuple[Array, Cache]:
    """Compute ln(x)."""
    return np.log(x), x


def logarithm_backward(dy: Array, x: Cache) -> Array:
    """Return dx = dy / x."""
    return dy / x


def small_args(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw x (3, n) between 1e-9 and 1, with a uniform logarithm."""
    return [10 ** rng.uniform(-9, 0, (3, n))]


BATCH_NORM = Pair(batch_norm_forward, batch_norm_backward)
LEAST_SQUARES = Pair(least_squares_forward, least_squares_backward)
CONSTRAINT = Pair(constraint_forward, constraint_backward)
UNIT = Pair(unit_forward, unit_backward)
GELU = Pair(gelu_forward, gelu_backward)
OFFSET_GELU = Pair(offset_gelu_forward, gelu_backward)
LENGTH = Pair(length_forward, length_backward)
LOGARITHM = Pair(logarithm_forward, logarithm_backward)


@fault("rounding", BATCH_NORM, far_args)
def far_variance_ignored(dy: Array, cache: Cache) -> Array:
    """Treat the standard deviation as a constant, at an x whose entries differ only in their last digits."""
    _, _, inverse_std = cache
    return inverse_std * (dy - dy.mean(axis=0))


@fault("rounding", BATCH_NORM, remote_args)
def variance_by_two_sums(dy: Array, cache: Cache) -> Array:
    """Compute the variance as mean(x^2) - mean(x)^2, which leaves few correct digits in float32."""
    x, u, _ = cache
    variance = np.maximum((x**2).mean(axis=0) - x.mean(axis=0) ** 2, 0)
    return batch_norm_backward(dy, (x, u, 1 / np.sqrt(variance + TINY)))


@fault("rounding", LEAST_SQUARES, near_minimum_args, wrt=(1,))
def converged_too_early(d_loss: Array, cache: Cache) -> Array:
    """Set gradients below 1e-8 to zero, as if the minimum had been reached."""
    dw = least_squares_backward(d_loss, cache)
    return np.where(np.abs(dw) < 1e-8, 0, dw)


@fault("rounding", CONSTRAINT, row_args, decidable=False)
def constraint_of_one_term(dy: Array, p: Cache) -> Array:
    """Treat the denominator of a softmax as a constant, although its gradient cancels the numerator's."""
    return p * dy[:, None]


@fault("rounding", UNIT, row_args)
def norm_held_constant(dy: Array, cache: Cache) -> Array:
    """Divide dy by the norm as if it were a constant, as the complex step wrongly confirms."""
    _, norm = cache
    return dy / norm


@fault("rounding", GELU, single_precision_args)
def constant_of_four_digits(dy: Array, cache: Cache) -> Array:
    """Write 0.7979 for sqrt(2 / pi), an error that only float64 shows."""
    x, t = cache
    return dy * ((1 + t) + x.dtype.type(0.7979) * x * (1 - t**2)) / 2


@fault("rounding", OFFSET_GELU, row_args)
def constant_of_one_digit(dy: Array, cache: Cache) -> Array:
    """Write 0.8 for sqrt(2 / pi), where y is so large that finite differences are inaccurate."""
    x, t = cache
    return dy * ((1 + t) + 0.8 * x * (1 - t**2)) / 2


@fault("rounding", LENGTH, single_precision_args)
def length_never_zero(dy: Array, cache: Cache) -> Array:
    """Add 1e-3 to the length by which the backward divides, so that it is never zero."""
    x, length = cache
    return dy[:, None] * x / (length[:, None] + length.dtype.type(SAFE))


@fault("rounding", LOGARITHM, small_args)
def logarithm_kept_finite(dy: Array, x: Cache) -> Array:
    """Divide by x + 1e-7 to be safe, although the forward takes the logarithm of x."""
    return dy / (x + 1e-7)


FAULTS = (
    far_variance_ignored,
    variance_by_two_sums,
    converged_too_early,
    constraint_of_one_term,
    norm_held_constant,
    constant_of_four_digits,
    constant_of_one_digit,
    length_never_zero,
    logarithm_kept_finite,
)
