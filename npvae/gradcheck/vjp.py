"""Check a backward function against its forward."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .arguments import copied, is_floating
from .case import Case
from .pair import Pair, draw_like, noise_kept
from .probes import Budget, generator
from .protocol import check_protocol, fresh_noise
from .report import Check, Entry, Report
from .structure import Snapshot, assign_gradients, leaves, like, parts_of
from .variations import check_variations
from .vjp_objectives import entries_at

Array = npt.NDArray[Any]


def check_vjp(
    forward: Callable[..., tuple[Any, Any]],
    backward: Callable[[Any, Any], Any],
    args: Sequence[Any],
    *,
    wrt: Sequence[int | str] | None = None,
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
        The point at which to check. Floating arrays and scalars can be differentiated; anything else is
        handed through. A random generator is handed over in the same state each time, and NumPy's
        global one is reset to the same state, so a function that draws is checked as one of fixed noise.
    wrt : sequence of int or str, optional
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
        When there is nothing to differentiate, `wrt` or `names` do not fit `args`, or the gradients that
        backward returns fit the arguments in no way, or in several.

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
    args = list(args)
    labels = _labels(forward, args, names)
    candidates = _positions(args, labels, wrt)
    given = [copied(arg) for arg in args]  # before anyone can change them
    rng = generator(seed)
    before = Snapshot(args=args)
    pair = Pair(forward, backward)
    with noise_kept():
        y, cache = pair.run(args)
        parts = [part.copy() for part in parts_of(y)]
        dys = draw_like(parts, rng)
        returned = backward(like(y, [dy.copy() for dy in dys]), cache)
        matched = assign_gradients(returned, given, candidates, wrt is not None)
        positions, pair.slots = [k for k, _ in matched], [slot for _, slot in matched]
        raw = [leaves(returned)[slot] for slot in pair.slots]
        raw = [None if gradient is None else np.array(gradient) for gradient in raw]
        before.restore()

        budget = Budget(n_entries, n_coordinates, n_projections)
        case = Case(pair, given, positions, labels, parts, dys, raw)
        entries, checks = _look(case, budget, rng, protocol, variations)
    left_out = [labels[k] for k in candidates if k not in positions]
    if left_out:
        text = f"backward returns no gradient for {', '.join(left_out)}: taken as not differentiable"
        checks.append(Check("left out", "note", text))
    if pair.draws:
        text = "forward draws from NumPy's global generator, which was reset for each evaluation"
        checks.append(Check("noise", "note", text))

    call = f"check_vjp({name_of(forward)}, {name_of(backward)}"
    options = "" if wrt is None else f", wrt={list(wrt)!r}"
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
        entries = tuple(
            Entry(
                label,
                np.shape(case.args[k]),
                "inconclusive",
                hint="not compared: the forward does not repeat",
            )
            for k, label in zip(case.positions, case.names, strict=True)
        )
        return entries, [Check("repeatable forward", "inconclusive", noise)]
    entries = entries_at(
        case.pair, case.args, case.positions, case.labels, case.parts, case.dys, case.gradients, budget, rng
    )
    checks: list[Check] = []
    shapes = [np.shape(case.args[k]) for k in case.positions]
    if any(
        g is None or g.dtype.kind not in "fiu" or g.shape != s
        for g, s in zip(case.gradients, shapes, strict=True)
    ):
        return entries, checks
    case.right = all(entry.verdict != "fail" for entry in entries)
    if protocol:
        checks += [Check("repeatable forward", "pass"), *check_protocol(case, rng)]
    if variations:
        smooth = all(entry.verdict != "kink" for entry in entries)
        checks += check_variations(case, rng, smooth=smooth)
    return entries, checks


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


def name_of(function: Callable[..., Any]) -> str:
    """Return a function's name, a method's with that of its class, or an object's type's."""
    name = getattr(function, "__name__", type(function).__name__)
    return f"{type(function.__self__).__name__}.{name}" if inspect.ismethod(function) else name
