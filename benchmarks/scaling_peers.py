"""One point of a scaling curve: train with npvae or JAX on random pixels, and print microseconds per sample.

`scaling.py` runs this in turns:

    python benchmarks/scaling_peers.py TRAINER '{"images": 8192, "batch size": 128, "hidden units": 400, ...}'
"""

import itertools
import json
import statistics
import sys

import numpy as np
from training_peers import TRAINERS, Case, as_float32

N_FEATURES = 784
SAMPLES, FEWEST_EPOCHS = 24576, 3  # to train on, after the first epoch


def pixels(n: int) -> np.ndarray:
    """Return random pixels (n, 784), four of five of them black, as in MNIST."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (n, N_FEATURES), dtype=np.uint8)
    X[rng.random(X.shape, dtype=np.float32) < 0.8] = 0
    return X


def main() -> None:
    """Train; the first epoch, in which everything is compiled, is not counted."""
    trainer, point = sys.argv[1], json.loads(sys.argv[2])
    case = Case(
        "", (point["hidden units"],) * point["hidden layers"], point["latent dimensions"], point["batch size"]
    )
    X = pixels(point["images"])
    X = X if trainer == "npvae" else as_float32(X)
    epochs = max(SAMPLES // len(X), FEWEST_EPOCHS)
    *ends, _ = TRAINERS[trainer](case, X, X[:100], 1 + epochs)
    seconds = statistics.median(b - a for a, b in itertools.pairwise(ends))
    print(json.dumps(1e6 * seconds / len(X)))


if __name__ == "__main__":
    main()
