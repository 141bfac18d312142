"""Find what there is to check in somebody's own file: pairs, layers and losses.

The convention, for a name ``f``:

- ``f_forward`` and ``f_backward``: a pair, checked by `check_vjp`;
- ``f`` and ``f_gradient``: a scalar loss and its gradient, checked by `check_gradient`;
- ``f``, a class or an instance with methods ``forward`` and ``backward``: a layer, checked by `check_layer`.
  A class is called without arguments.

The arguments come from ``f_args(rng)``, else from ``gradcheck_args(rng)``, else they are normal random
numbers of a given shape. Such a function returns a list or tuple of all arguments, or a single array.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from npvae.checks.loading import load_module
from npvae.gradcheck import Report, check_gradient, check_layer, check_vjp

DEFAULT_SHAPE = (5, 4)


class Settings(NamedTuple):
    """What the caller may say about the arguments.

    Attributes
    ----------
    shape : tuple of int or None
        Of the argument, where the file has no function that makes it; (5, 4) by default.
    wrt : sequence of str or None
        Names of the arguments that a pair's backward returns gradients for; all floating ones by default.
    seed : int
    """

    shape: tuple[int, ...] | None = None
    wrt: Sequence[str] | None = None
    seed: int = 0


class Target(NamedTuple):
    """Something to check.

    Attributes
    ----------
    name : str
    check : callable
        ``check(settings)`` returns a Report.
    """

    name: str
    check: Callable[[Settings], Report]


def find_targets(text: str) -> list[Target]:
    """Find what ``place:name`` names, or everything checkable in ``place``.

    Parameters
    ----------
    text : str
        ``path/to/file.py:name``, ``package.module:name``, or either without a name.

    Returns
    -------
    list of Target
        At least one.

    Raises
    ------
    ValueError
        The place cannot be imported, the name is not there, or there is nothing to check; the message is one
        line.
    """
    place, colon, name = text.rpartition(":")
    if not colon or name.endswith(".py"):
        place, name = text, ""
    members = vars(load_module(place))
    if name:
        return [_target(place, name, members)]
    own = [key for key, value in members.items() if _is_own(value, members)]
    names = [key.removesuffix("_forward") for key in own if key.endswith("_forward")]
    names += [key.removesuffix("_gradient") for key in own if key.endswith("_gradient")]
    names += [key for key in own if _is_layer(members[key])]
    targets = [_target(place, key, members) for key in names if _kind(key, members)]
    if not targets:
        raise ValueError(
            f"{place}: nothing to check; needed are f_forward and f_backward, f and f_gradient, or something "
            "with methods forward and backward"
        )
    return targets


def _kind(name: str, members: dict[str, Any]) -> str:
    if callable(members.get(f"{name}_forward")) and callable(members.get(f"{name}_backward")):
        return "pair"
    if callable(members.get(name)) and callable(members.get(f"{name}_gradient")):
        return "loss"
    return "layer" if _is_layer(members.get(name)) else ""


def _target(place: str, name: str, members: dict[str, Any]) -> Target:
    """Choose how to check a name."""
    for ending in ("_forward", "_backward", "_gradient"):
        if not _kind(name, members):
            name = name.removesuffix(ending)
    kind = _kind(name, members)
    if kind == "pair":
        forward, backward = members[f"{name}_forward"], members[f"{name}_backward"]
        return Target(name, lambda settings: _check_pair(name, forward, backward, members, settings))
    if kind == "loss":
        return Target(name, lambda settings: _check_loss(name, members, settings))
    if kind == "layer":
        return Target(name, lambda settings: _check_layer(name, members, settings))
    if name in members:
        raise ValueError(
            f"{place}: {name} has no methods forward and backward, and there is no {name}_gradient beside it"
        )
    raise ValueError(f"{place}: there is no {name}, and no pair {name}_forward and {name}_backward")


def _check_pair(
    name: str,
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    members: dict[str, Any],
    settings: Settings,
) -> Report:
    args = _arguments(name, members, settings, _count_parameters(forward))
    return check_vjp(forward, backward, args, wrt=settings.wrt, seed=settings.seed)


def _check_loss(name: str, members: dict[str, Any], settings: Settings) -> Report:
    x = _arguments(name, members, settings, _count_parameters(members[name]))
    gradient = members[f"{name}_gradient"]
    return check_gradient(members[name], gradient, _alone(x), seed=settings.seed)


def _check_layer(name: str, members: dict[str, Any], settings: Settings) -> Report:
    layer = members[name]
    if isinstance(layer, type):
        try:
            layer = layer()
        except Exception as error:  # someone else's code: it may raise anything
            message = " ".join(str(error).split())
            raise ValueError(
                f"{name}() raises {type(error).__name__}: {message}; name an instance in its place"
            ) from error
    x = _arguments(name, members, settings, _count_parameters(layer.forward))
    return check_layer(layer, _alone(x), seed=settings.seed)


def _alone(args: list[Any]) -> Any:
    return args[0] if len(args) == 1 else tuple(args)


def _arguments(name: str, members: dict[str, Any], settings: Settings, count: int) -> list[Any]:
    """Make the arguments, at least `count`: by the file's own function, or one of random numbers."""
    rng = np.random.default_rng(settings.seed)
    maker = members.get(f"{name}_args", members.get("gradcheck_args"))
    if maker is not None:
        made = maker(rng)
        args = list(made) if isinstance(made, tuple | list) else [made]
    else:
        args = [rng.standard_normal(DEFAULT_SHAPE if settings.shape is None else settings.shape)]
    if len(args) < count:
        raise ValueError(
            f"{name} takes {count} arguments, not {len(args)}: "
            f"write {name}_args(rng), which returns them, beside it"
        )
    return args


def _count_parameters(function: Callable[..., Any]) -> int:
    """Return how many arguments a function cannot do without."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # builtins have no signature
        return 1
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return sum(p.default is p.empty for p in positional)


def _is_layer(value: Any) -> bool:
    return callable(getattr(value, "forward", None)) and callable(getattr(value, "backward", None))


def _is_own(value: Any, members: dict[str, Any]) -> bool:
    """Say whether a value belongs to its module, and was not imported by it."""
    module = getattr(value, "__module__", None)
    return not inspect.ismodule(value) and module == members.get("__name__")
