"""Examine a forward and its backward at a point: the gradients' values, the protocol and the variations."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from .arguments import copied, is_floating, signature_of
from .case import Case, Pair, draw_like
from .matching import (
    Flattening,
    assign_gradients,
    by_name,
    leaves,
    like,
    looks_constant,
    mapped,
    other_order,
    parts_of,
)
from .objective import Budget, budget_of, generator
from .objects import Snapshot
from .protocol import check_protocol, fresh_noise
from .report import Check, Entry, Reason, one_cause
from .variations import check_variations


def bridged(pair: Pair, args: Sequence[Any]) -> list[Any]:
    """Make a pair of functions on another library's arrays one on NumPy's; return the arguments so too."""
    makers = [_maker_of(arg) for arg in args]
    maker = next((make for make in makers if make is not None), None)
    if maker is None:
        return list(args)
    forward, backward = pair.forward, pair.backward

    def run(*given: Any) -> tuple[Any, Any]:
        made = [x if make is None else mapped(make, x) for make, x in zip(makers, given, strict=True)]
        y, cache = forward(*made)
        return in_numpy(y), cache

    pair.forward = run
    pair.backward = lambda dy, cache: in_numpy(backward(mapped(maker, dy), cache))
    return [in_numpy(arg) for arg in args]


def in_numpy(value: Any) -> Any:
    """Return a value with NumPy arrays in place of other libraries', at any depth."""

    def convert(x: Any) -> Any:
        return np.asarray(x.detach() if hasattr(x, "detach") else x).copy() if _is_foreign(x) else x

    return mapped(convert, value)


def _maker_of(value: Any) -> Callable[[Any], Any] | None:
    """Return the function that makes arrays like those in an argument; None for NumPy's."""
    if isinstance(value, Mapping | tuple | list):
        items = value.values() if isinstance(value, Mapping) else value
        return next((make for item in items if (make := _maker_of(item))), None)
    if not _is_foreign(value):
        return None
    library = sys.modules[type(value).__module__.partition(".")[0]]
    space = value.__array_namespace__() if hasattr(value, "__array_namespace__") else library
    return lambda x: space.asarray(x) if isinstance(x, np.ndarray | np.generic) else x


def _is_foreign(value: Any) -> bool:
    return hasattr(value, "__dlpack__") and not isinstance(value, np.ndarray | np.generic | type)


@dataclass(frozen=True)
class Options:
    """What can be chosen about an examination: see `npvae.gradcheck.check_vjp`."""

    seed: int = 0
    protocol: bool = True
    variations: bool = True
    rtol: float = 0.0
    n_entries: int = Budget().n_entries
    n_coordinates: int = Budget().n_coordinates
    n_projections: int = Budget().n_projections

    def __str__(self) -> str:
        """Return the arguments that repeat it: the seed, and all that is not as usual."""
        usual = {field.name: field.default for field in fields(self)}
        told = {k: value for k, value in asdict(self).items() if k == "seed" or value != usual[k]}
        return ", ".join(f"{key}={value!r}" for key, value in told.items())

    def call(self, start: str, **told: Any) -> str:
        """Return the call that repeats a check, with all that was told."""
        words = [f"{key}={value!r}" for key, value in told.items() if value is not None]
        return f"{start}, {', '.join([*words, str(self)])})"


