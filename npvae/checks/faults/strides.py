"""Memory layouts and shapes: right for most arrays, wrong for others, such as a transpose or a single row."""

import numpy as np

from npvae.checks.faults.fault import Array, Cache, Pair, fault


def cube_forward(x: Array) -> tuple[Array, Cache]:
    """Compute x^3."""
    return x**3, x


def cube_backward(dy: Array, x: Cache) -> Array:
    """Return dx = 3 dy x^2."""
    return 3 * dy * x**2


def scale_forward(x: Array, w: Array) -> tuple[Array, Cache]:
    """Compute y = w x for x (N, n) and w (n,)."""
    return w * x, (x, w)


def scale_backward(dy: Array, cache: Cache) -> tuple[Array, Array]:
    """Return dx and dw."""
    x, w = cache
    return dy * w, np.sum(dy * x, axis=0)


def cube_args(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw x (3, n)."""
    return [rng.standard_normal((3, n))]


def scale_args(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw x (N, n) and w (n,) with N unequal to n, so that its length identifies the batch axis."""
    return [rng.standard_normal((4 if n == 3 else 3, n)), rng.standard_normal(n)]


CUBE = Pair(cube_forward, cube_backward)
SCALE = Pair(scale_forward, scale_backward)


@fault("strides", CUBE, cube_args)
def strides_ignored(dy: Array, x: Cache) -> Array:
    """Read the memory of x row by row, as in C order, although a transpose is stored in another order."""
    memory = x.ravel(order="K").reshape(x.shape)
    return 3 * dy * memory**2


@fault("strides", CUBE, cube_args)
def writes_into_a_copy(dy: Array, x: Cache) -> Array:
    """Fill zeros_like(x).ravel(), which is a copy if x is a transpose: zeros_like keeps its memory layout."""
    dx = np.zeros_like(x)
    flat = dx.ravel()
    flat[...] = (3 * dy * x**2).ravel()
    return dx


@fault("strides", SCALE, scale_args)
def batch_of_one_squeezed(dy: Array, cache: Cache) -> tuple[Array, Array]:
    """Call squeeze to remove an axis of length one, which also removes the batch axis of a batch of one."""
    x, w = cache
    dy = np.squeeze(dy)
    return dy * w, np.sum(dy * np.squeeze(x), axis=0)


@fault("strides", SCALE, scale_args)
def unbiased_batch_mean(dy: Array, cache: Cache) -> tuple[Array, Array]:
    """Divide by N - 1 and multiply by N - 1 again, which gives 0 / 0 for a batch of one."""
    x, w = cache
    return dy * w, np.sum(dy * x, axis=0) / np.float64(len(x) - 1) * (len(x) - 1)


@fault("strides", CUBE, cube_args)
def neighbours_assumed(dy: Array, x: Cache) -> Array:
    """Handle C order and Fortran order, and forget views whose entries are not adjacent in memory."""
    row, item = x.strides[0], x.itemsize
    strides = (row, item) if row >= x.strides[1] else (item, x.strides[1])
    memory = np.lib.stride_tricks.as_strided(x, x.shape, strides)
    return 3 * dy * memory**2


@fault("strides", SCALE, scale_args)
def broadcast_axis_sliced(dy: Array, cache: Cache) -> tuple[Array, Array]:
    """Slice the sum to the length of w, although all columns must be summed if that length is 1."""
    x, w = cache
    return dy * w, np.sum(dy * x, axis=0)[: len(w)]


@fault("strides", SCALE, scale_args)
def repeated_rows_counted_once(dy: Array, cache: Cache) -> tuple[Array, Array]:
    """Store the rows in a dict with their contents as keys, so that only the last of equal rows is kept."""
    x, w = cache
    rows = {row.tobytes(): k for k, row in enumerate(x)}
    kept = list(rows.values())
    return dy * w, np.sum(dy[kept] * x[kept], axis=0)


@fault("strides", SCALE, scale_args)
def mean_of_no_rows(dy: Array, cache: Cache) -> tuple[Array, Array]:
    """Average over the batch and multiply by its size, which gives 0 / 0 for an empty batch."""
    x, w = cache
    return dy * w, np.mean(dy * x, axis=0) * len(x)


FAULTS = (
    strides_ignored,
    writes_into_a_copy,
    batch_of_one_squeezed,
    unbiased_batch_mean,
    neighbours_assumed,
    broadcast_axis_sliced,
    repeated_rows_counted_once,
    mean_of_no_rows,
)
