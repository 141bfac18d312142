"""Find the pairs, layers and losses in a user's file, and check them.

The convention, for a name ``f``:

- ``f_forward`` and ``f_backward``: a pair, checked by `check_vjp`; the forward may also be called ``f``;
- ``f`` and ``f_gradient``: a scalar loss and its gradient, checked by `check_gradient`;
- ``f``, a class or an instance with methods ``forward`` and ``backward``: a layer, checked by `check_layer`.
  A class is called without arguments.

`npvae.checks.user_arguments` says where the arguments come from.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from npvae.checks.loading import line_of, load_module
from npvae.checks.user_arguments import DEFAULT_SHAPE, Inputs, make_inputs, maker_of
from npvae.gradcheck import Check, Report, check_gradient, check_layer, check_vjp
from npvae.gradcheck.calls import forward_of, functions_of

_PARTNERS = {
    "_forward": ("_backward",),
    "_backward": ("_forward", ""),
    "_gradient": ("",),
    "_loss": ("_loss_gradient", "_loss_backward"),
}


class Settings(NamedTuple):
    """The caller's options for the arguments.

    Attributes
    ----------
    shape : tuple of int or None
        The shape of the argument, if the file has no function that makes it; (5, 4) by default.
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
    kind : {"pair", "loss", "layer"}
    members : dict
        All members of its module, by name.
    """

    name: str
    kind: str
    members: dict[str, Any]

    def check(self, settings: Settings) -> Report:
        """Check it and return the report.

        Raises
        ------
        ValueError
            If it cannot be checked; the message says why, and in which line of the file.
        """
        try:
            function = self._function()
            inputs = self._inputs(function, settings)
            try:
                report = self._report(function, inputs.args, settings)
            except Exception as error:
                error.add_note(inputs.advice)
                raise
        except Exception as error:  # user code may raise anything
            raise ValueError(_reason(error, self.members)) from error
        if not inputs.remark:
            return report
        return replace(report, checks=(*report.checks, Check("arguments", "note", inputs.remark)))

    def ignores(self, option: str) -> str:
        """Say why an option, "shape" or "wrt", has no effect on it; empty if it has one."""
        if option == "shape" and (maker := maker_of(self.name, self.members)):
            return f"{maker} makes its arguments"
        if option == "wrt" and self.kind == "layer":
            return "all gradients of a layer are checked"
        return ""

    def stub(self) -> str:
        """Return the source of a function that makes its arguments, to be completed by the user.

        Empty if the file already has such a function.
        """
        if maker_of(self.name, self.members):
            return ""
        function = self._function()
        names = _parameters(_forward(function) if self.kind == "layer" else function)
        lines = [f"    {name} = rng.standard_normal({DEFAULT_SHAPE})" for name in names]
        made = f"    return {', '.join(names)}" + "," * (len(names) == 1)
        return "\n".join([f"def {self.name}_args(rng):", *lines, made])

    def _report(self, function: Any, args: list[Any], settings: Settings) -> Report:
        alone = args[0] if len(args) == 1 else tuple(args)
        if self.kind == "layer":
            return check_layer(function, alone, seed=settings.seed)
        wrt: dict[str, Any] = {} if settings.wrt is None else {"wrt": settings.wrt}
        if self.kind == "loss":
            gradient = self.members[f"{self.name}_gradient"]
            return check_gradient(function, gradient, alone, seed=settings.seed, **wrt)
        return check_vjp(function, self.members[f"{self.name}_backward"], args, seed=settings.seed, **wrt)

    def _inputs(self, function: Any, settings: Settings) -> Inputs:
        def run(*args: Any) -> Any:
            if self.kind == "layer":
                y = _forward(copy.deepcopy(function))(*args)
                return y[0] if functions_of(function) else y
            return function(*args)[0] if self.kind == "pair" else function(*args)

        count = len(_parameters(_forward(function) if self.kind == "layer" else function))
        return make_inputs(self.name, self.members, run, count, settings.shape, settings.seed)

    def _function(self) -> Any:
        """Return the forward, the loss or the layer; for a class, an instance of it."""
        if self.kind == "pair":
            return self.members.get(f"{self.name}_forward", self.members.get(self.name))
        found = self.members[self.name]
        if self.kind == "loss" or not isinstance(found, type):
            return found
        try:
            return found()
        except Exception as error:  # user code may raise anything
            reason = _reason(error, self.members)
            raise ValueError(f"{self.name}() raises {reason}; name an instance instead") from None


def split_target(text: str) -> tuple[str, str]:
    """Split ``place:name``; the name is empty if there is none."""
    place, colon, name = text.rpartition(":")
    return (place, name) if colon and not name.endswith(".py") else (text, "")


def find_targets(place: str, name: str = "") -> tuple[list[Target], list[str]]:
    """Find a name in a file or module, or everything in it that can be checked.

    Parameters
    ----------
    place : str
        ``path/to/file.py`` or ``package.module``.
    name : str
        Empty for everything.

    Returns
    -------
    targets : list of Target
        At least one.
    skipped : list of str
        What is missing, for each function or class of the file that looks like half of a pair; and the names
        of all other functions.

    Raises
    ------
    ValueError
        If the place cannot be imported, the name does not exist, or there is nothing to check; the message is
        one line.
    """
    members = vars(load_module(place))
    if name:
        return [_target(place, name, members)], []
    own = [key for key, value in members.items() if _is_own(value, members)]
    names = [
        key.removesuffix(end)
        for end in ("_forward", "_backward", "_gradient")
        for key in own
        if key.endswith(end)
    ]
    names += [key for key in own if _is_layer(members[key])]
    targets = [Target(key, kind, members) for key in dict.fromkeys(names) if (kind := _kind(key, members))]
    skipped = [missing for key in own if (missing := _missing(key, members))]
    if others := _others(own, targets, members):
        skipped.append(f"{', '.join(others)}: no matching name_backward or name_gradient")
    if not targets:
        raise ValueError(
            f"{place}: nothing to check; define f_forward and f_backward, f and f_gradient, or a class or an "
            "instance with methods forward and backward" + "".join(f"; {missing}" for missing in skipped)
        )
    return targets, skipped


def _others(own: Sequence[str], targets: Sequence[Target], members: dict[str, Any]) -> list[str]:
    """Return the functions that do not belong to a target, are not half of one, and make no arguments."""
    ends = ("", "_forward", "_backward", "_gradient", "_args")
    known = {target.name + end for target in targets for end in ends} | {"gradcheck_args"}
    return [
        key
        for key in own
        if inspect.isfunction(members[key])
        and key not in known
        and not key.startswith("_")
        and not _missing(key, members)
    ]


def _missing(name: str, members: dict[str, Any]) -> str:
    """If a name looks like half of a pair, say what is missing; empty if nothing is."""
    value = members[name]
    if isinstance(value, type):
        has = [method for method in ("forward", "backward") if callable(getattr(value, method, None))]
        lacks = {"forward": "backward", "backward": "forward"}.get(has[0]) if len(has) == 1 else None
        return f"{name} has no method {lacks}" if lacks else ""
    for ending, partners in _PARTNERS.items():
        if callable(value) and name.endswith(ending):
            wanted = [name.removesuffix(ending) + partner for partner in partners]
            if not any(callable(members.get(partner)) for partner in wanted):
                return f"{name} has no matching {' or '.join(filter(None, wanted))}"
    return ""


def _kind(name: str, members: dict[str, Any]) -> str:
    here = {
        ending: callable(members.get(name + ending)) for ending in ("", "_forward", "_backward", "_gradient")
    }
    if here["_backward"] and (here["_forward"] or here[""]):
        return "pair"
    if here[""] and here["_gradient"]:
        return "loss"
    return "layer" if _is_layer(members.get(name)) else ""


def _target(place: str, name: str, members: dict[str, Any]) -> Target:
    """Choose how to check a name."""
    given = name
    for ending in ("_forward", "_backward", "_gradient"):
        if not _kind(name, members):
            name = name.removesuffix(ending)
    if kind := _kind(name, members):
        return Target(name, kind, members)
    if given not in members:
        raise ValueError(f"{place}: there is no {given}, and no pair {name}_forward and {name}_backward")
    missing = _missing(given, members) or (
        f"{given} has no methods forward and backward, and there is no {name}_backward or {name}_gradient"
    )
    raise ValueError(f"{place}: {missing}")


def _reason(error: Exception, members: dict[str, Any]) -> str:
    """Say in one line what was raised, and where in the file."""
    line = line_of(error, str(members.get("__file__", "")))
    plain = isinstance(error, ValueError) and not line
    text = _one_line(error) if plain else f"{type(error).__name__}: {_one_line(error)}"
    return "; ".join(filter(None, [f"{line}: {text}" if line else text, *getattr(error, "__notes__", ())]))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _parameters(function: Callable[..., Any]) -> list[str]:
    """Return the names of the arguments that a function requires."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # builtins have no signature
        return ["x"]
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [p.name for p in positional if p.default is p.empty]


def _forward(layer: Any) -> Callable[..., Any]:
    if functions := functions_of(layer):
        return functions[0]
    found = forward_of(layer)
    if found is None:
        raise ValueError("it has no methods forward and backward")
    return found


def _is_layer(value: Any) -> bool:
    return forward_of(value) is not None


def _is_own(value: Any, members: dict[str, Any]) -> bool:
    """Say whether a value was defined in its module, not imported by it."""
    module = getattr(value, "__module__", None)
    return not inspect.ismodule(value) and module == members.get("__name__")
