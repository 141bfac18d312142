"""Shared by the benchmarks: machine data, interleaved rounds, ratios with their range, tables, JSON files.

In every round each contender is measured once, one after the other and in a fresh process, so that whatever
else the machine does slows all of them. Ratios are taken within a round; what is reported is the median over
the rounds, and the smallest and the largest.
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
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from threadpoolctl import threadpool_info
from tqdm import tqdm

from npvae.writing import write_atomically

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

CORES_CAN_BE_SET = hasattr(os, "sched_setaffinity")  # on Linux
PACKAGES = {"JAX": "jax", "torch": "torch"}  # by the first word of a contender's name


class Row(NamedTuple):
    """One line of the tables: a figure of npvae's, and what it is in parts of the peer's."""

    what: str
    own: str
    peer: str
    ratio: str
    spread: str


HEADER = Row("what", "npvae", "peer", "npvae / peer", "range")


def machine() -> dict[str, Any]:
    """Return the processor, what is installed and the settings of threads."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    packages = ("npvae", "numpy", "numba", "jax", "torch")
    versions = {p: importlib.metadata.version(p) for p in packages if importlib.util.find_spec(p)}
    settings = {k: v for k, v in os.environ.items() if k.endswith("_NUM_THREADS") or k == "NPVAE_KERNELS"}
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "cpu": names[0] if names else platform.processor(),
        "cores": cores(),
        "python": platform.python_version(),
        **versions,
        "blas": f"{blas['name']} {blas['version']}",
        "blas threads": max(
            (p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"), default=1
        ),
        **settings,
    }


def described(machine: dict[str, Any]) -> str:
    """Return what `machine` found as one line."""
    rest = ", ".join(f"{name} {value}" for name, value in machine.items() if name not in ("cpu", "cores"))
    return f"{machine['cpu']}, {machine['cores']} cores; {rest}"


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if CORES_CAN_BE_SET else os.cpu_count() or 1


def installed(contenders: Iterable[str]) -> list[str]:
    """Return the contenders whose packages are there; say on stderr which are not."""
    names = list(contenders)
    missing = {n for n in names if importlib.util.find_spec(PACKAGES.get(n.split()[0], "numpy")) is None}
    if missing:
        print(f"left out, not installed: {', '.join(sorted(missing))}", file=sys.stderr)
    return [name for name in names if name not in missing]


def in_turns(contenders: Sequence[K], measure: Callable[[K], T], rounds: int, title: str) -> dict[K, list[T]]:
    """Measure each contender once in every round, with a progress bar on stderr."""
    results: dict[K, list[T]] = {name: [] for name in contenders}
    for name in tqdm([name for _ in range(rounds) for name in contenders], desc=title):
        results[name].append(measure(name))
    return results


def run_json(command: Sequence[Any], environment: Mapping[str, str] | None = None) -> Any:
    """Run Python with this command line in a fresh process; return the JSON on its last line."""
    done = subprocess.run(
        [sys.executable, *map(str, command)], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def one_core_busy(busy: bool = True) -> Iterator[None]:
    """Let another process use one core within a with statement, if `busy`."""
    competitor = multiprocessing.Process(target=_keep_busy, daemon=True)
    if busy:
        competitor.start()
    try:
        yield
    finally:
        if busy:
            competitor.terminate()
            competitor.join()


def _keep_busy() -> None:
    x, parent = np.random.default_rng(0).standard_normal(10_000), multiprocessing.parent_process()
    while parent is not None and parent.is_alive():  # a parent that was killed could not terminate this one
        np.sort(x)


@contextmanager
def on_cores(n: int) -> Iterator[None]:
    """Let processes that are started within a with statement use n cores, and so n threads, on Linux."""
    if not CORES_CAN_BE_SET:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:n])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def ratios(own: Sequence[float], peer: Sequence[float]) -> list[float]:
    """Return npvae / peer, round by round."""
    return [a / b for a, b in zip(own, peer, strict=True)]


def as_ratio(value: float) -> str:
    """Return a ratio as text, with two digits at least."""
    if value >= 10:
        return f"{value:.0f}" if value >= 100 else f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def spread(values: Sequence[float]) -> str:
    """Return the smallest and the largest ratio as text."""
    return f"{as_ratio(min(values))} to {as_ratio(max(values))}"


def compared(what: str, unit: str, own: Sequence[float], peer: str, others: Sequence[float]) -> Row:
    """Return the line that compares npvae with a peer; values are those of each round, in `unit`."""
    found = ratios(own, others)
    return Row(what, in_unit(own, unit), peer, as_ratio(statistics.median(found)), spread(found))


def medians(what: str, own: str, peer: str, ratios: Sequence[float]) -> Row:
    """Return the line that sums up several comparisons by the median of their ratios, each a median too."""
    return Row(what, own, peer, as_ratio(statistics.median(ratios)), spread(ratios))


def within(what: str, unit: str, own: Sequence[float], limit: float) -> Row:
    """Return the line that compares npvae with a limit it has been set."""
    return compared(what, unit, own, f"limit {limit:g} {unit}", [limit] * len(own))


def in_unit(values: Sequence[float], unit: str) -> str:
    """Return the median as text, with three digits at least."""
    median = statistics.median(values)
    return f"{median:.0f} {unit}" if median >= 100 else f"{median:.3g} {unit}"


def without_repeats(rows: Iterable[Row]) -> Iterator[Row]:
    """Leave empty in each line what the line above says already."""
    before = None
    for row in rows:
        yield Row("", "", *row[2:]) if row[:2] == before else row
        before = row[:2]


def show(rows: Iterable[Row]) -> None:
    """Print lines as a table."""
    table = [HEADER, *without_repeats(rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        aligns = zip(row, "<><>>", widths, strict=True)
        print("  ".join(f"{cell:{align}{width}}" for cell, align, width in aligns).rstrip())


def add_options(parser: argparse.ArgumentParser, rounds: int = 5) -> None:
    """Add the options that all benchmarks have."""
    parser.add_argument("--rounds", type=int, default=rounds, help=f"default: {rounds}")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="write all figures as JSON")


def contents(benchmark: str, **figures: Any) -> dict[str, Any]:
    """Return what a benchmark writes: its module's name, which tells `report.py` whose rows these are."""
    return {"benchmark": benchmark, "machine": machine(), **figures}


def write_json(path: Path | None, content: Any) -> None:
    """Write a file, if one was asked for; an existing one is replaced once the new one is complete."""
    if path is not None:
        write_atomically(path, lambda temporary: temporary.write_text(json.dumps(content, indent=1)))


def conclude(content: dict[str, Any], rows: Iterable[Row], path: Path | None) -> None:
    """Write the file, if one was asked for, and print the machine and the table."""
    write_json(path, content)
    print(described(content["machine"]))
    show(rows)
