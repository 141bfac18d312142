"""Check a layer that keeps its parameters, gradients and cache in attributes of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .arguments import coarsest, copied, is_floating, quiet
from .calls import Calls, functions_of, split
from .case import Pair, draw_like, saved
from .examine import Options, examine, labels_of
from .judge import mismatch
from .layer_parameters import Parameter
from .layer_survey import Survey, survey
from .matching import like, mapped, parts_of
from .objective import generator
from .report import Check, Report
from .state import Copies, Noise, Working

Array = npt.NDArray[Any]


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
        With ``forward(x) -> y`` (or ``layer(x)``) and ``backward(dy) -> dx``. Where it, or layers inside it,
        have a method ``zero_grad()`` or of a similar name, that is called before each backward; gradients
        that are added up are set to zero. A backward that takes no dy, or ignores it, as that of a loss, is
        that of dy = 1; for several results, backward takes their upstream gradients as one tuple or one by
        one. The layer itself is not changed: everything runs on copies. A class with static methods
        ``forward(ctx, x)`` and ``backward(ctx, dy)``, as PyTorch's functions have, will do as well.
    x : array, or tuple of arrays
        The input, or all inputs of forward; a list, where forward takes one list. backward returns dx, or a
        tuple of them; None for an input without a gradient; None for all, where only the parameters have
        gradients. Gradients of parameters may follow those of the inputs. Or the layer keeps them in
        attributes: ``dinputs``, ``dx``, or ``d`` and the name that forward gives to the input.
    params, grads : mapping of str to str or None, or str, optional
        Where those parameters and gradients are that are not found by themselves: see Notes.
        ``params={"W": "step"}`` names an attribute and its gradient, ``params={"W": None}`` one that is a
        constant or a state, or an input that needs no gradient, and
        ``params={"layers[0].W": "layers[0].step"}`` what lies deeper.
        ``params="params", grads="grads"`` names two attributes that are dicts with the same keys, or lists
        of the same length, and nothing else is looked for.
    forward, backward : str, optional
        The names of the layer's methods, where they are unusual. ``forward_pass``, ``fprop`` and the like
        are known.
    seed : int
        Draws the upstream gradient and the sampled directions.
    dtype : dtype, optional
        Convert x and the parameters to this first. By default they stay as they are; the oracles evaluate
        float64 copies in any case, where the layer takes them.
    **options
        protocol, variations, rtol, n_entries, n_coordinates and n_projections, as for `check_vjp`.

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
    checked on one copy that sees two. Parameters whose entries are all equal, as those of a new layer often
    are, are checked at other values too: gamma = 1 hides a forgotten gamma, and a bias of 0 its decay.

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
    inputs = _inputs_of(layer, x, forward)
    calls = Calls(layer, inputs, forward, backward)
    told, constants = params, []
    if isinstance(params, Mapping):
        constants = [name for name, gradient in params.items() if gradient is None]
        of_inputs = set(constants) & set(calls.names)
        told = {name: gradient for name, gradient in params.items() if name not in of_inputs}
    noise = Noise(layer=layer)
    with noise.kept():
        found = survey(layer, calls, inputs, told, grads, noise)
        weights = [_plain(p.place.read(found.template)) for p in found.parameters]
        args = [_cast(arg, dtype) for arg in [*inputs, *weights]]
        labels = [*calls.names, *_names(found.parameters, calls.names)]
        run = _Run(found, calls, len(inputs))
        pair = Pair(run.forward, run.backward, held=found.held, noise=noise)
        constants += calls.targets
        entries, checks = examine(pair, args, labels, None, chosen, constants, "params={{{1!r}: None}}")
        checks = [c for c in checks if (c.name, c.verdict) != ("unchanged cache", "note")]
        if chosen.protocol and all(entry.method for entry in entries):
            checks.append(_reused(run, calls, args, len(inputs), seed, noise))
    checks += found.checks
    checks += [Check(name, "note", text) for name, text in calls.remarks()]
    text = ", ".join(f"{p.name} with {_told(p)}" for p in found.parameters)
    checks.append(Check("parameters", "note", text or "none was found: params says where they are"))
    settings = {"params": params, "grads": grads, "forward": forward, "backward": backward}
    kept = None if dtype is None else np.dtype(dtype).name
    call = chosen.call(f"check_layer({kind}(), x", **settings, dtype=kept)
    return Report(title, entries, seed, call, tuple(checks))


class _Run:
    """A layer's forward and backward as functions of its inputs and its parameters.

    Parameters
    ----------
    found : Survey
    calls : Calls
    n_inputs : int
        How many of the arguments are inputs.
    """

    def __init__(self, found: Survey, calls: Calls, n_inputs: int) -> None:
        self._found = found
        self._calls = calls
        self._n_inputs = n_inputs
        self._copies = Copies(found.template, [p.place for p in found.parameters])

    def forward(self, *arguments: Any) -> tuple[Any, Working]:
        """Return y, and the copy of the layer that returned it."""
        working = self._copies.take()
        n = self._n_inputs
        for k, value in enumerate(arguments[n:]):
            working.write(k, value)
        working.inputs = arguments[:n]
        return self._calls.forward(working.layer, working.inputs), working

    def backward(self, dy: Any, working: Working) -> tuple[Any, ...]:
        """Return the gradients of the inputs and of the parameters."""
        found, layer = self._found, working.layer
        before = [(place, np.array(place.read(layer))) for place in found.updated]
        found.zero(layer)
        gradients, rest = split(self._calls.backward(layer, working.inputs, dy), working.inputs)
        for p in found.parameters:
            kind, key = p.gradient.steps[0]
            if kind == "updated":
                gradient = dict(before)[key] - p.place.read(layer)
            else:
                gradient = rest[key] if kind == "returned" else p.gradient.read(layer)
            gradients.append(None if gradient is None else np.array(gradient))
        for place, value in before:
            place.write(layer, value[()])
        scale = self._calls.scale(dy)
        if scale is not None:
            gradients = [mapped(lambda g: None if g is None else scale * np.asarray(g), g) for g in gradients]
        return tuple(gradients)


def _inputs_of(layer: Any, x: Any, forward: str | None) -> list[Any]:
    """Return what forward takes: x itself, all that is in it, or one list."""
    if not isinstance(x, tuple | list):
        return [x]
    alone = isinstance(x, list) and Calls.accepts(layer, [x], forward)
    return [x] if alone and all(map(is_floating, x)) else list(x)


def _names(parameters: list[Parameter], taken: list[str]) -> list[str]:
    """Name parameters shortly where that is unique, and by their place where it is not."""
    short = [p.name for p in parameters]
    names = [p.name if short.count(p.name) == 1 else str(p.place) for p in parameters]
    return [f"self.{name}" if name in taken else name for name in names]


def _told(parameter: Parameter) -> str:
    words = {"returned": "what backward returns", "updated": "what backward subtracts"}
    return words.get(parameter.gradient.steps[0][0], str(parameter.gradient))


def _plain(value: Any) -> Any:
    return value if isinstance(value, np.ndarray | np.floating) else float(value)


def _reused(run: _Run, calls: Calls, args: Sequence[Any], n_inputs: int, seed: int, noise: Noise) -> Check:
    """Let one layer see two inputs in turn: at the second it must do as a layer that sees only that."""
    name = "one layer, two inputs"
    rng = generator(seed)
    others = [_shuffled(arg, rng) if k < n_inputs else copied(arg) for k, arg in enumerate(args)]
    with quiet():
        try:
            noise.reset()
            y, alone = run.forward(*others)
            dys = draw_like(parts_of(y), rng)
            expected = saved([g for g in run.backward(like(y, dys), alone) if g is not None])
            noise.reset()
            old, used = run.forward(*args)
            run.backward(like(old, draw_like(parts_of(old), rng)), used)
            calls.flush(used.layer)
            noise.reset()
            used.inputs = tuple(copied(arg) for arg in others[:n_inputs])
            again = parts_of(calls.forward(used.layer, used.inputs))
            found = saved([g for g in run.backward(like(y, dys), used) if g is not None])
        except Exception as error:  # someone else's code at an input that nobody promised it would take
            return Check(name, "note", f"refused: {type(error).__name__}: {error}".splitlines()[0])
    sizes = [float(np.max(np.abs(part), initial=0.0)) for part in parts_of(y)]
    dtype = coarsest(args)
    if mismatch(again, parts_of(y), [""] * len(again), sizes, dtype=dtype):
        return Check(name, "note", "the first forward changes what the second returns: not compared")
    labels = [f"gradient {k}" for k in range(len(expected))]
    terms = [max(sizes, default=0.0)] * len(expected)
    text = "a second forward and backward depend on the first: stale cache, or gradients that add up"
    if len(found) != len(expected):
        return Check(name, "fail", text)
    if where := mismatch(found, expected, labels, terms, dtype=dtype):
        return Check(name, "fail", f"{text}: {where}")
    return Check(name, "pass")


def _shuffled(arg: Any, rng: np.random.Generator) -> Any:
    """Return an input of the same kind with other entries."""

    def shuffled(item: Any) -> Any:
        if not is_floating(item):
            return copied(item)
        x = np.asarray(item)
        other = rng.permutation(x.ravel()).reshape(x.shape) * rng.uniform(0.25, 0.75, x.shape)
        return np.asarray(other, x.dtype)[()]

    return mapped(shuffled, arg)


def _cast(value: Any, dtype: npt.DTypeLike | None) -> Any:
    return np.asarray(value, dtype)[()] if dtype is not None and is_floating(value) else value
