"""Check the gradient of a scalar function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .arguments import name_of, signature_of
from .report import Report
from .vjp import check_vjp


def check_gradient(
    f: Callable[..., Any],
    gradient: Callable[..., Any],
    x: Any,
    *,
    names: Sequence[str] | None = None,
    seed: int = 0,
    **options: Any,
) -> Report:
    """Check a function that returns the gradient of another.

    Parameters
    ----------
    f : callable
        ``f(*x) -> number``.
    gradient : callable
        ``gradient(*x) -> array``, or a tuple of arrays, one for each argument that can be differentiated.
    x : array, or list or tuple of arrays and other arguments
        The point at which to check. An argument may be a dict or list of arrays; its gradient has its form.
    names : sequence of str, optional
        One name for each argument; by default the names of f's parameters.
    seed : int
        Draws the sampled directions.
    **options
        As for `check_vjp`.

    Returns
    -------
    Report
        One entry for each argument that gradient returns an array for.

    Raises
    ------
    TypeError
        When f returns no floating number.
    ValueError
        When there is nothing to differentiate, or the gradients fit the arguments in no way, or in several.

    Examples
    --------
    >>> check_gradient(lambda x: np.sum(x**3), lambda x: 3 * x**2, np.array([1.0, -2.0])).passed
    True
    """
    args = list(x) if isinstance(x, tuple | list) else [x]

    def forward(*arguments: Any) -> tuple[Any, tuple[Any, ...]]:
        value = f(*arguments)
        if np.size(value) != 1:
            raise TypeError(f"f returns shape {np.shape(value)}; a gradient is that of a single number")
        return np.reshape(value, ())[()], arguments

    def backward(dy: Any, arguments: tuple[Any, ...]) -> Any:
        found = gradient(*arguments)
        if isinstance(found, list) and len(args) == 1 and not isinstance(args[0], list):
            return dy * np.asarray(found)
        return _times(dy, found)

    _check_arguments(f, args)
    forward.__signature__ = signature_of(f)  # type: ignore[attr-defined]
    report = check_vjp(forward, backward, args, names=names, seed=seed, **options)
    told = "" if names is None else f", names={list(names)!r}"
    settings = "".join(f", {key}={value!r}" for key, value in options.items())
    call = f"check_gradient({name_of(f)}, {name_of(gradient)}"
    return replace(report, title=f"{call})", reproduce=f"{call}, x{told}, seed={seed}{settings})")


def _times(dy: Any, gradient: Any) -> Any:
    """Multiply a gradient, however nested, with a number."""
    if isinstance(gradient, Mapping):
        return {key: _times(dy, inner) for key, inner in gradient.items()}
    if isinstance(gradient, tuple | list):
        return [_times(dy, inner) for inner in gradient]
    return None if gradient is None else dy * np.asarray(gradient)


def _check_arguments(f: Callable[..., Any], args: list[Any]) -> None:
    """Raise a TypeError where f does not take so many arguments."""
    try:
        signature_of(f).bind(*args)
    except TypeError as error:
        if not signature_of(f).parameters:
            return
        raise TypeError(
            f"x holds {len(args)} arguments, but f{signature_of(f)} does not take them ({error}): a list is "
            "one of arguments; a point is an array, np.array(x)"
        ) from None
