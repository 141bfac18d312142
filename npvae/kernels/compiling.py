"""One process at a time compiles a kernel; the others wait, and load what it has written to disk.

Processes that start together, as joblib's workers do, need the same kernels at the same moment. numba
keeps machine code on disk, but each process that does not find it there would compile it for itself.
"""

import gc
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from numba.core.compiler_lock import global_compiler_lock

from npvae.kernels.interrupts import interrupts_held
from npvae.locks import lock

LONGEST_WAIT = 60.0  # seconds; the largest kernel takes two on a quiet machine
_PAUSE = 0.02  # seconds between two looks at a lock

_depth = 0  # of kernels that are being compiled; global_compiler_lock protects it


def compile_in_one_process(kernel: Any, longest_wait: float = LONGEST_WAIT) -> None:
    """Make a numba function compile under a lock that processes share.

    The lock is held while one kernel, with the functions it calls, is loaded or compiled, and there is one
    lock for each kernel. A process never holds two locks, so no two can wait for each other. The operating
    system releases the lock of a process that has died; after `longest_wait` seconds, a process goes on
    without the lock. Where files cannot be locked, there is no lock. Ctrl-C waits for the end of it.
    """
    compile_for = kernel.compile
    folder = kernel.stats.cache_path  # None where nothing can be kept on disk
    lock_file = None if folder is None else os.path.join(folder, f"{kernel.__name__}.lock")

    def compile_alone(signature: Any) -> Any:
        global _depth
        # First this process's lock, then that of all processes: threads would wait for each other otherwise.
        with interrupts_held(), global_compiler_lock:
            _depth += 1
            try:
                if _depth > 1:
                    return compile_for(signature)
                with locked(lock_file, longest_wait), no_garbage_collection():
                    return compile_for(signature)
            finally:
                _depth -= 1

    kernel.compile = compile_alone


@contextmanager
def locked(path: str | None, longest_wait: float) -> Iterator[bool]:
    """Hold the lock on a file within a with statement; yield whether the lock could be acquired."""
    try:
        file = None if path is None else os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:  # the folder is not there yet, or cannot be written to
        file = None
    if file is None:
        yield False
        return
    try:
        end = time.monotonic() + longest_wait
        while (acquired := lock(file)) is False and time.monotonic() <= end:
            time.sleep(_PAUSE)
        yield bool(acquired)
    finally:
        os.close(file)  # and so release the lock


def count_compilations(kernels: Iterable[Any]) -> int:
    """Return how often this process has compiled these kernels, because they were not on disk."""
    return sum(sum(kernel.stats.cache_misses.values()) for kernel in kernels)


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Pause Python's garbage collector within a with statement.

    The compiler creates many long-lived objects; scanning them repeatedly would take an eighth of its time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
