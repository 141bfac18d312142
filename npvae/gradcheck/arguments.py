"""The arguments of the function under check: copied, in other dtypes, evaluated without warnings."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from .objects import GENERATORS

Array = npt.NDArray[Any]


@contextmanager
def quiet() -> Iterator[None]:
    """Silence floating-point warnings of trial steps; make a dropped imaginary part an error."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        yield


def is_floating(value: Any) -> bool:
    """Say whether a value is a real floating array or scalar: something that can be differentiated."""
    return isinstance(value, float | np.floating) or (
        isinstance(value, np.ndarray) and value.dtype.kind == "f"
    )


def copied(value: Any, dtype: npt.DTypeLike | None = None) -> Any:
    """Copy an argument; a floating one into `dtype`, where that is given. Scalars stay scalars.

    Random generators are copied too, so that every evaluation begins in the same state.
    """
    if isinstance(value, GENERATORS):
        return copy.deepcopy(value)
    if isinstance(value, np.ndarray):
        return value.astype(dtype) if dtype is not None and is_floating(value) else value.copy(order="K")
    return np.asarray(value, dtype=dtype)[()] if is_floating(value) else value


def evaluation_dtype(evaluate: Callable[[], Any], values: Iterable[Any]) -> type[np.float64] | None:
    """Choose the dtype of the oracle's real evaluations.

    Parameters
    ----------
    evaluate : callable
        Evaluates the function with float64 arguments.
    values : iterable
        The arguments as they were given.

    Returns
    -------
    dtype or None
        float64 where the function takes it; None, for the dtypes as they are, where it raises.
    """
    if all(np.asarray(value).dtype == np.float64 for value in values if is_floating(value)):
        return np.float64
    try:
        with quiet():
            evaluate()
    except Exception:  # someone else's code, perhaps compiled for float32 alone: it may raise anything
        return None
    return np.float64


def coarsest(values: Iterable[Any]) -> np.dtype[Any]:
    """Return the coarsest dtype of the floating arrays and scalars among some values.

    A Python float takes the dtype of what it is combined with. float64 where there is nothing else.
    """
    dtypes = [value.dtype for value in values if isinstance(value, np.ndarray | np.floating)]
    floating = [dtype for dtype in dtypes if dtype.kind == "f"]
    return max(floating, key=lambda dtype: float(np.finfo(dtype).eps), default=np.dtype(np.float64))


def largest(x: Any) -> float:
    """Return the largest finite absolute value in an array or a number; 0 where there is none."""
    values = np.abs(np.asarray(x, np.float64))
    return float(np.max(values, initial=0.0, where=np.isfinite(values)))


def lengths_of(values: Iterable[Any]) -> list[int]:
    """Return the lengths of all axes, the first ones' first (most often the batch), and all sizes."""
    arrays = [value for value in values if isinstance(value, np.ndarray) and value.ndim]
    first = {array.shape[0] for array in arrays}
    other = {length for array in arrays for length in array.shape[1:]}
    sizes = {array.size for array in arrays}
    return list(dict.fromkeys([*sorted(first), *sorted(other), *sorted(sizes)]))


def signature_of(f: Callable[..., Any]) -> inspect.Signature:
    """Return a function's signature; an empty one where that is not known."""
    try:
        return inspect.signature(f)
    except (TypeError, ValueError):  # builtins and some compiled functions have none
        return inspect.Signature()


def name_of(function: Callable[..., Any]) -> str:
    """Return a function's name, a method's with that of its class, or an object's type's."""
    name = getattr(function, "__name__", type(function).__name__)
    return f"{type(function.__self__).__name__}.{name}" if inspect.ismethod(function) else name
