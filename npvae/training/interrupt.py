"""Handle Ctrl-C and similar signals as a request to stop after the current step."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

from npvae.kernels.interrupts import SIGNALS, handled_by


@contextmanager
def ended_like_ctrl_c() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise KeyboardInterrupt within a with statement, unless already handled."""
    unhandled = [number for number in SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    with handled_by(signal.default_int_handler, unhandled):
        yield


class InterruptRequest:
    """A context in which the first Ctrl-C only sets a flag; a second one raises KeyboardInterrupt.

    So an in-place update of the parameters is never interrupted halfway. Other signals are treated the same
    if they raise KeyboardInterrupt, as within `ended_like_ctrl_c`. Signal handlers are not changed outside
    the main thread, or if the program has installed its own.

    Parameters
    ----------
    on_request : callable
        Called at the first Ctrl-C.

    Attributes
    ----------
    requested : bool
    """

    def __init__(self, on_request: Callable[[], object] = lambda: None) -> None:
        self.requested = False
        self._on_request = on_request

    def __enter__(self) -> Self:
        ctrl_c = [number for number in SIGNALS if signal.getsignal(number) is signal.default_int_handler]
        self._handled = handled_by(self._handle, ctrl_c)
        self._handled.__enter__()
        return self

    def _handle(self, signal_number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        self._on_request()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._handled.__exit__(kind, error, traceback)
