"""Losses that return a scalar or one number for each sample."""

import numpy as np

from npvae.checks.faults.activations import sigmoid
from npvae.checks.faults.fault import Array, Cache, Pair, fault

TINY = 1e-7


def bernoulli_forward(logits: Array, x: Array) -> tuple[Array, Cache]:
    """Compute the cross-entropy -x ln p - (1 - x) ln(1 - p), p = sigmoid(logits), of each sample: (N,)."""
    positive = logits.real > 0
    softplus = np.where(positive, logits, 0) + np.log1p(np.exp(np.where(positive, -logits, logits)))
    return np.sum(softplus - x * logits, axis=1), (x, sigmoid(logits))


def bernoulli_backward(dy: Array, cache: Cache) -> Array:
    """Return d_logits = dy (p - x)."""
    x, p = cache
    return dy[:, None] * (p - x)


def bernoulli_args(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw logits and black or white pixels, (3, n) each."""
    return [2 * rng.standard_normal((3, n)), np.round(rng.random((3, n)))]


def mean_square_forward(y: Array, target: Array) -> tuple[Array, Cache]:
    """Compute the squared error, summed over features, averaged over samples: a scalar."""
    return np.sum((y - target) ** 2) / len(y), y - target


def mean_square_backward(d_loss: Array, residual: Cache) -> Array:
    """Return dy = 2 d_loss (y - target) / N."""
    return 2 * d_loss * residual / len(residual)


def mean_square_args(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw the prediction and the target, (3, n) each."""
    return [rng.standard_normal((3, n)), rng.standard_normal((3, n))]


def row_squares_forward(x: Array) -> tuple[Array, Cache]:
    """Compute the sum of the squares of each row: (N,)."""
    return np.sum(x**2, axis=1), x


def row_squares_backward(dy: Array, x: Cache) -> Array:
    """Return dx = 2 dy x, one dy for each row."""
    return 2 * dy[:, None] * x


def square_args(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw x (n, n)."""
    return [rng.standard_normal((n, n))]


def softmax_forward(x: Array) -> tuple[Array, Cache]:
    """Compute p_i = exp(x_i) / sum_j exp(x_j) in each row."""
    e = np.exp(x - x.real.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return p, p


def softmax_backward(dy: Array, p: Cache) -> Array:
    """Return dx = p (dy - sum_j p_j dy_j): every output depends on every input of its row."""
    return p * (dy - np.sum(p * dy, axis=1, keepdims=True))


def row_args(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw x (3, n)."""
    return [rng.standard_normal((3, n))]


def tiny_forward(x: Array) -> tuple[Array, Cache]:
    """Compute 1e-7 sum x^2, like a typical weight decay."""
    return TINY * np.sum(x**2), x


def tiny_backward(dy: Array, x: Cache) -> Array:
    """Return dx = 2e-7 dy x."""
    return 2 * TINY * dy * x


def half_square_forward(x: Array) -> tuple[Array, Cache]:
    """Compute x^2 / 2, entry by entry."""
    return x * x / 2, x


def half_square_backward(dy: Array, x: Cache) -> Array:
    """Return dx = dy x."""
    return dy * x


def single_precision_args(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw x (3, n) in float32."""
    return [rng.standard_normal((3, n)).astype(np.float32)]


BERNOULLI = Pair(bernoulli_forward, bernoulli_backward)
MEAN_SQUARE = Pair(mean_square_forward, mean_square_backward)
ROW_SQUARES = Pair(row_squares_forward, row_squares_backward)
SOFTMAX = Pair(softmax_forward, softmax_backward)
TINY_SQUARE = Pair(tiny_forward, tiny_backward)
HALF_SQUARE = Pair(half_square_forward, half_square_backward)


@fault("losses", BERNOULLI, bernoulli_args, wrt=(0,))
def loss_double_sigmoid(dy: Array, cache: Cache) -> Array:
    """Apply the sigmoid to probabilities, as if they were still logits."""
    x, p = cache
    return dy[:, None] * (sigmoid(p) - x)


@fault("losses", BERNOULLI, bernoulli_args, wrt=(0,))
def loss_sigmoid_derivative_again(dy: Array, cache: Cache) -> Array:
    """Multiply p - x by p (1 - p), although this factor has already cancelled."""
    x, p = cache
    return dy[:, None] * (p - x) * p * (1 - p)


@fault("losses", MEAN_SQUARE, mean_square_args, wrt=(0,))
def loss_mean_forgotten(d_loss: Array, residual: Cache) -> Array:
    """Divide the loss by N, but not its gradient."""
    return 2 * d_loss * residual


@fault("losses", ROW_SQUARES, square_args)
def loss_along_the_wrong_axis(dy: Array, x: Cache) -> Array:
    """Leave out [:, None]: with as many rows as columns, dy is broadcast along the other axis."""
    return 2 * dy * x


@fault("losses", SOFTMAX, row_args)
def softmax_diagonal_only(dy: Array, p: Cache) -> Array:
    """Use p (1 - p) as the derivative, as for a sigmoid, and leave out the rest of the Jacobian."""
    return dy * p * (1 - p)


@fault("losses", TINY_SQUARE, row_args)
def loss_too_small_to_matter(dy: Array, x: Cache) -> Array:
    """Return a zero gradient for a term so small that a check with an absolute tolerance passes."""
    return np.zeros_like(x)


@fault("losses", HALF_SQUARE, single_precision_args)
def loss_twice_in_single_precision(dy: Array, x: Cache) -> Array:
    """Be wrong by a factor of two in float32, where tolerances are generous."""
    return 2 * dy * x


FAULTS = (
    loss_double_sigmoid,
    loss_sigmoid_derivative_again,
    loss_mean_forgotten,
    loss_along_the_wrong_axis,
    softmax_diagonal_only,
    loss_too_small_to_matter,
    loss_twice_in_single_precision,
)
