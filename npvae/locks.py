"""Locks on open files, where the system and the file system have them.

The system releases the lock of a process that has died.
"""

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]


def lock(handle: int, *, wait: bool = False) -> bool | None:
    """Lock an open file until it is closed.

    Parameters
    ----------
    handle : int
        Of the file.
    wait : bool
        Whether to wait for another process that holds the lock.

    Returns
    -------
    bool or None
        True: the lock is held now. False: another process holds it. None: there are no locks.
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:  # not on this file system
        return None
    return True
