"""Check a backward function against its forward."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from .arguments import (
    computation_dtypes,
    copied,
    evaluation_dtype,
    is_floating,
    leading_lengths,
)
from .compare import compare
from .measure import Objective
from .probes import Budget, generator
from .report import Report

Array = npt.NDArray[Any]


def check_vjp(
    forward: Callable[..., tuple[Any, Any]],
    backward: Callable[[Any, Any], Any],
    args: Sequence[Any],
    *,
    wrt: Sequence[int | str] | None = None,
    names: Sequence[str] | None = None,
    seed: int = 0,
) -> Report:
    """Check that a backward function is the vector-Jacobian product of its forward.

    Parameters
    ----------
    forward : callable
        ``forward(*args) -> (y, cache)``. y is a floating array or scalar, or a tuple, NamedTuple or list of
        them.
    backward : callable
        ``backward(dy, cache) -> gradients``. dy has the structure, shapes and dtypes of y: for a tuple y it
        is one tuple. Returns a tuple (or NamedTuple, or list) with the gradient of each argument in `wrt`, in
        that order; for a single argument the array alone will do.
    args : sequence
        The point at which to check. Floating arrays and scalars can be differentiated; anything else is
        handed through.
    wrt : sequence of int or str, optional
        Positions or names of the arguments that backward returns gradients for. All floating arguments by
        default.
    names : sequence of str, optional
        One name for each argument; by default the names of forward's parameters.
    seed : int
        Draws the upstream gradient dy, from a normal distribution, and the sampled directions.

    Returns
    -------
    Report
        One entry for each argument in `wrt`. ``report.passed`` says whether all gradients are right.

    Raises
    ------
    TypeError
        When forward returns no pair, or y holds something that is not floating.
    ValueError
        When there is nothing to differentiate, `wrt` or `names` do not fit `args`, or backward returns
        another number of gradients than there are arguments in `wrt`.

    Notes
    -----
    With L = sum(dy * y) for a fixed dy, the gradient dL/d(arg) is what backward should return. It is measured
    entry by entry, for arrays of more than 2000 entries on a sample of entries and random projections of the
    whole. forward and backward run once on `args` as they are; the oracles evaluate forward on float64 and
    complex128 copies, or, where it does not take float64, in the dtype it was given. The arguments in `wrt`
    become complex together, the others stay real.

    Examples
    --------
    >>> def square_forward(x):
    ...     return x**2, x
    >>> def square_backward(dy, cache):
    ...     return 2 * cache * dy
    >>> check_vjp(square_forward, square_backward, [np.array([1.0, -3.0])]).passed
    True
    """
    args = list(args)
    labels = _labels(forward, args, names)
    positions = _positions(args, labels, wrt)
    given = [copied(arg) for arg in args]  # before anyone can change them
    rng = generator(seed)

    y, cache = _run(forward, args)
    parts = _parts(y)
    dys = [np.asarray(rng.standard_normal(part.shape), dtype=part.dtype) for part in parts]
    gradients = _as_list(backward(_like(y, [dy[()] for dy in dys]), cache), len(positions))

    def loss(dtype: npt.DTypeLike | None, k: int, x: Array) -> Any:
        """Evaluate sum(dy * y) with x for argument k, in complex arithmetic where x is complex."""
        wrt_dtype = np.complex128 if np.iscomplexobj(x) else dtype
        inputs = [copied(arg, wrt_dtype if j in positions else dtype) for j, arg in enumerate(given)]
        inputs[k] = x if isinstance(given[k], np.ndarray) else x[()]
        outputs = _leaves(_run(forward, inputs)[0])
        return sum(np.sum(np.asarray(dy, np.float64) * part) for dy, part in zip(dys, outputs, strict=True))

    first = positions[0]
    dtype = evaluation_dtype(lambda: loss(np.float64, first, np.asarray(given[first], np.float64)), given)
    terms = [np.asarray(dy, np.float64) * part for dy, part in zip(dys, parts, strict=True)]
    objectives = [
        Objective(
            labels[k],
            np.asarray(copied(given[k], dtype)),
            partial(loss, dtype, k),
            magnitude=float(np.sqrt(sum(np.sum(term**2) for term in terms))),
            eps=float(max(np.finfo(dtype or part.dtype).eps for part in parts)),
        )
        for k in positions
    ]
    dtypes = computation_dtypes([given[k] for k in positions])
    entries = compare(objectives, gradients, dtypes, leading_lengths([*given, *parts]), Budget(), rng)

    call = f"check_vjp({_name_of(forward)}, {_name_of(backward)}"
    options = "" if wrt is None else f", wrt={list(wrt)!r}"
    return Report(f"{call})", entries, seed, f"{call}, args{options}, seed={seed})")


def _labels(forward: Callable[..., Any], args: list[Any], names: Sequence[str] | None) -> list[str]:
    """Name the arguments: as told, or as forward's parameters are called."""
    if names is not None:
        if len(names) != len(args):
            raise ValueError(f"{len(names)} names for {len(args)} arguments")
        return list(names)
    try:
        parameters = list(inspect.signature(forward).parameters.values())
    except (TypeError, ValueError):  # builtins and some compiled functions have no signature
        parameters = []
    found = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [found[k] if k < len(found) else f"arg{k}" for k in range(len(args))]


def _positions(args: list[Any], labels: list[str], wrt: Sequence[int | str] | None) -> list[int]:
    """Find the positions of the arguments to differentiate."""
    if wrt is None:
        positions = [k for k, arg in enumerate(args) if is_floating(arg)]
        if not positions:
            raise ValueError("no argument is a floating array or scalar: there is nothing to differentiate")
        return positions
    positions = []
    for item in wrt:
        if isinstance(item, str) and item not in labels:
            raise ValueError(f"wrt names {item!r}, but the arguments are {labels}")
        position = labels.index(item) if isinstance(item, str) else item
        if not 0 <= position < len(args) or not is_floating(args[position]):
            raise ValueError(f"wrt has {item!r}, which is no floating argument")
        positions.append(position)
    if not positions:
        raise ValueError("wrt is empty: there is nothing to differentiate")
    return positions


def _run(forward: Callable[..., Any], args: list[Any]) -> tuple[Any, Any]:
    result = forward(*args)
    if not isinstance(result, tuple) or len(result) != 2:
        raise TypeError("forward must return a pair (y, cache)")
    return result


def _leaves(y: Any) -> list[Any]:
    return list(y) if isinstance(y, tuple | list) else [y]


def _parts(y: Any) -> list[Array]:
    """Return the arrays that y consists of."""
    parts = [np.asarray(part) for part in _leaves(y)]
    for part in parts:
        if part.dtype.kind != "f":
            raise TypeError(f"y holds dtype {part.dtype}; only floating results have a gradient")
    return parts


def _like(y: Any, parts: list[Any]) -> Any:
    """Put parts together the way y is."""
    if not isinstance(y, tuple | list):
        return parts[0]
    return type(y)(*parts) if hasattr(y, "_fields") else type(y)(parts)


def _as_list(gradients: Any, count: int) -> list[Any]:
    """Return backward's result as a list of one gradient for each argument."""
    result = list(gradients) if isinstance(gradients, tuple | list) else [gradients]
    if len(result) != count:
        raise ValueError(
            f"backward returned {len(result)} gradients for {count} arguments; "
            "wrt says which arguments they are for"
        )
    return result


def _name_of(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", type(function).__name__)
