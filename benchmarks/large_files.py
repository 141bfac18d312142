"""Measure the memory of each command on one .npy file of five million rows.

    python benchmarks/large_files.py [--rows 5000000] [--columns 64] [--folder FOLDER] [--only COMMAND ...]

Writes the file (uint8, 320 MB) and all results into a temporary folder, after checking that there is room.
Prints for each command its time and the most memory that it had to itself (RssAnon, which leaves out pages of
mapped files: the system can drop these at any time), polled every 20 ms, in MB (10^6 bytes). Linux only.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

_ROWS_AT_ONCE = 100_000
_LIMIT = 1800  # seconds for a command


def commands(data: Path, folder: Path) -> dict[str, list[str]]:
    """Return the arguments of each command; those that need a model come after `train`."""
    model, given = str(folder / "vae.safetensors"), ["--data", str(data)]
    small = ["--epochs", "1", "--hidden", "16"]
    return {
        "train": ["train", "vae", *given, *small, "--out", model],
        "train --binarize static": [
            "train", "vae", *given, *small, "--binarize", "static", "--out", str(folder / "s.safetensors"),
        ],
        "encode": ["encode", model, *given, "--out", str(folder / "codes.npy")],
        "score": ["score", model, *given, "--out", str(folder / "scores.npy")],
        "reconstruct": ["reconstruct", model, *given, "--out", str(folder / "r.png")],
        "sample": ["sample", model, "--out", str(folder / "s.png")],
        "interpolate": [
            "interpolate", model, *given, "--from", "0", "--to", "1", "--out", str(folder / "i.png"),
        ],
        "traverse": ["traverse", model, *given, "--out", str(folder / "t.png")],
        "plane": ["plane", model, *given, "--out", str(folder / "p.png")],
        "nearest": ["nearest", model, *given, "--out", str(folder / "n.png")],
        "evaluate": ["evaluate", model, *given, "--importance-samples", "10", "--images", "50"],
        "compare": [
            "compare", *given, *small, "--samples", "100", "--importance-samples", "10", "--out",
            str(folder / "compare"),
        ],
    }  # fmt: skip


def write_rows(path: Path, n_rows: int, n_columns: int) -> None:
    """Write pixels of 16 prototypes with noise, block by block."""
    rng = np.random.default_rng(0)
    prototypes = rng.integers(0, 200, (16, n_columns), dtype=np.uint8)
    array = np.lib.format.open_memmap(path, "w+", np.uint8, (n_rows, n_columns))
    for start in tqdm(range(0, n_rows, _ROWS_AT_ONCE), desc="writing the file", disable=None):
        n = min(_ROWS_AT_ONCE, n_rows - start)
        noise = rng.integers(0, 56, (n, n_columns), dtype=np.uint8)
        array[start : start + n] = prototypes[rng.integers(16, size=n)] + noise


def measured(argv: list[str]) -> tuple[str, float, float]:
    """Run a command; return how it ended, its seconds, and its largest RssAnon in MB."""
    started, most, end = time.monotonic(), 0, "ok"
    process = subprocess.Popen(
        [sys.executable, "-m", "npvae", *argv], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        for line in status.read_text().splitlines():
            if line.startswith("RssAnon"):
                most = max(most, int(line.split()[1]))
        if time.monotonic() - started > _LIMIT:
            process.kill()
            end = f"not finished after {_LIMIT} s"
        time.sleep(0.02)
    error = process.communicate()[1]
    if process.returncode and end == "ok":
        end = f"exit code {process.returncode}: {error.splitlines()[-1][:150]}"
    return end, time.monotonic() - started, most * 1024 / 1e6


def main() -> None:
    """Write the file, run all commands, and print."""
    parser = argparse.ArgumentParser(description="Measure memory on a large file.")
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--columns", type=int, default=64)
    parser.add_argument("--folder", help="where the temporary folder is made")
    parser.add_argument("--only", nargs="+", metavar="COMMAND")
    args = parser.parse_args()
    n_bytes = args.rows * args.columns
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        if shutil.disk_usage(folder).free < 4 * n_bytes:
            sys.exit(f"{folder}: less than {4 * n_bytes / 1e6:.0f} MB are free; give another --folder")
        data = folder / "rows.npy"
        write_rows(data, args.rows, args.columns)
        print(f"{args.rows:,} rows of {args.columns} uint8, {n_bytes / 1e6:.0f} MB")
        for command, argv in commands(data, folder).items():
            if args.only is None or command in args.only:
                end, seconds, megabytes = measured(argv)
                print(f"{command:<24} {megabytes:8.0f} MB {seconds:8.0f} s  {end}", flush=True)


if __name__ == "__main__":
    main()
