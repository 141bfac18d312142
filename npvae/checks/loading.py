"""Import a user's file or module, with a clear one-line error message if that fails."""

import ast
import contextlib
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType


def load_module(place: str) -> ModuleType:
    """Import a file or a module.

    Parameters
    ----------
    place : str
        A path that ends in .py, or a module's dotted name. A file can import from its own folder, its package
        and the working directory; a module can import from its package and the working directory. A file
        belongs to a package if its folder has an ``__init__.py``, or if it has relative imports.

    Returns
    -------
    module

    Raises
    ------
    ValueError
        If there is no such file or module, or its own code raises; the message names the error and the line.
    """
    if place.endswith(".py"):
        path = Path(place)
        if not path.is_file():
            raise ValueError(f"{place}: no such file")
        folder, root = path.resolve().parent, _root_of(path)
        with _found_first(root), _found_first(folder), _found_last(folder.parent, Path.cwd()):
            try:
                return _guarded(place, lambda: _execute(path, root))
            except ValueError as error:
                if not _leaves_package(error.__cause__):
                    raise
                module = ".".join(path.resolve().relative_to(root.parent).with_suffix("").parts)
                command = f"cd {os.path.relpath(root.parent)}; npvae gradcheck {module}"
                advice = f"; name its module, in the folder that holds the package: {command}"
                raise ValueError(f"{error}{advice}") from error.__cause__
    with _found_first(Path.cwd()):
        try:
            known = importlib.util.find_spec(place) is not None
        except (ImportError, ValueError, AttributeError):  # a parent is missing, or is not a package
            known = False
        except Exception as error:  # a parent package's own code: it may raise anything
            raise ValueError(_complaint(place, error)) from error
        if not known:
            raise ValueError(f"{place}: no such module; a file's name has to end in .py")
        return _guarded(place, lambda: importlib.import_module(place))


def _execute(path: Path, root: Path) -> ModuleType:
    name = ".".join(path.resolve().relative_to(root).with_suffix("").parts)
    if parent := name.rpartition(".")[0]:  # first, as it may import the file itself
        with contextlib.suppress(Exception, SystemExit):  # raised again if the file needs it
            importlib.import_module(parent)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("it cannot be imported")
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module  # dataclasses and pickle look there
    try:
        spec.loader.exec_module(module)
    finally:
        if before is None:
            sys.modules.pop(name, None)
        else:
            sys.modules[name] = before
    return module


def _guarded(place: str, load: Callable[[], ModuleType]) -> ModuleType:
    try:
        return load()
    except (Exception, SystemExit) as error:  # user code may raise anything, or exit
        raise ValueError(_complaint(place, error)) from error


def _complaint(place: str, error: BaseException) -> str:
    """Name the error and the innermost line of its traceback that is not in the import machinery."""
    message = " ".join(str(error).split())
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "importlib" not in f.filename]
    where = f" (line {frames[-1].lineno} of {Path(frames[-1].filename).name})" if frames else ""
    if isinstance(error, SyntaxError):
        where = ""  # its message has the line
    return f"{place} cannot be imported: {type(error).__name__}: {message}{where}"


def _leaves_package(error: BaseException | None) -> bool:
    """Say whether a relative import went up further than the package that is known."""
    frames = traceback.extract_tb(error.__traceback__) if error else []
    line = (frames[-1].line or "") if frames else ""
    return type(error) is ImportError and error.name is None and line.startswith("from .")


def line_of(error: BaseException, file: str) -> str:
    """Return ``name.py:12``, the innermost line of a file in an error's traceback; empty if it has none."""
    path = Path(file).resolve()
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename).resolve() == path]
    return f"{path.name}:{lines[-1]}" if lines else ""


def _root_of(path: Path) -> Path:
    """Return the folder from which a file's package is imported; its own folder if it has no package."""
    folder, levels = path.resolve().parent, _levels(path)
    above = list(enumerate([folder, *folder.parents]))
    outside = [up for k, up in above if k >= levels and not (up / "__init__.py").is_file()]
    return outside[0] if outside else above[-1][1]


def _levels(path: Path) -> int:
    """Return how many folders a file's relative imports go up, where ``from .x`` goes up one."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # running it will say where
        return 0
    return max((node.level for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)), default=0)


@contextlib.contextmanager
def _found_last(*folders: Path) -> Iterator[None]:
    """Let imports search some folders after all others."""
    added = [str(folder) for folder in folders if str(folder) not in sys.path]
    sys.path.extend(added)
    try:
        yield
    finally:
        for folder in added:
            sys.path.remove(folder)


@contextlib.contextmanager
def _found_first(folder: Path) -> Iterator[None]:
    """Let imports search a folder before all others."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        if str(folder) in sys.path:
            sys.path.remove(str(folder))
