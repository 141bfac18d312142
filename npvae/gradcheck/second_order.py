"""Check products of a Hessian with a vector: second order, by complex step of the handwritten gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .arguments import copied, is_floating, name_of, signature_of
from .gradient import check_gradient
from .probes import generator
from .report import Report


def check_hvp(
    gradient: Callable[..., Any],
    hvp: Callable[[Any, Any], Any],
    x: Any,
    *,
    names: Sequence[str] | None = None,
    seed: int = 0,
    **options: Any,
) -> Report:
    """Check a function that multiplies a Hessian with a vector against the gradient that it belongs to.

    Parameters
    ----------
    gradient : callable
        ``gradient(*x)`` returns the gradient of a scalar function: an array, or a tuple of arrays, one for
        each argument in `x`. It is taken for right: `check_gradient` is for that.
    hvp : callable
        ``hvp(x, v)`` returns H v, the gradient's derivative in the direction v, in the same form as
        `gradient`. x and v are lists, of one array for each argument; for a single argument, arrays.
    x : array, or list or tuple of arrays
        The point at which to check.
    names : sequence of str, optional
        One name for each argument.
    seed : int
        Draws v, from a normal distribution, and the sampled directions.
    **options
        As for `check_vjp`.

    Returns
    -------
    Report
        One entry for each argument: the part of H v that belongs to it.

    Raises
    ------
    ValueError
        When `x` holds anything that cannot be differentiated, or `gradient` returns other shapes than its.

    Notes
    -----
    A Hessian is symmetric, so H v is the gradient of the number sum(v * gradient(x)). That is what is
    checked: complex steps and central differences of the handwritten gradient, v held. A gradient whose
    Jacobian is not symmetric is the gradient of no function; it fails too, unless hvp is its transposed
    Jacobian.

    The backward of a backward needs nothing new: ``backward(dy, forward(x)[1])`` is a function of dy and x,
    and `check_vjp` checks the one that differentiates it.

    References
    ----------
    Pearlmutter 1994, "Fast exact multiplication by the Hessian".

    Examples
    --------
    >>> check_hvp(lambda x: 4 * x**3, lambda x, v: 12 * x**2 * v, np.array([1.0, -2.0])).passed
    True
    """
    single = not isinstance(x, tuple | list)
    args = [x] if single else list(x)
    if not args or not all(is_floating(arg) for arg in args):
        raise ValueError("x must hold floating arrays or scalars: each of them takes part in the Hessian")
    rng = generator(seed)
    v = [np.asarray(rng.standard_normal(np.shape(arg)), np.asarray(arg).dtype)[()] for arg in args]

    def f(*point: Any) -> Any:
        found = gradient(*point)
        parts = list(found) if isinstance(found, tuple | list) else [found]
        if [np.shape(part) for part in parts] != [np.shape(arg) for arg in args]:
            shapes = ", ".join(str(np.shape(part)) for part in parts)
            raise ValueError(f"gradient returns shapes {shapes}; those of x are expected")
        return sum(np.sum(part * side) for part, side in zip(parts, v, strict=True))

    def product(*point: Any) -> Any:
        side = [copied(part) for part in v]
        return hvp(point[0], side[0]) if single else hvp(list(point), side)

    f.__signature__ = signature_of(gradient)  # type: ignore[attr-defined]
    report = check_gradient(f, product, x, names=names, seed=seed, **options)
    call = f"check_hvp({name_of(gradient)}, {name_of(hvp)}"
    reproduce = report.reproduce.replace("check_gradient(f, product", call)
    return replace(report, title=f"{call})", reproduce=reproduce)
