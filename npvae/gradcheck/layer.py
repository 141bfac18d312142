"""Check a layer that keeps its parameters, gradients and cache in attributes of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .agreement import difference
from .arguments import coarsest, copied, is_floating, quiet
from .layer_calls import require_layer, run_backward, run_forward, scale_of, split
from .layer_places import Parameter
from .layer_survey import survey
from .layer_tree import duplicate
from .pair import draw_like, noise_kept, saved
from .probes import generator
from .report import Check, Report
from .structure import like, parts_of
from .vjp import check_vjp

Array = npt.NDArray[Any]


def check_layer(
    layer: Any,
    x: Any,
    *,
    params: Mapping[str, str | None] | str | None = None,
    grads: str | None = None,
    seed: int = 0,
    dtype: npt.DTypeLike | None = None,
    **options: Any,
) -> Report:
    """Check a layer's handwritten backward.

    Parameters
    ----------
    layer : object
        With ``forward(x) -> y`` (or ``layer(x)``) and ``backward(dy) -> dx``. Where it, or layers inside it,
        have a method ``zero_grad()`` or of a similar name, that is called before each backward. A backward
        that takes no dy, as that of a loss, is that of dy = 1; for several results, backward takes their
        upstream gradients as one tuple or one by one. The layer itself is not changed: everything runs on
        deep copies.
    x : array, or tuple of arrays
        The input, or all inputs of forward. backward returns dx, or a tuple of them; None for an input
        without a gradient; None for all, where only the parameters have gradients. Gradients of parameters
        may follow those of the inputs.
    params, grads : mapping of str to str or None, or str, optional
        Where those parameters and gradients are that are not found by themselves: see Notes.
        ``params={"W": "step"}`` names an attribute and its gradient, ``params={"W": None}`` one that is a
        constant or a state, and ``params={"layers[0].W": "layers[0].step"}`` what lies deeper.
        ``params="params", grads="grads"`` names two attributes that are dicts with the same keys, or lists
        of the same length, and nothing else is looked for.
    seed : int
        Draws the upstream gradient and the sampled directions.
    dtype : dtype, optional
        Convert x and the parameters to this first. By default they stay as they are; the oracles evaluate
        float64 copies in any case, where the layer takes them.
    **options
        protocol, variations, n_entries, n_coordinates and n_projections, as for `check_vjp`.

    Returns
    -------
    Report
        One entry for each input and each parameter.

    Raises
    ------
    TypeError
        When the layer is a class, has no forward or no backward, forward does not take x or returns nothing
        floating, or backward needs more than dy.
    ValueError
        When a parameter or gradient that was named is not there, or the shapes of those that backward returns
        do not tell what they belong to.

    Notes
    -----
    Parameters are found after a first forward and backward, in the layer and in the objects, dicts and lists
    inside it, by the names of floating arrays and numbers: ``W`` with ``dW``, ``grad_W``, ``W_grad``,
    ``dL_dW`` and the like, in upper and lower case, with underscores or without; ``weight`` and ``bias`` also
    with ``dw`` and ``db``; ``value`` or ``data`` with ``grad``; and the items of ``params`` or ``parameters``
    with those of ``grads`` or ``gradients``: dicts, lists, or methods that return them. The report notes what
    was found. Arrays that forward replaces are caches. Where y depends on another array, the report is
    inconclusive, unless it has the name of a constant: ``running_...``, ``moving_...``, ``mask``, ``eps``,
    ``momentum``, ``const...``, ``buffer...``, ``target...``, ``label...``, ``ema...``.

    The cache may live in the layer until its next forward. That the next forward replaces all of it is
    checked on one copy that sees two.

    Examples
    --------
    >>> class Scale:
    ...     def __init__(self):
    ...         self.w = np.array([2.0, 3.0])
    ...     def forward(self, x):
    ...         self.x = x
    ...         return self.w * x
    ...     def backward(self, dy):
    ...         self.dw = np.sum(dy * self.x, axis=0)
    ...         return dy * self.w
    >>> [entry.name for entry in check_layer(Scale(), np.ones((4, 2))).entries]
    ['x', 'w']
    """
    if unknown := {"names", "wrt"} & set(options):
        raise TypeError(
            f"check_layer takes no {' and no '.join(sorted(unknown))}: params says what is checked"
        )
    inputs = list(x) if isinstance(x, tuple | list) else [x]
    require_layer(layer, inputs)
    found = survey(layer, inputs, params, grads)
    template, places = found.template, [p.place for p in found.parameters]
    weights = [_plain(place.read(template)) for place in places]
    args = [_cast(arg, dtype) for arg in [*inputs, *weights]]
    names = ["x"] if len(inputs) == 1 else [f"x{k}" for k in range(len(inputs))]
    names += _names(found.parameters)

    def forward(*arguments: Any) -> tuple[Any, Any]:
        working = duplicate(template)
        for place, value in zip(places, arguments[len(inputs) :], strict=True):
            place.write(working, value)
        return run_forward(working, arguments[: len(inputs)]), working

    def backward(dy: Any, working: Any) -> tuple[Any, ...]:
        before = [(place, np.array(place.read(working))) for place in found.updated]
        gradients, rest = split(run_backward(working, inputs, dy), inputs)
        for p in found.parameters:
            kind, slot = p.gradient.steps[0]
            gradient = rest[slot] if kind == "returned" else p.gradient.read(working)
            gradients.append(None if gradient is None else np.array(gradient))
        for place, value in before:
            place.write(working, value[()])
        scale = scale_of(working, dy)
        return tuple(g if scale is None or g is None else scale * np.asarray(g) for g in gradients)

    report = check_vjp(forward, backward, args, names=names, seed=seed, **options)
    checks = [c for c in report.checks if (c.name, c.verdict) != ("unchanged cache", "note")]
    if options.get("protocol", True) and all(entry.method for entry in report.entries):
        checks.append(_reused(forward, backward, args, len(inputs), seed))
    checks += found.checks
    text = ", ".join(f"{p.name} with {_told(p)}" for p in found.parameters)
    checks.append(Check("parameters", "note", text or "none was found: params says where they are"))
    told = "" if params is None else f", params={params!r}"
    told += "" if grads is None else f", grads={grads!r}"
    told += "" if dtype is None else f", dtype={np.dtype(dtype).name!r}"
    settings = "".join(f", {key}={value!r}" for key, value in options.items())
    title = f"check_layer({type(layer).__name__})"
    call = f"check_layer({type(layer).__name__}(), x{told}, seed={seed}{settings})"
    return replace(report, title=title, reproduce=call, checks=tuple(checks))


def _names(parameters: list[Parameter]) -> list[str]:
    """Name parameters shortly where that is unique, and by their place where it is not."""
    short = [p.name for p in parameters]
    return [p.name if short.count(p.name) == 1 else str(p.place) for p in parameters]


def _told(parameter: Parameter) -> str:
    kind, _ = parameter.gradient.steps[0]
    return "what backward returns" if kind == "returned" else str(parameter.gradient)


def _plain(value: Any) -> Any:
    return value if isinstance(value, np.ndarray | np.floating) else float(value)


def _reused(
    forward: Callable[..., tuple[Any, Any]],
    backward: Callable[[Any, Any], tuple[Any, ...]],
    args: list[Any],
    n_inputs: int,
    seed: int,
) -> Check:
    """Let one layer see two inputs in turn: at the second it must do as a layer that sees only that."""
    name = "one layer, two inputs"
    rng = generator(seed)
    others = [copied(arg) for arg in args]
    for k, arg in enumerate(args[:n_inputs]):
        if is_floating(arg):
            x = np.asarray(arg)
            shuffled = rng.permutation(x.ravel()).reshape(x.shape) * rng.uniform(0.25, 0.75, x.shape)
            others[k] = np.asarray(shuffled, x.dtype)[()]
    with noise_kept(), quiet():
        try:
            state = np.random.get_state()  # noqa: NPY002
            y, alone = forward(*others)
            dys = draw_like(parts_of(y), rng)
            expected = saved([g for g in backward(like(y, dys), alone) if g is not None])
            old, used = forward(*args)
            backward(like(old, draw_like(parts_of(old), rng)), used)
            np.random.set_state(state)  # noqa: NPY002
            again = parts_of(run_forward(used, [copied(arg) for arg in others[:n_inputs]]))
            found = saved([g for g in backward(like(y, dys), used) if g is not None])
        except Exception as error:  # someone else's code at an input that nobody promised it would take
            return Check(name, "note", f"refused: {type(error).__name__}: {error}".splitlines()[0])
    sizes = [float(np.max(np.abs(part), initial=0.0)) for part in parts_of(y)]
    dtype = coarsest(args)
    if difference(again, parts_of(y), [""] * len(again), sizes, dtype=dtype):
        return Check(name, "note", "the first forward changes what the second returns: not compared")
    labels = [f"gradient {k}" for k in range(len(expected))]
    terms = [max(sizes, default=0.0)] * len(expected)
    if len(found) != len(expected) or (where := difference(found, expected, labels, terms, dtype=dtype)):
        text = "a second forward and backward depend on the first: stale cache, or gradients that add up"
        return Check(name, "fail", f"{text}: {where}" if len(found) == len(expected) else text)
    return Check(name, "pass")


def _cast(value: Any, dtype: npt.DTypeLike | None) -> Any:
    return np.asarray(value, dtype)[()] if dtype is not None and is_floating(value) else value
