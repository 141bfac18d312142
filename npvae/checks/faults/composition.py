"""Compositions of functions: where paths join, their gradients add up."""

import numpy as np

from npvae.checks.faults.fault import Array, Cache, Pair, fault

LIMIT = 1.0  # values are clipped to [-LIMIT, LIMIT]


def heads_forward(h: Array, U: Array, V: Array) -> tuple[tuple[Array, Array], Cache]:
    """Compute two results from one input, h U and h V, like the two heads of an encoder."""
    return (h @ U, h @ V), (h, U, V)


def heads_backward(dy: tuple[Array, Array], cache: Cache) -> tuple[Array, Array, Array]:
    """Return dh, dU and dV; both heads send a gradient to h."""
    (du, dv), (h, U, V) = dy, cache
    return du @ U.T + dv @ V.T, h.T @ du, h.T @ dv


def heads_args(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw h (3, n), U and V (n, 2)."""
    return [rng.standard_normal((3, n)), rng.standard_normal((n, 2)), rng.standard_normal((n, 2))]


def clip_forward(x: Array) -> tuple[Array, Cache]:
    """Compute x^2 with x clipped to [-1, 1]."""
    inside = np.abs(x.real) < LIMIT
    clipped = np.where(inside, x, LIMIT * np.sign(x.real))
    return clipped**2, (clipped, inside)


def clip_backward(dy: Array, cache: Cache) -> Array:
    """Return dx, which is zero where x was clipped."""
    clipped, inside = cache
    return np.where(inside, 2 * clipped * dy, 0)


def clip_args(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw x (3, n), with entries alternately inside and outside the limits."""
    size = rng.uniform(0.1, 0.9, (3, n)) + (np.arange(3 * n) % 2).reshape(3, n)
    return [size * rng.choice([-1.0, 1.0], (3, n))]


def residual_forward(x: Array, w: Array) -> tuple[Array, Cache]:
    """Compute y = x + tanh(w x), a residual connection around a small layer; w has shape (n,)."""
    t = np.tanh(w * x)
    return x + t, (x, w, t)


def residual_backward(dy: Array, cache: Cache) -> tuple[Array, Array]:
    """Return dx, from both paths, and dw."""
    x, w, t = cache
    da = dy * (1 - t**2)
    return dy + da * w, np.sum(da * x, axis=0)


def residual_args(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw x (3, n) and w (n,)."""
    return [rng.standard_normal((3, n)), rng.standard_normal(n)]


def centre_forward(x: Array) -> tuple[Array, Cache]:
    """Compute c^3 with c = x - mean(x), the mean of each feature over the batch."""
    centred = x - x.sum(axis=0) / max(1, len(x))
    return centred**3, centred


def centre_backward(dy: Array, centred: Cache) -> Array:
    """Return dx: each x moves the mean too, so the mean of dc is subtracted."""
    dc = 3 * centred**2 * dy
    return dc - dc.sum(axis=0) / max(1, len(dc))


def centre_args(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw x (4, n)."""
    return [rng.standard_normal((4, n))]


def layer_norm_forward(x: Array) -> tuple[Array, Cache]:
    """Compute u = (x - mean) / sqrt(variance + 1/100) in each row."""
    centred = x - x.mean(axis=1, keepdims=True)
    inverse_std = 1 / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 0.01)
    u = centred * inverse_std
    return u, (u, inverse_std)


def layer_norm_backward(dy: Array, cache: Cache) -> Array:
    """Return dx = (dy - mean(dy) - u mean(u dy)) / std: mean and variance depend on x."""
    u, inverse_std = cache
    from_mean = dy.mean(axis=1, keepdims=True)
    from_variance = u * (u * dy).mean(axis=1, keepdims=True)
    return inverse_std * (dy - from_mean - from_variance)


def layer_norm_args(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw x (3, n + 1): rows of two would be normalised to nearly -1 and 1, whatever they hold."""
    return [rng.standard_normal((3, n + 1))]


def gather_forward(table: Array, index: Array) -> tuple[Array, Cache]:
    """Look up rows of a table (n, 2), some of them twice."""
    return table[index], (table.shape, index)


def gather_backward(dy: Array, cache: Cache) -> Array:
    """Return d_table: a row that was looked up twice gets two gradients."""
    shape, index = cache
    d_table = np.zeros(shape, dy.dtype)
    np.add.at(d_table, index, dy)
    return d_table


def gather_args(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw the table and an index in which the first row occurs twice."""
    return [rng.standard_normal((n, 2)), np.append(rng.permutation(n), 0)]


def tied_forward(x: Array, W: Array) -> tuple[Array, Cache]:
    """Compute x W W^T: encoder and decoder share their weights W (n, 2)."""
    return (x @ W) @ W.T, (x, W)


def tied_backward(dy: Array, cache: Cache) -> tuple[Array, Array]:
    """Return dx and dW; W is used twice."""
    x, W = cache
    return (dy @ W) @ W.T, x.T @ (dy @ W) + dy.T @ (x @ W)


def tied_args(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw x (3, n) and W (n, 2)."""
    return [rng.standard_normal((3, n)), rng.standard_normal((n, 2))]


HEADS = Pair(heads_forward, heads_backward)
CLIP = Pair(clip_forward, clip_backward)
RESIDUAL = Pair(residual_forward, residual_backward)
CENTRE = Pair(centre_forward, centre_backward)
LAYER_NORM = Pair(layer_norm_forward, layer_norm_backward)
GATHER = Pair(gather_forward, gather_backward)
TIED = Pair(tied_forward, tied_backward)


@fault("composition", HEADS, heads_args)
def heads_overwrite(dy: tuple[Array, Array], cache: Cache) -> tuple[Array, Array, Array]:
    """Write = instead of +=, so that the second head's gradient replaces the first's."""
    (du, dv), (h, U, V) = dy, cache
    dh = du @ U.T
    dh = dv @ V.T
    return dh, h.T @ du, h.T @ dv


@fault("composition", HEADS, heads_args)
def heads_swapped(dy: tuple[Array, Array], cache: Cache) -> tuple[Array, Array, Array]:
    """Hand mu's gradient to log_var and log_var's to mu: they have the same shape."""
    (du, dv), (h, U, V) = dy, cache
    return du @ U.T + dv @ V.T, h.T @ dv, h.T @ du


@fault("composition", CLIP, clip_args)
def clip_gate_ignored(dy: Array, cache: Cache) -> Array:
    """Clip for safety in the forward pass, and ignore the clipping in the backward pass."""
    clipped, _ = cache
    return 2 * clipped * dy


@fault("composition", RESIDUAL, residual_args)
def residual_forgotten(dy: Array, cache: Cache) -> tuple[Array, Array]:
    """Propagate the gradient through the layer, but not along the residual connection."""
    x, w, t = cache
    da = dy * (1 - t**2)
    return da * w, np.sum(da * x, axis=0)


@fault("composition", CENTRE, centre_args)
def centring_ignored(dy: Array, centred: Cache) -> Array:
    """Treat the mean of the batch as a constant."""
    return 3 * centred**2 * dy


@fault("composition", LAYER_NORM, layer_norm_args)
def normalisation_mean_ignored(dy: Array, cache: Cache) -> Array:
    """Differentiate a normalised row through its variance and leave out its mean."""
    u, inverse_std = cache
    return inverse_std * (dy - u * (u * dy).mean(axis=1, keepdims=True))


@fault("composition", LAYER_NORM, layer_norm_args)
def normalisation_variance_ignored(dy: Array, cache: Cache) -> Array:
    """Divide by a standard deviation as if it were a constant."""
    _, inverse_std = cache
    return inverse_std * (dy - dy.mean(axis=1, keepdims=True))


@fault("composition", GATHER, gather_args, wrt=(0,))
def gather_repeated_rows_lost(dy: Array, cache: Cache) -> Array:
    """Write d_table[index] += dy, in which NumPy adds to each row only once, however often it occurs."""
    shape, index = cache
    d_table = np.zeros(shape, dy.dtype)
    d_table[index] += dy
    return d_table


@fault("composition", TIED, tied_args)
def tied_weights_once(dy: Array, cache: Cache) -> tuple[Array, Array]:
    """Share weights between two layers and collect the gradient of only one of them."""
    x, W = cache
    return (dy @ W) @ W.T, x.T @ (dy @ W)


FAULTS = (
    heads_overwrite,
    heads_swapped,
    clip_gate_ignored,
    residual_forgotten,
    centring_ignored,
    normalisation_mean_ignored,
    normalisation_variance_ignored,
    gather_repeated_rows_lost,
    tied_weights_once,
)
