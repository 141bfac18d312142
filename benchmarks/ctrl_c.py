"""Press Ctrl-C at random moments of `fit` and of scoring, and see how each call ends.

    python benchmarks/ctrl_c.py [--times 500] [--seed 0]

Of all presses, 4 % come in the first `fit` of a new process, in which numba is imported and kernels are
loaded; a second `fit` must work there afterwards. The others are divided evenly among `fit`,
`score_samples` and `log_marginal_likelihood`, with one thread and with three, at a random moment of the time
that the fastest of five such calls took just before. A press that comes just after the call is made again. A
call must end with KeyboardInterrupt; `fit` may also return a model that says "interrupted". No thread may
stay behind.
"""

import argparse
import collections
import os
import random
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from tqdm import tqdm

from npvae import VAE
from npvae.study import log_marginal_likelihood

RUNNING = "while running"
FIRST_FIT = """
import os, signal, sys, threading, warnings
import numpy as np
from npvae import VAE
signal.signal(signal.SIGINT, signal.default_int_handler)
warnings.simplefilter("ignore")
X = np.random.default_rng(0).random((200, 20), dtype=np.float32)
settings = {"hidden": (30,), "tol": None, "random_state": 0}
timer = threading.Timer(float(sys.argv[1]), os.kill, (os.getpid(), signal.SIGINT))
try:
    timer.start()
    first = "fit: " + VAE(2, max_epochs=10**6, **settings).fit(X).stop_reason_
except BaseException as error:
    first = type(error).__name__
print(first, VAE(2, max_epochs=2, **settings).fit(X).n_iter_, threading.active_count(), sep="|")
"""


def first_fit(seconds: float) -> str:
    """Press Ctrl-C so long after a new process has begun its first `fit`; return how that ended."""
    command = [sys.executable, "-c", FIRST_FIT, str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    ended, n_epochs, n_threads = done.stdout.strip().split("|") if "|" in done.stdout else ("dead", "0", "0")
    if (n_epochs, n_threads) != ("2", "1"):
        return f"{ended}, and then: {done.stdout} {done.stderr[-300:]}"
    return ended


def pressed(call: Callable[[], str], seconds: float) -> str:
    """Press Ctrl-C so long after a call has begun; return how it ended."""
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    ended = ""
    try:
        timer.start()
        ended = call()
        timer.join()
    except BaseException as error:
        ended = f"{ended or RUNNING}: {type(error).__name__}"
    timer.join()
    return ended


def duration(call: Callable[[], str]) -> float:
    """Return how long a call takes, in seconds."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def main() -> None:
    """Press, count, and fail if a call ended in any other way."""
    parser = argparse.ArgumentParser(description="Press Ctrl-C at random moments.")
    parser.add_argument("--times", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    warnings.simplefilter("ignore")
    tqdm.monitor_interval = 0  # the thread of this script's own bars
    X = np.random.default_rng(0).random((500, 200), dtype=np.float32)
    settings: dict[str, Any] = {"hidden": (64,), "likelihood": "bernoulli", "tol": None, "random_state": 0}
    vae, many = VAE(8, max_epochs=1, **settings).fit(X), np.tile(X, (8, 1))

    def fit() -> str:
        fitted = VAE(8, max_epochs=30, n_threads=vae.n_threads, **settings).fit(X)
        return f"fit: {fitted.stop_reason_}"

    calls: dict[str, Callable[[], str]] = {
        "fit": fit,
        "score_samples": lambda: f"a result of shape {vae.score_samples(many).shape}",
        "log_marginal_likelihood": lambda: (
            f"a result of shape {log_marginal_likelihood(vae, X, n_samples=20).log_likelihood.shape}"
        ),
    }
    rng, counts = random.Random(args.seed), collections.Counter[tuple[str, str]]()
    n_first = round(0.04 * args.times)
    for i in tqdm(range(n_first), desc="first fit", unit="press"):
        counts["first fit of a process", first_fit(1.5 * (i + rng.random()) / n_first)] += 1
    plan = [(name, n_threads) for n_threads in (1, 3) for name in calls]
    for i in tqdm(range(args.times - n_first), desc="later calls", unit="press"):
        name, vae.n_threads = plan[i * len(plan) // (args.times - n_first)]
        if i % 20 == 0 or plan[(i - 1) * len(plan) // (args.times - n_first)] != (name, vae.n_threads):
            seconds = min(duration(calls[name]) for _ in range(5))
        late = True
        while late:
            ended = pressed(calls[name], rng.uniform(0, seconds))
            late = ended.endswith(": KeyboardInterrupt") and not ended.startswith(RUNNING)
            counts[f"{name}, {vae.n_threads} threads", "just after" if late else ended] += 1
    for (what, ended), n in sorted(counts.items()):
        print(f"{n:4d}  {what:<36} {ended}")
    bad = sum(
        n
        for (_, ended), n in counts.items()
        if not ended.endswith("KeyboardInterrupt") and ended not in ("fit: interrupted", "just after")
    )
    left = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    print(f"{counts.total()} times Ctrl-C, {bad} bad ends, {len(left)} threads left {left}")
    sys.exit(bool(bad or left))


if __name__ == "__main__":
    main()
