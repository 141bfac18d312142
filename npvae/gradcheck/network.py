"""Check the gradient of a whole network with respect to its parameters."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from .arguments import coarsest, copied, evaluation_dtype, is_floating, lengths_of, quiet
from .hints import Clues
from .judge import allowance, compare, judge, mismatch
from .measure import measure_together
from .objective import Budget, Objective, budget_of, generator, nan_where_refused
from .objects import Snapshot
from .report import Check, Entry, Reason, Report, one_cause
from .state import Noise

Array = npt.NDArray[Any]


def named(params: Any) -> dict[str, Any]:
    """Return parameters by name; those of a list are ``params[0]``, ``params[1]`` and so on.

    Raises
    ------
    TypeError
        When they are neither a mapping nor a list, or one of them is a container itself.
    """
    if isinstance(params, Mapping):
        found = {name: params[name] for name in params}
    elif isinstance(params, list | tuple):
        found = {f"params[{k}]": value for k, value in enumerate(params)}
    else:
        raise TypeError(f"params must map names to arrays, or be a list of arrays, not {_kind(params)}")
    for name, value in found.items():
        if isinstance(value, Mapping | list | tuple):
            place = name if isinstance(params, list | tuple) else f"params[{name!r}]"
            raise TypeError(
                f"{place} is {_kind(value)}: params must hold arrays, each under a name of its own"
            )
    return found


class NetworkRun:
    """A network's two functions on parameters by name, all generators as they were at first.

    Parameters
    ----------
    network : object
        With ``loss_and_grad(params, *args)``, and perhaps ``loss(params, *args)``.
    params : mapping of str to array, or list of arrays
        As the network takes them.

    Attributes
    ----------
    noise : Noise
        The generators.
    has_loss : bool
        Whether the loss is evaluated by ``network.loss``.

    Raises
    ------
    TypeError
        When the network has no method loss_and_grad.
    """

    def __init__(self, network: Any, params: Any) -> None:
        if not callable(getattr(network, "loss_and_grad", None)):
            raise TypeError(
                f"{_kind(network)} has no method loss_and_grad; check_network needs an object with "
                "loss_and_grad(params, *args) -> (loss, grads)"
            )
        self.noise = Noise(network=network)
        self.has_loss = callable(getattr(network, "loss", None))
        self._network = network
        self._params = params

    def kept(self) -> AbstractContextManager[None]:
        """Leave all generators afterwards as they were at first."""
        return self.noise.kept()

    def loss_and_grad(self, point: Any, args: Sequence[Any]) -> tuple[Any, dict[str, Any]]:
        """Return the loss, and copies of the gradients by name; None stays None."""
        result = self._call(self._network.loss_and_grad, point, args)
        if not isinstance(result, tuple | list) or len(result) != 2:
            raise TypeError(f"loss_and_grad must return a pair (loss, grads), not {_kind(result)}")
        grads = result[1]
        if isinstance(self._params, list | tuple):
            if not isinstance(grads, list | tuple):
                raise TypeError(f"params is a list, so the gradients must be one too, not {_kind(grads)}")
            grads = {f"params[{k}]": gradient for k, gradient in enumerate(grads)}
        elif not isinstance(grads, Mapping):
            raise TypeError(f"the gradients must be a mapping, with the names of params, not {_kind(grads)}")
        copies = {name: None if grads[name] is None else np.array(grads[name]) for name in grads}
        return _number(result[0]), copies

    def loss(self, point: Any, args: Sequence[Any]) -> Any:
        """Return the loss alone."""
        if self.has_loss:
            return _number(self._call(self._network.loss, point, args))
        result = self._call(self._network.loss_and_grad, point, args)
        return _number(result[0])

    def settle_loss(self, expected: Any, point: Any, args: Sequence[Any], dtype: npt.DTypeLike) -> str:
        """Use ``network.loss`` only where it returns the loss of loss_and_grad; say why, if it does not."""
        if not self.has_loss:
            return ""
        try:
            with quiet():
                found = self.loss(point, args)
        except Exception as error:  # it may be another function altogether
            reason = f"it raises {type(error).__name__}"
        else:
            if same_loss(found, expected, dtype):
                return ""
            reason = f"it returns {found:.8g}, loss_and_grad {expected:.8g}"
        self.has_loss = False
        return f"the method loss is not used: {reason}"

    def _call(self, function: Any, point: Any, args: Sequence[Any]) -> Any:
        if isinstance(self._params, list | tuple):
            values, kind = list(point.values()), type(self._params)
            point = kind(*values) if hasattr(kind, "_fields") else kind(values)
        self.noise.reset()
        result = function(point, *args)
        self.noise.look()
        return result


def same_loss(a: Any, b: Any, dtype: npt.DTypeLike) -> bool:
    """Say whether two losses are equal up to rounding in a dtype; NaN equals NaN."""
    if a == b or (np.isnan(a) and np.isnan(b)):
        return True
    return bool(abs(a - b) <= allowance(dtype, abs(b), abs(b)))


def converted(params: Any, dtype: npt.DTypeLike | None) -> Any:
    """Copy a mapping of parameters, the floating ones into another dtype where one is given."""
    if hasattr(params, "astype"):
        return params.copy() if dtype is None else params.astype(dtype)
    return {name: copied(array, dtype) for name, array in params.items()}


def floating_names(params: Mapping[str, Any]) -> list[str]:
    """Return the names of the parameters that can be differentiated.

    Raises
    ------
    ValueError
        When there is none.
    """
    names = [name for name, value in params.items() if is_floating(value)]
    if not names:
        raise ValueError("no parameter is a floating array: there is nothing to differentiate")
    return names


def _number(loss: Any) -> Any:
    """Return the loss as a scalar: it itself, or what it has as ``total``."""
    value = getattr(loss, "total", loss)
    if isinstance(value, tuple | list | Mapping) or np.asarray(value).dtype.kind not in "fciu":
        raise TypeError(
            f"the loss must be a real number, or have one as loss.total, but it is {_kind(value)}"
        )
    if np.size(value) != 1:
        raise TypeError(f"the loss must be a single number, but it has shape {np.shape(value)}")
    return value if np.ndim(value) == 0 else np.reshape(value, ())[()]


def _kind(value: Any) -> str:
    """Say what kind of thing a value is."""
    name = type(value).__name__
    article = "an" if name[0].lower() in "aeiou" else "a"
    count = f" of {len(value)}" if isinstance(value, tuple | list | Mapping) else ""
    return "None" if value is None else f"{article} {name}{count}"


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
        value = evaluate(dtype, {name: x})
        if np.asarray(value).dtype == np.complex64:  # in which a complex step underflows
            raise TypeError("the loss is computed in complex64")
        return value

    def beside(
        dtype: npt.DTypeLike | None, name: str, rng: np.random.Generator, size: float
    ) -> Callable[[Array], Any]:
        """Return the loss with all parameters but one moved a little."""
        moved = {}
        for other, array in given.items():
            shift = size * max(1.0, float(np.max(np.abs(array), initial=0.0)))
            moved[other] = np.asarray(array + shift * rng.normal(size=array.shape), dtype or array.dtype)
        return nan_where_refused(lambda x: evaluate(dtype, {**moved, name: x}))

    first = next(iter(given))
    dtype = evaluation_dtype(lambda: loss(np.float64, first, given[first]), [*given.values(), *fixed])
    with quiet():
        result = np.asarray(loss(dtype, first, copied(given[first], dtype)))
    eps = float(np.finfo(result.dtype).eps) if result.dtype.kind == "f" else 0.0
    objectives = [
        Objective(
            name,
            copied(array, dtype),
            nan_where_refused(partial(loss, dtype, name)),
            magnitude=magnitude,
            eps=max(eps, float(np.finfo(dtype or array.dtype).eps)),
            beside=partial(beside, dtype, name),
        )
        for name, array in given.items()
    ]
    return objectives, partial(evaluate, dtype)


_LARGE = 20_000  # parameters beyond which a network is checked on one projection of each
_SECOND_LOOK = Budget(n_entries=0, n_coordinates=16, n_projections=4)


def check_network(
    network: Any,
    params: Mapping[str, Array] | Sequence[Array],
    *args: Any,
    seed: int = 0,
    n_entries: int | None = None,
    n_coordinates: int | None = None,
    n_projections: int | None = None,
    rtol: float = 0.0,
) -> Report:
    """Check a network's gradient with respect to its parameters.

    Parameters
    ----------
    network : object
        ``network.loss_and_grad(params, *args) -> (loss, grads)``: loss is a real scalar, or has one as
        ``loss.total``; grads maps each parameter's name to its gradient. Where there is a method
        ``network.loss(params, *args) -> loss`` too, and it returns the same loss, the oracles evaluate that,
        which saves the backward pass. Random generators that the network holds, and NumPy's global one, are
        reset to the same state before each evaluation: noise that is drawn from them is held fixed.
    params : mapping of str to array, or list of arrays
        The parameters: a dict of arrays, or a mapping with ``astype(dtype)`` and ``copy()`` into which arrays
        can be assigned by name. The gradients of a list are a list. What is not floating, such as the number
        of steps, is handed through and needs no gradient.
    *args
        What else the loss depends on: data, noise. Held fixed; floating arrays come as float64 copies.
    seed : int
        Draws the sampled entries and the projections.
    n_entries : int, optional
        A parameter with up to this many entries is checked entry by entry.
    n_coordinates, n_projections : int, optional
        For each larger parameter: how many entries, drawn at random, and how many random projections.
        Where none of the three is given: 2000, 64 and 8 for a network of up to 20,000 parameters; beyond
        that one random projection of each parameter, and 16 entries and 4 projections of those whose gradient
        is wrong there.
    rtol : float
        Additional tolerance, relative to a gradient's largest entry.

    Returns
    -------
    Report
        One entry for each floating parameter. Where two calls with the same arguments return different
        losses nothing is compared, and these entries are "inconclusive".

    Raises
    ------
    TypeError
        When network has no loss_and_grad, or `params`, or what loss_and_grad returns, is of the wrong kind.
    ValueError
        When the names of the gradients are not those of the parameters, or no parameter is floating.

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
    run = NetworkRun(network, params)
    told = {"n_entries": n_entries, "n_coordinates": n_coordinates, "n_projections": n_projections}
    asked = {key: value for key, value in told.items() if value is not None}
    with run.kept():
        entries, checks = _look(run, params, args, asked, generator(seed), rtol)
    if run.noise.drawn:
        checks.append(Check("noise", "note", run.noise.remark))
    title = f"check_network({type(network).__name__})"
    settings = "".join(f", {key}={value}" for key, value in asked.items())
    settings += f", rtol={rtol}" if rtol else ""
    call = f"check_network(network, params, *args, seed={seed}{settings})"
    return Report(title, entries, seed, call, tuple(checks))


