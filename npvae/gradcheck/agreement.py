"""How far two runs of the same gradient code may differ: by rounding, and no further."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# What rounding in a correct gradient may amount to, relative to that gradient's largest entry.
_ROUNDING = {np.dtype(np.float16): 2e-2, np.dtype(np.float32): 2e-4}
_ROUNDING_FLOAT64 = 1e-9
# Rounding that remains where large terms cancel, in multiples of eps * (size of the terms).
CANCELLATION = 32.0


def allowance(dtype: npt.DTypeLike, scale: float, terms: float) -> float:
    """Return what rounding may amount to in a gradient, absolutely.

    Parameters
    ----------
    dtype : dtype
        The dtype that the gradient is computed in.
    scale : float
        Its largest entry.
    terms : float
        Size of the terms that are added up to it; where they cancel, their rounding errors remain.
    """
    dtype = np.dtype(dtype)
    return _ROUNDING.get(dtype, _ROUNDING_FLOAT64) * scale + CANCELLATION * float(np.finfo(dtype).eps) * terms


def difference(
    found: Sequence[Any],
    expected: Sequence[Array],
    names: Sequence[str],
    terms: Sequence[float],
    scales: Sequence[float] | None = None,
    dtype: npt.DTypeLike | None = None,
) -> str:
    """Describe where gradients differ by more than rounding; empty where they do not.

    Parameters
    ----------
    found, expected : sequences of arrays
        Two answers to the same question.
    names : sequence of str
        What each is the gradient of.
    terms : sequence of float
        See `allowance`.
    scales : sequence of float, optional
        The scale of each, where it is more than the largest expected entry.
    dtype : dtype, optional
        The dtype of the coarser computation; by default that of `expected`.
    """
    for k, (a, b, name) in enumerate(zip(found, expected, names, strict=True)):
        a, b = np.asarray(a), np.asarray(b)
        if a.shape != b.shape:
            return f"the gradient of {name} has shape {a.shape}, not {b.shape}"
        if a.dtype.kind not in "fiu" or b.dtype.kind not in "fiu":
            if a.dtype != b.dtype:
                return f"the gradient of {name} has dtype {a.dtype}, not {b.dtype}"
            continue
        with np.errstate(all="ignore"):
            distance = np.asarray(np.abs(a.astype(np.float64) - b.astype(np.float64)))
        distance[(a == b) | (np.isnan(a) & np.isnan(b))] = 0.0
        scale = max(largest(b), 0.0 if scales is None else scales[k])
        kind = dtype or (b.dtype if b.dtype.kind == "f" else np.dtype(np.float64))
        if not np.all(distance <= allowance(kind, scale, terms[k])):
            at = np.unravel_index(int(np.argmax(np.nan_to_num(distance, nan=np.inf))), distance.shape)
            place = f"{name}[{', '.join(str(int(i)) for i in at)}]" if at else name
            return f"the gradient of {place} is {_apart(float(a[at]), float(b[at]))}"
    return ""


def largest(x: Any) -> float:
    """Return the largest finite absolute value in an array or a number; 0 where there is none."""
    values = np.abs(np.asarray(x, np.float64))
    return float(np.max(values, initial=0.0, where=np.isfinite(values)))


def _apart(a: float, b: float) -> str:
    """Write two different numbers with so many digits that they look different."""
    texts = next((f"{a:.{n}g}", f"{b:.{n}g}") for n in (6, 10, 17) if f"{a:.{n}g}" != f"{b:.{n}g}" or n == 17)
    return f"{texts[0]}, not {texts[1]}"
