"""Check a backward function against its forward."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .arguments import copied, is_floating, name_of, signature_of
from .case import Case
from .nesting import Flattening, by_name
from .pair import Pair, draw_like, noise_kept
from .probes import Budget, budget_of, generator
from .protocol import check_protocol, fresh_noise
from .report import Check, Entry, Report
from .structure import Snapshot, assign_gradients, leaves, like, other_order, parts_of
from .variations import check_variations

Array = npt.NDArray[Any]


def check_vjp(
    forward: Callable[..., tuple[Any, Any]],
    backward: Callable[[Any, Any], Any],
    args: Sequence[Any],
    *,
    wrt: Sequence[int | str] | int | str | None = None,
    names: Sequence[str] | None = None,
    seed: int = 0,
    protocol: bool = True,
    variations: bool = True,
    n_entries: int = Budget().n_entries,
    n_coordinates: int = Budget().n_coordinates,
    n_projections: int = Budget().n_projections,
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
        The point at which to check. Floating arrays and scalars can be differentiated, also arrays inside
        dicts and lists, whose gradient has the same form; anything else is handed through. A random generator
        is handed over in the same state each time, and NumPy's global one is reset to the same state, so a
        function that draws is checked as one of fixed noise.
    wrt : int or str, or sequence of them, optional
        Positions or names of the arguments that backward returns gradients for. By default all floating
        arguments; where backward returns fewer gradients, those that they fit by shape, if there is one way;
        where it returns None in place of a gradient, that argument is left out.
    names : sequence of str, optional
        One name for each argument; by default the names of forward's parameters.
    seed : int
        Draws the upstream gradient dy, from a normal distribution, and the sampled directions.
    protocol : bool
        Whether to check what a backward must keep to beside its values: `npvae.gradcheck.protocol`.
    variations : bool
        Whether to run the pair on variations of its inputs: `npvae.gradcheck.variations`.
    n_entries : int
        An argument with up to this many entries is checked entry by entry.
    n_coordinates, n_projections : int
        For each larger one: how many entries, drawn at random, and how many random projections of the whole.

    Returns
    -------
    Report
        One entry for each argument in `wrt`, and the other checks in ``report.checks``. ``report.passed``
        says whether all gradients are right.

    Raises
    ------
    TypeError
        When forward returns no pair, or y holds something that is not floating.
    ValueError
        When there is nothing to differentiate, `wrt` or `names` do not fit `args`, the gradients that
        backward returns fit the arguments in no way, or in several, or so few derivatives are asked for that
        nothing would be compared.

    Notes
    -----
    With L = sum(dy * y) for a fixed dy, the gradient dL/d(arg) is what backward should return. It is measured
    entry by entry, for large arrays on a sample of entries and random projections of the whole. forward and
    backward run once on `args` as they are, which a function that changes them gets back as they were; all
    else runs on copies. The oracles evaluate forward on float64 and
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
    if not isinstance(args, list | tuple):
        raise TypeError(f"args is a {type(args).__name__}; it must be a list of the arguments: [x]")
    title = f"check_vjp({name_of(forward)}, {name_of(backward)})"
    labels = _labels(forward, args, names)
    told = [wrt] if isinstance(wrt, int | str) else wrt
    flattening = Flattening(args, labels)
    if flattening.nested:
        outer = None if told is None else [_position(args, labels, item) for item in told]
        forward, backward = flattening.forward(forward), flattening.backward(backward, outer)
        told = None if outer is None else [j for k in outer for j in flattening.positions(k)]
    args, labels = flattening.args, flattening.labels
    candidates = _positions(args, labels, told)
    _check_signature(backward)
    most = max(np.size(args[k]) for k in candidates)
    budget = budget_of(most, n_entries=n_entries, n_coordinates=n_coordinates, n_projections=n_projections)
    given = [copied(arg) for arg in args]  # before anyone can change them
    rng = generator(seed)
    before = Snapshot(args=args)
    pair = Pair(forward, backward)
    with noise_kept():
        y, cache = pair.run(args)
        parts = [part.copy() for part in parts_of(y)]
        dys = draw_like(parts, rng)
        returned = backward(like(y, [dy.copy() for dy in dys]), cache)
        if isinstance(returned, Mapping):
            pair = Pair(forward, by_name(backward, labels))
            returned = pair.backward(like(y, [dy.copy() for dy in dys]), cache)
            told = None
        matched = assign_gradients(returned, given, candidates, told is not None)
        positions, pair.slots = [k for k, _ in matched], [slot for _, slot in matched]
        raw = [leaves(returned)[slot] for slot in pair.slots]
        raw = [None if gradient is None else np.array(gradient) for gradient in raw]
        before.restore()

        case = Case(pair, given, positions, labels, parts, dys, raw)
        entries, checks = _look(case, budget, rng, protocol, variations)
        if order := other_order(leaves(returned), given, matched):
            found = ", ".join(labels[k] for k in order)
            checks.append(Check("order", "note", f"the gradients fit the arguments in the order {found}"))
        checks += _not_compared(leaves(returned), given, labels, candidates)
        for k in candidates:
            if k not in positions:
                depends = case.depends_on(k, rng)
                text = f"backward returns no gradient for {labels[k]}"
                text += ", though y depends on it" if depends else ", and y does not depend on it"
                checks.append(Check("left out", "note", text))
    if pair.draws:
        text = "forward draws from NumPy's global generator, which was reset for each evaluation"
        checks.append(Check("noise", "note", text))

    call = title[:-1]
    options = "" if wrt is None else f", wrt={wrt!r}"
    options += "" if names is None else f", names={list(names)!r}"
    settings: dict[str, Any] = {"protocol": protocol, "variations": variations, **budget._asdict()}
    standard: dict[str, Any] = {"protocol": True, "variations": True, **Budget()._asdict()}
    options += f", seed={seed}"
    options += "".join(f", {key}={value}" for key, value in settings.items() if value != standard[key])
    return Report(f"{call})", entries, seed, f"{call}, args{options})", tuple(checks))


def _look(
    case: Case, budget: Budget, rng: np.random.Generator, protocol: bool, variations: bool
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
    shapes = [np.shape(case.args[k]) for k in case.positions]
    if any(
        g is None or g.dtype.kind not in "fiu" or g.shape != s
        for g, s in zip(case.gradients, shapes, strict=True)
    ):
        return entries, checks
    case.right = all(entry.verdict != "fail" for entry in entries)
    case.vacuous = any(entry.hint.startswith("vacuous") for entry in entries)
    if protocol:
        checks += [Check("repeatable forward", "pass"), *check_protocol(case, rng)]
    if variations:
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
    shapes = [np.shape(case.args[k]) for k in case.positions]
    return tuple(
        Entry(name, shape, "inconclusive", hint=why) for name, shape in zip(case.names, shapes, strict=True)
    )


def _labels(forward: Callable[..., Any], args: Sequence[Any], names: Sequence[str] | None) -> list[str]:
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


def _check_signature(backward: Callable[..., Any]) -> None:
    """Raise a TypeError where backward cannot be called with dy and cache."""
    try:
        signature = inspect.signature(backward)
    except (TypeError, ValueError):  # builtins and some compiled functions have no signature
        return
    try:
        signature.bind(None, None)
    except TypeError as error:
        raise TypeError(
            f"backward{signature} cannot be called as backward(dy, cache) ({error}): dy is one argument, "
            "a tuple where y is one, and cache is what forward returned beside y"
        ) from None
