"""Find the parameters of a layer, and their gradients, among its attributes."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

_PREFIXES = ("d", "d_", "grad_", "g_", "g")
_SUFFIXES = ("_grad", "_gradient")
_DICTS = (
    ("params", "grads"),
    ("params", "gradients"),
    ("parameters", "gradients"),
    ("parameters", "grads"),
    ("weights", "grads"),
)


@dataclass(frozen=True)
class Place:
    """Where an array lives in a layer: an attribute, or an item of a dict or list that is one."""

    attribute: str
    key: Any = None

    def __str__(self) -> str:
        return self.attribute if self.key is None else f"{self.attribute}[{self.key!r}]"

    def read(self, layer: Any) -> Any:
        """Return the array; None where there is none."""
        holder = getattr(layer, self.attribute, None)
        if self.key is None or holder is None:
            return holder
        try:
            return holder[self.key]
        except (KeyError, IndexError):
            return None

    def write(self, layer: Any, value: Any) -> None:
        """Put an array there."""
        if self.key is None:
            setattr(layer, self.attribute, value)
        else:
            getattr(layer, self.attribute)[self.key] = value


def find_places(
    template: Any, inputs: list[Any], params: Mapping[str, str] | str | None, grads: str | None
) -> dict[str, tuple[Place, Place]]:
    """Say where each parameter and its gradient live.

    Parameters
    ----------
    template : object
        A layer; a forward and a backward of a copy of it are run.
    inputs : list
        The inputs of its forward.
    params, grads : mapping of str to str, or str, or None
        What was told: see `npvae.gradcheck.check_layer`.

    Returns
    -------
    dict of str to (Place, Place)
        For each parameter.

    Raises
    ------
    ValueError
        When something that was named is not there.
    """
    if isinstance(params, Mapping):
        found = {name: (Place(name), Place(gradient)) for name, gradient in params.items()}
        missing = [name for name in found if not hasattr(template, name)]
        if missing:
            raise ValueError(f"the layer has no attribute {missing[0]!r}")
        return found
    tried = copy.deepcopy(template)
    run = tried.forward if hasattr(tried, "forward") else tried
    y = run(*copy.deepcopy(inputs))
    dy = type(y)(np.ones_like(part) for part in y) if isinstance(y, tuple | list) else np.ones_like(y)
    tried.backward(dy)
    if params is not None:
        if grads is None or not hasattr(template, params) or not hasattr(tried, grads):
            raise ValueError(f"params={params!r} and grads={grads!r} must both name attributes of the layer")
        return dict(_in_containers(tried, params, grads))
    found = {}
    for pair in _DICTS:
        if all(isinstance(getattr(tried, name, None), Mapping | list) for name in pair):
            found.update(_in_containers(tried, *pair))
    for name, value in list(vars(tried).items()) if hasattr(tried, "__dict__") else []:
        if not _is_parameter(value):
            continue
        for other in _gradient_names(name):
            if other != name and np.shape(getattr(tried, other, ())) == np.shape(value):
                found.setdefault(name, (Place(name), Place(other)))
                break
    return found


def _in_containers(layer: Any, params: str, grads: str) -> Iterator[tuple[str, tuple[Place, Place]]]:
    values, gradients = getattr(layer, params), getattr(layer, grads)
    if isinstance(values, Mapping):
        for key, value in values.items():
            others = [other for other in (key, *_gradient_names(str(key))) if other in gradients]
            if _is_parameter(value) and others:
                yield str(key), (Place(params, key), Place(grads, others[0]))
    else:
        for k, value in enumerate(values[: len(gradients)]):
            if _is_parameter(value):
                yield f"{params}[{k}]", (Place(params, k), Place(grads, k))


def _gradient_names(name: str) -> list[str]:
    return [prefix + name for prefix in _PREFIXES] + [name + suffix for suffix in _SUFFIXES]


def _is_parameter(value: Any) -> bool:
    return isinstance(value, np.ndarray | np.floating) and np.asarray(value).dtype.kind == "f"
