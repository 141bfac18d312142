"""Check a layer that keeps its parameters, gradients and cache in attributes of its own."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .agreement import difference
from .arguments import copied, is_floating, quiet
from .layer_places import find_places
from .pair import draw_like, noise_kept, saved
from .probes import generator
from .report import Check, Report
from .structure import leaves, like, parts_of
from .vjp import check_vjp

Array = npt.NDArray[Any]


def check_layer(
    layer: Any,
    x: Any,
    *,
    params: Mapping[str, str] | str | None = None,
    grads: str | None = None,
    seed: int = 0,
    dtype: npt.DTypeLike | None = None,
    **options: Any,
) -> Report:
    """Check a layer's handwritten backward.

    Parameters
    ----------
    layer : object
        With ``forward(x) -> y`` (or ``layer(x)``) and ``backward(dy) -> dx``. Where it has a method
        ``zero_grad()``, that is called before each backward. The layer itself is not changed: everything
        runs on deep copies.
    x : array, or tuple of arrays
        The input, or all inputs of forward. backward returns dx, or a tuple of them; None for an input
        without a gradient; None for all, where only the parameters have gradients.
    params, grads : mapping of str to str, or str, optional
        Where the parameters and their gradients are. ``params={"W": "dW"}`` names attributes;
        ``params="params", grads="grads"`` names two attributes that are dicts with the same keys, or lists of
        the same length. By default they are found: see Notes.
    seed : int
        Draws the upstream gradient and the sampled directions.
    dtype : dtype, optional
        Convert x and the parameters to this first. By default they stay as they are; the oracles evaluate
        float64 copies in any case, where the layer takes them.
    **options
        As for `check_vjp`.

    Returns
    -------
    Report
        One entry for each input and each parameter.

    Raises
    ------
    TypeError
        When the layer has no forward or no backward.
    ValueError
        When a parameter or gradient that was named is not there, or has the wrong shape.

    Notes
    -----
    Parameters are found, after a first forward and backward, by the names of attributes that hold floating
    arrays of one shape: ``W`` with one of ``dW``, ``d_W``, ``grad_W``, ``g_W``, ``gW``, ``W_grad`` or
    ``W_gradient``; and in pairs of dicts or lists: ``params`` or ``parameters`` with ``grads`` or
    ``gradients``, ``weights`` with ``grads``. In dicts the keys of the gradients are those of the parameters,
    or made from them in the same ways. The report notes what was found.

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
    if not callable(getattr(layer, "backward", None)) or not (
        callable(getattr(layer, "forward", None)) or callable(layer)
    ):
        raise TypeError("a layer needs the methods forward(x) and backward(dy)")
    inputs = list(x) if isinstance(x, tuple | list) else [x]
    template = copy.deepcopy(layer)
    places = find_places(template, inputs, params, grads)
    weights = [np.asarray(place.read(template)) for place, _ in places.values()]
    args = [_cast(arg, dtype) for arg in [*inputs, *weights]]
    names = [*(["x"] if len(inputs) == 1 else [f"x{k}" for k in range(len(inputs))]), *places]

    def forward(*arguments: Any) -> tuple[Any, Any]:
        working = copy.deepcopy(template)
        for (place, _), value in zip(places.values(), arguments[len(inputs) :], strict=True):
            place.write(working, value)
        run = working.forward if hasattr(working, "forward") else working
        return run(*arguments[: len(inputs)]), working

    def backward(dy: Any, working: Any) -> tuple[Any, ...]:
        if callable(getattr(working, "zero_grad", None)):
            working.zero_grad()
        dx = working.backward(dy)
        dxs = leaves(dx)
        if len(dxs) != len(inputs):  # None for all, or a gradient for the first alone
            dxs = [dx, *[None] * (len(inputs) - 1)]
        found = [gradient.read(working) for _, gradient in places.values()]
        return (*dxs, *[None if g is None else np.array(g) for g in found])

    report = check_vjp(forward, backward, args, names=names, seed=seed, **options)
    checks = [c for c in report.checks if (c.name, c.verdict) != ("unchanged cache", "note")]
    if options.get("protocol", True) and all(entry.method for entry in report.entries):
        checks.append(_reused(forward, backward, template, args, len(inputs), seed))
    text = ", ".join(f"{name} with {gradient}" for name, (_, gradient) in places.items())
    checks.append(Check("parameters", "note", text or "none was found: params says where they are"))
    told = "" if params is None else f", params={params!r}"
    told += "" if grads is None else f", grads={grads!r}"
    told += "" if dtype is None else f", dtype={np.dtype(dtype).name!r}"
    settings = "".join(f", {key}={value!r}" for key, value in options.items())
    title = f"check_layer({type(layer).__name__})"
    call = f"check_layer({type(layer).__name__}(), x{told}, seed={seed}{settings})"
    return replace(report, title=title, reproduce=call, checks=tuple(checks))


def _reused(
    forward: Callable[..., tuple[Any, Any]],
    backward: Callable[[Any, Any], tuple[Any, ...]],
    template: Any,
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
            run = used.forward if hasattr(used, "forward") else used
            again = parts_of(run(*[copied(arg) for arg in others[:n_inputs]]))
            found = saved([g for g in backward(like(y, dys), used) if g is not None])
        except Exception as error:  # someone else's code at an input that nobody promised it would take
            return Check(name, "note", f"refused: {type(error).__name__}: {error}".splitlines()[0])
    sizes = [float(np.max(np.abs(part), initial=0.0)) for part in parts_of(y)]
    coarsest = max((np.asarray(a).dtype for a in args if is_floating(a)), key=lambda d: np.finfo(d).eps)
    if difference(again, parts_of(y), [""] * len(again), sizes, dtype=coarsest):
        return Check(name, "note", "the first forward changes what the second returns: not compared")
    labels = [f"gradient {k}" for k in range(len(expected))]
    terms = [max(sizes, default=0.0)] * len(expected)
    if len(found) != len(expected) or (where := difference(found, expected, labels, terms, dtype=coarsest)):
        text = "a second forward and backward depend on the first: stale cache, or gradients that add up"
        return Check(name, "fail", f"{text}: {where}" if len(found) == len(expected) else text)
    return Check(name, "pass")


def _cast(value: Any, dtype: npt.DTypeLike | None) -> Any:
    return np.asarray(value, dtype)[()] if dtype is not None and is_floating(value) else value
