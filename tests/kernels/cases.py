"""Arguments for every elementwise kernel."""

import numpy as np

# name: how many (N, H) arrays it takes, whether a (H,) array follows, and a slope after that
SIGNATURES = {
    "relu": (1, True, False),
    "relu_gradient": (2, False, False),
    "leaky_relu": (1, True, True),
    "leaky_relu_gradient": (2, False, True),
    "tanh_gradient": (2, False, False),
    "sigmoid": (1, True, False),
    "sigmoid_gradient": (2, False, False),
    "softplus": (1, True, False),
    "bernoulli": (2, False, False),
}
# name: how many vectors, the settings, which vectors are changed
OPTIMIZERS = {
    "sgd": (3, (0.1, 0.9), (0, 2)),
    "adagrad": (3, (0.1, 1e-8), (0, 2)),
    "adam": (4, (0.01, 0.9, 0.999, 1e-8, 3), (0, 2, 3)),
}


def arguments(name, rng, shape=(6, 5), dtype=np.float64):
    """Draw arguments for an elementwise kernel; bernoulli's data are in [0, 1]."""
    n_matrices, has_vector, has_slope = SIGNATURES[name]
    matrices = [(3 * rng.standard_normal(shape)).astype(dtype) for _ in range(n_matrices)]
    if name == "bernoulli":
        matrices[0] = rng.uniform(size=shape).astype(dtype)
    vector = [rng.standard_normal(shape[1]).astype(dtype)] if has_vector else []
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
