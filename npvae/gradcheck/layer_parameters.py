"""Find a layer's parameters and their gradients: by their names, and by what y depends on."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from .arguments import (
    fits_by_shape,
    is_floating,
    largest,
    leaves,
    like,
    looks_constant,
    moved,
    normal,
    parts_of,
    quiet,
)
from .calls import Calls
from .judge import gradients_of, mismatch
from .objects import (
    Copies,
    Noise,
    Place,
    duplicate,
    follow,
    inside,
    members,
    nodes,
    numbers,
    same_bits,
    shapes_in,
)
from .report import Check

# Names without underscores, in lower case. Gradients of w: dw, grad_w, dL_dw, w_grad, ...
_BEFORE = ("d", "grad", "gradient", "g", "dld", "dlossd", "djd", "ded", "dcd", "nabla", "grads", "gradients")
_AFTER = ("grad", "gradient", "grads", "gradients", "g", "deriv")
_SHORT = {"weight": "w", "weights": "w", "bias": "b", "biases": "b"}
_PARAMS = ("params", "parameters", "getparams", "getparameters", "param", "weights", "theta")
_GRADS = ("grads", "gradients", "getgrads", "getgradients", "grad", "gradient", "dparams")
_VALUES = ("value", "data", "val", "array", "tensor", "v", "w", "param", "weight")  # of a parameter object

_LISTED = 8  # how many arrays a message names

Found = tuple[Place, Any]


class Parameter(NamedTuple):
    """A parameter that was found, and the places of it and of its gradient in the layer."""

    place: Place
    gradient: Place
    value: Any

    @property
    def name(self) -> str:
        """Its name in the report: its place, without the name of a dict that holds all parameters."""
        steps = self.place.steps
        if len(steps) > 1 and isinstance(steps[-1][1], str) and normal(steps[-2][1]) in _PARAMS:
            steps = (*steps[:-2], ("attribute", steps[-1][1]))
        return str(Place(steps))


@dataclass
class Survey:
    """What was found in a layer."""

    template: Any  # the layer to copy for each evaluation; it has run forward if that creates its parameters
    parameters: list[Parameter] = field(default_factory=list)  # those to check
    updated: list[Place] = field(default_factory=list)  # what backward changes although y depends on it
    added: list[Place] = field(default_factory=list)  # gradients to which backward adds
    # The shapes of the constants and targets on which y depends, and of the arrays that methods refer to.
    held: dict[str, tuple[int, ...]] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)  # what to report in addition to the gradients

    def zero(self, layer: Any) -> None:
        """Set the gradients to which backward adds to zero."""
        for place in self.added:
            place.read(layer)[...] = 0


def survey(
    layer: Any,
    calls: Calls,
    params: Mapping[str, str | None] | str | None,
    grads: str | None,
    noise: Noise,
) -> Survey:
    """Run copies of a layer forward and backward, and find its parameters and their gradients.

    Raises a TypeError if forward or backward cannot be called or y is not floating, and a ValueError if
    something that was named does not exist or returned gradients do not fit.
    """
    template = duplicate(layer)
    calls.flush(template)
    ran = duplicate(template)
    y, held = _first_forward(ran, calls, noise)
    before = duplicate(ran)
    dy = like(y, [np.ones_like(part) for part in parts_of(y)])
    calls.settle(lambda: duplicate(before), y, dy)
    dy = dy if calls.alone is None else leaves(dy)[calls.alone]
    returned = calls.backward(ran, calls.inputs, dy)

    named, constants = _declared(ran, params, grads)

    def written(place: Place, value: Any) -> bool:
        return not same_bits(place.read(before), value)

    found = [] if isinstance(params, str) else _find_all(ran, written)
    places = [p.place for p in named]
    known = [*constants, *[p.value for p in named]]
    found = [p for p in found if p.place not in places and not _among(p.value, known)]

    result = Survey(template, list(named))
    depends = _dependence(before, calls, noise)
    for p in named:
        if not depends(p.place)[1]:
            result.checks.append(Check("unchanged parameters", "fail", f"forward changes {p.place}"))
    result.parameters += [p for p in found if depends(p.place)[1]]
    states = [p.place for p in found if depends(p.place) == (True, False)]
    claimed = [value for p in result.parameters for value in (p.value, p.gradient.read(ran))]
    others: list[tuple[Place, Any]] = []  # values on which y depends, without a gradient so far
    matter = set()
    for place, value in numbers(before):
        if _among(value, [other for _, other in others]):  # one of several places that share an array
            continue
        own = _among(place.read(ran), [*claimed, *constants]) or place in [p.place for p in result.parameters]
        if not own and depends(place) == (True, True):
            matter.add(place)
            if not isinstance(params, Mapping) or str(place) not in params:
                others.append((place, value))
    idle = {str(p) for p, _ in numbers(before) if p not in matter and not _among(p.read(ran), constants)}
    result.held = {name: shape for name, shape in held.items() if name not in idle}
    _add_updates(result, before, ran, others, calls.rate)
    _add_returned(result, ran, calls.split(returned)[1], others)
    checked = {p.place for p in result.parameters}
    result.checks += _remarks([(p, v) for p, v in others if p not in checked], states)
    result.added = _added(before, calls, dy, result.parameters)
    if result.added:
        names = ", ".join(map(str, result.added))
        text = f"backward adds to {names}; the check sets this to zero first, as an optimizer does"
        result.checks.append(Check("gradients add up", "note", text))
    if any(not same_bits(p.place.read(template), p.place.read(before)) for p in result.parameters):
        result.template = _forgetful(before, template, result.parameters)
        calls.flush(result.template)
    result.zero(result.template)
    return result


def _declared(
    layer: Any, params: Mapping[str, str | None] | str | None, grads: str | None
) -> tuple[list[Parameter], list[Any]]:
    """Return the parameters that the caller named, and the values declared to be constants."""
    named: list[Parameter] = []
    constants: list[Any] = []
    if isinstance(params, Mapping):
        for name, gradient in params.items():
            place = _named(layer, name)
            if gradient is None:
                constants.append(place.read(layer))
            else:
                named.append(Parameter(place, _named(layer, gradient), place.read(layer)))
    elif params is not None:
        if grads is None:
            raise ValueError(f"params={params!r} names a dict or a list, so grads must name one too")
        named = _find_in(layer, params, grads)
    return named, constants


def _first_forward(layer: Any, calls: Calls, noise: Noise) -> tuple[Any, dict[str, tuple[int, ...]]]:
    """Return y, and the shapes of the arrays that forward does not replace, which are not caches."""
    held = shapes_in(layer)
    at_first = {place: value for place, value in members(layer, functions=True) if str(place) in held}
    noise.reset()
    y = calls.forward(layer, copy.deepcopy(calls.inputs))
    noise.look()
    for place, value in at_first.items():
        of_function = any(kind == "name" for kind, _ in place.steps)
        if not of_function and place.read(layer) is not value:
            held.pop(str(place), None)
    return y, held


def _forgetful(ran: Any, template: Any, parameters: list[Parameter]) -> Any:
    """Remove what a forward that created the parameters has appended to other lists."""
    layer = duplicate(ran)
    known = [place.steps for p in parameters for place in (p.place, p.gradient)]
    for place, node in list(nodes(layer)):
        at_first = place.read(template)
        holds_parameter = any(steps[: len(place.steps)] == place.steps for steps in known)
        if isinstance(node, list) and isinstance(at_first, list) and not holds_parameter:
            del node[len(at_first) :]
    return layer


def _added(ran: Any, calls: Calls, dy: Any, parameters: list[Parameter]) -> list[Place]:
    """Return the gradients to which backward adds, instead of replacing them."""
    places = [p.gradient for p in parameters if isinstance(p.gradient.read(ran), np.ndarray)]
    places = [place for place in places if place.read(ran).dtype.kind == "f"]

    def gradients(start: float) -> list[Any]:
        layer = duplicate(ran)
        for place in places:
            place.read(layer)[...] = start
        calls.backward(layer, calls.inputs, dy)
        return [np.array(place.read(layer)) for place in places]

    try:
        zero, one = (gradients(start) for start in (0.0, 1.0)) if places else ([], [])
    except Exception:  # user code with other values in its attributes
        return []
    return [
        place
        for place, a, b in zip(places, zero, one, strict=True)
        if a.shape == b.shape and a.dtype.kind == "f" and a.size and np.allclose(b - a, 1.0, atol=1e-3)
    ]


def _dependence(layer: Any, calls: Calls, noise: Noise) -> Callable[[Place], tuple[bool, bool]]:
    """Return a function that says whether y depends on the value at a place, and whether forward keeps it."""
    copies = Copies(layer)
    known: dict[Place, tuple[bool, bool]] = {}

    def run(place: Place, value: Any) -> tuple[list[Any], Any]:
        with quiet():
            noise.reset()
            working = copies.take()
            if place.steps:
                place.write(working.layer, value)
            y = calls.forward(working.layer, copy.deepcopy(calls.inputs))
            return [part.copy() for part in parts_of(y)], np.array(place.read(working.layer))

    expected = run(Place(), None)[0]

    def look(place: Place) -> tuple[bool, bool]:
        value = np.asarray(place.read(layer))
        shift = np.random.default_rng(0).uniform(0.5, 1.0, value.shape)
        other = moved(value, 0.02 * (largest(value) or 1.0) * shift)
        try:
            parts, left = run(place, other)
        except Exception:  # it does not accept another value there, so it may well depend on it
            return True, True
        same = len(parts) == len(expected) and all(map(same_bits, parts, expected))
        return not same, same_bits(left, other)

    def depends(place: Place) -> tuple[bool, bool]:
        if place not in known:
            known[place] = look(place)
        return known[place]

    return depends


def _add_updates(result: Survey, before: Any, ran: Any, others: list[tuple[Place, Any]], rate: str) -> None:
    """Find what backward changed: parameters if it takes a learning rate, else a fault."""
    result.updated = [
        place
        for place in [*[p.place for p in result.parameters], *[place for place, _ in others]]
        if not same_bits(place.read(before), place.read(ran))
    ]
    if rate:
        result.parameters += [
            Parameter(place, Place((("updated", place),)), value)
            for place, value in others
            if place in result.updated
        ]
    elif result.updated:
        names = ", ".join(f"self.{place}" for place in result.updated)
        text = f"backward changes {names}: it updates parameters, which should happen in another method"
        result.checks.append(Check("unchanged parameters", "fail", text))


def _add_returned(
    result: Survey, layer: Any, rest: list[tuple[str, Any]], others: list[tuple[Place, Any]]
) -> None:
    """Match the gradients that backward returned after those of the inputs: by their keys, or by shape."""
    if not rest:
        return
    order = [place for place, _ in numbers(layer)]
    arrays = [place for place, value in others if isinstance(value, np.ndarray)]
    arrays = sorted([*arrays, *[p.place for p in result.parameters]], key=order.index)
    places = sorted({*arrays, *[p for p, _ in others]}, key=order.index)
    chosen = _by_key(rest, places)
    if len(chosen) < len(rest):
        chosen = _by_shape([np.shape(gradient) for _, gradient in rest], layer, arrays, places)
        names = ", ".join(map(str, chosen))
        if len({np.shape(place.read(layer)) for place in chosen}) < len(chosen):
            text = f"taken in the order in which the layer holds the parameters: {names}"
            result.checks.append(Check("returned gradients", "note", text))
    kept = {p.place: p for p in result.parameters}
    for slot, place in enumerate(chosen):
        if place not in kept:
            result.parameters.append(Parameter(place, Place((("returned", slot),)), place.read(layer)))
        else:
            stored = np.asarray(kept[place].gradient.read(layer))
            if where := mismatch([rest[slot][1]], [stored], gradients_of([str(place)]), [0.0]):
                text = f"backward returns another gradient than it keeps in {kept[place].gradient}: {where}"
                result.checks.append(Check("returned gradients", "fail", text))
    result.parameters.sort(key=lambda p: order.index(p.place))


def _by_key(rest: list[tuple[str, Any]], places: list[Place]) -> list[Place]:
    """Return the parameter of each gradient, if all gradients are in dicts under their parameters' names."""
    named: dict[str, Found] = {}
    for slot, (key, gradient) in enumerate(rest):
        for name in (key, f"grad_{key}") if key else ():
            named.setdefault(name, (Place((("returned", slot),)), gradient))
    found: dict[int, Place] = {}
    for whole, exact in itertools.product((True, False), (True, False)):  # "layer_W", or "W", for layer.W
        for place in places:
            name = "_".join(str(key) for _, key in (place.steps if whole else place.steps[-1:]))
            for gradient, _ in _candidates(name, named, exact):
                if place not in found.values():
                    found.setdefault(gradient.steps[0][1], place)
    return [found[slot] for slot in range(len(rest)) if slot in found] if len(found) == len(rest) else []


