"""Check the gradient of a whole network with respect to its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from .arguments import computation_dtypes, copied, evaluation_dtype, leading_lengths
from .compare import compare
from .measure import Objective
from .probes import Budget, generator
from .report import Report

Array = npt.NDArray[Any]


def check_network(
    network: Any,
    params: Mapping[str, Array],
    *args: Any,
    seed: int = 0,
    n_entries: int = Budget().n_entries,
    n_coordinates: int = Budget().n_coordinates,
    n_projections: int = Budget().n_projections,
) -> Report:
    """Check a network's gradient with respect to its parameters.

    Parameters
    ----------
    network : object
        ``network.loss_and_grad(params, *args) -> (loss, grads)``: loss is a real scalar, or has one as
        ``loss.total``; grads maps each parameter's name to its gradient. Where there is a method
        ``network.loss(params, *args) -> loss`` too, the oracles evaluate that, which saves the backward pass.
    params : mapping of str to array
        The parameters: a dict of arrays, or a mapping with ``astype(dtype)`` and ``copy()`` into which arrays
        can be assigned by name.
    *args
        What else the loss depends on: data, noise. Held fixed; floating arrays come as float64 copies.
    seed : int
        Draws the sampled entries and the projections.
    n_entries : int
        A parameter with up to this many entries is checked entry by entry.
    n_coordinates, n_projections : int
        For each larger parameter: how many entries, drawn at random, and how many random projections.

    Returns
    -------
    Report
        One entry for each parameter.

    Raises
    ------
    ValueError
        When the names of the gradients are not those of the parameters, or there are no parameters.

    Notes
    -----
    One evaluation by complex step and six or more by central differences are made for each derivative. The
    parameters become complex; `args` stay real.

    Examples
    --------
    >>> class Line:
    ...     def loss_and_grad(self, params, x, y):
    ...         residual = params["w"] * x - y
    ...         return np.sum(residual**2), {"w": np.sum(2 * residual * x, keepdims=True)}
    >>> x = np.arange(4.0)
    >>> check_network(Line(), {"w": np.array([0.5])}, x, x**2).passed
    True
    """
    names = list(params)
    given = {name: np.array(params[name]) for name in names}
    frozen = _converted(params, None)
    fixed = [copied(arg) for arg in args]

    result, grads = network.loss_and_grad(params, *args)
    if not names or set(grads) != set(names):
        raise ValueError(f"the gradients are named {sorted(grads)}, the parameters {sorted(names)}")

    def loss(dtype: npt.DTypeLike | None, name: str, x: Array) -> Any:
        """Evaluate the loss with x for one parameter, in complex arithmetic where x is complex."""
        point = _converted(frozen, np.complex128 if np.iscomplexobj(x) else dtype)
        point[name] = x
        inputs = [copied(arg, dtype) for arg in fixed]
        if hasattr(network, "loss"):
            return _total(network.loss(point, *inputs))
        return _total(network.loss_and_grad(point, *inputs)[0])

    dtype = evaluation_dtype(lambda: loss(np.float64, names[0], given[names[0]]), [*given.values(), *fixed])
    objectives = [
        Objective(
            name,
            copied(given[name], dtype),
            partial(loss, dtype, name),
            magnitude=abs(float(_total(result))),
            eps=float(np.finfo(dtype or given[name].dtype).eps),
        )
        for name in names
    ]
    dtypes = computation_dtypes(list(given.values()))
    budget = Budget(n_entries, n_coordinates, n_projections)
    lengths = leading_lengths([*given.values(), *fixed])
    rng = generator(seed)
    entries = compare(objectives, [grads[name] for name in names], dtypes, lengths, budget, rng)

    title = f"check_network({type(network).__name__})"
    settings = "".join(f", {key}={value}" for key, value in zip(budget._fields, budget, strict=True))
    call = f"check_network(network, params, *args, seed={seed}{settings})"
    return Report(title, entries, seed, call)


def _converted(params: Any, dtype: npt.DTypeLike | None) -> Any:
    """Copy a mapping of parameters, into another dtype where one is given."""
    if hasattr(params, "astype"):
        return params.copy() if dtype is None else params.astype(dtype)
    return {name: copied(array, dtype) for name, array in params.items()}


def _total(loss: Any) -> Any:
    return getattr(loss, "total", loss)
