"""Call a student's functions, whatever they do, and say what is wrong with what they return."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from npvae.checks.loading import line_of
from npvae.course.exercises.answer import Outcome, Remark
from npvae.course.exercises.exercise import Array
from npvae.gradcheck import Entry

CLOSE = 1e-6  # relative; finer differences are the gradient checker's to find


class Broken(Exception):  # noqa: N818
    """A student's function cannot be used; what to say of it."""

    def __init__(self, subject: str, outcome: Outcome, words: str) -> None:
        super().__init__(words)
        self.remark = Remark(subject, outcome, words)


def copies(arrays: Sequence[Array]) -> list[Array]:
    """Copy arrays, since nobody knows what a student's function does with them."""
    return [np.array(array) for array in arrays]


def function_of(module: ModuleType, name: str) -> Callable[..., Any]:
    """Return a function of a student's file.

    Raises
    ------
    Broken
        There is none of this name.
    """
    function = getattr(module, name, None)
    if not callable(function):
        raise Broken(name, "error", "the file has no function of this name; the check calls it")

    def guarded(*args: Any) -> Any:
        return call(name, function, args, str(module.__file__))

    guarded.__name__ = name
    return guarded


def call(name: str, function: Callable[..., Any], args: Sequence[Any], file: str) -> Any:
    """Call a student's function.

    Raises
    ------
    Broken
        Whatever it raises, in words, with the line.
    """
    try:
        with np.errstate(all="ignore"):
            return function(*args)
    except NotImplementedError as problem:
        raise Broken(name, "unfilled", "") from problem
    except MemoryError as problem:
        raise Broken(name, "limit", f"it asks for too much memory ({problem})") from problem
    except (Exception, SystemExit) as problem:
        where = line_of(problem, file)
        message = " ".join(str(problem).split())
        words = f"it raises {type(problem).__name__}: {message}" + (f" ({where})" if where else "")
        if _has_dots(file, name):
            words = f"dots that are not replaced yet are used as if they were an array ({where})"
            raise Broken(name, "unfilled", words) from problem
        if isinstance(problem, ValueError):  # NumPy's, for shapes that do not fit
            words += ". If it is about shapes, print them and compare with those in the docstring"
        raise Broken(name, "error", words) from problem


def _has_dots(file: str, name: str) -> bool:
    """Say whether a function in a file still holds the dots of a template."""
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    inside = [node for function in functions for node in ast.walk(function)]
    return any(isinstance(node, ast.Constant) and node.value is Ellipsis for node in inside)


def compare(y: Any, right: Array) -> str:
    """Say how a forward's result differs from the right one; empty where it does not."""
    if not isinstance(y, np.ndarray | np.generic | float | int):
        return f"its result is a {type(y).__name__}, not an array"
    if np.shape(y) != np.shape(right):
        return f"its result has shape {np.shape(y)}, and should have {np.shape(right)}"
    y = np.asarray(y)
    if y.dtype.kind not in "fiu":
        return f"its result is an array of {y.dtype}, not of numbers"
    if np.all(np.abs(y - right) <= CLOSE * np.max(np.abs(right))):
        return ""
    if np.all(np.abs(y + right) <= CLOSE * np.max(np.abs(right))):
        return "the sign of its result is flipped"
    return f"its result is wrong: {_at_worst(y, right)}"


def _at_worst(found: Array, right: Array) -> str:
    distance = np.abs(found - right)
    distance[~np.isfinite(distance)] = np.inf
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(distance)), found.shape))
    return f"{place(index)} it is {found[index]:.6g} and should be {right[index]:.6g}"


def place(index: tuple[int, ...]) -> str:
    """Name an entry; the only one of a scalar needs no name."""
    return f"at [{', '.join(map(str, index))}]" if index else "there"


def fault_of(gradient: Any, array: Array, name: str, upstream: str = "") -> Remark | None:
    """Say what is wrong with the form of a gradient: dots, no array, another shape. None: nothing.

    Parameters
    ----------
    gradient : object
    array : array
        What it is the gradient of, for its shape.
    name, upstream : str
        The names of that array and of the upstream gradient, if there is one.
    """
    if gradient is Ellipsis:
        return Remark("", "unfilled")
    if not isinstance(gradient, np.ndarray | np.generic | float | int):
        kind = "None" if gradient is None else f"of type {_type_of(gradient)}"
        return Remark("", "wrong", f"it is {kind}; an array of shape {array.shape} is expected")
    if np.asarray(gradient).dtype == bool:
        words = "it is made of True and False, and numbers are expected"
        return Remark("", "wrong", words + (f": {upstream} is missing as a factor" if upstream else ""))
    if np.shape(gradient) != array.shape:
        words = f"it has shape {np.shape(gradient)}, and must have the shape of {name}, {array.shape}"
        if np.ndim(gradient) > array.ndim or (np.ndim(gradient) == array.ndim and array.size == 1):
            words += (
                ". The forward uses the argument once for each sample: what comes back has to be added up"
            )
        elif np.size(gradient) == array.size and np.ndim(gradient) < 2:
            words += ". np.reshape brings the same numbers into another shape"
        return Remark("", "wrong", words)
    if not np.all(np.isfinite(gradient)):
        words = "it has entries that are not finite: something is divided by zero, or overflows"
        return Remark("", "wrong", words)
    return None


def _type_of(value: Any) -> str:
    dtype = getattr(value, "dtype", None)
    return type(value).__name__ if dtype is None else f"array of {dtype}"


def describe(entry: Entry) -> str:
    """Say where a gradient is worst."""
    where = place(entry.index) if entry.index is not None else "along a random direction"
    return f"{where} it is {entry.analytic:.6g} and should be {entry.numeric:.6g}"