def _by_shape(
    shapes: list[tuple[int, ...]], layer: Any, arrays: list[Place], places: list[Place]
) -> list[Place]:
    """Return the place of each gradient; gradients of wrong shapes are matched too if that is possible."""

    def without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(n for n in shape if n != 1)

    ways = 0
    for alike in (tuple, without_ones, lambda shape: tuple(sorted(without_ones(shape)))):
        for candidates in (arrays, places):
            held = [alike(np.shape(place.read(layer))) for place in candidates]
            fits = fits_by_shape([alike(shape) for shape in shapes], held)
            if len(fits) == 1:
                return [candidates[k] for k in fits[0]]
            ways = ways or len(fits)
    if len(shapes) == len(arrays):
        return arrays
    listed = [f"{place} {np.shape(place.read(layer))}" for place in places] or ["none was found"]
    more = [", ..." if len(items) > _LISTED else "" for items in (shapes, listed)]
    raise ValueError(
        f"after the gradients of its inputs, backward returned shapes "
        f"{', '.join(map(str, shapes[:_LISTED]))}{more[0]}, which fit the parameters "
        f"({', '.join(listed[:_LISTED])}{more[1]}) in {'several ways' if ways else 'no way'}: return a dict "
        "with the parameters' names as keys, or keep each gradient in an attribute, self.dW for self.W"
    )


