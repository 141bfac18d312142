"""Every formula that has a compiled twin, and arguments for it."""

from types import SimpleNamespace

import numpy as np
import pytest

import npvae.core.vae
import npvae.training  # noqa: F401
from npvae.kernels import FORMULAS, twins

COMPILED = twins
NUMPY = SimpleNamespace(**{name: formula.__wrapped__ for name, formula in FORMULAS.items()})
both_twins = pytest.mark.parametrize("twin", [COMPILED, NUMPY], ids=["compiled", "NumPy"])
both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])

ELEMENTWISE = ("sigmoid_forward", "softplus_forward", "bernoulli_forward")
LAYERS = ("dense_forward", "dense_backward")
# name: how many vectors, the settings, which vectors are changed
OPTIMIZERS = {
    "sgd": (3, (0.1, 0.9), (0, 2)),
    "adagrad": (3, (0.1, 1e-8), (0, 2)),
    "adam": (4, (0.01, 0.9, 0.999, 1e-8, 3), (0, 2, 3)),
}
NAMES = (*ELEMENTWISE, *LAYERS, *OPTIMIZERS, "take_pixels")


def arguments(name, rng, shape=(6, 5), dtype=np.float64):
    """Draw arguments; data of the Bernoulli likelihood are in [0, 1]."""
    if name in OPTIMIZERS:
        return optimizer_arguments(name, rng, dtype=dtype)
    if name == "take_pixels":
        return [rng.integers(0, 256, (9, 5), dtype=np.uint8), rng.integers(0, 9, 20)]
    n, k = shape
    draw = {
        "sigmoid_forward": lambda: [3 * rng.standard_normal(shape)],
        "softplus_forward": lambda: [3 * rng.standard_normal(shape)],
        "bernoulli_forward": lambda: [rng.uniform(size=shape), 3 * rng.standard_normal(shape)],
        "dense_forward": lambda: [rng.standard_normal(s) for s in (shape, (k, 4), 4)],
        "dense_backward": lambda: [
            rng.standard_normal((n, 4)),
            (rng.standard_normal(shape), rng.standard_normal((k, 4))),
        ],
    }[name]
    return mapped(lambda a: a.astype(dtype), draw())


def optimizer_arguments(name, rng, size=50, dtype=np.float64):
    """Draw arguments for an optimizer's pass; what sums squares is positive."""
    n_vectors, settings, _ = OPTIMIZERS[name]
    vectors = [rng.standard_normal(size).astype(dtype) for _ in range(n_vectors)]
    vectors[-1] = vectors[-1] ** 2
    return [*vectors, *settings]


def mapped(function, values):
    """Apply a function to every array, those in tuples included."""
    return [
        tuple(mapped(function, v))
        if isinstance(v, tuple)
        else function(v)
        if isinstance(v, np.ndarray)
        else v
        for v in values
    ]


def arrays(values):
    """List all arrays, those in tuples included."""
    values = values if isinstance(values, tuple | list) else [values]
    return [
        a for v in values for a in (arrays(v) if isinstance(v, tuple) else [v]) if isinstance(a, np.ndarray)
    ]
