"""Check a layer: an object that keeps its parameters, gradients and cache in attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .arguments import (
    coarsest,
    copied,
    is_floating,
    labels_of,
    largest,
    like,
    mapped,
    parts_of,
    quiet,
    shuffled,
)
from .calls import Calls, functions_of
from .case import Pair, draw_like, saved
from .checks import Options, examine
from .judge import gradients_of, mismatch
from .layer_parameters import Parameter, Survey, survey
from .objective import generator
from .objects import Copies, Noise, Working
from .report import Check, Report


def check_layer(
    layer: Any,
    x: Any,
    *,
    params: Mapping[str, str | None] | str | None = None,
    grads: str | None = None,
    forward: str | None = None,
    backward: str | None = None,
    seed: int = 0,
    dtype: npt.DTypeLike | None = None,
    **options: Any,
) -> Report:
    """Check a layer's handwritten backward.

    Parameters
    ----------
    layer : object
        An object with ``forward(x) -> y`` (or ``layer(x)``) and ``backward(dy) -> dx``. If it, or a layer
        inside it, has a method ``zero_grad()`` or one of a similar name, that is called before each backward.
        Gradients to which backward adds are set to zero. If forward returns several results, backward takes
        their upstream gradients as one tuple or as separate arguments. A backward that takes no dy, or
        ignores it, is that of a loss and checked for dy = 1: y, or the only number among several results. Its
        arguments that are named like inputs of forward, or like targets, get these inputs. The layer itself
        is not changed: everything runs on copies. A class with static methods ``forward(ctx, x)`` and
        ``backward(ctx, dy)``, as in PyTorch, is accepted too.
    x : array, or tuple of arrays
        The input, or all inputs of forward; a list if forward takes one list. backward returns dx, or a tuple
        with the gradient of each input, None for an input without one; the target of a loss needs none.
        Gradients of parameters may follow: in a dict under the parameters' names (``W``, ``dW``,
        ``layer_dW``), or in the order in which the layer holds the parameters. backward may return None if
        only the parameters have gradients, or if the layer keeps the gradients of its inputs in attributes:
        ``dinputs``, ``dx``, or ``d`` and the name that forward gives to the input.
    params, grads : mapping of str to str or None, or str, optional
        The places of parameters and gradients that are not found automatically: see Notes.
        ``params={"W": "step"}`` names an attribute and its gradient, and
        ``params={"layers[0].W": "layers[0].step"}`` those of an inner layer. ``params={"W": None}`` declares
        a constant, a state, or an input that needs no gradient. ``params="params", grads="grads"`` names two
        attributes that are dicts with the same keys, or lists of the same length; then no other parameters
        are looked for.
    forward, backward : str, optional
        The names of the layer's methods, if they are unusual. ``forward_pass``, ``fprop`` and the like are
        known.
    seed : int
        Seed for the upstream gradient and the sampled directions.
    dtype : dtype, optional
        The dtype to which x and the parameters are converted first. By default they stay as they are. The
        oracles evaluate float64 copies in any case, if the layer accepts them.
    **options
        protocol, variations, rtol, n_entries, n_coordinates and n_projections, as for `check_vjp`.

    Returns
    -------
    Report
        One entry for each input and each parameter.

    Raises
    ------
    TypeError
        If the layer is a class, has no forward or no backward, forward does not take x or returns nothing
        floating, or backward needs more than dy.
    ValueError
        If a named parameter or gradient does not exist, or the gradients that backward returns cannot be
        matched with parameters by shape.

    Notes
    -----
    Parameters are found after a first forward and backward, in the layer and in the objects, dicts and lists
    inside it, by the names of floating arrays and numbers: ``W`` with ``dW``, ``grad_W``, ``W_grad``,
    ``dL_dW`` and the like, in upper and lower case, with underscores or without; ``weight`` and ``bias`` also
    with ``dw`` and ``db``; ``value`` or ``data`` with ``grad``; and the items of ``params`` or ``parameters``
    with those of ``grads`` or ``gradients``: dicts, lists, or methods that return them. The report notes what
    was found. Arrays that forward replaces are caches. If y depends on another array, the report is
    inconclusive, unless the array is named like a constant: ``running_...``, ``moving_...``, ``mask``,
    ``eps``, ``momentum``, ``const...``, ``buffer...``, ``target...``, ``label...``, ``ema...``.

    The layer may keep its cache until its next forward. One copy runs on two inputs, to check that the second
    forward replaces the whole cache. Parameters whose entries are all equal, as in many new layers, are
    checked at other values too: gamma = 1 hides a forgotten factor gamma, and a bias of 0 hides its weight
    decay.

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
    chosen = Options(seed=seed, **options)
    kind = layer.__name__ if isinstance(layer, type) else type(layer).__name__
    title = f"check_layer({kind})"
    if functions := functions_of(layer):
        args = list(x) if isinstance(x, tuple) else [x]
        labels = labels_of(functions[0], args, None)
        entries, checks = examine(Pair.of(*functions), args, labels, None, chosen)
        return Report(title, entries, seed, chosen.call(f"check_layer({kind}, x"), tuple(checks))
    calls = Calls(layer, x, forward, backward)
    named, constants = params, []
    if isinstance(params, Mapping):
        constants = [name for name, gradient in params.items() if gradient is None]
        calls.constants = set(constants) & set(calls.names)
        named = {name: gradient for name, gradient in params.items() if name not in calls.constants}
    noise = Noise(layer=layer)
    with noise.kept():
        found = survey(layer, calls, named, grads, noise)
        weights = [_plain(p.place.read(found.template)) for p in found.parameters]
        args = [_cast(arg, dtype) for arg in [*calls.inputs, *weights]]
        labels = [*calls.names, *_names(found.parameters, calls.names)]
        run = _Run(found, calls)
        pair = Pair(run.forward, run.backward, held=found.held, noise=noise)
        constants += calls.targets
        entries, checks = examine(pair, args, labels, None, chosen, constants, "params={{{1!r}: None}}")
        checks = [c for c in checks if (c.name, c.verdict) != ("unchanged cache", "note")]
        if chosen.protocol and all(entry.method for entry in entries):
            checks.append(_reused(run, args, labels, seed, noise))
    checks += found.checks
    checks += calls.remarks()
    text = ", ".join(f"{p.name} with {_told(p)}" for p in found.parameters)
    checks.append(Check("parameters", "note", text or "none was found; params can name them"))
    settings = {"params": params, "grads": grads, "forward": forward, "backward": backward}
    kept = None if dtype is None else np.dtype(dtype).name
    call = chosen.call(f"check_layer({kind}(), x", **settings, dtype=kept)
    return Report(title, entries, seed, call, tuple(checks))