def _remarks(others: list[tuple[Place, Any]], states: list[Place]) -> list[Check]:
    """Name the values without gradients on which y depends: states, forgotten parameters, constants."""
    checks = []
    for place in states:
        text = (
            f"forward changes {place}, and y depends on it. If this is a parameter, forward must not change "
            f"it; if it is a state, pass params={{{str(place)!r}: None}}"
        )
        checks.append(Check("unchanged parameters", "inconclusive", text))
    open_ = [
        str(place)
        for place, value in others
        if isinstance(value, np.ndarray)
        and np.all(np.isfinite(value))
        and not any(looks_constant(key) for _, key in place.steps if isinstance(key, str))
    ]
    if open_:
        text = (
            f"y depends on {', '.join(open_)}, but no gradient was found. Pass params={{{open_[0]!r}: "
            f"'name of its gradient'}}, or params={{{open_[0]!r}: None}} for a constant"
        )
        checks.append(Check("parameters without a gradient", "inconclusive", text))
    taken = [str(place) for place, _ in others if str(place) not in open_]
    if taken:
        checks.append(Check("constants", "note", f"taken as constants: {', '.join(taken)}"))
    return checks


def _among(value: Any, others: Iterable[Any]) -> bool:
    """Say whether an array is one of several others, or shares memory with one."""
    return any(isinstance(other, np.ndarray) and _shared(value, other) for other in others)


