"""Check the gradient of a whole network with respect to its parameters."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .agreement import difference
from .arguments import coarsest, copied, lengths_of, quiet
from .compare import compare
from .network_objectives import network_objectives
from .network_run import NetworkRun, converted, floating_names, named, same_loss
from .probes import Budget, budget_of, generator
from .quick import quick_entries
from .report import Check, Entry, Report
from .structure import Snapshot

Array = npt.NDArray[Any]

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
        that one random projection of each parameter, as `npvae.gradcheck.quick` does it, and 16 entries and
        4 projections of those whose gradient is wrong there.

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
        entries, checks = _look(run, params, args, asked, generator(seed))
    if run.noise.drawn:
        text = f"the network draws from {', '.join(run.noise.drawn)}, reset before each evaluation"
        checks.append(Check("noise", "note", text))
    title = f"check_network({type(network).__name__})"
    settings = "".join(f", {key}={value}" for key, value in asked.items())
    call = f"check_network(network, params, *args, seed={seed}{settings})"
    return Report(title, entries, seed, call, tuple(checks))


def _look(
    run: NetworkRun, params: Any, args: Sequence[Any], asked: dict[str, int], rng: np.random.Generator
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
        return tuple(Entry(name, given[name].shape, "inconclusive", hint=hint) for name in names), checks
    if text := run.settle_loss(loss, converted(frozen, None), [copied(arg) for arg in fixed], dtype):
        checks.append(Check("loss", "note", text))
    return _compared(run, frozen, given, fixed, loss, grads, asked, rng), checks


def _compared(
    run: NetworkRun,
    params: Any,
    given: Mapping[str, Array],
    fixed: list[Any],
    loss: Any,
    grads: Mapping[str, Any],
    asked: dict[str, int],
    rng: np.random.Generator,
) -> tuple[Entry, ...]:
    """Compare the gradients: of a large network quickly, and closely where that finds something wrong."""
    objectives, together = network_objectives(run, params, given, fixed, abs(float(loss)))
    dtype = coarsest(given.values())
    budget = budget_of(max(array.size for array in given.values()), **asked)
    quick: dict[str, Entry] = {}
    if not asked and sum(array.size for array in given.values()) > _LARGE:
        quick = quick_entries(objectives, grads, dtype, together, rng) or {}
        budget = _SECOND_LOOK
    names = list(given)
    wanted = [k for k, name in enumerate(names) if name not in quick or quick[name].verdict != "pass"]
    looked = compare(
        [objectives[k] for k in wanted],
        [grads[names[k]] for k in wanted],
        dtype,
        lengths_of([*given.values(), *fixed]),
        budget,
        rng,
    )
    by_name = {**quick, **{entry.name: entry for entry in looked}}
    return tuple(by_name[name] for name in names)


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
        where = (
            "Pass the noise, or a numpy.random.Generator, as an argument, or hold the generator in network"
        )
        return Check("repeatable", "inconclusive", f"{text}. {where}")
    numeric = [name for name, g in grads.items() if g is not None and g.dtype.kind in "fiu"]
    expected = [grads[name] for name in numeric]
    scales = [float(np.max(np.abs(array), initial=0.0)) for array in expected]
    floating = [array.dtype for array in expected if array.dtype.kind == "f"]
    kind = min(floating, key=lambda d: d.itemsize, default=None)
    where = difference([found.get(name) for name in numeric], expected, numeric, scales, dtype=kind)
    if where:
        text = f"{same} something else: {where}; fresh noise, gradients that add up, or a stale cache"
        return Check("repeatable", "fail", text)
    return Check("repeatable", "pass")


def _type(value: Any) -> str:
    return str(value.dtype) if isinstance(value, np.ndarray) else type(value).__name__


def _sorted(names: Iterable[Any]) -> list[str]:
    return sorted(map(str, names))
