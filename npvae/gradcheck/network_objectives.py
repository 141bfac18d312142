"""The scalar functions whose derivatives a network's gradients should be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from .arguments import copied, evaluation_dtype
from .network_run import NetworkRun, converted
from .objective import Objective

Array = npt.NDArray[Any]


def network_objectives(
    run: NetworkRun, params: Any, given: Mapping[str, Array], fixed: Sequence[Any], magnitude: float
) -> tuple[list[Objective], Callable[[Mapping[str, Array]], Any]]:
    """Return the loss as a function of each parameter, and as one of all of them.

    Parameters
    ----------
    run : NetworkRun
        Its loss is evaluated.
    params : mapping
        All parameters. Nothing here changes them.
    given : mapping of str to array
        Those that are differentiated.
    fixed : sequence
        What else the loss depends on.
    magnitude : float
        Size of the loss.

    Returns
    -------
    objectives : list of Objective
        One for each parameter that is differentiated.
    together : callable
        ``together(arrays) -> loss``, with all of these replaced.
    """
    kept: dict[Any, Any] = {}  # copies of the parameters, in other dtypes

    def evaluate(dtype: npt.DTypeLike | None, replaced: Mapping[str, Array]) -> Any:
        """Evaluate the loss with some of the parameters replaced, in complex arithmetic where they are."""
        point_dtype = np.complex128 if any(map(np.iscomplexobj, replaced.values())) else dtype
        everything = len(replaced) == len(given)  # then there is nothing to put back
        if (everything, point_dtype) not in kept:
            kept[everything, point_dtype] = converted(params, point_dtype)
        point = kept[everything, point_dtype]
        for name, x in replaced.items():
            point[name] = x
        try:
            return run.loss(point, [copied(arg, dtype) for arg in fixed])
        finally:
            for name in () if everything else replaced:
                point[name] = np.array(given[name], point[name].dtype if point_dtype is None else point_dtype)

    def loss(dtype: npt.DTypeLike | None, name: str, x: Array) -> Any:
        return evaluate(dtype, {name: x})

    def beside(
        dtype: npt.DTypeLike | None, name: str, rng: np.random.Generator, size: float
    ) -> Callable[[Array], Any]:
        """Return the loss with all parameters but one moved a little."""
        moved = {}
        for other, array in given.items():
            shift = size * max(1.0, float(np.max(np.abs(array), initial=0.0)))
            moved[other] = np.asarray(array + shift * rng.normal(size=array.shape), dtype or array.dtype)
        return lambda x: evaluate(dtype, {**moved, name: x})

    first = next(iter(given))
    dtype = evaluation_dtype(lambda: loss(np.float64, first, given[first]), [*given.values(), *fixed])
    objectives = [
        Objective(
            name,
            copied(array, dtype),
            partial(loss, dtype, name),
            magnitude=magnitude,
            eps=float(np.finfo(dtype or array.dtype).eps),
            beside=partial(beside, dtype, name),
        )
        for name, array in given.items()
    ]
    return objectives, partial(evaluate, dtype)
