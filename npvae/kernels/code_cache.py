"""Machine code on disk, which may be damaged, and a disk that may be full: both cost time, never the run.

numba keeps machine code in files that it trusts. After a crash of the machine they may be empty, cut off, or
hold zeros; loading them ends in an exception, or in a crash. Here each file begins with a hash of the rest.
"""

import contextlib
import hashlib
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile

from npvae.memory import check_fits

_warned: list[str] = []
_DIGEST_BYTES = hashlib.sha256().digest_size
# LLVM ends the process where it lacks memory. Measured for all kernels of a training: 18 MB and 85 MB.
_FOR_LOADING, _FOR_COMPILING = 16 * 2**20, 64 * 2**20


class DamagedFileError(ValueError):
    """A file does not hold what was written into it."""


class CodeCache(FunctionCache):
    """The machine code of one kernel, for all types of its arguments.

    Raises
    ------
    RuntimeError
        No cache folder is writable.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file = _CheckedFiles(
            self._cache_path,
            f"{self._impl.filename_base}-numba{numba.__version__}",
            self._impl.locator.get_source_stamp(),
        )

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the machine code for a signature; None where there is none, or it is damaged.

        Raises
        ------
        MemoryError
            There is not enough to load it, or to compile it then.
        """
        check_fits(_FOR_LOADING, "loading compiled code")
        try:
            found = super().load_overload(sig, target_context)
        except MemoryError:
            raise
        except Exception as error:  # whatever reading a damaged file leads to
            found = None
            warn_once(f"npvae's compiled kernels on disk are damaged and are compiled again: {error}")
            with contextlib.suppress(OSError):  # the folder is read-only, of which `save_overload` tells
                self.flush()
        if found is None:
            check_fits(_FOR_COMPILING, "compiling")
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the machine code for a signature, if possible."""
        try:
            super().save_overload(sig, data)
        except (OSError, DamagedFileError) as error:  # a full disk, for example
            warn_once(
                f"npvae's compiled kernels can't be kept in {self._cache_path} ({error}), so every new "
                "process compiles them again (three to eight seconds); make room there, or set "
                "NUMBA_CACHE_DIR to another folder"
            )


class _CheckedFiles(IndexDataCacheFile):
    """The files of one kernel; the index has the version of numba in its name."""

    def _load_index(self) -> Any:
        try:
            stamp, overloads = self._read(self._index_path)
        except FileNotFoundError:
            return {}
        return overloads if stamp == self._source_stamp else {}

    def _save_index(self, overloads: Any) -> None:
        self._write(self._index_path, (self._source_stamp, overloads))

    def _load_data(self, name: str) -> Any:
        return self._read(self._data_path(name))

    def _save_data(self, name: str, data: Any) -> None:
        self._write(self._data_path(name), data)

    def _read(self, path: str) -> Any:
        with open(path, "rb") as file:
            content = file.read()
        digest, payload = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if hashlib.sha256(payload).digest() != digest:
            raise DamagedFileError(path)
        return pickle.loads(payload)

    def _write(self, path: str, content: Any) -> None:
        payload = self._dump(content)
        with self._open_for_write(path) as file:
            file.write(hashlib.sha256(payload).digest() + payload)


def warn_once(message: str) -> None:
    """Issue a RuntimeWarning, the first time only: the next kernel meets the same trouble."""
    if not _warned:
        _warned.append(message)
        warnings.warn(message, RuntimeWarning, stacklevel=2)
