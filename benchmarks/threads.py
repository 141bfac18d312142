"""Compare the training time with the threads that npvae chooses and with n_threads=1.

    python benchmarks/threads.py [--rounds 5] [--busy] [--out FILE.json]

A network of the size for MNIST, 784-400-20 at batch 128 on 8192 random images, and one for digits, 64-64-2
at batch 32, are trained with `VAE(n_threads=None)`, the default, and with `VAE(n_threads=1)`, in turns and
each in a fresh process. The figure is the median epoch; the first epoch, which includes compiling, is not
counted. Prints milliseconds per epoch, and the ratio of the default's time to that of one thread. With
--busy another process keeps one core busy throughout.

    python benchmarks/threads.py --one CASE default|1

trains once in this process and prints the seconds of an epoch; that is what takes turns.
"""

import argparse
import itertools
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
from measuring import Row, add_options, compared, conclude, contents, in_turns, one_core_busy, run_json
from scaling_peers import pixels
from training_peers import CASES, with_npvae

from npvae.data import load_dataset

SCRIPT = Path(__file__)
IMAGES = 8192
EPOCHS = {"mnist": 10, "digits": 100}  # after the first
WHAT = {"mnist": "784-400-20 VAE, batch 128, random images", "digits": "64-64-2 VAE, batch 32, digits"}
THREADS = {"default": None, "1": 1}


def images(case: str) -> np.ndarray:
    """Return what a case is trained on."""
    return pixels(IMAGES) if case == "mnist" else load_dataset("digits").X_train


def epoch_seconds(case: str, n_threads: int | None) -> float:
    """Train in this process; return the median epoch's time."""
    X = images(case)
    *ends, _ = with_npvae(CASES[case], X, X[:100], 1 + EPOCHS[case], n_threads)
    return statistics.median(b - a for a, b in itertools.pairwise(ends))


def measure(job: tuple[str, str]) -> float:
    """Return an epoch's time of a case and a number of threads, from a fresh process."""
    return run_json([SCRIPT, "--one", *job])


def rows(content: dict[str, Any]) -> list[Row]:
    """Return the report's lines from what --out wrote."""
    busy = ", one core busy" if content["busy"] else ""
    found = []
    for case, seconds in content["seconds"].items():
        own, alone = ([1e3 * s for s in seconds[n]] for n in THREADS)
        what = f"an epoch with the default threads: {WHAT[case]}{busy}"
        found.append(compared(what, "ms", own, "n_threads=1", alone))
    return found


def main() -> None:
    """Measure all cases in turns, and print."""
    parser = argparse.ArgumentParser(description="Compare the default threads with one thread.")
    parser.add_argument("--busy", action="store_true", help="let another process use one core")
    parser.add_argument("--one", nargs=2, metavar=("CASE", "THREADS"), help="train once in this process")
    add_options(parser)
    args = parser.parse_args()
    if args.one:
        case, n_threads = args.one
        print(json.dumps(epoch_seconds(case, THREADS[n_threads])))
        return
    jobs = list(itertools.product(WHAT, THREADS))
    with one_core_busy(args.busy):
        results = in_turns(jobs, measure, args.rounds, "threads")
    seconds = {case: {n: results[case, n] for n in THREADS} for case in WHAT}
    content = contents("threads", busy=args.busy, seconds=seconds)
    conclude(content, rows(content), args.out)


if __name__ == "__main__":
    main()