class _Run:
    """A layer's forward and backward as functions of its inputs and its parameters."""

    def __init__(self, found: Survey, calls: Calls) -> None:
        self._found = found
        self.calls = calls
        self._copies = Copies(found.template, [p.place for p in found.parameters])

    def forward(self, *arguments: Any) -> tuple[Any, Working]:
        """Return y, and the copy of the layer that returned it."""
        n = len(self.calls.inputs)
        working = self._copies.take(arguments[n:])
        working.inputs = arguments[:n]
        return self.calls.forward(working.layer, working.inputs), working

    def backward(self, dy: Any, working: Working) -> tuple[Any, ...]:
        """Return the gradients of the inputs and of the parameters."""
        found, layer = self._found, working.layer
        before = [(place, np.array(place.read(layer))) for place in found.updated]
        found.zero(layer)
        gradients, rest = self.calls.split(self.calls.backward(layer, working.inputs, dy))
        for p in found.parameters:
            kind, key = p.gradient.steps[0]
            if kind == "updated":
                gradient = dict(before)[key] - p.place.read(layer)
            else:
                gradient = rest[key][1] if kind == "returned" else p.gradient.read(layer)
            gradients.append(None if gradient is None else np.array(gradient))
        for place, value in before:
            place.write(layer, value[()])
        scale = self.calls.scale(dy)
        if scale is not None:
            gradients = [mapped(lambda g: None if g is None else scale * np.asarray(g), g) for g in gradients]
        return tuple(gradients)


def _names(parameters: list[Parameter], taken: list[str]) -> list[str]:
    """Use parameters' short names where these are unique, and their places where they are not."""
    short = [p.name for p in parameters]
    names = [p.name if short.count(p.name) == 1 else str(p.place) for p in parameters]
    return [f"self.{name}" if name in taken else name for name in names]


def _told(parameter: Parameter) -> str:
    words = {"returned": "the gradient from backward", "updated": "the update that backward subtracts"}
    return words.get(parameter.gradient.steps[0][0], str(parameter.gradient))


def _plain(value: Any) -> Any:
    return value if isinstance(value, np.ndarray | np.floating) else float(value)


def _reused(run: _Run, args: Sequence[Any], labels: list[str], seed: int, noise: Noise) -> Check:
    """Run one layer on two inputs in turn; for the second it must return the gradients of a new layer."""
    name, calls, n_inputs = "one layer, two inputs", run.calls, len(run.calls.inputs)
    rng = generator(seed)
    others = [_shuffled(arg, rng) if k < n_inputs else copied(arg) for k, arg in enumerate(args)]
    with quiet():
        try:
            noise.reset()
            y, alone = run.forward(*others)
            dys = draw_like(parts_of(y), rng)
            gradients = run.backward(like(y, dys), alone)
            expected = saved([g for g in gradients if g is not None])
            noise.reset()
            old, used = run.forward(*args)
            run.backward(like(old, draw_like(parts_of(old), rng)), used)
            calls.flush(used.layer)
            noise.reset()
            used.inputs = tuple(copied(arg) for arg in others[:n_inputs])
            again = parts_of(calls.forward(used.layer, used.inputs))
            found = saved([g for g in run.backward(like(y, dys), used) if g is not None])
        except Exception as error:  # user code need not accept this input
            return Check(name, "note", f"refused: {type(error).__name__}: {error}".splitlines()[0])
    sizes, dtype = [largest(part) for part in parts_of(y)], coarsest(args)
    if mismatch(again, parts_of(y), [""] * len(again), sizes, dtype=dtype):
        return Check(name, "note", "not compared: the first forward changes the result of the second")
    text = "a second forward and backward depend on the first: stale cache, or gradients that add up"
    if len(found) != len(expected):
        return Check(name, "fail", text)
    names = gradients_of(label for label, g in zip(labels, gradients, strict=True) if g is not None)
    where = mismatch(found, expected, names, [max(sizes)] * len(expected), dtype=dtype)
    return Check(name, "fail", f"{text}: {where}") if where else Check(name, "pass")


def _shuffled(arg: Any, rng: np.random.Generator) -> Any:
    """Return an input with the entries of its arrays shuffled and shrunk."""
    return mapped(lambda x: shuffled(x, rng)[0] if is_floating(x) else copied(x), arg)


def _cast(value: Any, dtype: npt.DTypeLike | None) -> Any:
    return np.asarray(value, dtype)[()] if dtype is not None and is_floating(value) else value
