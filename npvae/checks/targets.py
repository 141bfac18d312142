"""Find the pairs, layers and losses in a user's file, and check them.

The convention, for a name ``f``:

- ``f_forward`` and ``f_backward``: a pair, checked by `check_vjp`; the forward may also be called ``f``. Its
  backward may take arguments of the forward by their names, and then the forward may return y alone;
- ``f`` and ``f_gradient``: a scalar loss and its gradient, checked by `check_gradient`;
- ``f``, a class or an instance with methods ``forward`` and ``backward``: a layer, checked by `check_layer`.
  A class is called without arguments; where everything in a file is checked, a class is left out if the
  file has an instance of it.

`npvae.checks.user_arguments` says where the arguments come from, and `npvae.checks.stubs` what the user can
add to the file.
"""

from __future__ import annotations

import copy
import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from npvae.checks.loading import line_of, load_module
from npvae.checks.stubs import arguments_stub, instance_stub, required, uses_torch
from npvae.checks.user_arguments import Inputs, make_inputs, maker_of
from npvae.checks.user_pairs import UncheckedError, check_pair, forward_name
from npvae.gradcheck import Check, Report, check_gradient, check_layer
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
        UncheckedError
            If it cannot be checked; the message says why, and in which line of the file.
        """
        stub = ""
        try:
            function = self._function()
            if not maker_of(self.name, self.members):
                stub = arguments_stub(self.name, self._forward(function), uses_torch(function))
            inputs = self._inputs(function, settings)
            try:
                report = self._report(function, inputs.args, settings)
            except Exception as error:
                error.add_note(inputs.advice)
                raise
        except UncheckedError:
            raise
        except Exception as error:  # user code may raise anything
            raise UncheckedError(_reason(error, self.members), stub) from error
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

    def _report(self, function: Any, args: list[Any], settings: Settings) -> Report:
        alone = args[0] if len(args) == 1 else tuple(args)
        if self.kind == "layer":
            return check_layer(function, alone, seed=settings.seed)
        wrt: dict[str, Any] = {} if settings.wrt is None else {"wrt": settings.wrt}
        if self.kind == "loss":
            gradient = self.members[f"{self.name}_gradient"]
            return check_gradient(function, gradient, alone, seed=settings.seed, **wrt)
        return check_pair(self.name, self.members, args, self._command(settings), seed=settings.seed, **wrt)

    def _command(self, settings: Settings) -> str:
        """Return the command that repeats the check."""
        place = Path(self.members.get("__file__", self.members["__name__"])).name
        options = {"shape": settings.shape, "wrt": settings.wrt, "seed": [settings.seed]}
        given = [f" --{key} {' '.join(map(str, value))}" for key, value in options.items() if value]
        return f"npvae gradcheck {place}:{self.name}" + "".join(given)

    def _inputs(self, function: Any, settings: Settings) -> Inputs:
        def run(*args: Any) -> Any:
            y = self._forward(copy.deepcopy(function))(*args)
            has_cache = self.kind == "pair" or functions_of(function)
            return y[0] if has_cache and isinstance(y, tuple) else y

        count = len(required(self._forward(function)))
        library = sys.modules["torch"].asarray if uses_torch(function) else np.asarray
        return make_inputs(self.name, self.members, run, count, settings.shape, settings.seed, library)

    def _forward(self, function: Any) -> Callable[..., Any]:
        """Return the function that takes the arguments."""
        if self.kind != "layer":
            return function
        if functions := functions_of(function):
            return functions[0]
        found = forward_of(function)
        if found is None:
            raise ValueError("it has no methods forward and backward")
        return found

    def _function(self) -> Any:
        """Return the forward, the loss or the layer; for a class, an instance of it."""
        if self.kind == "pair":
            return self.members[forward_name(self.name, self.members)]
        found = self.members[self.name]
        if self.kind == "loss" or not isinstance(found, type) or functions_of(found):
            return found
        try:
            return found()
        except Exception as error:  # user code may raise anything
            stub = instance_stub(found, self.members) if required(found) else ""
            advice = f"; add an instance to the file and check that: {stub}" if stub else ""
            reason = _reason(error, self.members)
            raise UncheckedError(f"{self.name}() raises {reason}{advice}", stub) from error


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
    made = {type(members[key]) for key in own}
    abstract = [key for key in own if inspect.isabstract(members[key])]
    names += [
        key for key in own if _is_layer(members[key]) and key not in abstract and members[key] not in made
    ]
    targets = [Target(key, kind, members) for key in dict.fromkeys(names) if (kind := _kind(key, members))]
    skipped = [missing for key in own if (missing := _missing(key, members))]
    skipped += [f"{key} is an abstract class" for key in abstract]
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


def _is_layer(value: Any) -> bool:
    return forward_of(value) is not None


def _is_own(value: Any, members: dict[str, Any]) -> bool:
    """Say whether a value was defined in its module, not imported by it."""
    module = getattr(value, "__module__", None)
    return not inspect.ismodule(value) and module == members.get("__name__")
