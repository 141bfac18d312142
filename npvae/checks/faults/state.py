"""Functions with state: most of these return the right gradient when they are called once."""

import numpy as np

from npvae.checks.faults.fault import Array, Cache, Pair, fault
from npvae.checks.faults.reparameterisation import DRAW, WRT, draw_args, draw_forward

KEEP = 0.5  # the probability with which dropout keeps an entry


def scale_forward(x: Array, w: Array) -> tuple[Array, Cache]:
    """Compute y = tanh(w x) for x (N, n) and w (n,)."""
    y = np.tanh(w * x)
    return y, (x, w, y)


def scale_backward(dy: Array, cache: Cache) -> tuple[Array, Array]:
    """Return dx and dw."""
    x, w, y = cache
    da = dy * (1 - y**2)
    return da * w, np.sum(da * x, axis=0)


def dropout_forward(x: Array, noise: Array) -> tuple[Array, Cache]:
    """Keep the entries whose noise, uniform in [0, 1), is below KEEP; scale them up to preserve the mean."""
    mask = noise < KEEP
    return np.where(mask, x / KEEP, 0), mask


def dropout_backward(dy: Array, mask: Cache) -> Array:
    """Return dx = dy / KEEP where x was kept."""
    return np.where(mask, dy / KEEP, 0)


