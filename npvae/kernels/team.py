"""A team of threads that divide a task into pieces.

The threads take one piece after another. Every thread computes a piece in the same way, so the results do
not depend on the number of threads, to the last bit. (BLAS does not guarantee that, and its threads wait
for each other for milliseconds if another process occupies a core.) A thread that is late finds no piece
left, and the others do not wait for it.
"""

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from queue import SimpleQueue
from typing import Any

import numpy as np

from npvae.kernels.interrupts import importing_numba, interrupts_held

Piece = Callable[[], Any]

# Number of polls, about a quarter of a nanosecond each, before a thread goes to sleep: longer than the time
# between two parallel kernels of a training step.
_LOOKS = 1_600_000


def _nothing() -> None:
    pass


@dataclass
class _Job:
    number: int
    pieces: Sequence[Piece]
    abandon: Callable[[], None]
    turns: "itertools.count[int]" = field(default_factory=itertools.count)  # next() is atomic
    workers: "list[_Worker]" = field(default_factory=list)  # those that have, or may have, taken a piece
    error: BaseException | None = None

    def do_pieces(self) -> int:
        """Do pieces until all are taken; return how many this thread did."""
        n_done = 0
        while (turn := next(self.turns)) < len(self.pieces):
            self.pieces[turn]()
            n_done += 1
        return n_done

    def give_up(self) -> None:
        """Take all pieces that are left, and do none."""
        while next(self.turns) < len(self.pieces):
            pass


class Team:
    """The calling thread and some more.

    Parameters
    ----------
    n_threads : int
        Number of threads, including the calling thread.

    Attributes
    ----------
    awake : bool
        False: the calling thread does all the work itself.

    Raises
    ------
    OSError
        The system does not start that many threads; none of them stays.
    """

    def __init__(self, n_threads: int) -> None:
        self.n_threads = n_threads
        self.awake = True
        self._announced = np.zeros(1, np.int64)  # the number of the last job
        self._job = _Job(0, (), _nothing)
        self._closing = False
        self._workers: list[_Worker] = []
        try:
            for _ in range(n_threads - 1):
                self._workers.append(_Worker(self))
        except RuntimeError as error:  # the system starts no more threads
            self.close()
            raise OSError(f"{n_threads} threads cannot be started: {error}; use fewer") from error

    def run(self, pieces: Sequence[Piece], abandon: Callable[[], None] | None = None) -> None:
        """Run all pieces, each once, in any order, and return when they are done.

        Parameters
        ----------
        pieces : sequence of callable
        abandon : callable, optional
            Called when a piece has raised, or did not begin because of Ctrl-C: pieces that wait for others
            have to give up then.

        Raises
        ------
        BaseException
            The exception that a piece raised. Each other piece has finished or was not started.
        """
        if not (self._workers and self.awake):
            for piece in pieces:
                piece()
            return
        job = _Job(self._job.number + 1, pieces, abandon or _nothing)
        n_done = 0
        try:
            self._announce(job)
            n_done = job.do_pieces()
        except BaseException:
            job.abandon()
            raise
        finally:
            job.give_up()  # only after an error or Ctrl-C is there anything left
            if n_done < len(pieces):
                for worker in list(job.workers):
                    worker.wait_until_done(job.number)
        if job.error is not None:
            raise job.error

    def close(self) -> None:
        """End the threads."""
        self._closing = True
        self._job.abandon()  # after Ctrl-C a piece may still be waiting for others
        self._job.give_up()
        self._announce(_Job(self._job.number + 1, (), _nothing))
        for worker in self._workers:
            worker.thread.join()

    def _announce(self, job: _Job) -> None:
        self._job = job
        self._announced[0] = job.number
        for worker in self._workers:
            worker.wake()


class _Worker:
    def __init__(self, team: Team) -> None:
        with importing_numba():
            from npvae.kernels import spinning

        self._wait_for, self._report_and_wait_for = spinning.wait_for, spinning.report_and_wait_for
        self._team = team
        self._done = np.zeros(1, np.int64)  # the number of the last job that this worker has left
        self._sleeping = False
        self._alarm: SimpleQueue[None] = SimpleQueue()
        self.thread = threading.Thread(target=self._serve, name="npvae-team", daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        team, last = self._team, 0
        while True:
            if not self._report_and_wait_for(self._done, last, team._announced, last + 1, _LOOKS):
                # An alarm that comes when nobody sleeps wakes the next sleeper early, who then finds no job.
                self._sleeping = True
                if team._job.number == last:
                    self._alarm.get()
                self._sleeping = False
            job = team._job
            if job.number == last:
                continue
            last = job.number
            if team._closing:
                return
            job.workers.append(self)  # before taking a piece, so that nobody who has one is forgotten
            try:
                job.do_pieces()
            except BaseException as error:
                job.error = error
                job.abandon()
                job.give_up()
            del job

    def wake(self) -> None:
        if self._sleeping:
            self._sleeping = False
            self._alarm.put(None)

    def wait_until_done(self, number: int) -> None:
        while not self._wait_for(self._done, number, _LOOKS):
            time.sleep(0)


_current = threading.local()


def _forget_team() -> None:
    _current.team = None


if hasattr(os, "register_at_fork"):  # a forked process has none of the threads
    os.register_at_fork(after_in_child=_forget_team)


@contextmanager
def using_team(n_threads: int) -> Iterator[Team]:
    """Let code that this thread runs within a with statement split work among that many threads."""
    before, team = getattr(_current, "team", None), None
    try:
        with interrupts_held():  # threads that nobody knows of would stay behind
            team = _current.team = Team(n_threads)
        yield team
    finally:
        _current.team = before
        if team is not None:
            with interrupts_held():
                team.close()


def current_team() -> Team | None:
    """Return the team that the calling thread may use, if any."""
    return getattr(_current, "team", None)


def cuts(n: int, n_pieces: int) -> list[tuple[int, int]]:
    """Cut 0 .. n into about equal pieces, each but the last a multiple of 16 entries long."""
    size = -(-n // (n_pieces * 16)) * 16
    return list(pairwise([*range(0, n, size), n]))