def examine(
    pair: Pair,
    args: Sequence[Any],
    labels: list[str],
    wrt: Sequence[int | str] | int | str | None,
    options: Options,
    constants: Collection[str] = (),
    advice: str = "wrt={0!r}",
) -> tuple[tuple[Entry, ...], list[Check]]:
    """Make all checks.

    Parameters
    ----------
    pair : Pair
    args : sequence
        The point.
    labels : list of str
        The names of the arguments.
    wrt, options
        As for `npvae.gradcheck.check_vjp`.
    constants : collection of str
        Arguments that need no gradient although y depends on them.
    advice : str
        How to say so: a format of the names that have one and of the one that has none.

    Returns
    -------
    entries : tuple of Entry
    checks : list of Check
    """
    args = bridged(pair, args)
    told = [wrt] if isinstance(wrt, int | str) else wrt
    flattening = Flattening(args, labels)
    if flattening.nested:
        outer = None if told is None else [_position(args, labels, item) for item in told]
        pair.forward = flattening.forward(pair.forward)
        pair.backward = flattening.backward(pair.backward, outer)
        told = None if outer is None else [j for k in outer for j in flattening.positions(k)]
    args, labels = flattening.args, flattening.labels
    candidates = _positions(args, labels, told)
    most = max(np.size(args[k]) for k in candidates)
    counts = {name: getattr(options, name) for name in Budget._fields}
    budget = budget_of(most, **counts)
    given = [copied(arg) for arg in args]  # before anyone can change them
    rng = generator(options.seed)
    with pair.noise.kept():
        before = Snapshot(args=args)
        y, cache = pair.run(args)
        remarks: list[Check] = []
        if len(leaves(y)) > 1 and not _fits(pair, given):
            alone = replace(pair, forward=_first_alone(pair.forward))
            if _fits(alone, given):
                text = "backward takes the gradient of the first result only, so only that was checked"
                remarks.append(Check("first result", "note", text))
                pair.forward, y = alone.forward, leaves(y)[0]
        parts = [part.copy() for part in parts_of(y)]
        dys = draw_like(parts, rng)
        try:
            returned = pair.backward(like(y, [dy.copy() for dy in dys]), cache)
        except Exception as error:
            if len(leaves(y)) > 1:
                error.add_note(_SEVERAL)
            raise
        if isinstance(returned, Mapping):
            pair.backward = by_name(pair.backward, labels)
            returned = pair.backward(like(y, [dy.copy() for dy in dys]), cache)
            told = None
        matched = assign_gradients(returned, given, candidates, told is not None)
        positions, pair.slots = [k for k, _ in matched], [slot for _, slot in matched]
        raw = [leaves(returned)[slot] for slot in pair.slots]
        raw = [None if gradient is None else np.array(gradient) for gradient in raw]
        before.restore()

        case = Case(pair, given, positions, labels, parts, dys, raw, rtol=options.rtol)
        entries, checks = _look(case, budget, rng, options)
        if order := other_order(leaves(returned), given, matched):
            found = ", ".join(labels[k] for k in order)
            checks.append(Check("order", "note", f"the gradients fit the arguments in the order {found}"))
        checks += _not_compared(leaves(returned), given, labels, candidates)
        numbers = [label for arg, label in zip(args, labels, strict=True) if type(arg) is float]
        missing = [k for k in candidates if k not in positions]
        checks += _left_out(case, missing, [*constants, *numbers], advice, rng)
    if pair.noise.drawn:
        checks.append(Check("noise", "note", pair.noise.remark))
    checks += remarks + one_cause(entries) + _coarse(case)
    if dropped := [k for k, part in enumerate(leaves(y)) if np.asarray(part).dtype.kind not in "fc"]:
        names = ", ".join(f"y[{k}]" for k in dropped)
        text = f"{names} is not floating and has no gradient: backward gets None in its place"
        checks.append(Check("results", "note", text))
    return entries, checks


_SEVERAL = """forward returns several results, so dy is a tuple. To check the first alone:
    def first(*args):
        y, cache = forward(*args); return y[0], cache
    check_vjp(first, backward, args)"""


def _first_alone(forward: Callable[..., tuple[Any, Any]]) -> Callable[..., tuple[Any, Any]]:
    """Drop all results but the first."""

    def first(*args: Any) -> tuple[Any, Any]:
        y, cache = forward(*args)
        return leaves(y)[0], cache

    return first


def _fits(pair: Pair, args: Sequence[Any]) -> bool:
    """Say whether backward takes the upstream gradients of all results, and returns some of arguments."""
    try:
        y, cache = pair.run([copied(arg) for arg in args])
        returned = pair.backward(like(y, [np.ones_like(part) for part in parts_of(y)]), cache)
    except Exception:  # someone else's code: it may not expect a tuple
        return False
    shapes = [np.shape(arg) for arg in args]
    found = [] if isinstance(returned, Mapping) else leaves(returned)
    return all(gradient is None or np.shape(gradient) in shapes for gradient in found)


def _left_out(
    case: Case, missing: Sequence[int], constants: Collection[str], advice: str, rng: np.random.Generator
) -> list[Check]:
    """Name the arguments that got no gradient: where y depends on one, nothing is known of it."""
    checks = []
    for k in missing:
        label = case.labels[k]
        known = label in constants or looks_constant(label)
        text = f"no gradient was found for {label}"
        if not case.depends_on(k, rng):
            checks.append(Check("left out", "note", f"{text}, and y does not depend on it"))
        elif known:
            checks.append(Check("left out", "note", f"{text}: taken as a constant"))
        else:
            text += f", though y depends on it. If it needs none: {advice.format(case.names, label)}"
            checks.append(Check("left out", "inconclusive", text))
    return checks