def scale_args(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw x (3, n) and w (n,)."""
    return [rng.standard_normal((3, n)), rng.standard_normal(n)]


def dropout_args(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw x (3, n), and noise that keeps some entries and drops others."""
    noise = rng.random((3, n))
    noise[0, :2] = 0.1, 0.9
    return [rng.standard_normal((3, n)), noise]


def gate_forward(x: Array, w: Array) -> tuple[Array, Cache]:
    """Compute y = w^2 x for x (3, n) and w (n,)."""
    return w**2 * x, (x, w)


def gate_backward(dy: Array, cache: Cache) -> tuple[Array, Array]:
    """Return dx and dw."""
    x, w = cache
    return dy * w**2, np.sum(2 * dy * x, axis=0) * w


def closed_gate_args(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw x (3, n); w is zero, as after initialisation."""
    return [rng.standard_normal((3, n)), np.zeros(n)]


SCALE = Pair(scale_forward, scale_backward)
DROPOUT = Pair(dropout_forward, dropout_backward)
GATE = Pair(gate_forward, gate_backward)


class CountedNoise:
    """Dropout that seeds a new generator in each call with the number of the call."""

    def __init__(self) -> None:
        self.calls = 0

    def forward(self, x: Array) -> tuple[Array, Cache]:
        self.calls += 1
        return dropout_forward(x, np.random.default_rng(self.calls).random(x.shape))

    def backward(self, dy: Array, mask: Cache) -> Array:
        return dropout_backward(dy, mask)


def noiseless_args(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw x (3, n)."""
    return [rng.standard_normal((3, n))]


class StaleCache:
    """Store the cache of the first batch, and use it for all later batches."""

    def __init__(self) -> None:
        self.cache: Cache = None

    def forward(self, x: Array, w: Array) -> tuple[Array, Cache]:
        y, cache = scale_forward(x, w)
        if self.cache is None:
            self.cache = cache
        return y, None

    def backward(self, dy: Array, cache: None) -> tuple[Array, Array]:
        return scale_backward(dy, self.cache)


class GradientsAddUp:
    """Accumulate dw with += as frameworks do, and never reset it to zero."""

    def __init__(self) -> None:
        self.dw: Array | float = 0.0

    def forward(self, x: Array, w: Array) -> tuple[Array, Cache]:
        return scale_forward(x, w)

    def backward(self, dy: Array, cache: Cache) -> tuple[Array, Array]:
        dx, dw = scale_backward(dy, cache)
        self.dw = self.dw + dw
        return dx, np.asarray(self.dw)


class BufferReused:
    """Write every gradient into one buffer and return it: the next call overwrites the last result."""

    def __init__(self) -> None:
        self.buffer = np.empty((0, 0))

    def forward(self, x: Array, w: Array) -> tuple[Array, Cache]:
        return scale_forward(x, w)

    def backward(self, dy: Array, cache: Cache) -> tuple[Array, Array]:
        dx, dw = scale_backward(dy, cache)
        if self.buffer.shape != dx.shape or self.buffer.dtype != dx.dtype:
            self.buffer = np.empty_like(dx)
        self.buffer[...] = dx
        return self.buffer, dw


class FreshNoise:
    """Draw new noise in the backward pass, arguing that it has the right distribution."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def forward(self, mu: Array, log_var: Array, eps: Array) -> tuple[Array, Cache]:
        return draw_forward(mu, log_var, eps)

    def backward(self, dz: Array, cache: Cache) -> tuple[Array, Array]:
        log_var, _ = cache
        eps = self.rng.standard_normal(dz.shape)
        return dz.copy(), dz * eps * np.exp(log_var / 2) / 2


class FreshMask:
    """Let dropout drop other units in the backward pass than in the forward pass."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def forward(self, x: Array, noise: Array) -> tuple[Array, Cache]:
        return dropout_forward(x, noise)

    def backward(self, dy: Array, cache: Cache) -> Array:
        return dropout_backward(dy, self.rng.random(dy.shape) < KEEP)


class RaceOnAnAccumulator:
    """Let two threads add to dw without a lock, so that one thread's part is sometimes lost."""

    def __init__(self) -> None:
        self.calls = 0

    def forward(self, x: Array, w: Array) -> tuple[Array, Cache]:
        return scale_forward(x, w)

    def backward(self, dy: Array, cache: Cache) -> tuple[Array, Array]:
        dx, dw = scale_backward(dy, cache)
        self.calls += 1
        if self.calls % 3 == 0:  # both have read the old value, and the second to write wins
            half = len(dy) // 2
            dw = scale_backward(dy[half:], tuple(a[half:] if a.ndim == 2 else a for a in cache))[1]
        return dx, dw


class CountedNoiseUnscaled(CountedNoise):
    """Draw another mask in each call, which no caller can repeat, and forget the scale in the backward."""

    def backward(self, dy: Array, mask: Cache) -> Array:
        return np.where(mask, dy, 0)


class AddsUpInItsCache:
    """Accumulate dw in the cache, so that a second backward, for a second loss, adds to the first one's."""

    def forward(self, x: Array, w: Array) -> tuple[Array, Cache]:
        y, cache = scale_forward(x, w)
        return y, {"cache": cache, "dw": 0.0}

    def backward(self, dy: Array, cache: Cache) -> tuple[Array, Array]:
        dx, dw = scale_backward(dy, cache["cache"])
        cache["dw"] = cache["dw"] + dw
        return dx, cache["dw"].copy()


@fault("state", DROPOUT, dropout_args, wrt=(0,))
def dropout_scale_forgotten(dy: Array, mask: Cache) -> Array:
    """Mask the gradient, and forget that the kept entries were also scaled up."""
    return np.where(mask, dy, 0)


@fault("state", SCALE, scale_args)
def upstream_ignored(dy: Array, cache: Cache) -> tuple[Array, Array]:
    """Write the backward as if the loss were the sum of y, with ones for dy."""
    return scale_backward(np.ones_like(dy), cache)


@fault("state", SCALE, scale_args)
def upstream_clipped(dy: Array, cache: Cache) -> tuple[Array, Array]:
    """Clip dy inside a layer against exploding gradients, so that the result is not linear in dy."""
    return scale_backward(np.clip(dy, -0.1, 0.1), cache)


@fault("state", SCALE, scale_args)
def upstream_clipped_far_out(dy: Array, cache: Cache) -> tuple[Array, Array]:
    """Clip dy inside a layer at a limit that it hardly ever reaches."""
    return scale_backward(np.clip(dy, -10, 10), cache)


@fault("state", GATE, closed_gate_args)
def closed_gate(dy: Array, cache: Cache) -> tuple[Array, Array]:
    """Forget the 2 of w^2 where w is initialised with zeros, so that its gradient is zero either way."""
    x, w = cache
    return dy * w**2, np.sum(dy * x, axis=0) * w


@fault("state", SCALE, scale_args)
def upstream_overwritten(dy: Array, cache: Cache) -> tuple[Array, Array]:
    """Multiply dy in place, although the caller's other branches still need it."""
    x, w, y = cache
    dy *= 1 - y**2
    return dy * w, np.sum(dy * x, axis=0)


@fault("state", SCALE, scale_args)
def inputs_overwritten(dy: Array, cache: Cache) -> tuple[Array, Array]:
    """Compute dw in the memory of x, assuming that nobody needs the input any more."""
    x, w, y = cache
    da = dy * (1 - y**2)
    x *= da
    return da * w, np.sum(x, axis=0)


@fault("state", SCALE, scale_args)
def cache_overwritten(dy: Array, cache: Cache) -> tuple[Array, Array]:
    """Turn the cached y into 1 - y^2 in place, so that a second backward reads wrong values."""
    x, w, y = cache
    np.multiply(y, y, out=y)
    np.subtract(1, y, out=y)
    da = dy * y
    return da * w, np.sum(da * x, axis=0)


@fault("state", SCALE, scale_args)
def single_precision_inside(dy: Array, cache: Cache) -> tuple[Array, Array]:
    """Leave an astype(float32) in the middle of a float64 path, which loses half of the digits."""
    x, w, y = cache
    da = (dy * (1 - y**2)).astype(np.float32).astype(dy.dtype)
    return da * w, np.sum(da * x, axis=0)


FAULTS = (
    fault("state", SCALE, scale_args)(StaleCache),
    fault("state", SCALE, scale_args)(GradientsAddUp),
    fault("state", SCALE, scale_args)(BufferReused),
    fault("state", DRAW, draw_args, wrt=WRT)(FreshNoise),
    fault("state", DROPOUT, dropout_args, wrt=(0,))(FreshMask),
    fault("state", SCALE, scale_args)(RaceOnAnAccumulator),
    fault("state", SCALE, scale_args)(AddsUpInItsCache),
    fault("state", CountedNoise, noiseless_args, decidable=False)(CountedNoiseUnscaled),
    dropout_scale_forgotten,
    upstream_ignored,
    upstream_clipped,
    upstream_clipped_far_out,
    closed_gate,
    upstream_overwritten,
    inputs_overwritten,
    cache_overwritten,
    single_precision_inside,
)
