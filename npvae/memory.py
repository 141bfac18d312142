"""Too little memory is found before the work, and named.

Where the address space is limited, as by `ulimit -v` and batch systems, the libraries do not report that it
is too little: OpenBLAS waits forever for memory for its threads and for its first product, and others end the
process.
"""

import os
import sys

_FEW = 1000  # MB: below, OpenBLAS gets one thread, as each further one takes a buffer of 40 MB or more


def check_fits(n_bytes: int, what: str) -> None:
    """Raise a MemoryError unless the system gives so much memory; it gets it back at once, untouched.

    Parameters
    ----------
    n_bytes : int
        No more than is needed for certain: memory that the system promises to several at a time may still
        run out later.
    what : str
        What needs it, for the message.

    Examples
    --------
    >>> check_fits(10**30, "n_samples=10**27")
    Traceback (most recent call last):
    MemoryError: n_samples=10**27 needs at least 9.31e+20 GiB of memory, more than there is
    """
    import numpy as np

    try:
        np.empty(n_bytes, np.uint8)
    except (MemoryError, ValueError, OverflowError):  # the last two: it is more than can be addressed
        size, unit = (2**30, "GiB") if n_bytes >= 2**30 else (2**20, "MiB")
        needed = f"{min(n_bytes, 2**1000) / size:.3g} {unit}"
        raise MemoryError(f"{what} needs at least {needed} of memory, more than there is") from None


def check_address_space(least: int) -> None:
    """Raise a MemoryError if fewer than `least` MB are allowed; save some of it if few are.

    To be called before NumPy is imported.
    """
    allowed = _allowed()
    if allowed is not None and allowed < least:
        raise MemoryError(
            f"the address space is limited to {allowed} MB, see ulimit -v; {least} MB are needed"
        )
    if is_address_space_small() and "numpy" not in sys.modules:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def take_memory_for_products() -> None:
    """Where few MB are allowed, let OpenBLAS have what it needs for matrix products while there is some."""
    if not is_address_space_small():
        return
    import numpy as np
    from scipy.linalg.blas import dgemm  # SciPy has an OpenBLAS of its own

    square = np.ones((100, 100))
    dgemm(1.0, square, square)
    _ = square @ square


def is_address_space_small() -> bool:
    """Say whether so few MB are allowed that libraries may fail to be loaded."""
    allowed = _allowed()
    return allowed is not None and allowed < _FEW


def _allowed() -> int | None:
    """Return the limit in MB, None if there is none."""
    try:
        import resource
    except ImportError:  # on Windows
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit // 10**6
