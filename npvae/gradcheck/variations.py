"""Check the gradients in other memory layouts and dtypes, and for other batch sizes.

A function may refuse a variation, which is only noted. If it accepts one, its gradients have to be right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from .arguments import Array, copied, largest, parts_of, quiet
from .case import Case, saved
from .judge import CANCELLATION, mismatch
from .report import Check

Finding = tuple[Any, str] | None  # a verdict, "fail" or "note", and what was found; None for "pass"
Look = Callable[[Case, np.random.Generator], Finding]

_FLOAT32_ROUNDING = 2e-3  # of a float32 gradient, relative to its scale, if nothing is ill-conditioned
_SETS = 32  # how many sets of arguments that may be the batch are tried
_CONDITION = 64.0  # multiples of what float32 rounding of the inputs changes in the float64 gradient


def check_variations(case: Case, rng: np.random.Generator, *, smooth: bool = True) -> list[Check]:
    """Run a pair on variations of its inputs.

    If the point is not smooth, another order of summation may end on the other side of a kink, so a different
    gradient is only noted.
    """
    checks = []
    for name, look in _VARIATIONS.items():
        try:
            with quiet():
                found = look(case, rng)
        except _NotApplicable:
            continue
        except _Refused as refusal:
            found = "note", str(refusal)
        except Exception as error:  # user code need not accept these inputs
            found = "note", f"refused: {type(error).__name__}: {error}".splitlines()[0]
        if found is not None and found[0] == "fail" and not smooth:
            found = "note", f"at a kink: {found[1]}"
        checks.append(Check(name, *(found or ("pass",))))
    return checks


class _NotApplicable(Exception):  # noqa: N818
    """The variation does not apply to this function."""


class _Refused(Exception):  # noqa: N818
    """Why a variation was not run."""


def _laid_out(layout: Callable[[Array], Array]) -> Look:
    def laid_out(x: Any) -> Any:
        return layout(x) if isinstance(x, np.ndarray) and x.ndim else copied(x)

    def look(case: Case, rng: np.random.Generator) -> Finding:
        plain = [np.array(x, order="C") if isinstance(x, np.ndarray) else copied(x) for x in case.args]
        parts, expected = case.pair.both(plain, case.dys)
        y, cache = case.pair.run([laid_out(x) for x in case.args])
        found = parts_of(y)
        names = [f"y[{k}]" if len(parts) > 1 else "y" for k in range(len(parts))]
        if mismatch(found, parts, names, [*map(largest, parts)], dtype=case.dtype) and (
            differs := mismatch(found, parts, names, case.sizes_close_by, dtype=case.dtype)
        ):
            return "fail", f"forward returns something else: {differs}"
        where = case.differ(case.pair.pull(y, [laid_out(dy) for dy in case.dys], cache), expected)
        return ("fail", where) if where else None

    return look


def _fortran(x: Array) -> Array:
    return np.array(x.T, order="C").T


def _strided(x: Array) -> Array:
    wide = np.full([2 * n for n in x.shape], np.nan if x.dtype.kind == "f" else 0, x.dtype)
    view = wide[tuple(slice(None, None, 2) for _ in x.shape)]
    view[...] = x
    return view


def _broadcast(case: Case, rng: np.random.Generator) -> Finding:
    """If arguments of different shapes are broadcast to y, cut an axis of one of them to length 1."""
    if len(case.parts) != 1 or len(set(case.shapes)) < 2 or case.parts[0].ndim == 0:
        raise _NotApplicable
    try:
        shape = np.broadcast_shapes(*case.shapes)
    except ValueError:
        shape = ()
    if shape != case.parts[0].shape:
        raise _NotApplicable
    looked = False
    for slot, (k, x) in enumerate(case.points.items()):
        for axis in range(np.ndim(x)):
            args = [copied(arg) for arg in case.args]
            args[k] = np.take(x, [0], axis=axis)
            thin = case.at(args, rng)
            if x.shape[axis] == 1 or thin is None or thin.parts[0].shape != shape:
                continue
            if thin.gradients[slot].shape != args[k].shape:
                continue  # it broadcasts another argument, not this one
            looked = True
            if where := thin.wrong(rng):
                return "fail", f"if axis {axis} of {case.labels[k]} has length 1, {where}"
    if not looked:
        raise _NotApplicable
    return None


def _batch(case: Case, rng: np.random.Generator) -> tuple[int, list[int]]:
    """Return the batch size and the arguments whose first axis is the batch, unless the shapes hide them."""
    tall = [part for part in case.parts if part.ndim]
    firsts = [np.asarray(x) for x in case.points.values() if np.ndim(x)]
    if not tall and not firsts:
        raise _NotApplicable
    n = (tall or firsts)[0].shape[0]
    arrays = [(k, arg) for k, arg in enumerate(case.args) if isinstance(arg, np.ndarray) and arg.ndim]
    batched = [k for k, arg in arrays if arg.shape[0] == n]
    if n < 2 or not batched:
        raise _Refused("there is no batch axis of two rows or more")
    if any(not isinstance(a, np.ndarray) and np.ndim(a) and len(a) == n for a in case.args):
        raise _Refused("an argument that is not an array has the length of the batch")
    shapes = [arg.shape for _, arg in arrays] + [part.shape for part in case.parts]
    if not any(n in shape[1:] for shape in shapes):
        return n, batched
    # Any of them may be weights. With the right set, one row of inputs gives one row of results.
    if tall:
        _require_free(case, n)
        for size in range(1, len(batched) + 1):
            for chosen in list(combinations(batched, size))[:_SETS]:
                other = _with_rows(case, n, [0], chosen, rng)
                if other is not None and [g.shape for g in other.gradients] == other.shapes:
                    return n, list(chosen)
    raise _Refused(f"other axes have the same length as the batch, {n}: choose another batch size")


def _require_free(case: Case, n: int) -> None:
    """Refuse other batch sizes if the function holds something, such as targets, that has this length.

    It need not accept them, and compiled code does not check whether an index is in range.
    """
    for place, shape in case.pair.held.items():
        if n in shape:
            raise _Refused(f"not tried: the function holds {place}, whose length is the batch size, {n}")


def _another_batch(rows: Callable[[int], list[int]]) -> Look:
    def look(case: Case, rng: np.random.Generator) -> Finding:
        n, batched = _batch(case, rng)
        chosen = rows(n)
        if len(chosen) != n:
            _require_free(case, n)
        other = _with_rows(case, n, chosen, batched, rng)
        if other is None:
            raise _Refused("refused, not finite, or without one row of results for each row of inputs")
        where = _wrong_shape(case, other)
        if not where:
            where = other.wrong(rng) if chosen else _not_zero(other)
        if not where:
            return None
        if chosen and n > 2 and _with_rows(case, n, list(range(n - 1)), batched, rng) is None:
            raise _Refused(
                f"works for one row, but not for {n - 1}: the function holds something of the batch's length"
            )
        # If the result has no rows, there may be no batch; sorted indices may have to stay sorted.
        rows_come_out = any(part.ndim for part in case.parts)
        finite = all(np.all(np.isfinite(gradient)) for gradient in other.gradients)
        differentiated = set(batched) & set(case.positions)
        offsets = not differentiated and all(np.all(np.diff(case.args[k], axis=0) >= 0) for k in batched)
        if offsets and n > 2:  # but not if they may be in any order
            shuffled = _with_rows(case, n, [1, *range(2, n), 0], batched, rng)
            offsets = shuffled is None or bool(shuffled.wrong(rng))
        sure = not offsets and (rows_come_out or (chosen and finite))
        return "fail" if sure else "note", where

    return look


def _with_rows(
    case: Case, n: int, chosen: list[int], batched: Sequence[int], rng: np.random.Generator
) -> Case | None:
    """Return the pair with these rows of the batched arguments; None if it does not work with them."""
    other = case.at([copied(a[chosen] if k in batched else a) for k, a in enumerate(case.args)], rng)
    if other is None:
        return None
    for old, new in zip(case.parts, other.parts, strict=True):
        if old.ndim and old.shape[0] == n and new.shape != (len(chosen), *old.shape[1:]):
            return None
    return other


def _wrong_shape(case: Case, other: Case) -> str:
    """Name a gradient whose shape is not its argument's.

    If that is the shape it had with all rows, something that the function holds, such as targets, was
    broadcast against the remaining rows.
    """
    for label, gradient, shape, before in zip(
        case.names, other.gradients, other.shapes, case.shapes, strict=True
    ):
        if gradient.shape == before != shape:
            raise _Refused("the function holds something that has the length of the batch")
        if gradient.shape != shape:
            return f"the gradient of {label} has shape {gradient.shape}, not {shape}"
    return ""


def _not_zero(other: Case) -> str:
    """Name a gradient that is not zero although there are no rows, and so no result depends on it."""
    if any(part.size for part in other.parts):
        return ""
    for label, gradient in zip(other.names, other.gradients, strict=True):
        if np.any(gradient != 0):
            return f"there is no result, but the gradient of {label} is not zero"
    return ""


def _float32(case: Case, rng: np.random.Generator) -> Finding:
    """Compare the float32 gradients with the function's own float64 gradients for the same numbers."""
    low, dys = [copied(arg, np.float32) for arg in case.args], [dy.astype(np.float32) for dy in case.dys]
    high, high_dys = [copied(arg, np.float64) for arg in low], [dy.astype(np.float64) for dy in dys]
    y, cache = case.pair.run(low)
    parts = [part.copy() for part in parts_of(y)]
    given = [dy.astype(part.dtype) for dy, part in zip(dys, parts, strict=True)]
    found = saved(case.pair.pull(y, given, cache))
    high_parts, expected = case.pair.both(high, high_dys)
    if not all(np.all(np.isfinite(x)) for x in [*parts, *found, *high_parts, *expected]):
        raise _Refused("not finite in float32 or in float64")
    exact = replace(case, args=high, parts=high_parts, dys=high_dys, gradients=expected)
    condition = exact.condition(float(np.finfo(np.float32).eps), rng)[-1]
    cancelling = [CANCELLATION * float(np.finfo(np.float32).eps) * term for term in exact.terms_close_by]
    for label, a, b, moves, rest in zip(case.names, found, expected, condition, cancelling, strict=True):
        worst = largest(a - b) if a.shape == b.shape else np.inf
        if worst > _FLOAT32_ROUNDING * largest(b) + _CONDITION * moves + rest:
            size = f"its largest entry in float64 is {largest(b):.2g}"
            return "fail", f"the gradient of {label} is off by {worst:.2g}; {size}"
    return None


def _float64(case: Case, rng: np.random.Generator) -> Finding:
    """Compare the function in float64 with the oracles: this shows errors too small for float32."""
    if case.dtype == np.float64:
        raise _NotApplicable
    other = case.at([copied(arg, np.float64) for arg in case.args], rng)
    if other is None:
        raise _Refused("refused, or not finite")
    if other.dtype != np.float64 or any(gradient.dtype != np.float64 for gradient in other.gradients):
        raise _NotApplicable
    where = other.wrong(rng)
    return ("fail", where) if where else None


_VARIATIONS: dict[str, Look] = {
    "transposed arrays": _laid_out(_fortran),
    "strided arrays": _laid_out(_strided),
    "broadcast axes": _broadcast,
    "N = 1": _another_batch(lambda n: [0]),
    "N = 0": _another_batch(lambda n: []),
    "repeated rows": _another_batch(lambda n: [0, 0, *range(2, n)]),
    "float32": _float32,
    "float64": _float64,
}
