"""What a layer holds: parameters with their gradients, and arrays that matter and have none."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .arguments import largest, quiet
from .calls import Calls, Upstream, match, split
from .judge import mismatch
from .layer_parameters import Parameter, find_all, find_in, named, shared, told_places
from .matching import leaves, like, looks_constant, parts_of
from .objects import (
    Place,
    duplicate,
    members,
    nodes,
    numbers,
    same_bits,
    shapes_in,
)
from .report import Check
from .state import Copies, Noise


@dataclass
class Survey:
    """What was found in a layer.

    Attributes
    ----------
    template : object
        The layer to copy for each evaluation. It has run forward where that creates its parameters.
    parameters : list of Parameter
        What is checked.
    updated : list of Place
        Arrays that backward changes although y depends on them.
    added : list of Place
        Gradients to which backward adds.
    held : dict of str to tuple of int
        The shapes of the constants and targets on which y depends, and of what methods refer to.
    checks : list of Check
        What is to be reported beside the gradients.
    """

    template: Any
    parameters: list[Parameter] = field(default_factory=list)
    updated: list[Place] = field(default_factory=list)
    added: list[Place] = field(default_factory=list)
    held: dict[str, tuple[int, ...]] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)

    def zero(self, layer: Any) -> None:
        """Set the gradients to which backward adds to zero."""
        for place in self.added:
            place.read(layer)[...] = 0


def survey(
    layer: Any,
    calls: Calls,
    inputs: list[Any],
    params: Mapping[str, str | None] | str | None,
    grads: str | None,
    noise: Noise,
) -> Survey:
    """Run a layer's forward and backward, and find its parameters and their gradients.

    Parameters
    ----------
    layer : object
        The layer; copies of it are run.
    calls : Calls
        How to call it.
    inputs : list
        What its forward takes.
    params, grads : mapping or str or None
        What was told: see `npvae.gradcheck.check_layer`.
    noise : Noise
        The generators that it draws from.

    Returns
    -------
    Survey

    Raises
    ------
    TypeError
        When forward or backward cannot be called, or y is not floating.
    ValueError
        When something that was named is not there, or returned gradients do not fit.
    """
    template = duplicate(layer)
    calls.flush(template)
    ran = duplicate(template)
    y, held = _first_forward(ran, calls, inputs, noise)
    before = duplicate(ran)
    dy = like(y, [np.ones_like(part) for part in parts_of(y)])
    calls.settle(lambda: duplicate(before), inputs, y, dy)
    dy = leaves(dy)[0] if calls.upstream is Upstream.FIRST else dy
    returned = calls.backward(ran, inputs, dy)

    def written(place: Place, value: Any) -> bool:
        return not same_bits(place.read(before), value)

    told: list[Parameter] = []
    constants: list[Any] = []
    if isinstance(params, Mapping):
        told = told_places(ran, params)
        constants = [named(ran, name).read(ran) for name, other in params.items() if other is None]
    elif params is not None:
        if grads is None:
            raise ValueError(f"params={params!r} names a dict or a list: grads must name another")
        told = find_in(ran, params, grads)
    found = [] if isinstance(params, str) else find_all(ran, written)
    found = [p for p in found if not _among(p.value, [*constants, *[t.value for t in told]])]
    found = [p for p in found if p.place not in [t.place for t in told]]

    result = Survey(template, list(told))
    moved = _mover(before, calls, inputs, noise)
    for p in told:
        if not moved(p.place)[1]:
            result.checks.append(Check("unchanged parameters", "fail", f"forward changes {p.place}"))
    states = []
    for p in found:
        depends, kept = moved(p.place)
        if kept:
            result.parameters.append(p)
        elif depends:
            states.append(p.place)
    claimed = [p.value for p in result.parameters] + [p.gradient.read(ran) for p in result.parameters]
    others = [
        (place, value)
        for place, value in _distinct(numbers(before))
        if not _among(place.read(ran), [*claimed, *constants])
        and place not in [p.place for p in result.parameters]
        and moved(place) == (True, True)
    ]
    matter = {place for place, _ in others}
    idle = {str(p) for p, _ in numbers(before) if p not in matter and not _among(p.read(ran), constants)}
    result.held = {name: shape for name, shape in held.items() if name not in idle}
    if isinstance(params, Mapping):
        others = [(place, value) for place, value in others if str(place) not in params]
    result.updated = [
        place
        for place in [*[p.place for p in result.parameters], *[place for place, _ in others]]
        if not same_bits(place.read(before), place.read(ran))
    ]
    if calls.rate:
        updates = [(place, value) for place, value in others if place in result.updated]
        result.parameters += [
            Parameter(place, Place((("updated", place),)), value) for place, value in updates
        ]
    _add_returned(result, ran, inputs, returned, others)
    known = {p.place for p in result.parameters}
    result.checks += _remarks([(p, v) for p, v in others if p not in known], states)
    if result.updated and not calls.rate:
        names = ", ".join(f"self.{place}" for place in result.updated)
        text = (
            f"backward changes {names}: an update inside the backward pass; it belongs in a method of its own"
        )
        result.checks.append(Check("unchanged parameters", "fail", text))
    result.added = _added(before, calls, inputs, dy, result.parameters)
    if result.added:
        names = ", ".join(map(str, result.added))
        text = f"backward adds to {names}; set to zero before each backward, as an optimizer does"
        result.checks.append(Check("gradients add up", "note", text))
    if any(not same_bits(p.place.read(template), p.place.read(before)) for p in result.parameters):
        result.template = _forgetful(before, template, result.parameters)
        calls.flush(result.template)
    result.zero(result.template)
    return result


def _first_forward(
    layer: Any, calls: Calls, inputs: list[Any], noise: Noise
) -> tuple[Any, dict[str, tuple[int, ...]]]:
    """Return y, and the shapes of what the layer holds before and after its forward: no caches."""
    held = shapes_in(layer)
    at_first = {place: value for place, value in members(layer, functions=True) if str(place) in held}
    noise.reset()
    y = calls.forward(layer, copy.deepcopy(inputs))
    noise.look()
    for place, value in at_first.items():
        of_function = any(kind == "name" for kind, _ in place.steps)
        if not of_function and place.read(layer) is not value:
            held.pop(str(place), None)
    return y, held


def _forgetful(ran: Any, template: Any, parameters: list[Parameter]) -> Any:
    """Empty the lists to which a forward that created the parameters has added something else."""
    layer = duplicate(ran)
    known = [place.steps for p in parameters for place in (p.place, p.gradient)]
    for place, node in list(nodes(layer)):
        at_first = place.read(template)
        holds_parameter = any(steps[: len(place.steps)] == place.steps for steps in known)
        if isinstance(node, list) and isinstance(at_first, list) and not holds_parameter:
            del node[len(at_first) :]
    return layer


def _added(ran: Any, calls: Calls, inputs: list[Any], dy: Any, parameters: list[Parameter]) -> list[Place]:
    """Return the gradients to which backward adds: what was there before makes a difference."""
    places = [p.gradient for p in parameters if isinstance(p.gradient.read(ran), np.ndarray)]
    places = [place for place in places if place.read(ran).dtype.kind == "f"]

    def gradients(start: float) -> list[Any]:
        layer = duplicate(ran)
        for place in places:
            place.read(layer)[...] = start
        calls.backward(layer, inputs, dy)
        return [np.array(place.read(layer)) for place in places]

    try:
        zero, one = (gradients(start) for start in (0.0, 1.0)) if places else ([], [])
    except Exception:  # someone else's code with other values in its attributes
        return []
    return [
        place
        for place, a, b in zip(places, zero, one, strict=True)
        if a.shape == b.shape and a.dtype.kind == "f" and a.size and np.allclose(b - a, 1.0, atol=1e-3)
    ]


def _mover(layer: Any, calls: Calls, inputs: list[Any], noise: Noise) -> Callable[[Place], tuple[bool, bool]]:
    """Return a function that says whether y depends on what is at a place, and whether forward leaves it."""
    copies = Copies(layer)

    def run(place: Place | None = None, value: Any = None) -> tuple[list[Any], Any]:
        with quiet():
            noise.reset()
            working = copies.take()
            if place is not None:
                place.write(working.layer, value)
            y = calls.forward(working.layer, copy.deepcopy(inputs))
            return [part.copy() for part in parts_of(y)], place and np.array(place.read(working.layer))

    expected = run()[0]

    def moved(place: Place) -> tuple[bool, bool]:
        value = np.asarray(place.read(layer))
        shift = np.random.default_rng(0).uniform(0.5, 1.0, value.shape)
        other = np.asarray(value + 0.02 * (largest(value) or 1.0) * shift, value.dtype)[()]
        try:
            parts, left = run(place, other)
        except Exception:  # it does not take another value there: it may well depend on it
            return True, True
        depends = len(parts) != len(expected) or any(
            not same_bits(a, b) for a, b in zip(parts, expected, strict=True)
        )
        return depends, same_bits(left, other)

    return moved


def _add_returned(
    result: Survey, layer: Any, inputs: list[Any], returned: Any, others: list[tuple[Place, Any]]
) -> None:
    """Match gradients that backward returned after those of the inputs."""
    rest = split(returned, inputs)[1]
    if not rest:
        return
    order = [place for place, _ in numbers(layer)]
    arrays = [place for place, value in others if isinstance(value, np.ndarray)]
    arrays = sorted([*arrays, *[p.place for p in result.parameters]], key=order.index)
    places = sorted([*arrays, *[p for p, _ in others if p not in arrays]], key=order.index)
    for candidates in (arrays, places):
        try:
            slots = match(rest, [str(p) for p in candidates], [np.shape(p.read(layer)) for p in candidates])
            break
        except ValueError:
            if candidates is places:
                raise
    kept = {p.place: p for p in result.parameters}
    for k, slot in slots.items():
        place = candidates[k]
        if place not in kept:
            result.parameters.append(Parameter(place, Place((("returned", slot),)), place.read(layer)))
        else:
            stored = np.asarray(kept[place].gradient.read(layer))
            if where := mismatch([rest[slot]], [stored], [str(place)], [0.0]):
                text = f"backward returns something else than it keeps in {kept[place].gradient}: {where}"
                result.checks.append(Check("returned gradients", "fail", text))
    result.parameters.sort(key=lambda p: order.index(p.place))


def _remarks(others: list[tuple[Place, Any]], states: list[Place]) -> list[Check]:
    checks = []
    for place in states:
        text = (
            f"forward changes {place}, and y depends on it. Where it is a parameter, forward must leave it; "
            f"where it is a state, params={{{str(place)!r}: None}} says so"
        )
        checks.append(Check("unchanged parameters", "inconclusive", text))
    open_ = [
        place
        for place, value in others
        if isinstance(value, np.ndarray) and not _constant(place) and np.all(np.isfinite(value))
    ]
    if open_:
        names = ", ".join(map(str, open_))
        first = str(open_[0])
        text = (
            f"y depends on {names}, but no gradient was found: params={{{first!r}: 'name of its gradient'}} "
            f"says where it is, params={{{first!r}: None}} that there is none, as for a constant"
        )
        checks.append(Check("parameters without a gradient", "inconclusive", text))
    taken = [str(place) for place, _ in others if place not in open_]
    if taken:
        checks.append(Check("constants", "note", f"taken as constants: {', '.join(taken)}"))
    return checks


def _constant(place: Place) -> bool:
    return any(looks_constant(key) for _, key in place.steps if isinstance(key, str))


def _among(value: Any, others: Iterable[Any]) -> bool:
    """Say whether an array is one of others, or has memory in common with one."""
    return any(isinstance(other, np.ndarray) and shared(value, other) for other in others)


def _distinct(found: Iterable[tuple[Place, Any]]) -> list[tuple[Place, Any]]:
    """Keep one of the places that share an array."""
    kept: list[tuple[Place, Any]] = []
    for place, value in found:
        if not _among(value, [other for _, other in kept]):
            kept.append((place, value))
    return kept
