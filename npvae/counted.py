"""Numbers with their nouns."""

from collections.abc import Callable
from typing import Any


def counted(n: object, noun: str, written: Callable[[Any], str] = str) -> str:
    """Return a number with its noun, whose plural ends in s; `written` writes the number.

    Examples
    --------
    >>> counted(1, "epoch"), counted(20, "epoch"), counted(1234, "row", "{:,}".format)
    ('1 epoch', '20 epochs', '1,234 rows')
    """
    return f"{written(n)} {noun}{'s' * (n != 1)}"