def _look(
    run: NetworkRun,
    params: Any,
    args: Sequence[Any],
    asked: dict[str, int],
    rng: np.random.Generator,
    rtol: float,
) -> tuple[tuple[Entry, ...], list[Check]]:
    """Make all checks; none of the gradients where the loss does not repeat."""
    point = params if isinstance(params, Mapping) else named(params)
    names = floating_names(named(params))
    given = {name: np.array(point[name]) for name in names}
    frozen = converted(point, None)
    fixed = [copied(arg) for arg in args]

    before = Snapshot(
        params=dict(point) if point is params else params,
        args=[arg for arg in args if isinstance(arg, np.ndarray)],
    )
    loss, found = run.loss_and_grad(point, [copied(arg) for arg in args])
    changed = before.changed()
    before.restore()
    if np.iscomplexobj(loss):
        raise TypeError("the loss must be a real number, but it is complex")
    if not set(names) <= set(found) <= set(frozen):
        text = f"the gradients are named {_sorted(found)}, the parameters {_sorted(names)}"
        hint = "; for a parameter without a gradient return zeros" if set(found) < set(names) else ""
        raise ValueError(text + hint)
    grads = {name: found[name] for name in names}

    text = f"loss_and_grad changes {', '.join(changed)}"
    checks = [Check("unchanged inputs", "fail", text) if changed else Check("unchanged inputs", "pass")]
    others = [f"{name} ({_type(frozen[name])})" for name in frozen if name not in names]
    if others:
        text = f"not floating, so not differentiated and no gradient compared: {', '.join(others)}"
        checks.append(Check("left as they are", "note", text))
    dtype = coarsest([*given.values(), *fixed, *grads.values()])
    repeated = _repeatable(run, frozen, fixed, loss, grads, dtype)
    checks.append(repeated)
    if repeated.verdict == "inconclusive":
        hint = "not compared: the loss does not repeat"
        return tuple(
            Entry(name, given[name].shape, "inconclusive", hint=hint, reason=Reason.NOT_COMPARED)
            for name in names
        ), checks
    if text := run.settle_loss(loss, converted(frozen, None), [copied(arg) for arg in fixed], dtype):
        checks.append(Check("loss", "note", text))
    entries = _compared(run, frozen, given, fixed, loss, grads, asked, rng, rtol)
    return entries, checks + one_cause(entries)


