"""Worker processes end with the process that started them, and stop when it asks them to."""

import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import warnings
from _thread import interrupt_main
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import NamedTuple

from npvae.memory import take_memory_for_products
from npvae.printable import Unfailing, print_warning
from npvae.training.interrupt import ended_like_ctrl_c
from npvae.writing import temporary_beside

_PAUSE = 0.5  # seconds between two looks


class Leash(NamedTuple):
    """What a worker watches.

    Attributes
    ----------
    parent : int
        The process that started it.
    go_on : Path
        A file; its end asks the worker to stop as Ctrl-C does. (A terminal sends Ctrl-C to workers too,
        but `kill` reaches only the parent.)
    """

    parent: int
    go_on: Path


@contextmanager
def leash() -> Iterator[Leash]:
    """Make a leash for workers within a with statement, and remove those of killed processes."""
    with temporary_beside(Path(tempfile.gettempdir()) / "workers") as go_on:
        yield Leash(os.getpid(), go_on)


@contextmanager
def on(held: Leash) -> Iterator[None]:
    """Watch the leash within a with statement, in a process that its maker has started; do nothing elsewhere.

    If the parent is gone, the process ends at once. If it asks to stop, the main thread gets a Ctrl-C,
    unless it has stopped by itself within a second. Warnings are printed as the command line prints them.
    """
    starter = multiprocessing.parent_process()  # the same when it is gone, unlike os.getppid()
    if starter is None or starter.pid != held.parent:
        yield
        return
    _end_without_parent(held)  # which may have died before this process was ready to work
    take_memory_for_products()
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(held, done), name="npvae-leash", daemon=True)
    watcher.start()
    try:
        stderr = redirect_stderr(Unfailing(sys.stderr))
        with stderr, warnings.catch_warnings(), ended_like_ctrl_c():
            warnings.showwarning = print_warning
            yield
    finally:
        done.set()
        watcher.join()


def _watch(held: Leash, done: threading.Event) -> None:
    n_missing = 0
    while not done.wait(_PAUSE):
        _end_without_parent(held)
        n_missing += not held.go_on.exists()
        if n_missing == 2:  # with time for a terminal's own Ctrl-C, as a second one would end a step halfway
            _end_like_ctrl_c()


def _end_without_parent(held: Leash) -> None:
    if os.getppid() != held.parent:
        os._exit(1)  # nobody waits for the result; the next run goes on from what is on disk


def _end_like_ctrl_c() -> None:
    """Send the main thread SIGTERM, as SIGINT may be ignored; a real signal also ends a wait."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
    else:  # on Windows
        interrupt_main(signal.SIGTERM)
