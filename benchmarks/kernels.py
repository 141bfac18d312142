"""Compare the speed of every compiled kernel with that of its NumPy twin.

Both twins in one process, taking turns, so that a busy machine slows both. Prints the median of each and
the median of the ratios; exits 1 if a compiled kernel is the slower one.

    python benchmarks/kernels.py
"""

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from npvae.kernels import compiled, reference

N, D, P = 128, 784, 653_000  # batch, pixels, parameters of the 784-400-20 VAE
ROUNDS = 41


def cases(dtype: type) -> dict[str, tuple[Any, ...]]:
    """Return arguments for every kernel."""
    rng = np.random.default_rng(0)
    a, b, dy = (rng.normal(size=shape).astype(dtype) for shape in [(N, D), (D,), (N, D)])
    x = rng.random((N, D)).astype(dtype)
    pixels = rng.integers(0, 256, (10_000, D), dtype=np.uint8)
    vectors = [np.abs(rng.normal(size=P)).astype(dtype) for _ in range(4)]
    return {
        "relu": (a, b),
        "relu_gradient": (dy, a),
        "leaky_relu": (a, b, 0.01),
        "leaky_relu_gradient": (dy, a, 0.01),
        "tanh_gradient": (dy, np.tanh(a)),
        "sigmoid": (a, b),
        "sigmoid_gradient": (dy, x),
        "softplus": (a, b),
        "bernoulli": (x, a),
        "scale_rows": (a, x[:, 0].copy()),
        "take_pixels": (pixels, rng.permutation(len(pixels))[:N]),
        "sgd": (*vectors[:3], 1e-3, 0.9),
        "adagrad": (*vectors[:3], 1e-3, 1e-10),
        "adam": (*vectors, 1e-3, 0.9, 0.999, 1e-8, 5),
    }


def seconds(function: Callable[..., Any], arguments: tuple[Any, ...]) -> float:
    """Time one call."""
    started = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - started


def main() -> int:
    """Compare all twins."""
    slower = []
    print(f"{'kernel':<22}{'dtype':>9}{'NumPy, us':>12}{'numba, us':>12}{'NumPy / numba':>16}")
    for dtype in (np.float32, np.float64):
        for name, arguments in cases(dtype).items():
            twins = getattr(reference, name), getattr(compiled, name)
            for twin in twins:
                twin(*arguments)  # compile, warm up
            pairs = [tuple(seconds(twin, arguments) for twin in twins) for _ in range(ROUNDS)]
            ratio = statistics.median(numpy / numba for numpy, numba in pairs)
            medians = [1e6 * statistics.median(pair[i] for pair in pairs) for i in (0, 1)]
            print(f"{name:<22}{dtype.__name__:>9}{medians[0]:12.1f}{medians[1]:12.1f}{ratio:16.1f}")
            if ratio < 1:
                slower.append(f"{name} ({dtype.__name__})")
    if slower:
        print(f"slower than NumPy: {', '.join(slower)}")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
