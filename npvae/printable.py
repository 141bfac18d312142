"""Text of strangers, made safe to print, and warnings as one line."""

import sys
from typing import TextIO

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
