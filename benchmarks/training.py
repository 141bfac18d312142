"""Measure how long an epoch takes with npvae, JAX and PyTorch, in turns, each in a fresh process.

    python benchmarks/training.py [MNIST_FOLDER] [--cases mnist wide digits] [--trainers npvae JAX ...]
                                  [--rounds 5] [--busy] [--out FILE.json]

Every round runs all trainers once; the first epoch, in which they compile, is not counted. Prints medians,
what npvae takes in parts of the others' time (medians over rounds, and their range), and the test loss, which
has to be the same. With --busy another process keeps one core busy throughout. Trainers that are not
installed are left out.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm
from training_peers import CASES, TRAINERS

EPOCHS = {"mnist": 3, "wide": 2, "digits": 100}
PEERS = Path(__file__).with_name("training_peers.py")


def installed() -> list[str]:
    """Return the trainers whose packages are there."""
    packages = {"JAX": "jax", "torch": "torch"}
    return [t for t in TRAINERS if importlib.util.find_spec(packages.get(t.split()[0], "numpy"))]


def run(trainer: str, case: str, folder: str) -> dict[str, float]:
    """Train in a fresh process."""
    command = [sys.executable, str(PEERS), trainer, case, str(EPOCHS[case]), folder]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def keep_busy() -> None:
    """Use one core."""
    x = np.random.default_rng(0).standard_normal(1000)
    while True:
        np.sort(x)


def machine() -> dict[str, Any]:
    """Describe the machine and what is installed."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    versions = {p: importlib.metadata.version(p) for p in ("numpy", "numba", "jax", "torch") if _has(p)}
    threads = {k: v for k, v in os.environ.items() if k.endswith("_NUM_THREADS")}
    return {
        "cpu": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **versions,
        **threads,
    }


def _has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def show(case: str, results: dict[str, list[dict[str, float]]]) -> None:
    """Print one case."""
    network = CASES[case]
    widths = "-".join(map(str, (*network.hidden, network.latent_dim)))
    print(f"{case}: D-{widths}, batch {network.batch_size}")
    print(f"  {'':<16}{'s / epoch':>12}{'npvae / it':>12}{'range':>16}{'test loss':>12}")
    own = [result["seconds"] for result in results["npvae"]]
    for trainer, found in results.items():
        seconds = [result["seconds"] for result in found]
        ratios = [a / b for a, b in zip(own, seconds, strict=True)]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        loss = statistics.median(result["loss"] for result in found)
        print(
            f"  {trainer:<16}{statistics.median(seconds):>12.4g}{statistics.median(ratios):>12.2f}"
            f"{spread:>16}{loss:>12.2f}"
        )


def main() -> None:
    """Run and print all cases."""
    parser = argparse.ArgumentParser(description="Compare training speeds.")
    parser.add_argument("folder", nargs="?", default="", help="MNIST's four IDX files")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--trainers", nargs="+", choices=TRAINERS, default=installed())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--busy", action="store_true", help="let another process use one core")
    parser.add_argument("--out", type=Path, help="write all figures as JSON")
    args = parser.parse_args()
    trainers = list(dict.fromkeys(["npvae", *args.trainers]))
    competitor = multiprocessing.Process(target=keep_busy, daemon=True)
    if args.busy:
        competitor.start()
    content: dict[str, Any] = {"machine": machine(), "busy": args.busy, "epochs": EPOCHS, "cases": {}}
    print(content["machine"], "one core busy" if args.busy else "")
    for case in args.cases:
        results: dict[str, list[dict[str, float]]] = {trainer: [] for trainer in trainers}
        jobs = [trainer for _ in range(args.rounds) for trainer in trainers]
        for trainer in tqdm(jobs, desc=case):
            results[trainer].append(run(trainer, case, args.folder))
        content["cases"][case] = results
        show(case, results)
    if args.out is not None:
        args.out.write_text(json.dumps(content, indent=1))


if __name__ == "__main__":
    main()
