"""Ctrl-C as a request to stop after the current step, not in the middle of it."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Self


class InterruptRequest:
    """A context in which the first Ctrl-C only sets a flag; a second one raises KeyboardInterrupt.

    A parameter vector that is being updated in place is never left half updated that way.
    Outside of the main thread, and where the program handles the signal itself, nothing is changed.

    Attributes
    ----------
    requested : bool
    """

    def __init__(self) -> None:
        self.requested = False
        self._installed = False

    def __enter__(self) -> Self:
        in_main_thread = threading.current_thread() is threading.main_thread()
        if in_main_thread and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._handle)
            self._installed = True
        return self

    def _handle(self, signal_number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)