def _named(layer: Any, name: str) -> Place:
    """Return the place of a name: an attribute, or the name of a `Place` or a `Parameter`."""
    known = [place for place, _ in numbers(layer)]
    for place in (Place((("attribute", name),)), *known):
        if place.read(layer) is not None and name in (str(place), Parameter(place, place, None).name):
            return place
    raise ValueError(
        f"the layer has no {name!r}, or it is None, after a forward and a backward; "
        f"it holds {', '.join(map(str, known)) or 'no floating arrays'}"
    )


def _find_in(layer: Any, params: str, grads: str) -> list[Parameter]:
    """Pair the items of two dicts or lists, named by their attributes."""
    members = {name: found for name in (params, grads) if (found := _member(layer, Place(), name))}
    if len(members) < 2:
        raise ValueError(f"params={params!r} and grads={grads!r} must both name attributes of the layer")
    return _writable(layer, [p for p, _ in _pairs(members[params], members[grads])])


def _find_all(layer: Any, written: Callable[[Place, Any], bool]) -> list[Parameter]:
    """Find parameters and gradients in a layer that has run forward and backward.

    Each is listed once, those of outer objects before those of inner ones. ``written(place, value)`` says
    whether the backward wrote the value at a place. A gradient that is a plain number, or whose shape is not
    its parameter's, is accepted only if it was written.

    An object's parameters are its floating attributes and the items of its dicts and lists of parameters; the
    same is true of gradients. A gradient belongs to the parameter from whose name its own name is formed.
    Methods such as ``parameters()`` and ``gradients()`` are called, and their results are treated as
    attributes.
    """
    found: list[Parameter] = []
    for place, node in nodes(layer):
        if isinstance(node, tuple | list):
            continue
        members = {str(step[1]): (place.then(step), value) for step, value in inside(node)}
        for name in dir(type(node)):
            if normal(name) in _PARAMS + _GRADS and (member := _member(layer, place, name)):
                members.setdefault(name, member)
        found += _writable(layer, _in_members(members, written))
    kept: list[Parameter] = []
    for one in found:
        others = [other for other in found if other.place != one.place]
        size = np.size(one.value)
        larger = any(np.size(other.value) > size and _shared(one.value, other.value) for other in others)
        known = any(other.place == one.place or _shared(one.value, other.value) for other in kept)
        gradient = any(other.gradient == one.place for other in found)
        if not (larger or known or gradient):
            kept.append(one)
    return kept


