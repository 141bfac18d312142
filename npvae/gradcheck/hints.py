"""Recognise typical errors in wrong gradients, which often show which line of code is wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .arguments import Array

_SLIGHT = 5e-4  # relative difference up to which a rounded constant may be the reason
_SAME = 1e-4  # relative difference up to which two gradients count as the same


@dataclass(frozen=True)
class Clues:
    """The information from which the error in a wrong gradient may be recognised."""

    lengths: Sequence[int]  # of axes and sizes of arrays of the arguments and results, among them the batch
    upstream: Sequence[Array] = ()  # the upstream gradients
    gradients: Mapping[str, Array] = field(default_factory=dict)  # complete and right, as far as known


def recognise(name: str, analytic: Array, numeric: Array, clues: Clues) -> tuple[bool, str]:
    """Describe how a wrong gradient (`analytic`) differs from the right one (`numeric`).

    Both are complete, or the sampled entries as vectors. Returns whether the gradient is off by so little
    that a rounded constant may be the reason, and one sentence, empty if nothing is recognised.

    Examples
    --------
    >>> right = np.array([1.0, -2.0])
    >>> recognise("x", 2 * right, right, Clues([7]))
    (False, 'twice the right value: a missing 1/2?')
    """
    if not np.all(np.isfinite(analytic)):
        return False, "it has entries that are not finite"
    if not np.any(numeric):
        return False, "the right gradient is zero"
    if not np.any(analytic):
        return False, "it is zero: no gradient reaches this argument"
    off = float(np.max(np.abs(analytic - numeric)) / np.max(np.abs(numeric)))
    if off <= _SLIGHT:
        rtol = 10.0 ** math.ceil(math.log10(2 * max(off, 1e-300)))
        return True, (
            f"off by {off:.1g} of its largest entry: a small constant or a rounded one in the forward (an "
            f"eps in a log or a square root) may be the cause; rtol={rtol:.0e} accepts it"
        )
    return False, _shape_of_error(name, analytic, numeric, clues)


def _shape_of_error(name: str, analytic: Array, numeric: Array, clues: Clues) -> str:
    ratio = float(np.vdot(numeric, analytic) / np.vdot(numeric, numeric))
    if _same(analytic, ratio * numeric):
        return _describe_ratio(ratio, clues)
    if analytic.ndim == 2 and analytic.shape[0] == analytic.shape[1] and _same(analytic, numeric.T):
        return "it is the transpose of the right gradient"
    for other, gradient in clues.gradients.items():
        if other != name and gradient.shape == analytic.shape and _same(analytic, gradient):
            return f"it is the gradient of {other}"
    excess, largest = analytic - numeric, np.max(np.abs(numeric))
    for dy in clues.upstream:
        if dy.shape == excess.shape[: dy.ndim] and np.any(dy):
            factors = np.broadcast_to(dy.reshape(dy.shape + (1,) * (excess.ndim - dy.ndim)), excess.shape)
            constant = float(np.vdot(factors, excess) / np.vdot(factors, factors))
            if np.max(np.abs(excess - constant * factors)) <= _SAME * largest:
                return (
                    f"off by {constant:.4g} times dy everywhere: a constant term missing in the derivative?"
                )
    wrong = np.sum(np.abs(excess) > _SAME * largest)
    if 0 < wrong <= analytic.size / 2:
        return f"{wrong} of {analytic.size} compared entries are wrong, the others are right"
    return ""


def _same(a: Array, b: Array) -> bool:
    return bool(np.max(np.abs(a - b)) <= _SAME * np.max(np.abs(b)))


def _describe_ratio(ratio: float, clues: Clues) -> str:
    known = {
        2.0: "twice the right value: a missing 1/2?",
        0.5: "half the right value: a missing factor 2, or a 1/2 too many?",
        -1.0: "the sign is flipped",
    }
    for length in clues.lengths:
        if length > 2:
            which = f"and {length} is the length of an axis or the size of an array"
            known[float(length)] = f"{length} times the right value, {which}: a missing 1/{length}?"
            known[1 / length] = (
                f"1/{length} of the right value, {which}: divided once too often, or a mean instead of a sum?"
            )
    if len(clues.upstream) == 1 and clues.upstream[0].size == 1 and np.all(clues.upstream[0] != 0):
        known[1 / float(clues.upstream[0].item())] = "right for dy = 1: is dy ignored?"
    for value, text in known.items():
        if abs(ratio - value) <= _SAME * abs(value):
            return text
    return f"every entry is {ratio:.6g} times the right value"
