"""Handle Ctrl-C and similar signals as a request to stop after the current step."""

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
    """Let SIGTERM and SIGHUP raise KeyboardInterrupt within a with statement, unless already handled."""
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

    So an in-place update of the parameters is never interrupted halfway. Other signals are treated the same
    if they raise KeyboardInterrupt, as within `ended_like_ctrl_c`. Signal handlers are not changed outside
    the main thread, or if the program has installed its own.

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
