"""A limit on the address space, as `ulimit -v` and batch systems set it, that is too low for the libraries.

They do not report it: OpenBLAS waits forever for memory for its threads, and others end the process.
"""

import os
import sys

_FEW = 1000  # MB below which OpenBLAS gets one thread: each further one takes a buffer of 40 MB or more


def check_address_space(least: int) -> None:
    """Raise a MemoryError if fewer than `least` MB are allowed; save some of it if few are.

    To be called before NumPy is imported.
    """
    allowed = _allowed()
    if allowed is not None and allowed < least:
        raise MemoryError(
            f"the address space is limited to {allowed} MB, see ulimit -v; {least} MB are needed"
        )
    if allowed is not None and allowed < _FEW and "numpy" not in sys.modules:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def remark_on(error: Exception) -> str:
    """Return what to add to the message of an error of loading a library, if the limit may be its reason."""
    allowed = _allowed()
    of_loading = isinstance(error, ImportError) or (type(error) is OSError and error.errno is None)
    if allowed is None or allowed >= _FEW or not of_loading:
        return ""
    return f" (perhaps for lack of memory: the address space is limited to {allowed} MB, see ulimit -v)"


def _allowed() -> int | None:
    """Return the limit in MB, None if there is none."""
    try:
        import resource
    except ImportError:  # on Windows
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit // 10**6
