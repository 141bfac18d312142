"""Measure npvae's startup time: imports, --help, and `npvae compare` on digits.

    python benchmarks/startup.py [--rounds 5] [--out FILE.json]

Fresh processes in turns, each in an empty folder of its own: Python alone; `import npvae`;
`from npvae import VAE`, which loads what that class needs, and its peers' imports; `npvae --help`;
`npvae compare` on digits, warm and cold. Warm means that numba's cache is filled; cold, that it is empty and
that matplotlib has not listed the fonts yet, as after an installation. A first round, which brings everything
into the disk's cache, is not counted. Prints medians in seconds, from the start of the process to its end,
and their ratios to the peer's median or to the limit set for npvae.

Then it prints the compilation time after an installation: how much longer the first `fit` and the first
`transform` of float64 numbers take with an empty cache than with a filled one. It is measured in seconds of
processor time, which depends less on other processes.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from measuring import Row, add_options, compared, conclude, contents, in_turns, run_json, within

LIMITS = {"import npvae": 0.35, "npvae --help": 0.35, "npvae compare, cold": 45.0}  # seconds
FIT, TRANSFORM = "the first fit compiles", "the first float64 transform compiles"
COMPILING = {FIT: 5.0, TRANSFORM: 1.0}  # limits, in seconds of processor time
_FIRST_CALLS = f"""
import json, time
import numpy as np
from npvae import VAE
X, seconds = np.random.default_rng(0).random((200, 64), dtype=np.float32), {{}}
started = time.process_time()
vae = VAE(max_epochs=1, tol=None, n_threads=1).fit(X)
seconds[{FIT!r}] = time.process_time() - started
started = time.process_time()
vae.transform(X.astype(np.float64))
seconds[{TRANSFORM!r}] = time.process_time() - started
print(json.dumps(seconds))
"""
VAE = "from npvae import VAE"
WARM, COLD = "npvae compare, warm", "npvae compare, cold"


def commands() -> dict[str, list[str]]:
    """Return the command line of each contender; a peer that is not installed has none."""
    peers = [f"import {name}" for name in ("jax", "torch") if importlib.util.find_spec(name)]
    code = {"python alone": "pass", **{line: line for line in ("import npvae", VAE, *peers)}}
    npvae = [sys.executable, "-m", "npvae"]
    return {
        **{name: [sys.executable, "-c", line] for name, line in code.items()},
        "npvae --help": [*npvae, "--help"],
        WARM: [*npvae, "compare"],
        COLD: [*npvae, "compare"],
    }


def seconds(caches: Path, name: str) -> float:
    """Run a contender's command in an empty folder, and time it."""
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache" if name == COLD else caches
        variables = {"NUMBA_CACHE_DIR": str(cache), "MPLCONFIGDIR": str(cache)}
        work = Path(folder) / "work"
        work.mkdir()
        started = time.perf_counter()
        subprocess.run(
            commands()[name],
            cwd=work,
            env=os.environ | variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        return time.perf_counter() - started


def compilation(_: str) -> dict[str, float]:
    """Return how much longer two first calls take with an empty cache than with a filled one."""
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"NUMBA_CACHE_DIR": cache}
        cold, warm = (run_json(["-W", "ignore", "-c", _FIRST_CALLS], environment) for _ in range(2))
    return {name: cold[name] - warm[name] for name in COMPILING}


def rows(content: dict[str, Any]) -> list[Row]:
    """Return the report's lines from what --out wrote."""
    results, compiled = content["seconds"], content["processor seconds"]

    def line(name: str, peer: str, label: str) -> list[Row]:
        return [compared(name, "s", results[name], label, results[peer])] if peer in results else []

    def limit(name: str) -> Row:
        return within(name, "s", results[name], LIMITS[name])

    return [
        *line("import npvae", "python alone", "python alone"),
        limit("import npvae"),
        limit("npvae --help"),
        *line(VAE, "import jax", "import jax"),
        *line(VAE, "import torch", "import torch"),
        limit(COLD),
        *line(WARM, COLD, "cold"),
        *_compiled_rows(compiled),
    ]


def _compiled_rows(compiled: dict[str, list[float]]) -> list[Row]:
    return [within(name, "s", compiled[name], limit) for name, limit in COMPILING.items()]


def main() -> None:
    """Run everything in turns, and print."""
    parser = argparse.ArgumentParser(description="Measure npvae's start.")
    add_options(parser)
    parser.add_argument("--compiling", action="store_true", help="measure what is compiled, and nothing else")
    args = parser.parse_args()
    rounds = in_turns(["compiling"], compilation, args.rounds, "compiling")["compiling"]
    compiled = {name: [found[name] for found in rounds] for name in COMPILING}
    if args.compiling:
        content = contents("startup", **{"seconds": {}, "processor seconds": compiled})
        conclude(content, _compiled_rows(compiled), args.out)
        return
    with tempfile.TemporaryDirectory() as caches:
        measure = partial(seconds, Path(caches))
        in_turns([name for name in commands() if name != COLD], measure, 1, "warm-up")
        results = in_turns(list(commands()), measure, args.rounds, "start-up")
    content = contents("startup", **{"seconds": results, "processor seconds": compiled})
    conclude(content, rows(content), args.out)


if __name__ == "__main__":
    main()
