"""Recognise the shape of a wrong gradient: what it looks like often says which line is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_SAME = 1e-4  # relative difference up to which two gradients count as the same


def recognise(
    name: str, analytic: Array, numeric: Array, gradients: Mapping[str, Array], lengths: Sequence[int]
) -> str:
    """Describe how a wrong gradient differs from the right one.

    Parameters
    ----------
    name : str
        The argument's name.
    analytic, numeric : arrays of one shape
        Its gradient, wrong and right: whole, or the entries that were sampled, as a vector.
    gradients : mapping of str to array
        The right gradients of all arguments, whole, as far as they are known.
    lengths : sequence of int
        Lengths of axes and sizes of arrays, the arguments' and results': the batch size is one of them.

    Returns
    -------
    str
        One sentence; empty where nothing is recognised.

    Examples
    --------
    >>> right = np.array([1.0, -2.0])
    >>> recognise("x", 2 * right, right, {}, [7])
    'twice the right value: a missing 1/2?'
    """
    if not np.all(np.isfinite(analytic)):
        return "it has entries that are not finite"
    if not np.any(numeric):
        return "the right gradient is zero"
    if not np.any(analytic):
        return "it is zero: no gradient gets here"
    ratio = float(np.vdot(numeric, analytic) / np.vdot(numeric, numeric))
    if _same(analytic, ratio * numeric):
        return _describe_ratio(ratio, lengths)
    if analytic.ndim == 2 and analytic.shape[0] == analytic.shape[1] and _same(analytic, numeric.T):
        return "it is the transpose of the right gradient"
    for other, gradient in gradients.items():
        if other != name and gradient.shape == analytic.shape and _same(analytic, gradient):
            return f"it is the gradient of {other}"
    wrong = np.abs(analytic - numeric) > _SAME * np.max(np.abs(numeric))
    if 0 < np.sum(wrong) <= analytic.size / 2:
        return f"{np.sum(wrong)} of {analytic.size} compared entries are wrong, the rest is right"
    return ""


def _same(a: Array, b: Array) -> bool:
    return bool(np.max(np.abs(a - b)) <= _SAME * np.max(np.abs(b)))


def _describe_ratio(ratio: float, lengths: Sequence[int]) -> str:
    if abs(ratio - 1) <= _SAME:
        return ""
    known = {
        2.0: "twice the right value: a missing 1/2?",
        0.5: "half the right value: a factor 2 lost, or a 1/2 too many?",
        -1.0: "the sign is flipped",
    }
    for length in lengths:
        if length > 2:
            which = f"and {length} is the length of an axis or the size of an array"
            known[float(length)] = f"{length} times the right value, {which}: a missing 1/{length}?"
            known[1 / length] = (
                f"1/{length} of the right value, {which}: divided once too often, or a mean for a sum?"
            )
    for value, text in known.items():
        if abs(ratio - value) <= _SAME * abs(value):
            return text
    return f"every entry is {ratio:.6g} times the right value"
