"""Printing that does no harm: text of strangers, warnings on one line, a stream that may be gone."""

import contextlib
import sys
from typing import Any, TextIO

LONGEST_MESSAGE = 1000  # characters


def printable(text: object, longest: int = LONGEST_MESSAGE) -> str:
    r"""Return a text on one line, without characters that a terminal obeys, and cut to a length.

    What a file says about itself must neither forge lines nor reach a terminal as an escape sequence.

    Examples
    --------
    >>> print(printable("a name\n\x1b[2J", 10))
    a name\n\x1b[2... (11 characters)
    """
    whole = str(text)
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in whole[:longest])
    return shown if len(whole) <= longest else f"{shown}... ({len(whole)} characters)"


def print_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning on one line to stderr; takes the place of `warnings.showwarning`.

    File and line are left out: they would name npvae's own code.
    """
    print(f"npvae: {printable(message)}", file=sys.stderr)


class Unfailing:
    """A text stream that drops what it cannot write: a pipe's reader may have left, or a disk be full.

    Messages and progress go through it, so that they never end the work that they tell of.

    Parameters
    ----------
    stream : text stream or None
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text, if possible."""
        with contextlib.suppress(OSError, ValueError):  # the last: it is closed
            if self._stream is not None:
                self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, if possible."""
        with contextlib.suppress(OSError, ValueError):
            if self._stream is not None:
                self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
