"""Arguments for every elementwise kernel."""

import numpy as np

# name: how many (N, H) arrays it takes, which axis has the length of a vector that follows, whether a slope
# follows
SIGNATURES = {
    "relu": (1, 1, False),
    "relu_gradient": (2, None, False),
    "leaky_relu": (1, 1, True),
    "leaky_relu_gradient": (2, None, True),
    "tanh_gradient": (2, None, False),
    "sigmoid": (1, 1, False),
    "sigmoid_gradient": (2, None, False),
    "softplus": (1, 1, False),
    "bernoulli": (2, None, False),
    "scale_rows": (1, 0, False),
}
# name: how many vectors, the settings, which vectors are changed
OPTIMIZERS = {
    "sgd": (3, (0.1, 0.9), (0, 2)),
    "adagrad": (3, (0.1, 1e-8), (0, 2)),
    "adam": (4, (0.01, 0.9, 0.999, 1e-8, 3), (0, 2, 3)),
}


def arguments(name, rng, shape=(6, 5), dtype=np.float64):
    """Draw arguments for an elementwise kernel; bernoulli's data are in [0, 1]."""
    n_matrices, axis, has_slope = SIGNATURES[name]
    matrices = [(3 * rng.standard_normal(shape)).astype(dtype) for _ in range(n_matrices)]
    if name == "bernoulli":
        matrices[0] = rng.uniform(size=shape).astype(dtype)
    vector = [rng.standard_normal(shape[axis]).astype(dtype)] if axis is not None else []
    return [*matrices, *vector, *([0.2] if has_slope else [])]


def optimizer_arguments(name, rng, size=50, dtype=np.float64):
    """Draw arguments for an optimizer's kernel; what sums squares is positive."""
    n_vectors, settings, _ = OPTIMIZERS[name]
    vectors = [rng.standard_normal(size).astype(dtype) for _ in range(n_vectors)]
    vectors[-1] = vectors[-1] ** 2
    return [*vectors, *settings]


def as_tuple(result):
    """Make results of one array and of several alike."""
    return result if isinstance(result, tuple) else (result,)
