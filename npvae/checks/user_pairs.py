"""Check a user's forward and backward, in more forms than `npvae.gradcheck.check_vjp` takes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any

from npvae.checks.stubs import forward_stub, required
from npvae.gradcheck import Check, Report, check_gradient, check_vjp
from npvae.gradcheck.arguments import signature_of
from npvae.gradcheck.objects import Noise


class UncheckedError(ValueError):
    """Something cannot be checked.

    Attributes
    ----------
    stub : str
        Source that the user can complete and add to the file; may be empty.
    """

    def __init__(self, message: str, stub: str = "") -> None:
        super().__init__(message)
        self.stub = stub


def check_pair(
    name: str, members: Mapping[str, Any], args: list[Any], command: str, **options: Any
) -> Report:
    """Check a forward and a backward, which may take arguments of the forward by their names.

    They are a pair as `check_vjp` takes it, or ``f(x, w) -> y`` with ``f_backward(dy, x, w)``, or
    ``f(x, axis) -> (y, cache)`` with ``f_backward(dy, cache, axis)``, or ``f(x) -> y`` with
    ``f_backward(x)``, which returns the gradient of a number or the derivative of each entry.

    Parameters
    ----------
    name : str
        The name of the pair.
    members : dict
        All members of its module, by name.
    args : list
        The arguments of forward.
    command : str
        The command that repeats the check.
    **options
        As for `check_vjp`.

    Raises
    ------
    UncheckedError
        If the forward does not return what the backward needs.
    """
    own = forward_name(name, members)
    forward, backward = members[own], members[f"{name}_backward"]
    with Noise(forward=forward).kept():
        returned = forward(*copy.deepcopy(args))
    given = [*signature_of(forward).parameters][: len(args)]
    needed = [p.name for p in required(backward)]
    named = [key for key in signature_of(backward).parameters if key in given]
    others = [key for key in needed if key not in named]
    alone = not isinstance(returned, tuple)
    if alone and needed and not others:
        return check_gradient(forward, backward, args, **options)
    count = 1 if alone else len(returned)
    if named and count < 3 and (len(others) == count or (len(others) == 1 and len(needed) > 2)):
        run, pull = _by_name(forward, backward, alone, given, named, others)
        report = check_vjp(run, pull, args, **options)
        text = f"{name}_backward was called with {', '.join(named)}, as {own} was"
        return replace(report, reproduce=command, checks=(*report.checks, Check("by name", "note", text)))
    if count == 2 < len(needed) and not isinstance(returned[0], tuple | list):
        raise UncheckedError(
            f"{name}_backward needs {', '.join(needed)}, but is called with dy and the cache alone: give the "
            f"others defaults, or the names of arguments of {own}"
        )
    if count == 1 or count not in (2, len(needed)):
        raise UncheckedError(
            f"{own} returns {count} value{'s' * (count > 1)}, not a pair (y, cache): return what "
            f"{name}_backward takes as its cache too, or let {name}_backward take the arguments of {own} by "
            "their names",
            forward_stub(name, own, forward, backward, count),
        )
    return check_vjp(forward, backward, args, **options)


def forward_name(name: str, members: Mapping[str, Any]) -> str:
    """Return the name of a pair's forward."""
    return f"{name}_forward" if f"{name}_forward" in members else name


def _by_name(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    alone: bool,
    given: Sequence[str],
    named: Sequence[str],
    others: Sequence[str],
) -> tuple[Callable[..., tuple[Any, Any]], Callable[[Any, Any], Any]]:
    """Make a pair in which the arguments that a backward takes by name are part of the cache."""

    @wraps(forward)  # names its arguments too
    def run(*args: Any) -> tuple[Any, Any]:
        y = forward(*args)
        y, cache = (y, None) if alone else y
        return y, (cache, args)

    def pull(dy: Any, kept: tuple[Any, Sequence[Any]]) -> Any:
        cache, args = kept
        own = {key: args[given.index(key)] for key in named}
        return backward(**own, **dict(zip(others, (dy, cache), strict=False)))

    pull.__name__ = backward.__name__
    return run, pull