def _compared(
    run: NetworkRun,
    params: Any,
    given: Mapping[str, Array],
    fixed: list[Any],
    loss: Any,
    grads: Mapping[str, Any],
    asked: dict[str, int],
    rng: np.random.Generator,
    rtol: float,
) -> tuple[Entry, ...]:
    """Compare the gradients: of a large network quickly, and closely where that finds something wrong."""
    objectives, together = network_objectives(run, params, given, fixed, abs(float(loss)))
    dtype = coarsest(given.values())
    budget = budget_of(max(array.size for array in given.values()), **asked)
    quick: dict[str, Entry] = {}
    if not asked and sum(array.size for array in given.values()) > _LARGE:
        quick = _judged_together(objectives, grads, dtype, together, rng, rtol)
        budget = _SECOND_LOOK
    names = list(given)
    wanted = [k for k, name in enumerate(names) if name not in quick or quick[name].verdict != "pass"]
    looked = compare(
        [objectives[k] for k in wanted],
        [grads[names[k]] for k in wanted],
        dtype,
        Clues(lengths_of([*given.values(), *fixed])),
        budget,
        rng,
        rtol,
    )
    by_name = {**quick, **{entry.name: entry for entry in looked}}
    return tuple(by_name[name] for name in names)


def _judged_together(
    objectives: Sequence[Objective],
    grads: Mapping[str, Any],
    dtype: np.dtype[Any],
    together: Callable[[Mapping[str, Array]], Any],
    rng: np.random.Generator,
    rtol: float,
) -> dict[str, Entry]:
    """Judge each gradient along one direction; nothing where that says too little."""
    measurements = measure_together(objectives, together, rng) or []
    entries = {}
    for measurement in measurements:
        name, point = measurement.objective.name, measurement.objective.point
        gradient = np.asarray(grads[name])
        if gradient.shape == point.shape and gradient.dtype.kind in "fiu":
            entry = judge(measurement, gradient, dtype, rtol)
            entries[name] = replace(entry, checked=f"1 projection of {point.size}")
    return entries


