"""Measure the peak memory of training the 784-400-20 VAE on MNIST: npvae's command line, JAX and PyTorch.

    python benchmarks/memory.py MNIST_FOLDER [--rounds 5] [--out FILE.json]

Fresh processes in turns. The figure is the largest resident set of the whole process, as the kernel
counts it: interpreter, libraries and data included. npvae reads, trains for one epoch, scores the test images
and saves the model (`npvae train vae --epochs 1`); its peers, in training_peers.py, read the same files,
take one epoch to compile and one more, and score the test images. npvae keeps the pixels as uint8, its peers
as float32, as is usual with them. A first run of npvae, which compiles, is not counted. Prints medians in MB
(10^6 bytes) and the ratios.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from measuring import Row, add_options, compared, conclude, contents, in_turns, installed, within

LIMIT = 350.0  # MB
PEERS = Path(__file__).with_name("training_peers.py")
TRAINERS = ("npvae", "JAX", "torch fused")
WHAT = "peak memory, MNIST by the command line"


def peak(mnist: str, trainer: str) -> float:
    """Train in a fresh process; return its largest resident set in MB."""
    with tempfile.TemporaryDirectory() as folder:
        if trainer == "npvae":
            out = str(Path(folder) / "vae.safetensors")
            options = ["--data", mnist, "--latent-dim", "20", "--epochs", "1", "--out", out]
            command = ["-m", "npvae", "train", "vae", *options]
        else:
            command = [str(PEERS), trainer, "mnist", "1", mnist]
        process = subprocess.Popen(
            [sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def rows(content: dict[str, Any]) -> list[Row]:
    """Return the report's lines from what --out wrote."""
    results = dict(content["megabytes"])
    own = results.pop("npvae")
    peers = [compared(WHAT, "MB", own, name, others) for name, others in results.items()]
    return [*peers, within(WHAT, "MB", own, LIMIT)]


def main() -> None:
    """Run everything in turns, and print."""
    parser = argparse.ArgumentParser(description="Compare the peak memory of training.")
    parser.add_argument("folder", help="MNIST's four IDX files")
    add_options(parser)
    args = parser.parse_args()
    peak(args.folder, "npvae")  # whatever is compiled is in numba's cache from here on
    results = in_turns(installed(TRAINERS), partial(peak, args.folder), args.rounds, "memory")
    content = contents("memory", megabytes=results)
    conclude(content, rows(content), args.out)


if __name__ == "__main__":
    main()
