"""Cut off the file of data at random moments of `npvae train`, and see whether what was learned is kept.

    OMP_NUM_THREADS=1 python benchmarks/changed_file.py [--moments 50] [--columns 784] [--hidden 400]

The file has 80 MB, so its rows are read from it in every batch. A run should end with exit code 2, one line
that says what happened, and the model so far. If the system ended it (SIGBUS), the file was cut off within a
read. Runs are forks of this process, in which everything is imported and compiled. Linux and macOS only.
"""

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from tqdm import tqdm

import npvae
from npvae.cli import main as npvae_main

N_BYTES = 80_000_000


def run(argv: list[str], errors: Path) -> int:
    """Start a command in a fork; return its process."""
    process = os.fork()
    if process == 0:
        code = 3
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
            code = npvae_main(argv)
        finally:
            os._exit(code)
    return process


def outcome(data: Path, work: Path, argv: list[str], rng: random.Random) -> str:
    """Cut the file off while a model is trained; say how the run ended."""
    out, errors, complete = work / "m.safetensors", work / "errors", data.read_bytes()
    out.unlink(missing_ok=True)
    process = run([*argv, "--out", str(out)], errors)
    while not errors.exists() or b"batch/s, epoch" not in errors.read_bytes():
        time.sleep(0.05)
    time.sleep(rng.uniform(0, 1))
    os.truncate(data, rng.randrange(len(complete)))
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    last = errors.read_text().splitlines()[-1]
    errors.unlink()
    data.write_bytes(complete)
    if code == 2 and "was changed while it was in use" in last and npvae.load(out).n_iter_:
        return "exit code 2, one line, the model kept"
    return "SIGBUS" if code == -signal.SIGBUS else f"exit code {code}: {last}"


def main() -> None:
    """Run all, and print how often each end came."""
    parser = argparse.ArgumentParser(description="Cut off the data of a training.")
    parser.add_argument("--moments", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--columns", type=int, default=784)
    parser.add_argument("--hidden", type=int, default=400)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    tqdm.set_lock(threading.RLock())  # the usual lock would be shared with forks
    rng, ends = random.Random(args.seed), Counter[str]()
    with tempfile.TemporaryDirectory() as name:
        work, data = Path(name).resolve(), Path(name).resolve() / "data.npy"
        shape = N_BYTES // args.columns, args.columns
        np.save(data, np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
        argv = ["train", "vae", "--data", str(data), "--hidden", str(args.hidden), "--threads", "1"]
        with open(os.devnull, "w") as out, contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            assert npvae_main([*argv, "--epochs", "1", "--out", str(work / "warm.safetensors")]) == 0
        for _ in tqdm(range(args.moments), desc="train", unit="cut"):
            ends[outcome(data, work, [*argv, "--epochs", "1000"], rng)] += 1
    for end, n in ends.most_common():
        print(f"{n} of {args.moments}: {end}")
    sys.exit(len(ends) > 1)


if __name__ == "__main__":
    main()
