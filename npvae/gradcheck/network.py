"""Check the gradient of a whole network with respect to its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from .agreement import difference
from .arguments import computation_dtypes, copied, evaluation_dtype, leading_lengths
from .compare import compare
from .objective import Objective
from .probes import Budget, generator
from .quick import quick_entries
from .report import Check, Entry, Report
from .structure import Snapshot

Array = npt.NDArray[Any]

_LARGE = 20_000  # parameters beyond which a network is checked on one projection of each
_SECOND_LOOK = Budget(n_entries=0, n_coordinates=16, n_projections=4)


def check_network(
    network: Any,
    params: Mapping[str, Array],
    *args: Any,
    seed: int = 0,
    n_entries: int | None = None,
    n_coordinates: int | None = None,
    n_projections: int | None = None,
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
    n_entries : int, optional
        A parameter with up to this many entries is checked entry by entry.
    n_coordinates, n_projections : int, optional
        For each larger parameter: how many entries, drawn at random, and how many random projections.
        Where none of the three is given: 2000, 64 and 8 for a network of up to 20,000 parameters; beyond
        that one random projection of each parameter, as `npvae.gradcheck.quick` does it, and 16 entries and
        4 projections of those whose gradient is wrong there.

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

    before = Snapshot(params=dict(params), args=[arg for arg in args if isinstance(arg, np.ndarray)])
    result, grads = network.loss_and_grad(params, *[copied(arg) for arg in args])
    grads = {name: np.array(grads[name]) for name in grads}
    changed = before.changed()
    before.restore()
    if not names or set(grads) != set(names):
        raise ValueError(f"the gradients are named {sorted(grads)}, the parameters {sorted(names)}")

    kept: dict[Any, Any] = {}  # copies of the parameters, in other dtypes

    def loss(dtype: npt.DTypeLike | None, name: str, x: Array) -> Any:
        """Evaluate the loss with x for one parameter, in complex arithmetic where x is complex."""
        return evaluate(dtype, {name: x})

    def evaluate(dtype: npt.DTypeLike | None, replaced: Mapping[str, Array]) -> Any:
        """Evaluate the loss with some of the parameters replaced."""
        point_dtype = np.complex128 if any(map(np.iscomplexobj, replaced.values())) else dtype
        everything = len(replaced) == len(names)  # then there is nothing to put back
        if (everything, point_dtype) not in kept:
            kept[everything, point_dtype] = _converted(frozen, point_dtype)
        point = kept[everything, point_dtype]
        for name, x in replaced.items():
            point[name] = x
        try:
            inputs = [copied(arg, dtype) for arg in fixed]
            if hasattr(network, "loss"):
                return _total(network.loss(point, *inputs))
            return _total(network.loss_and_grad(point, *inputs)[0])
        finally:
            for name in () if everything else replaced:
                point[name] = np.array(given[name], point[name].dtype if point_dtype is None else point_dtype)

    def beside(
        dtype: npt.DTypeLike | None, name: str, rng: np.random.Generator, size: float
    ) -> Callable[[Array], Any]:
        """Return the loss with all parameters but one moved a little."""
        moved = {}
        for other, array in given.items():
            shift = size * max(1.0, float(np.max(np.abs(array), initial=0.0)))
            moved[other] = np.asarray(array + shift * rng.normal(size=array.shape), dtype or array.dtype)
        return lambda x: evaluate(dtype, {**moved, name: x})

    dtype = evaluation_dtype(lambda: loss(np.float64, names[0], given[names[0]]), [*given.values(), *fixed])
    objectives = [
        Objective(
            name,
            copied(given[name], dtype),
            partial(loss, dtype, name),
            magnitude=abs(float(_total(result))),
            eps=float(np.finfo(dtype or given[name].dtype).eps),
            beside=partial(beside, dtype, name),
        )
        for name in names
    ]
    dtypes = computation_dtypes(list(given.values()))
    lengths = leading_lengths([*given.values(), *fixed])
    rng = generator(seed)
    told = {"n_entries": n_entries, "n_coordinates": n_coordinates, "n_projections": n_projections}
    asked = {key: value for key, value in told.items() if value is not None}
    budget = Budget(**asked)
    found: dict[str, Entry] | None = None
    if not asked and sum(array.size for array in given.values()) > _LARGE:
        found = quick_entries(objectives, grads, dtypes, partial(evaluate, dtype), 1, rng)
        budget = _SECOND_LOOK
    wanted = [k for k, name in enumerate(names) if found is None or found[name].verdict != "pass"]
    looked = compare(
        [objectives[k] for k in wanted],
        [grads[names[k]] for k in wanted],
        [dtypes[k] for k in wanted],
        lengths,
        budget,
        rng,
    )
    by_name = {**(found or {}), **{entry.name: entry for entry in looked}}
    entries = tuple(by_name[name] for name in names)

    title = f"check_network({type(network).__name__})"
    settings = "".join(f", {key}={value}" for key, value in asked.items())
    call = f"check_network(network, params, *args, seed={seed}{settings})"
    checks = (_unchanged(changed), _repeatable(network, _converted(frozen, None), fixed, grads))
    return Report(title, entries, seed, call, checks)


def _unchanged(changed: list[str]) -> Check:
    name = "unchanged inputs"
    if changed:
        return Check(name, "fail", f"loss_and_grad changes {', '.join(changed)}")
    return Check(name, "pass")


def _repeatable(network: Any, params: Any, fixed: list[Any], grads: Mapping[str, Array]) -> Check:
    """Call loss_and_grad elsewhere, then here once more: the gradients must be the same, to rounding."""
    elsewhere = _converted(params, None)
    for name in grads:
        elsewhere[name] = np.asarray(0.5 * elsewhere[name], elsewhere[name].dtype)
    network.loss_and_grad(elsewhere, *[copied(arg) for arg in fixed])
    again = network.loss_and_grad(params, *[copied(arg) for arg in fixed])[1]
    floating = [array.dtype for array in grads.values() if array.dtype.kind == "f"]
    kind = min(floating, key=lambda d: d.itemsize, default=None)
    scales = [float(np.max(np.abs(array), initial=0.0)) for array in grads.values()]
    where = difference([again[name] for name in grads], list(grads.values()), list(grads), scales, dtype=kind)
    if where:
        text = f"a second call with the same arguments returns something else: {where}"
        return Check("repeatable", "fail", f"{text}; fresh noise, gradients that add up, or a stale cache")
    return Check("repeatable", "pass")


def _converted(params: Any, dtype: npt.DTypeLike | None) -> Any:
    """Copy a mapping of parameters, into another dtype where one is given."""
    if hasattr(params, "astype"):
        return params.copy() if dtype is None else params.astype(dtype)
    return {name: copied(array, dtype) for name, array in params.items()}


def _total(loss: Any) -> Any:
    return getattr(loss, "total", loss)