def _repeatable(
    run: NetworkRun,
    params: Any,
    fixed: list[Any],
    loss: Any,
    grads: Mapping[str, Any],
    dtype: np.dtype[Any],
) -> Check:
    """Call loss_and_grad elsewhere, then here once more: it must return the same, to rounding."""
    elsewhere = converted(params, None)
    for name in grads:
        elsewhere[name] = np.asarray(0.5 * elsewhere[name], elsewhere[name].dtype)
    with contextlib.suppress(Exception), quiet():  # nobody promised that it would take this point
        run.loss_and_grad(elsewhere, [copied(arg) for arg in fixed])
    again, found = run.loss_and_grad(converted(params, None), [copied(arg) for arg in fixed])
    same = "a second call with the same arguments returns"
    if not same_loss(again, loss, dtype):
        text = f"{same} another loss, {again:.8g} and not {loss:.8g}: fresh noise, or state that it keeps"
        advice = (
            "Pass the noise, or a numpy.random.Generator, as an argument, or hold the generator in network"
        )
        return Check("repeatable", "inconclusive", f"{text}. {advice}")
    numeric = [name for name, g in grads.items() if g is not None and g.dtype.kind in "fiu"]
    expected = [grads[name] for name in numeric]
    scales = [float(np.max(np.abs(array), initial=0.0)) for array in expected]
    floating = [array.dtype for array in expected if array.dtype.kind == "f"]
    kind = min(floating, key=lambda d: d.itemsize, default=None)
    if where := mismatch([found.get(name) for name in numeric], expected, numeric, scales, dtype=kind):
        text = f"{same} something else: {where}; fresh noise, gradients that add up, or a stale cache"
        return Check("repeatable", "fail", text)
    return Check("repeatable", "pass")


def _type(value: Any) -> str:
    return str(value.dtype) if isinstance(value, np.ndarray) else type(value).__name__


def _sorted(names: Iterable[Any]) -> list[str]:
    return sorted(map(str, names))
