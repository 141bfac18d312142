"""What a layer holds: parameters with their gradients, and arrays that matter and have none."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .agreement import difference
from .arguments import quiet
from .layer_calls import match, run_backward, run_forward, split
from .layer_places import Parameter, find_all, find_in, named, normal, shared, told_places
from .layer_tree import Place, duplicate, numbers
from .pair import noise_kept
from .report import Check
from .structure import like, parts_of, same_bits

# What begins like this, without underscores, is no parameter.
_CONSTANTS = {"t", "pe", "causal", "tril", "triu", "positions"}
_CONSTANT = ("running", "moving", "mask", "eps", "momentum", "const", "buffer", "target", "ema", "label")


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
    checks : list of Check
        What is to be reported beside the gradients.
    """

    template: Any
    parameters: list[Parameter] = field(default_factory=list)
    updated: list[Place] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)


def survey(
    layer: Any, inputs: list[Any], params: Mapping[str, str | None] | str | None, grads: str | None
) -> Survey:
    """Run a layer's forward and backward, and find its parameters and their gradients.

    Parameters
    ----------
    layer : object
        The layer; copies of it are run.
    inputs : list
        What its forward takes.
    params, grads : mapping or str or None
        What was told: see `npvae.gradcheck.check_layer`.

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
    with noise_kept():
        ran = duplicate(layer)
        y = run_forward(ran, copy.deepcopy(inputs))
        dy = like(y, [np.ones_like(part) for part in parts_of(y)])
        before = duplicate(ran)
        returned = run_backward(ran, inputs, dy)

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

    result = Survey(duplicate(layer), list(told))
    moved = _mover(before, inputs)
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
    if isinstance(params, Mapping):
        others = [(place, value) for place, value in others if str(place) not in params]
    result.updated = [
        place
        for place in [*[p.place for p in result.parameters], *[place for place, _ in others]]
        if not same_bits(place.read(before), place.read(ran))
    ]
    _add_returned(result, ran, inputs, returned, others)
    known = {p.place for p in result.parameters}
    result.checks += _remarks(result, [(p, v) for p, v in others if p not in known], states)
    if any(not same_bits(p.place.read(result.template), p.place.read(before)) for p in result.parameters):
        result.template = before
    return result


def _mover(layer: Any, inputs: list[Any]) -> Callable[[Place], tuple[bool, bool]]:
    """Return a function that says whether y depends on what is at a place, and whether forward leaves it."""
    state = np.random.get_state()  # noqa: NPY002  # other people's code draws from it

    def run(place: Place | None = None, value: Any = None) -> tuple[list[Any], Any]:
        with noise_kept(), quiet():
            np.random.set_state(state)  # noqa: NPY002
            working = duplicate(layer)
            if place is not None:
                place.write(working, value)
            y = run_forward(working, copy.deepcopy(inputs))
            return [part.copy() for part in parts_of(y)], place and np.array(place.read(working))

    expected = run()[0]

    def moved(place: Place) -> tuple[bool, bool]:
        value = np.asarray(place.read(layer))
        noise = np.random.default_rng(0).uniform(0.5, 1.0, value.shape)
        size = float(np.max(np.abs(value), initial=0.0)) or 1.0
        other = np.asarray(value + 0.02 * size * noise, value.dtype)[()]
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
            if where := difference([rest[slot]], [stored], [str(place)], [0.0]):
                text = f"backward returns something else than it keeps in {kept[place].gradient}: {where}"
                result.checks.append(Check("returned gradients", "fail", text))
    result.parameters.sort(key=lambda p: order.index(p.place))


def _remarks(result: Survey, others: list[tuple[Place, Any]], states: list[Place]) -> list[Check]:
    checks = []
    if result.updated:
        names = ", ".join(f"self.{place}" for place in result.updated)
        text = (
            f"backward changes {names}: an update inside the backward pass; it belongs in a method of its own"
        )
        checks.append(Check("unchanged parameters", "fail", text))
    for place in states:
        text = (
            f"forward changes {place}, and y depends on it. Where it is a parameter, forward must leave it; "
            f"where it is a state, params={{{str(place)!r}: None}} says so"
        )
        checks.append(Check("unchanged parameters", "inconclusive", text))
    open_ = [place for place, value in others if isinstance(value, np.ndarray) and not _constant(place)]
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
    names = [normal(key) for _, key in place.steps if isinstance(key, str)]
    return any(name.startswith(_CONSTANT) or name in _CONSTANTS for name in names)


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
