"""Files are written whole or not at all."""

import contextlib
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from npvae.locks import lock

_MARK = "npvae-"  # in the names of temporary files


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` on a temporary file in the same folder, then rename that file to `path`.

    An existing file keeps its permissions; where `path` is a symbolic link, the file that it leads to is
    replaced. Temporary files that killed processes left behind for this path are removed.

    Parameters
    ----------
    path : Path
        Its folder is made where it is missing.
    write : callable
        Takes the temporary file's path.

    Raises
    ------
    OSError
        The file cannot be written, for example because the disk is full, or `path` is a device. What was
        there before is unchanged.
    """
    path, mode = _target(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary_beside(path) as temporary:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        if mode is not None:
            temporary.chmod(stat.S_IMODE(mode))
        temporary.replace(path)
        _sync_folder(path.parent)


def write_text_atomically(path: Path, text: str) -> None:
    """Write a text file as `write_atomically` does, in UTF-8."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def check_writable(path: Path) -> None:
    """Raise an OSError unless `write_atomically` can write a file at `path`: to be called before long work.

    Only a full disk, and a folder that is missing and cannot be made, may still be found later.
    """
    path, _ = _target(path)
    check_folder(path.parent)
    if path.parent.is_dir():
        with temporary_beside(path):
            pass


def check_folder(path: Path) -> None:
    """Raise an OSError unless `path` is a folder to write into, or one that can be made."""
    real = Path(os.path.realpath(path))
    nearest = next(place for place in (real, *real.parents) if os.path.lexists(place))
    if not nearest.is_dir():  # a link here leads to itself
        raise NotADirectoryError(f"{nearest} is a {'link' if nearest.is_symlink() else 'file'}, not a folder")
    if not os.access(nearest, os.W_OK):
        raise PermissionError(f"{nearest} cannot be written to")


def _target(path: Path) -> tuple[Path, int | None]:
    """Return the path that links lead to, and the mode of the file there, if there is one."""
    path = Path(os.path.realpath(path))
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return path, None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(f"{path} is a folder")
    if not stat.S_ISREG(mode):
        raise OSError(f"{path} is no regular file; give the name of a file")
    return path, mode


@contextlib.contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """Make an empty file in the folder of `path` for a with statement, and remove it at the end.

    Such files that killed processes left behind for `path` are removed first. An OSError within the statement
    names `path` instead of the temporary file.
    """
    temporary, handle = path, None
    try:
        _remove_leftovers(path)
        temporary, handle = _create_temporary(path)
        yield temporary
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        if temporary != path:
            temporary.unlink(missing_ok=True)
        if handle is not None:  # only now: nobody may take the file for a leftover before
            os.close(handle)


def _create_temporary(path: Path) -> tuple[Path, int | None]:
    """Create a file beside `path`, with the permissions of any new file; return its path and a handle.

    The handle holds a lock, which says that the file is in use. There is none on Windows, which neither
    renames nor removes an open file.
    """
    while True:
        temporary = path.with_name(f".{path.name}.{_MARK}{secrets.token_hex(4)}{path.suffix}")
        handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        if os.name == "nt":
            os.close(handle)
            return temporary, None
        if lock(handle, wait=True) is None:
            return temporary, handle
        with contextlib.suppress(FileNotFoundError):  # another process removed it before it was locked
            if os.path.samestat(os.fstat(handle), temporary.stat()):
                return temporary, handle
        os.close(handle)


def _remove_leftovers(path: Path) -> None:
    """Remove temporary files of this path that no process is writing."""
    pattern = re.compile(re.escape(f".{path.name}.{_MARK}") + "[0-9a-f]{8}" + re.escape(path.suffix))
    for name in os.listdir(path.parent):
        if not pattern.fullmatch(name):
            continue
        try:
            handle = os.open(path.parent / name, os.O_RDWR)
        except OSError:  # of another user, or gone already
            continue
        with contextlib.suppress(OSError):  # it, or its folder, has changed
            if lock(handle):
                (path.parent / name).unlink(missing_ok=True)
        os.close(handle)


def _sync_folder(folder: Path) -> None:
    """Have the new name of a file survive a power failure, where the system can do that."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # on Windows
        return
    with contextlib.suppress(OSError):  # not on this file system
        os.fsync(handle)
    os.close(handle)
