"""The scalar functions whose derivatives a vector-Jacobian product should be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from .agreement import largest
from .arguments import coarsest, copied, evaluation_dtype, lengths_of
from .compare import compare
from .objective import Objective
from .pair import Pair
from .probes import Budget
from .report import Entry
from .structure import leaves

Array = npt.NDArray[Any]


def objectives_of(
    pair: Pair,
    args: Sequence[Any],
    positions: Sequence[int],
    labels: Sequence[str],
    parts: Sequence[Array],
    dys: Sequence[Array],
) -> list[Objective]:
    """Return L(arg) = sum(dy * y) for each argument, all others held.

    Parameters
    ----------
    pair : Pair
        Its forward is evaluated.
    args : sequence
        The point. Nothing here changes it.
    positions : sequence of int
        The arguments that are differentiated.
    labels : sequence of str
        The names of all arguments.
    parts, dys : sequences of arrays
        The parts of y at the point, and the upstream gradient of each.
    """
    weights = [np.asarray(dy, np.float64) for dy in dys]
    converted: dict[Any, list[Any]] = {}  # the arguments, in the dtype of each kind of evaluation

    def terms(
        dtype: npt.DTypeLike | None, k: int, x: Array, shifts: dict[int, Array] | None = None
    ) -> list[Any]:
        """Evaluate dy * y with x for argument k, in complex arithmetic where x is complex."""
        wrt_dtype = np.complex128 if np.iscomplexobj(x) else dtype
        if wrt_dtype not in converted:
            converted[wrt_dtype] = [
                copied(arg, wrt_dtype if j in positions else dtype) for j, arg in enumerate(args)
            ]
        inputs = [None if j == k else copied(arg) for j, arg in enumerate(converted[wrt_dtype])]
        for j, shift in (shifts or {}).items():
            inputs[j] = np.asarray(inputs[j] + shift, np.asarray(inputs[j]).dtype)[()]
        inputs[k] = x if isinstance(args[k], np.ndarray) else x[()]
        outputs = leaves(pair.run(inputs)[0])
        return [weight * part for weight, part in zip(weights, outputs, strict=True)]

    def loss(dtype: npt.DTypeLike | None, k: int, x: Array, shifts: dict[int, Array] | None = None) -> Any:
        return sum(np.add.reduce(term, axis=None) for term in terms(dtype, k, x, shifts))

    def flat(dtype: npt.DTypeLike | None, k: int, x: Array) -> Array:
        return np.concatenate([np.ravel(term) for term in terms(dtype, k, x)])

    def beside(
        dtype: npt.DTypeLike | None, k: int, rng: np.random.Generator, size: float
    ) -> Callable[[Array], Any]:
        """Return L(arg) with every other argument that is differentiated moved a little."""
        shifts = {
            j: size * max(1.0, largest(args[j])) * rng.standard_normal(np.shape(args[j]))
            for j in positions
            if j != k
        }
        return partial(loss, dtype, k, shifts=shifts)

    first = positions[0]
    dtype = evaluation_dtype(lambda: loss(np.float64, first, np.asarray(args[first], np.float64)), args)
    squares = sum(float(np.sum((w * part) ** 2)) for w, part in zip(weights, parts, strict=True))
    return [
        Objective(
            labels[k],
            np.asarray(copied(args[k], dtype)),
            partial(loss, dtype, k),
            magnitude=float(np.sqrt(squares)),
            eps=float(max(np.finfo(dtype or part.dtype).eps for part in parts)),
            upstream=max(map(largest, weights)),
            terms=partial(flat, dtype, k),
            beside=partial(beside, dtype, k),
        )
        for k in positions
    ]


def entries_at(
    pair: Pair,
    args: Sequence[Any],
    positions: Sequence[int],
    labels: Sequence[str],
    parts: Sequence[Array],
    dys: Sequence[Array],
    gradients: Sequence[Any],
    budget: Budget,
    rng: np.random.Generator,
) -> tuple[Entry, ...]:
    """Compare gradients at a point with what the oracles find there; one entry for each position."""
    objectives = objectives_of(pair, args, positions, labels, parts, dys)
    dtype = coarsest([args[k] for k in positions])
    return compare(objectives, gradients, dtype, lengths_of([*args, *parts]), budget, rng)
