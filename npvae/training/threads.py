"""How many threads a training step gets."""

import functools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from itertools import pairwise
from statistics import mean, median
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController, threadpool_limits

from npvae.core.architecture import Architecture, is_count
from npvae.kernels import LONG, Team, has_compiled_products, interrupts_held, using_team
from npvae.kernels.interrupts import HeldInterrupts

T = TypeVar("T")

MOST_THREADS = 1024
_LARGE = 1_000_000  # multiply-adds of a product that is worth sharing out

# Steps timed without the team and with it.
_TRIAL = 3
# Steps until the next comparison, doubled each time. (A team that waits for a busy core may take ten times
# as long as one thread.)
_TERM, _LONGEST_TERM = 200, 3200
_WINDOW = 20  # after every 20 steps of the team, their mean time is compared with that of one thread


def available_threads(n_threads: int | None = None) -> int:
    """Return how many threads to use.

    Parameters
    ----------
    n_threads : int, optional
        At most 1024. None: as many as there are cores that this process may use, or fewer where BLAS has been
        told to use fewer (OPENBLAS_NUM_THREADS, joblib's workers).

    Raises
    ------
    ValueError
        `n_threads` is no integer from 1 to 1024.
    """
    if n_threads is not None:
        if not is_count(n_threads) or n_threads > MOST_THREADS:
            raise ValueError(
                f"n_threads must be None or an integer from 1 to {MOST_THREADS}, got {n_threads!r}"
            )
        return int(n_threads)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(
        [cores, *(pool["num_threads"] for pool in _thread_pools().info() if pool["user_api"] == "blas")]
    )


@functools.cache
def _thread_pools() -> ThreadpoolController:
    """Find the libraries with thread pools, which takes milliseconds; their settings may change."""
    with interrupts_held():  # an exception in its callbacks from C would be lost
        return ThreadpoolController()


class StepThreads:
    """Decides periodically whether the whole team or one thread takes the next steps.

    If another process occupies a core, waiting for the team's threads takes longer than the team saves. The
    results are the same either way, so only speed matters: a few steps of each kind are timed, and timed
    again as soon as the team becomes slower than one thread was.

    Parameters
    ----------
    team : Team
    """

    def __init__(self, team: Team) -> None:
        self._team = team
        self._term = _TERM
        self._recent: list[float] = []  # seconds of the steps since the trial
        self._start_trial()

    def run(self, step: Callable[..., T], *arguments: Any) -> T:
        """Return step(*arguments), on the threads chosen for it."""
        if self._team.n_threads == 1:
            return step(*arguments)
        started = time.perf_counter()
        result = step(*arguments)
        seconds = time.perf_counter() - started
        if not self._on_trial:
            self._recent.append(seconds)
            if self._team_has_become_slow():
                self._term = _TERM
                self._start_trial()
            elif len(self._recent) >= self._term:
                self._term = min(2 * self._term, _LONGEST_TERM)
                self._start_trial()
        elif not self._team.awake:
            self._alone.append(seconds)
            self._team.awake = len(self._alone) == _TRIAL
        else:
            self._together.append(seconds)
            if len(self._together) == _TRIAL or seconds > 2 * median(self._alone):
                self._choose()
        return result

    def _start_trial(self) -> None:
        self._on_trial, self._team.awake = True, self._team.n_threads == 1
        self._alone: list[float] = []  # seconds of each step
        self._together: list[float] = []

    def _choose(self) -> None:
        self._on_trial, self._recent = False, []
        self._team.awake = median(self._together) <= median(self._alone)

    def _team_has_become_slow(self) -> bool:
        if not self._team.awake or len(self._recent) % _WINDOW:
            return False
        return mean(self._recent[-_WINDOW:]) > median(self._alone)


@contextmanager
def step_threads(
    network: Architecture, n_params: int, batch_size: int, n_threads: int | None = None
) -> Iterator[StepThreads]:
    """Make a team for the training steps within a with statement.

    Without compiled products there is no team, and BLAS gets this number of threads instead.

    Parameters
    ----------
    network : Architecture
    n_params : int
    batch_size : int
    n_threads : int, optional
        As for `available_threads`; a network too small to benefit from several threads gets one.
    """
    widths = (network.n_features, *network.hidden, network.latent_dim)
    rows = batch_size * getattr(network, "n_draws", 1)
    largest = rows * max(a * b for a, b in pairwise(widths))
    n = available_threads(n_threads) if largest >= _LARGE or n_params >= LONG else 1
    if has_compiled_products():
        with using_team(n) as team:
            yield StepThreads(team)
    else:
        with threadpool_limits(n, user_api="blas"), using_team(1) as team:
            yield StepThreads(team)


def run_blocks(blocks: Sequence[Callable[[], object]], n_threads: int | None = None) -> None:
    """Run functions that work on blocks of rows independently, on several threads.

    Parameters
    ----------
    blocks : sequence of callable
        Ctrl-C takes effect between two of them.
    n_threads : int, optional
        As for `available_threads`. Without compiled products, the calling thread does all the work, because
        BLAS has its own threads.
    """
    alone = len(blocks) <= 1 or not has_compiled_products()
    n = 1 if alone else min(available_threads(n_threads), len(blocks))
    with interrupts_held() as held, closing(Team(n)) as team:
        team.run([partial(_run_block, block, held) for block in blocks])


def _run_block(block: Callable[[], object], held: HeldInterrupts) -> None:
    held.deliver()
    block()
