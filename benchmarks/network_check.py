"""Measure what it costs to check the gradient of the 784-400-20 VAE, in training steps of the same network.

`check_network` (one random projection of each parameter, 653 thousand of them) and 60 training steps with
Adam, both in float64, on the same batch of random pixels, take turns in one process. Prints medians in
seconds and the ratio for each batch size.

    python benchmarks/network_check.py [--batch-sizes 128 16] [--rounds 5]
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from npvae.core.init import init_parameters
from npvae.core.vae import VAENetwork
from npvae.gradcheck import check_network
from npvae.training.optimizers import Adam
from npvae.training.step import Stepper

STEPS = 60


def seconds(work: Callable[[], None]) -> float:
    """Time one run."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def compare(batch_size: int, rounds: int) -> None:
    """Let both take turns, and print a line."""
    rng = np.random.default_rng(0)
    network = VAENetwork(n_features=784, latent_dim=20, likelihood="bernoulli")
    params = init_parameters(network.blocks(), rng, dtype=np.float64)
    x, eps = rng.random((batch_size, 784)), rng.standard_normal((batch_size, 20))

    def check() -> None:
        report = check_network(network, params, x, eps)
        if not report.passed:
            raise SystemExit(str(report))

    stepper = Stepper(network, params.copy(), Adam(), rng)

    def train() -> None:
        for _ in range(STEPS):
            stepper.step(x, 1e-3)

    check()
    train()  # compile, warm up
    pairs = [(seconds(check), seconds(train)) for _ in range(rounds)]
    checks, steps = zip(*pairs, strict=True)
    ratios = [a / b for a, b in pairs]
    print(
        f"batch {batch_size:>4}: check {statistics.median(checks):.3f} s, {STEPS} steps "
        f"{statistics.median(steps):.3f} s, ratio {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f}); check in steps: {STEPS * statistics.median(ratios):.0f}"
    )


def main() -> None:
    """Compare at each batch size."""
    parser = argparse.ArgumentParser(description="Check the 784-400-20 VAE, and train it.")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[128, 16])
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    for batch_size in args.batch_sizes:
        compare(batch_size, args.rounds)


if __name__ == "__main__":
    main()