def _coarse(case: Case) -> list[Check]:
    """Name the gradients that are coarser than their arguments: they were compared to fewer digits."""
    names = [
        f"{name} ({g.dtype})"
        for name, k, g in zip(case.names, case.positions, case.gradients, strict=True)
        if g is not None
        and g.dtype.kind == "f"
        and g.dtype.itemsize < np.asarray(case.args[k]).dtype.itemsize
    ]
    text = f"compared at the gradient's own precision, lower than the argument's: {', '.join(names)}"
    return [Check("precision", "note", text)] if names else []


def _look(
    case: Case, budget: Budget, rng: np.random.Generator, options: Options
) -> tuple[tuple[Entry, ...], list[Check]]:
    """Make all checks; none but the first where the forward returns something else each time."""
    if noise := fresh_noise(case):
        entries = _undecided(case, "not compared: the forward does not repeat")
        return entries, [Check("repeatable forward", "inconclusive", noise)]
    if broken := sum(int(np.sum(~np.isfinite(part))) for part in case.parts):
        size = sum(part.size for part in case.parts)
        text = (
            f"not compared: y is not finite at {broken} of {size} places; give arguments that forward takes"
        )
        return _undecided(case, text), []
    entries = case.entries(budget, rng)
    checks: list[Check] = []
    if any(
        g is None or g.dtype.kind not in "fiu" or g.shape != s
        for g, s in zip(case.gradients, case.shapes, strict=True)
    ):
        return entries, checks
    case.right = all(entry.verdict != "fail" for entry in entries)
    case.vacuous = any(entry.reason.vacuous for entry in entries)
    if options.protocol:
        checks += [Check("repeatable forward", "pass"), *check_protocol(case, rng)]
    if options.variations:
        smooth = all(entry.verdict != "kink" for entry in entries)
        checks += check_variations(case, rng, smooth=smooth)
    return entries, checks


def _not_compared(
    gradients: list[Any], args: Sequence[Any], labels: Sequence[str], candidates: Sequence[int]
) -> list[Check]:
    """Name the arguments that got a gradient, as one of all arguments, although they are not floating."""
    if len(gradients) != len(args) or len(args) == len(candidates):
        return []
    found = [
        f"{labels[k]} ({_kind(arg)})"
        for k, arg in enumerate(args)
        if k not in candidates and gradients[k] is not None and np.any(np.asarray(gradients[k], object) != 0)
    ]
    text = f"backward returns a gradient for {', '.join(found)}, which cannot be compared: not floating"
    return [Check("not compared", "inconclusive", text)] if found else []


def _undecided(case: Case, why: str) -> tuple[Entry, ...]:
    return tuple(
        Entry(name, shape, "inconclusive", hint=why, reason=Reason.NOT_COMPARED)
        for name, shape in zip(case.names, case.shapes, strict=True)
    )


def labels_of(forward: Callable[..., Any], args: Sequence[Any], names: Sequence[str] | None) -> list[str]:
    """Name the arguments: as told, or as forward's parameters are called."""
    if names is not None:
        if len(names) != len(args):
            raise ValueError(f"{len(names)} names for {len(args)} arguments")
        return list(names)
    parameters = signature_of(forward).parameters.values()
    found = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [found[k] if k < len(found) else f"arg{k}" for k in range(len(args))]


def _positions(args: list[Any], labels: list[str], wrt: Sequence[int | str] | None) -> list[int]:
    """Find the positions of the arguments to differentiate."""
    if wrt is None:
        positions = [k for k, arg in enumerate(args) if is_floating(arg)]
        if not positions:
            kinds = ", ".join(f"{n} is {_kind(arg)}" for n, arg in zip(labels, args, strict=True))
            raise ValueError(
                f"there is nothing to differentiate: no argument is floating ({kinds or 'there is none'})"
            )
        return positions
    positions = [_position(args, labels, item) for item in wrt]
    if not positions:
        raise ValueError("wrt is empty: there is nothing to differentiate")
    for position in positions:
        if not is_floating(args[position]):
            raise ValueError(f"wrt has {labels[position]}, which is {_kind(args[position])}, not floating")
    return positions


def _position(args: Sequence[Any], labels: Sequence[str], item: int | str) -> int:
    """Find the position of an argument that is given by position or name."""
    if isinstance(item, str) and item not in labels:
        raise ValueError(f"wrt names {item!r}, but the arguments are {labels}")
    position = labels.index(item) if isinstance(item, str) else item
    if not 0 <= position < len(args):
        raise ValueError(f"wrt has {item!r}, but the arguments are numbered 0 to {len(args) - 1}")
    return position


def _kind(arg: Any) -> str:
    return str(getattr(arg, "dtype", type(arg).__name__))
