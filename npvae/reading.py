"""Errors of reading say which file."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[None]:
    """Let an OSError within a with statement name the file; those of reading, unlike opening, do not.

    Examples
    --------
    >>> with reading("data.npy"):
    ...     raise OSError(5, "Input/output error")
    Traceback (most recent call last):
    OSError: [Errno 5] Input/output error: 'data.npy'
    """
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        if error.errno is None:  # of a library
            raise type(error)(f"{path}: the file cannot be read ({error})") from error
        raise OSError(error.errno, error.strerror, str(path)) from error
