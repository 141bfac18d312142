"""Measure what it costs to check the gradient of the 784-400-20 VAE, in training steps of the same network.

    python benchmarks/network_check.py [--batch-sizes 128 16] [--rounds 5] [--out FILE.json]

`check_network` (one random projection of each parameter, 653 thousand of them) and training steps with Adam
on the threads that training gives them, both in float64 and on a batch of random pixels, take turns, each in
a fresh process, which runs it once, to compile, and then measures it. Prints the seconds of a check, and how
many steps take as long.

    python benchmarks/network_check.py --one check|step BATCH_SIZE

measures one of them in this process and prints seconds; that is what takes turns.
"""

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from measuring import Row, add_options, compared, conclude, contents, in_turns, run_json

from npvae.core.init import init_parameters
from npvae.core.vae import VAENetwork
from npvae.gradcheck import check_network
from npvae.training import Adam, Stepper
from npvae.training.threads import step_threads

SCRIPT = Path(__file__)
STEPS, CHECKS = 60, 3  # timed, after as many that are not, and one
CONTENDERS = ("check", "step")


def seconds(work: Callable[[], None]) -> float:
    """Time one run."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def one(contender: str, batch_size: int) -> float:
    """Return how long a check or a step takes in this process."""
    rng = np.random.default_rng(0)
    network = VAENetwork(n_features=784, latent_dim=20, likelihood="bernoulli")
    params = init_parameters(network.shapes(), rng, dtype=np.float64)
    x, eps = rng.random((batch_size, 784)), rng.standard_normal((batch_size, 20))

    def check() -> None:
        report = check_network(network, params, x, eps)
        if not report.passed:
            raise SystemExit(str(report))

    if contender == "check":
        check()
        return statistics.median(seconds(check) for _ in range(CHECKS))
    stepper = Stepper(network, params.copy(), Adam(), rng)
    with step_threads(network, params.flat.size, batch_size) as threads:

        def train() -> None:
            for _ in range(STEPS):
                threads.run(stepper.step, x, 1e-3)

        train()
        return seconds(train) / STEPS


def measure(job: tuple[int, str]) -> float:
    """Return the time of a batch size and a contender, from a fresh process."""
    batch_size, contender = job
    return run_json([SCRIPT, "--one", contender, batch_size])


def rows(content: dict[str, Any]) -> list[Row]:
    """Return the report's lines from what --out wrote."""
    return [
        compared(
            f"check_network, 784-400-20 VAE, batch {batch_size}",
            "s",
            found["check"],
            "a float64 training step",
            found["step"],
        )
        for batch_size, found in content["seconds"].items()
    ]


def main() -> None:
    """Measure at each batch size in turns, and print."""
    parser = argparse.ArgumentParser(description="Check the 784-400-20 VAE, and train it.")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[128, 16])
    parser.add_argument("--one", nargs=2, metavar=("CONTENDER", "BATCH_SIZE"), help="measure in this process")
    add_options(parser)
    args = parser.parse_args()
    if args.one:
        contender, batch_size = args.one
        print(json.dumps(one(contender, int(batch_size))))
        return
    jobs = list(itertools.product(args.batch_sizes, CONTENDERS))
    results = in_turns(jobs, measure, args.rounds, "network check")
    found = {size: {name: results[size, name] for name in CONTENDERS} for size in args.batch_sizes}
    # As JSON has it, so that `rows` gets the same from here as from the file.
    content = contents("network_check", seconds={str(size): times for size, times in found.items()})
    conclude(content, rows(content), args.out)


if __name__ == "__main__":
    main()
