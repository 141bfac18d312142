"""What does not fit into memory is found before the work, and named."""

import numpy as np


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
    try:
        np.empty(n_bytes, np.uint8)
    except (MemoryError, ValueError, OverflowError):  # the last two: it is more than can be addressed
        needed = f"{min(n_bytes, 2**1000) / 2**30:.3g} GiB"
        raise MemoryError(f"{what} needs at least {needed} of memory, more than there is") from None
