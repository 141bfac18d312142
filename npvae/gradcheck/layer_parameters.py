"""Find the parameters of a layer, and their gradients, by the names that people give them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from .matching import normal
from .objects import (
    Place,
    follow,
    inside,
    is_parameter,
    nodes,
    numbers,
)

# Names without underscores, in lower case. Gradients of w: dw, grad_w, dL_dw, w_grad, ...
_BEFORE = ("d", "grad", "gradient", "g", "dld", "dlossd", "djd", "ded", "dcd", "nabla", "grads", "gradients")
_AFTER = ("grad", "gradient", "grads", "gradients", "g", "deriv")
_SHORT = {"weight": "w", "weights": "w", "bias": "b", "biases": "b"}
_PARAMS = ("params", "parameters", "getparams", "getparameters", "param", "weights", "theta")
_GRADS = ("grads", "gradients", "getgrads", "getgradients", "grad", "gradient", "dparams")
_VALUES = ("value", "data", "val", "array", "tensor", "v", "w", "param", "weight")  # of a parameter object

Found = tuple[Place, Any]


class Parameter(NamedTuple):
    """A parameter that was found, and its gradient.

    Attributes
    ----------
    place, gradient : Place
        Where they are.
    value : array or number
        The parameter.
    """

    place: Place
    gradient: Place
    value: Any

    @property
    def name(self) -> str:
        """What the report calls it: its place, without a dict that holds all parameters."""
        steps = self.place.steps
        if len(steps) > 1 and isinstance(steps[-1][1], str) and normal(steps[-2][1]) in _PARAMS:
            steps = (*steps[:-2], ("attribute", steps[-1][1]))
        return str(Place(steps))


def told_places(layer: Any, params: Mapping[str, str | None]) -> list[Parameter]:
    """Return what was told, from a layer that has run forward and backward.

    Raises
    ------
    ValueError
        When something that was named is not there.
    """
    return [
        Parameter(named(layer, name), named(layer, gradient), named(layer, name).read(layer))
        for name, gradient in params.items()
        if gradient is not None
    ]


def named(layer: Any, name: str) -> Place:
    """Return the place of a name: an attribute, or what a `Place` or a `Parameter` shows."""
    known = [place for place, _ in numbers(layer)]
    for place in (Place((("attribute", name),)), *known):
        if place.read(layer) is not None and name in (str(place), Parameter(place, place, None).name):
            return place
    raise ValueError(
        f"the layer has no {name!r}, or it is None, after a forward and a backward; "
        f"it holds {', '.join(map(str, known)) or 'no floating arrays'}"
    )


def find_in(layer: Any, params: str, grads: str) -> list[Parameter]:
    """Pair the items of two dicts or lists, named by their attributes.

    Raises
    ------
    ValueError
        When they are not there.
    """
    members = {name: found for name in (params, grads) if (found := _member(layer, Place(), name))}
    if len(members) < 2:
        raise ValueError(f"params={params!r} and grads={grads!r} must both name attributes of the layer")
    return _writable(layer, [p for p, _ in _pairs(members[params], members[grads])])


def find_all(layer: Any, written: Callable[[Place, Any], bool]) -> list[Parameter]:
    """Find parameters and gradients in a layer that has run forward and backward.

    Parameters
    ----------
    layer : object
        The layer.
    written : callable
        ``written(place, value)`` says whether the backward wrote what is there. A gradient of another shape
        than its parameter, or that is a plain number, is only believed then.

    Returns
    -------
    list of Parameter
        Each once. What the outer objects name comes before what the inner ones do.

    Notes
    -----
    An object's parameters are its floating attributes and the items of its dicts and lists of parameters; the
    same is true of gradients. A gradient belongs to the parameter from whose name its own is made. Methods
    such as ``parameters()`` and ``gradients()`` are called, and their results are taken as attributes.
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
        larger = any(np.size(other.value) > size and shared(one.value, other.value) for other in others)
        known = any(other.place == one.place or shared(one.value, other.value) for other in kept)
        gradient = any(other.gradient == one.place for other in found)
        if not (larger or known or gradient):
            kept.append(one)
    return kept


def shared(a: Any, b: Any) -> bool:
    """Say whether two arrays have memory in common."""
    return isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and bool(np.shares_memory(a, b))


def _member(layer: Any, place: Place, name: str) -> Found | None:
    """Return an attribute, or what a method of this name returns, where that is a dict or a list."""
    holder = place.read(layer)
    for kind in ("attribute", "call"):
        try:
            value = follow(holder, kind, name)
        except Exception:  # someone else's method: it may want arguments
            continue
        if isinstance(value, Mapping | list | tuple):
            return place.then((kind, name)), value
    return None


def _writable(layer: Any, found: Iterable[Parameter]) -> list[Parameter]:
    """Replace places that a method returned by those where the arrays themselves are held."""
    held = list(numbers(layer))
    known, owners = {place for place, _ in held}, {id(value): place for place, value in reversed(held)}
    places = [(one, one.place if one.place in known else owners.get(id(one.value))) for one in found]
    return [Parameter(place, one.gradient, one.value) for one, place in places if place is not None]


def _in_members(members: dict[str, Found], written: Callable[[Place, Any], bool]) -> list[Parameter]:
    """Pair what one object holds: first names that are alike to the letter, then the others."""
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
    """Compare the shapes; a plain number, such as a step dt beside a time t, is no gradient unless 0."""
    return np.shape(value) == np.shape(gradient) and (isinstance(gradient, np.ndarray) or not gradient)


def _couple(place: Place, item: Any) -> Iterator[Parameter]:
    """Take an item of a list of parameters as a couple: a parameter and its gradient."""
    if isinstance(item, tuple | list) and len(item) == 2 and all(map(is_parameter, item)):
        yield Parameter(place.then(("item", 0)), place.then(("item", 1)), item[0])


def _pairs(parameter: Found, gradient: Found) -> Iterator[tuple[Parameter, Any]]:
    """Pair two numbers or arrays, or the items of two dicts or lists."""
    (place, value), (other, g) = parameter, gradient
    if is_parameter(value):
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
    """Return what may be the gradient of a name, the likeliest first."""
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