def _shared(a: Any, b: Any) -> bool:
    """Say whether two arrays share memory."""
    return isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and bool(np.shares_memory(a, b))


def _member(layer: Any, place: Place, name: str) -> Found | None:
    """Return an attribute, or what a method of this name returns, where that is a dict or a list."""
    holder = place.read(layer)
    for kind in ("attribute", "call"):
        try:
            value = follow(holder, kind, name)
        except Exception:  # a user's method: it may need arguments
            continue
        if isinstance(value, Mapping | list | tuple):
            return place.then((kind, name)), value
    return None


def _writable(layer: Any, found: Iterable[Parameter]) -> list[Parameter]:
    """Replace places in a method's result by the places where the layer holds the arrays."""
    held = list(numbers(layer))
    known, owners = {place for place, _ in held}, {id(value): place for place, value in reversed(held)}
    places = [(one, one.place if one.place in known else owners.get(id(one.value))) for one in found]
    return [Parameter(place, one.gradient, one.value) for one, place in places if place is not None]


def _in_members(members: dict[str, Found], written: Callable[[Place, Any], bool]) -> list[Parameter]:
    """Pair the parameters and gradients that one object holds: exact names first, then similar ones."""
    parameters, gradients = dict(members), dict(members)
    found: dict[str, list[Parameter]] = {}
    for name, (place, value) in members.items():
        if isinstance(value, Mapping) and normal(name) in _PARAMS:
            for key, item in value.items():
                parameters.setdefault(str(key), (place.then(("item", key)), item))
        if isinstance(value, Mapping) and normal(name) in _GRADS:
            for key, item in value.items():
                gradients.setdefault(f"grad_{key}", (place.then(("item", key)), item))
                gradients.setdefault(str(key), (place.then(("item", key)), item))
        if isinstance(value, tuple | list) and normal(name) in _PARAMS:
            found[name] = [p for k, item in enumerate(value) for p in _couple(place.then(("item", k)), item)]
    taken: set[Place] = set()
    for exact, same_shape in ((True, True), (False, True), (True, False), (False, False)):
        for name, parameter in parameters.items():
            for gradient in [] if found.get(name) else _candidates(name, gradients, exact):
                pairs = [] if gradient[0] in taken else list(_pairs(parameter, gradient))
                if pairs and all(
                    _alike(p.value, g) if same_shape else written(p.gradient, g) for p, g in pairs
                ):
                    taken.add(gradient[0])
                    found[name] = [p for p, _ in pairs]
                    break
    return [p for name in parameters for p in found.get(name, [])]


