"""Print the figures that the benchmarks' --out wrote as one Markdown table; or run the benchmarks first.

    python benchmarks/report.py FOLDER
    python benchmarks/report.py FOLDER --run [MNIST_FOLDER] [--again]

The first reads all JSON files in FOLDER and prints the machine, or machines, and the table: npvae's median,
its median ratio to each peer, and the range of the ratios. Every file names the script that wrote it, and
that script's function `rows` makes the rows of the table. Other JSON files are skipped, and so are the
scaling curves, which are a picture.

With --run, each benchmark that has no file in FOLDER yet is run first, or every benchmark with --again. A
file appears once its benchmark is complete, so the remaining benchmarks can be run later after an
interruption. Without MNIST_FOLDER those that need MNIST are skipped, and inference is measured on random
pixels. Exits 1 if a benchmark failed or found something slower than it may be, 130 if interrupted.
"""

import argparse
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from measuring import HEADER, described, without_repeats

MNIST = "MNIST_FOLDER"
JOBS: dict[str, list[str]] = {
    "training-mnist": ["training.py", MNIST, "--cases", "mnist"],
    "training-wide": ["training.py", MNIST, "--cases", "wide"],
    "training-digits": ["training.py", "--cases", "digits"],
    "training-mnist-busy": ["training.py", MNIST, "--cases", "mnist", "--busy"],
    "training-wide-busy": ["training.py", MNIST, "--cases", "wide", "--busy"],
    "training-digits-busy": ["training.py", "--cases", "digits", "--busy"],
    "threads": ["threads.py"],
    "threads-busy": ["threads.py", "--busy"],
    "inference": ["inference.py"],
    "inference-mnist": ["inference.py", MNIST],
    "memory": ["memory.py", MNIST],
    "network-check": ["network_check.py"],
    "startup": ["startup.py"],
    "kernels": ["kernels.py"],
    "scaling": ["scaling.py"],
}
# In the table's order; each has `rows`, and "scaling" a picture instead.
BENCHMARKS = ("training", "threads", "inference", "memory", "network_check", "startup", "kernels")


def jobs(mnist: str) -> dict[str, list[str]]:
    """Return the command line for each file, as far as it can be run; the MNIST folder may be missing."""
    if not mnist:
        return {name: command for name, command in JOBS.items() if MNIST not in command}
    found = {name: [mnist if word == MNIST else word for word in command] for name, command in JOBS.items()}
    del found["inference"]  # on random pixels
    return found


def run(folder: Path, mnist: str, again: bool) -> bool:
    """Run what has no file in the folder yet, or everything; say whether all went well."""
    found = jobs(mnist)
    left = [name for name in found if again or not (folder / f"{name}.json").exists()]
    failed = []
    for i, name in enumerate(left, start=1):
        script, *options = found[name]
        command = [sys.executable, str(Path(__file__).with_name(script)), *options]
        print(f"{i} of {len(left)}: {script} {' '.join(options)}", file=sys.stderr)
        out = folder / f"{name}.json"
        if subprocess.run([*command, "--out", str(out)], stdout=sys.stderr).returncode:
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return not failed


def read(folder: Path) -> list[dict[str, Any]]:
    """Return what the benchmarks wrote into a folder, in the table's order."""
    # Without hidden files: a benchmark that was killed may have left half of one.
    contents = [json.loads(path.read_text()) for path in sorted(folder.glob("[!.]*.json"))]
    found = [c for c in contents if isinstance(c, dict) and c.get("benchmark") in BENCHMARKS]
    return sorted(found, key=lambda c: (BENCHMARKS.index(c["benchmark"]), c.get("busy", False)))


def markdown(contents: list[dict[str, Any]]) -> str:
    """Return the machine, and the table."""
    machines = dict.fromkeys(described(content["machine"]) for content in contents)
    rows = [row for c in contents for row in importlib.import_module(c["benchmark"]).rows(c)]
    table = [HEADER, ("---", "--:", "---", "--:", "---"), *without_repeats(rows)]
    lines = [*machines, "", *(f"| {' | '.join(row)} |" for row in table)]
    return "\n".join(lines)


def main() -> int:
    """Run if asked to, and print."""
    parser = argparse.ArgumentParser(description="Print all benchmarks' figures as one table.")
    parser.add_argument("folder", type=Path, help="JSON files that the benchmarks wrote, or will")
    parser.add_argument("--run", nargs="?", const="", metavar=MNIST, help="run the benchmarks first")
    parser.add_argument("--again", action="store_true", help="run those that have a file already, too")
    args = parser.parse_args()
    well = True
    if args.run is not None:
        try:
            well = run(args.folder, args.run, args.again)
        except KeyboardInterrupt:
            print("interrupted; what is complete is kept", file=sys.stderr)
            return 130
    contents = read(args.folder)
    if not contents:
        print(f"{args.folder}: no file that a benchmark wrote", file=sys.stderr)
        return 2
    print(markdown(contents))
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
