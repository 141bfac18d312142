"""The dense layer y = x W + b with square W, so that mistakes do not show in the shapes.

dx = dy W^T,    dW = x^T dy,    db = the column sums of dy
"""

import numpy as np

from npvae.checks.faults.fault import Array, Cache, Pair, fault

BLOCK = 2  # rows that a thread, or a block of a GPU, takes at a time


def dense_forward(x: Array, W: Array, b: Array) -> tuple[Array, Cache]:
    """Compute y (N, n) from x (N, n), W (n, n) and b (n,)."""
    return x @ W + b, (x, W)


def dense_backward(dy: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Return dx, dW and db."""
    x, W = cache
    return dy @ W.T, x.T @ dy, dy.sum(axis=0)


DENSE = Pair(dense_forward, dense_backward)


def dense_args(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw x (3, n), W (n, n) and b (n,)."""
    return [rng.standard_normal((3, n)), rng.standard_normal((n, n)) / np.sqrt(n), rng.standard_normal(n)]


@fault("dense", DENSE, dense_args)
def dense_not_transposed(dy: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Multiply by W instead of W^T, which raises no shape error in a square layer."""
    x, W = cache
    return dy @ W, x.T @ dy, dy.sum(axis=0)


@fault("dense", DENSE, dense_args)
def dense_weights_transposed(dy: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Compute dy^T x, the gradient for weights that are stored the other way round."""
    x, W = cache
    return dy @ W.T, dy.T @ x, dy.sum(axis=0)


@fault("dense", DENSE, dense_args)
def dense_bias_of_the_last_row(dy: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Loop over the samples and assign to db instead of adding to it."""
    x, W = cache
    db = np.zeros(dy.shape[1], dy.dtype)
    for row in dy:
        db = row.copy()
    return dy @ W.T, x.T @ dy, db


@fault("dense", DENSE, dense_args)
def dense_bias_averaged(dy: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Average the bias gradient over the batch, although the loss has been divided by N already."""
    x, W = cache
    return dy @ W.T, x.T @ dy, dy.mean(axis=0)


@fault("dense", DENSE, dense_args)
def dense_bias_not_summed(dy: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Forget that broadcasting used b once for every row, and return dy as its gradient."""
    x, W = cache
    return dy @ W.T, x.T @ dy, dy.copy()


@fault("dense", DENSE, dense_args)
def dense_columns_shifted(dy: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Count the columns of dW from one instead of from zero."""
    x, W = cache
    return dy @ W.T, np.roll(x.T @ dy, 1, axis=1), dy.sum(axis=0)


@fault("dense", DENSE, dense_args)
def dense_one_entry_off(dy: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Let an approximate kernel get the last entry of dW wrong by one per cent."""
    x, W = cache
    dW = x.T @ dy
    dW[-1, -1] *= 1.01
    return dy @ W.T, dW, dy.sum(axis=0)


@fault("dense", DENSE, dense_args)
def dense_one_entry_zero(dy: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Stop a loop one entry too early: the last one of dW stays zero."""
    x, W = cache
    dW = x.T @ dy
    dW[-1, -1] = 0
    return dy @ W.T, dW, dy.sum(axis=0)


@fault("dense", DENSE, dense_args)
def dense_last_block_dropped(dy: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Add up dW in blocks of rows, and lose the last block when it is not full."""
    x, W = cache
    dW = np.zeros((x.shape[1], dy.shape[1]), dy.dtype)
    for start in range(0, len(x) - BLOCK + 1, BLOCK):
        dW += x[start : start + BLOCK].T @ dy[start : start + BLOCK]
    return dy @ W.T, dW, dy.sum(axis=0)


FAULTS = (
    dense_not_transposed,
    dense_weights_transposed,
    dense_bias_of_the_last_row,
    dense_bias_averaged,
    dense_bias_not_summed,
    dense_columns_shifted,
    dense_one_entry_off,
    dense_one_entry_zero,
    dense_last_block_dropped,
)
