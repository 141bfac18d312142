"""Hold Ctrl-C and similar signals back where an interruption would leave something broken.

Python raises KeyboardInterrupt between any two instructions. An import that ends there leaves half-made
modules, so that no later import works; a compilation leaves the compiler's tables incomplete; and within a
callback from C, the exception is printed and lost.
"""

import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from npvae.memory import check_fits

_FOR_NUMBA = 176 * 2**20  # bytes of address space that importing it takes; measured

# What ends a process from outside: Ctrl-C, a batch system or `kill`, a terminal that is closed.
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]

Handler = Callable[[int, FrameType | None], Any]


class HeldInterrupts:
    """Signals that came while they were held back."""

    def __init__(self) -> None:
        self._handlers = {number: signal.getsignal(number) for number in SIGNALS if in_main_thread()}
        self._pending: list[tuple[int, FrameType | None]] = []

    def remember(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal: keep it for later."""
        self._pending.append((number, frame))

    def deliver(self) -> None:
        """Handle what has come so far, as it would have been; in the main thread only."""
        while in_main_thread() and self._pending:
            number, frame = self._pending.pop(0)
            handler = self._handlers[number]
            if callable(handler):
                handler(number, frame)


@contextmanager
def interrupts_held() -> Iterator[HeldInterrupts]:
    """Hold signals back within a with statement, and deliver them at its end.

    A signal is held back if its handler is a Python function, as Ctrl-C's is. Outside the main thread,
    where Python never handles signals, nothing is changed.

    Yields
    ------
    held : HeldInterrupts
        Its `deliver` can be called wherever an interruption does no harm.
    """
    held = HeldInterrupts()
    try:
        with handled_by(held.remember, (number for number in SIGNALS if callable(signal.getsignal(number)))):
            yield held
    finally:
        held.deliver()


@contextmanager
def importing_numba() -> Iterator[None]:
    """Hold signals back while numba is imported, which takes half a second: where it is first needed.

    Raises
    ------
    MemoryError
        There is not enough: half-imported, numba might end the process.
    """
    if "numba" not in sys.modules:
        check_fits(_FOR_NUMBA, "numba")
    with interrupts_held():
        yield


@contextmanager
def handled_by(handler: Handler, numbers: Iterable[int]) -> Iterator[None]:
    """Let a function handle some signals within a with statement; in the main thread only."""
    before = {number: signal.getsignal(number) for number in numbers} if in_main_thread() else {}
    try:
        for number in before:
            signal.signal(number, handler)
        yield
    finally:
        _put_back(before)


def _put_back(handlers: dict[int, Any]) -> None:
    """Install handlers; one that is back already may raise before the others are."""
    interrupt: BaseException | None = None
    for _ in range(len(handlers) + 1):
        try:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            break
        except BaseException as error:
            interrupt = error
    if interrupt is not None:
        raise interrupt


def in_main_thread() -> bool:
    """Say whether the caller runs in the thread that handles signals."""
    return threading.current_thread() is threading.main_thread()
