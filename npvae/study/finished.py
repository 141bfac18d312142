"""Finished parts of a long measurement, kept in a file until all are finished."""

import hashlib
import json
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from npvae.printable import printable
from npvae.writing import write_text_atomically

_SECONDS = 5  # between two writes

#: Takes a part's name, and a function that measures it and returns JSON's types; returns the result.
Finished = Callable[[str, Callable[[], Any]], Any]


def measure(name: str, part: Callable[[], Any]) -> Any:
    """Measure a part, and keep nothing."""
    return part()


class FinishedParts:
    """A `Finished` that measures a part only if its file does not hold the result.

    Within a with statement: the file is written every five seconds and when an error or Ctrl-C ends the
    statement, and removed when it ends by itself. Several threads may call it.

    Parameters
    ----------
    path : Path
    made_from : dict
        Whatever the results depend on, in JSON's types.

    Raises
    ------
    ValueError
        The file is damaged, or its results were made from something else; the message says what differs.
    """

    def __init__(self, path: Path, made_from: dict[str, Any]) -> None:
        self._path, self._made_from, self._parts = path, made_from, _read(path, made_from)
        self._lock, self._written = threading.Lock(), time.monotonic()

    @property
    def n(self) -> int:
        """How many parts are finished."""
        return len(self._parts)

    def __call__(self, name: str, part: Callable[[], Any]) -> Any:
        """Return the result of a part."""
        if name in self._parts:
            return self._parts[name]
        found = part()
        with self._lock:
            self._parts[name] = found
            if time.monotonic() - self._written > _SECONDS:
                self._write()
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is None:
            self._path.unlink(missing_ok=True)
            return
        with self._lock:
            self._write()

    def _write(self) -> None:
        parts = json.dumps(self._parts)
        record = {"made_from": self._made_from, "sha256": _sha256(parts), "parts": parts}
        try:
            write_text_atomically(self._path, json.dumps(record))
        except OSError as error:
            message = f"finished parts could not be kept ({error}); the measurement continues"
            warnings.warn(message, RuntimeWarning, stacklevel=2)
        self._written = time.monotonic()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _read(path: Path, made_from: dict[str, Any]) -> dict[str, Any]:
    """Return the parts in a file; none if there is no file."""
    if path.exists() and not path.is_file():  # reading from a pipe may never end
        raise ValueError(f"{path} is no regular file, so it holds no finished parts; remove it")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        before = dict(found["made_from"])
        if found["sha256"] != _sha256(found["parts"]):
            raise ValueError("its checksum is another one")
        parts: dict[str, Any] = json.loads(found["parts"])
    except FileNotFoundError:
        return {}
    except (AttributeError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"{path} is damaged ({printable(error, 100)}); delete it to start anew") from error
    differing = [name for name in made_from if before.get(name) != made_from[name]]
    if differing:
        listed = ", ".join(f"{name} {before.get(name)!r} (now {made_from[name]!r})" for name in differing)
        raise ValueError(
            f"{path} is of another measurement: {listed}. Give the same options, or delete it to start anew"
        )
    return parts
