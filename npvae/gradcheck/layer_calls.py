"""Call a layer's forward and backward, whose signatures and results differ from author to author."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations, permutations
from typing import Any

import numpy as np

from .arguments import is_floating, signature_of
from .layer_places import normal
from .layer_tree import inside, nodes
from .structure import leaves

_RESETS = [
    verb + what
    for verb in ("zero", "clear", "reset")
    for what in ("grad", "grads", "gradient", "gradients", "gradparameters")
]
_DX = ("dinputs", "dinput", "grad_input", "gradInput", "dx")
_REQUIRED = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def require_layer(layer: Any, inputs: Sequence[Any]) -> None:
    """Refuse what is no layer, or does not take these inputs.

    Raises
    ------
    TypeError
        With what was expected.
    """
    if isinstance(layer, type):
        raise TypeError(f"{layer.__name__} is a class: pass an instance of it, {layer.__name__}(...)")
    if not callable(getattr(layer, "backward", None)) or not callable(_forward_of(layer)):
        raise TypeError(f"{type(layer).__name__} is no layer: it needs methods forward(x) and backward(dy)")
    signature = signature_of(_forward_of(layer))
    try:
        if signature.parameters:
            signature.bind(*inputs)
    except TypeError as error:
        raise TypeError(
            f"forward{signature} does not take {len(inputs)} input{'s' * (len(inputs) > 1)} ({error}): "
            "x must be a tuple of all that it takes"
        ) from error


def run_forward(layer: Any, inputs: Sequence[Any]) -> Any:
    """Return y.

    Raises
    ------
    TypeError
        When there is none, or it is not floating.
    """
    y = _forward_of(layer)(*inputs)
    if y is None:  # some keep it in an attribute
        y = getattr(layer, "output", None)
    if y is None:
        raise TypeError("forward returned None: it must return y, or keep it in an attribute named output")
    for part in leaves(y):
        if np.asarray(part).dtype.kind not in "fc":
            raise TypeError(
                f"forward returned dtype {np.asarray(part).dtype}; only floating results have a gradient: "
                "are all inputs floating that should be?"
            )
    return y


def run_backward(layer: Any, inputs: Sequence[Any], dy: Any) -> Any:
    """Return what backward returns, after the gradients were set to zero where the layer can do that.

    Where backward takes no dy, it means dy = 1. Where it returns None and keeps the gradient of the input in
    an attribute of a usual name, that is returned.

    Raises
    ------
    TypeError
        When backward takes something else than dy: nothing, where y is no single number, or more.
    """
    takes, needs = _arguments_of(layer.backward)
    several = needs > 1 and needs == len(leaves(dy))
    if needs > 1 and not several:
        raise TypeError(
            f"backward{signature_of(layer.backward)} needs {needs} arguments, but is called with dy alone: "
            "give the others defaults, or check a subclass with backward(self, dy) that passes them on"
        )
    if not takes and sum(np.size(part) for part in leaves(dy)) != 1:
        raise TypeError(f"backward takes no dy, so y must be a single number; it has shape {np.shape(dy)}")
    reset(layer)
    returned = layer.backward(*([] if not takes else dy if several else [dy]))
    if returned is None and len(inputs) == 1:
        kept = [np.asarray(getattr(layer, name, None)) for name in _DX]
        return next((dx for dx in kept if dx.dtype.kind == "f" and dx.ndim == np.ndim(inputs[0])), None)
    return returned


def scale_of(layer: Any, dy: Any) -> Any:
    """Return what the gradients of a backward that takes no dy are to be multiplied with; None for others."""
    return None if _arguments_of(layer.backward)[0] else np.reshape(leaves(dy)[0], ())[()]


def reset(layer: Any) -> None:
    """Call zero_grad(), or a method of a similar name: the layer's, or else those of what it consists of."""
    done: list[tuple[Any, ...]] = []
    for place, node in list(nodes(layer)):
        if any(place.steps[: len(steps)] == steps for steps in done):
            continue
        for name in dir(type(node)):
            method = getattr(node, name) if normal(name) in _RESETS else None
            if callable(method) and _arguments_of(method)[1] == 0:
                method()
                done.append(place.steps)
                break


def split(returned: Any, inputs: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Part what backward returned into the gradients of the inputs, and those of parameters.

    Returns
    -------
    gradients : list
        One for each input; None where there is none.
    rest : list
        What is left: arrays.
    """
    floating = [k for k, x in enumerate(inputs) if is_floating(x)]
    found = [returned] if isinstance(returned, np.ndarray) else leaves(returned)
    if isinstance(returned, Mapping):
        found = [None] * len(inputs) + [returned]
    if len(inputs) > 1 and len(found) > 1 and isinstance(found[0], tuple | list):
        found = [*found[0], *found[1:]]
    gradients: list[Any] = [None] * len(inputs)
    if len(found) == len(floating) < len(inputs):
        for k, gradient in zip(floating, found, strict=True):
            gradients[k] = gradient
        return gradients, []
    gradients[: len(found)] = found[: len(inputs)]
    return gradients, [item for thing in found[len(inputs) :] for item in _flat(thing)]


def match(rest: list[Any], names: list[str], shapes: list[tuple[int, ...]]) -> dict[int, int]:
    """Say which of the returned gradients belongs to which parameter.

    Returns
    -------
    dict of int to int
        For the position of each parameter that has one, the position in `rest`.

    Raises
    ------
    ValueError
        When shapes do not tell.

    Notes
    -----
    In the order of the parameters, where the shapes allow that in one way only; or else in the one order that
    they allow.
    """
    own = [np.shape(gradient) for gradient in rest]
    for choices in (combinations, permutations):
        if len(own) > len(names) or (choices is permutations and len(names) > 7):
            break
        fits = [c for c in choices(range(len(names)), len(own)) if [shapes[k] for k in c] == own]
        if len(fits) == 1:
            return {k: slot for slot, k in enumerate(fits[0])}
        if fits:
            break
    listed = ", ".join(f"{name} {shape}" for name, shape in zip(names, shapes, strict=True)) or "none found"
    raise ValueError(
        f"after those of the inputs, backward returned gradients of shapes {own}, which do not fit the "
        f"parameters ({listed}) in one way: let backward keep each in an attribute, self.dW for self.W"
    )


def _flat(thing: Any) -> list[Any]:
    if isinstance(thing, Mapping | tuple | list):
        return [item for _, value in inside(thing) for item in _flat(value)]
    return [] if thing is None else [thing]


def _forward_of(layer: Any) -> Callable[..., Any]:
    return layer.forward if hasattr(layer, "forward") else layer


def _arguments_of(method: Callable[..., Any]) -> tuple[bool, int]:
    """Return whether a method takes positional arguments at all, and how many it needs."""
    try:
        found = list(inspect.signature(method).parameters.values())
    except (TypeError, ValueError):  # builtins and some compiled functions have none
        return True, 1
    takes = [p for p in found if p.kind in (*_REQUIRED, inspect.Parameter.VAR_POSITIONAL)]
    needs = [p for p in takes if p.kind in _REQUIRED and p.default is p.empty]
    return bool(takes), len(needs)
