"""Measure a training step on 1 and 2 ranks of mpirun, split into computation and all-reduce.

    python benchmarks/ranks.py [--rounds 5] [--out FILE.json]

A VAE 784-400-20 takes steps on random images, with one thread a rank, at batch 128 and 2048. Each round
starts mpirun anew with 1 and with 2 ranks. The computation (loss, gradient and optimizer) is the median
step's time on the processor, which other processes hardly change. The all-reduce is timed by the clock, from
the moment when both ranks are ready: npvae's, in the order of the ranks, and after it, in the same step,
MPI's own of as many numbers. If other processes occupy the cores, its median shows how long a rank waits for
a core, and only the fastest one what it costs.

The second table is computed, not measured: what 4 to 64 ranks would reach. A step takes the computation
measured on one rank with the rows that one of so many ranks would have, and the all-reduce of P float32
numbers takes 2 (n - 1) latencies and 2 P (n - 1) / n numbers through a link of the given rate. In it nobody
waits for anybody, and ranks on one machine do not share its memory's bandwidth: it is an upper limit.

    mpirun -n N python benchmarks/ranks.py --one

measures in these processes; that is what takes turns.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any, NamedTuple

import numpy as np
from measuring import add_options, contents, described, in_turns, write_json
from scaling_peers import pixels

from npvae.core.init import init_parameters
from npvae.core.vae import VAENetwork
from npvae.data.scaling import as_floats
from npvae.training import Adam, Stepper
from npvae.training.interrupt import InterruptRequest
from npvae.training.parallel import Ranks
from npvae.training.threads import step_threads

NETWORK = VAENetwork(n_features=784, latent_dim=20, hidden=(400,), likelihood="bernoulli")
BATCHES = {128: 200, 2048: 50}  # steps that are timed, by the rows of a batch
WARM_UP = 5  # steps that are not timed
MEASURED, COMPUTED = (1, 2), (4, 8, 16, 32, 64)
PARTS = (
    "computation", "all-reduce, fastest", "all-reduce, median", "MPI's Allreduce, fastest",
    "MPI's Allreduce, median",
)  # fmt: skip


class Link(NamedTuple):
    """What connects the ranks of the computed table."""

    name: str
    latency: float  # seconds a message
    rate: float  # bytes a second

    def seconds(self, n_bytes: float, n_ranks: int) -> float:
        """Return how long an all-reduce takes."""
        return 2 * (n_ranks - 1) * (self.latency + n_bytes / n_ranks / self.rate)


NETWORKS = (Link("10 Gbit/s, 50 µs", 50e-6, 1.25e9), Link("100 Gbit/s, 5 µs", 5e-6, 12.5e9))


class TimedRanks(Ranks):
    """Notes how long each all-reduce took, npvae's and MPI's own."""

    def __init__(self) -> None:
        super().__init__(InterruptRequest())
        self.seconds: dict[str, list[float]] = {"all-reduce": [], "MPI's Allreduce": []}
        self._copy = np.empty(0, np.float32)
        self.on_processor = 0.0  # of both together, with the time until all ranks were ready

    def add_up(self, gradient: np.ndarray, *arguments: Any) -> list[float]:
        """Do as the base class does, and let MPI add up a copy."""
        begun = time.thread_time()
        copy = gradient.copy()
        if self._copy.shape != copy.shape:
            self._copy = np.zeros_like(copy)
        self._world.Barrier()
        ready = time.perf_counter()
        sums = super().add_up(gradient, *arguments)
        self.seconds["all-reduce"].append(time.perf_counter() - ready)
        self._world.Barrier()
        ready = time.perf_counter()
        self._world.Allreduce(copy, self._copy)
        self.seconds["MPI's Allreduce"].append(time.perf_counter() - ready)
        self.on_processor = time.thread_time() - begun
        return sums


def computation(n: int, n_steps: int, ranks: TimedRanks) -> float:
    """Return the median seconds on the processor of steps on a batch of n rows, without the all-reduce."""
    rng = np.random.default_rng(0)
    stepper = Stepper(NETWORK, init_parameters(NETWORK.shapes(), rng), Adam(), rng)
    x = as_floats(pixels(n))[ranks.rows(n)]
    seconds = []
    with step_threads(NETWORK, stepper.params.flat.size, len(x), 1):
        for _ in range(WARM_UP + n_steps):
            started = time.thread_time()
            stepper.step(x, 1e-3, 1.0, ranks, n)
            seconds.append(time.thread_time() - started - ranks.on_processor)
    return statistics.median(seconds[WARM_UP:])


def n_numbers() -> int:
    """Return how many parameters the network has."""
    return sum(int(np.prod(shape)) for shape in NETWORK.shapes().values())


def measure_here() -> dict[str, dict[str, float]]:
    """Return seconds by the rows of a batch and the part of a step."""
    found = {}
    for n, n_steps in BATCHES.items():
        ranks = TimedRanks()
        found[str(n)] = {"computation": computation(n, n_steps, ranks)}
        if ranks.size == 1:
            for n_ranks in COMPUTED:  # what one of so many ranks would have to do
                found[f"{n}/{n_ranks}"] = {"computation": computation(n // n_ranks, n_steps, ranks)}
            continue
        for name, seconds in ranks.seconds.items():
            timed = seconds[WARM_UP:]
            found[str(n)] |= {f"{name}, fastest": min(timed), f"{name}, median": statistics.median(timed)}
    return found


def measure(n_ranks: int) -> dict[str, dict[str, float]]:
    """Return what rank 0 of so many measures, in fresh processes."""
    command = ["mpirun", "-n", str(n_ranks), "--oversubscribe", sys.executable, __file__, "--one"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.insert(1, "--allow-run-as-root")
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def middle(runs: list[dict[str, dict[str, float]]], batch: str, part: str) -> tuple[float, str]:
    """Return the median over the rounds, in ms, and the range as text."""
    values = [1e3 * run[batch][part] for run in runs]
    return statistics.median(values), f"{min(values):.3g} to {max(values):.3g}"


def report(content: dict[str, Any]) -> str:
    """Return both tables, in Markdown."""
    runs = {int(n): each for n, each in content["seconds"].items()}
    lines = ["| batch | ranks | part of a step | ms | range |", "|--:|--:|---|--:|---|"]
    for batch in BATCHES:
        for n_ranks in MEASURED:
            for part in PARTS if n_ranks > 1 else PARTS[:1]:
                ms, spread = middle(runs[n_ranks], str(batch), part)
                lines.append(f"| {batch} | {n_ranks} | {part} | {ms:.3g} | {spread} |")
    lines += ["", "Computed, not measured: speed-up over one rank.", ""]
    names = ["memory, as the fastest between 2 ranks", *(link.name for link in NETWORKS)]
    lines.append(f"| batch | ranks | rows of one | computation, ms | {' | '.join(names)} |")
    lines.append("|--:" * (4 + len(names)) + "|")
    n_bytes = 4 * n_numbers()
    for batch in BATCHES:
        alone, _ = middle(runs[1], str(batch), "computation")
        reduce_ms, _ = middle(runs[2], str(batch), "all-reduce, fastest")
        links = [Link(names[0], 0.0, n_bytes / (reduce_ms / 1e3)), *NETWORKS]
        for n in COMPUTED:
            ms, _ = middle(runs[1], f"{batch}/{n}", "computation")
            gains = [f"{alone / (ms + 1e3 * link.seconds(n_bytes, n)):.2g}" for link in links]
            lines.append(f"| {batch} | {n} | {batch // n} | {ms:.3g} | {' | '.join(gains)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure in turns, and print."""
    parser = argparse.ArgumentParser(description="Measure a training step on 1 and 2 ranks.")
    parser.add_argument("--one", action="store_true", help="measure in these processes")
    add_options(parser)
    args = parser.parse_args()
    if args.one:
        found = measure_here()
        if TimedRanks().is_first:
            print(json.dumps(found))
        return
    content = contents("ranks", seconds=in_turns(MEASURED, measure, args.rounds, "ranks"))
    write_json(args.out, content)
    print(described(content["machine"]))
    print(report(content))


if __name__ == "__main__":
    main()