def _alike(value: Any, gradient: Any) -> bool:
    """Compare the shapes; a plain number, such as a time step dt, is not a gradient unless it is 0."""
    return np.shape(value) == np.shape(gradient) and (isinstance(gradient, np.ndarray) or not gradient)


def _couple(place: Place, item: Any) -> Iterator[Parameter]:
    """Yield the parameter if an item of a list of parameters is a pair of a parameter and its gradient."""
    if isinstance(item, tuple | list) and len(item) == 2 and all(map(is_floating, item)):
        yield Parameter(place.then(("item", 0)), place.then(("item", 1)), item[0])


def _pairs(parameter: Found, gradient: Found) -> Iterator[tuple[Parameter, Any]]:
    """Pair two numbers or arrays, or the items of two dicts or lists."""
    (place, value), (other, g) = parameter, gradient
    if is_floating(value):
        if isinstance(g, np.ndarray | np.number | float) and g is not value:
            yield Parameter(place, other, value), g
    elif isinstance(value, Mapping) and isinstance(g, Mapping):
        inner = {str(key): (other.then(("item", key)), item) for key, item in g.items()}
        for key, item in value.items():
            one = inner.get(str(key)) or next(iter(_candidates(str(key), inner, exact=False)), None)
            if one:
                yield from _pairs((place.then(("item", key)), item), one)
    elif isinstance(value, list | tuple) and isinstance(g, list | tuple) and len(g) == len(value):
        for k, (item, of_item) in enumerate(zip(value, g, strict=True)):
            yield from _pairs((place.then(("item", k)), item), (other.then(("item", k)), of_item))


def _candidates(name: str, gradients: dict[str, Found], exact: bool) -> list[Found]:
    """Return the candidates for the gradient of a name, the likeliest first."""
    if exact:
        names = [word + name for word in ("d", "d_", "grad_", "g_", "g")]
        names += [f"{name}_grad", f"{name}_gradient"]
        return [gradients[other] for other in names if other in gradients]
    own = normal(name)
    stems = [own]
    if own in _SHORT and _SHORT[own] not in map(normal, gradients):
        stems.append(_SHORT[own])
    if own == "weights":
        stems.append("weight")
    if own == "biases":
        stems.append("bias")
    names = [word + stem for stem in stems for word in _BEFORE] + [s + word for s in stems for word in _AFTER]
    names += _GRADS if own in _PARAMS else ()
    names += ("grad", "gradient", "g", "diff") if own in _VALUES else ()
    by_name = [(normal(other), found) for other, found in gradients.items() if other != name]
    return [found for wanted in dict.fromkeys(names) for other, found in by_name if other == wanted]
