"""Ctrl-C as a request to stop after the current step, not in the middle of it, and other signals like it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

# What ends a process from outside: Ctrl-C, a batch system or `kill`, a terminal that is closed.
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def ended_like_ctrl_c() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise KeyboardInterrupt within a with statement, where nothing handles them."""
    changed = []
    if threading.current_thread() is threading.main_thread():
        changed = [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    for number in changed:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)


class InterruptRequest:
    """A context in which the first Ctrl-C only sets a flag; a second one raises KeyboardInterrupt.

    A parameter vector that is being updated in place is never left half updated that way. Other signals count
    where they raise KeyboardInterrupt, as within `ended_like_ctrl_c`. Outside of the main thread, and where
    the program handles a signal itself, nothing is changed.

    Attributes
    ----------
    requested : bool
    """

    def __init__(self) -> None:
        self.requested = False
        self._handled: list[signal.Signals] = []

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            default = signal.default_int_handler
            self._handled = [number for number in _SIGNALS if signal.getsignal(number) is default]
        for number in self._handled:
            signal.signal(number, self._handle)
        return self

    def _handle(self, signal_number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number in self._handled:
            signal.signal(number, signal.default_int_handler)
