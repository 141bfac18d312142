"""Which gradient belongs to which argument, whatever forms both have."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations, permutations
from typing import Any

import numpy as np
import numpy.typing as npt

from .arguments import is_floating

Array = npt.NDArray[Any]

# What begins like this, without underscores, is no parameter.
_CONSTANTS = {"t", "pe", "causal", "tril", "triu", "positions", "ytrue"}
_CONSTANT = ("running", "moving", "mask", "eps", "momentum", "const", "buffer", "target", "ema", "label")


def normal(name: Any) -> str:
    """Return a name in lower case, without underscores and without the class of a private name."""
    return re.sub(r"^_[A-Z]\w*?__(?=.)", "", str(name)).replace("_", "").lower()


def looks_constant(name: str) -> bool:
    """Say whether a name is that of something that is not trained, such as a mask or a target."""
    return normal(name).startswith(_CONSTANT) or normal(name) in _CONSTANTS


def leaves(y: Any) -> list[Any]:
    """Return the results that y consists of: its items, or y itself."""
    return list(y) if isinstance(y, tuple | list) else [y]


def parts_of(y: Any) -> list[Array]:
    """Return the floating arrays, real or complex, that y consists of.

    Raises
    ------
    TypeError
        When there is none.
    """
    if isinstance(y, Mapping):
        raise TypeError("y is a dict; return its items as a tuple")
    parts = [np.asarray(part) for part in leaves(y)]
    floating = [part for part in parts if part.dtype.kind in "fc"]
    if not floating:
        raise TypeError(f"y holds dtype {parts[0].dtype}; only floating results have a gradient")
    return floating


def like(y: Any, parts: Sequence[Any]) -> Any:
    """Put parts together the way y is: arrays without axes become scalars, what is not floating None."""
    found = iter([part if np.ndim(part) else np.asarray(part)[()] for part in parts])
    if not isinstance(y, tuple | list):
        return next(found)
    items: list[Any] = [next(found) if np.asarray(part).dtype.kind in "fc" else None for part in y]
    return rebuilt(y, items)


def rebuilt(value: Any, items: Sequence[Any]) -> Any:
    """Return a tuple, NamedTuple or list of the same type with other items."""
    return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)


def mapped(function: Callable[[Any], Any], value: Any) -> Any:
    """Apply a function to all that nested dicts, lists and tuples hold."""
    if isinstance(value, Mapping):
        return {key: mapped(function, item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return rebuilt(value, [mapped(function, item) for item in value])
    return function(value)


def assign_gradients(
    returned: Any, args: Sequence[Any], candidates: Sequence[int], told: bool
) -> list[tuple[int, int]]:
    """Find out which returned gradient belongs to which argument.

    Parameters
    ----------
    returned : object
        What backward returned: an array, or a tuple or list of arrays and None.
    args : sequence
        All arguments of forward.
    candidates : sequence of int
        Positions of the arguments that may have a gradient, in order.
    told : bool
        Whether `candidates` was told: then the gradients are those of the candidates, one each.

    Returns
    -------
    list of (int, int)
        Position of the argument and place of its gradient in what was returned.

    Raises
    ------
    ValueError
        When the gradients do not fit the arguments, or fit them in more than one way.

    Notes
    -----
    As many gradients as floating arguments, or as arguments: in order. Fewer: by shape, in the order of the
    arguments where that is possible, provided that there is one way to do it. None stands for an argument
    that is not differentiable.
    """
    gradients = leaves(returned)
    count = len(gradients)
    if told and count != len(candidates):
        raise ValueError(
            f"backward returned {count} gradients for {len(candidates)} arguments; "
            "wrt says which arguments they are for"
        )
    if told:
        return list(zip(candidates, range(count), strict=True))
    if count == len(candidates):
        pairs = list(zip(candidates, range(count), strict=True))
    elif count == len(args):
        pairs = [(k, k) for k in candidates]
    else:
        pairs = _by_shape(gradients, args, candidates)
    pairs = [(k, slot) for k, slot in pairs if gradients[slot] is not None]
    if not pairs:
        raise ValueError("backward returned no gradient: there is nothing to check")
    return pairs


def _by_shape(gradients: list[Any], args: Sequence[Any], candidates: Sequence[int]) -> list[tuple[int, int]]:
    slots = [slot for slot, gradient in enumerate(gradients) if gradient is not None]
    counts = f"backward returned {len(slots)} gradients for {len(candidates)} arguments"
    fits = fits_by_shape([np.shape(gradients[s]) for s in slots], [np.shape(args[k]) for k in candidates])
    if len(fits) > 1:
        raise ValueError(f"{counts}, and their shapes fit in {len(fits)} ways; wrt says which are meant")
    if not fits:
        raise ValueError(f"{counts}, and their shapes do not fit; wrt says which arguments they are for")
    return [(candidates[k], slot) for k, slot in zip(fits[0], slots, strict=True)]


def fits_by_shape(
    shapes: Sequence[tuple[int, ...]], available: Sequence[tuple[int, ...]]
) -> list[tuple[int, ...]]:
    """Return the ways in which gradients fit some of several arrays by shape.

    Returns
    -------
    list of tuple of int
        For each gradient the position of its array: in the order of the arrays where that is possible, or
        else in any order.
    """
    for choices in (combinations, permutations):
        if len(shapes) > len(available) or (choices is permutations and len(available) > 7):
            break
        fits = [
            chosen
            for chosen in choices(range(len(available)), len(shapes))
            if all(available[k] == shape for k, shape in zip(chosen, shapes, strict=True))
        ]
        if fits:
            return fits
    return []


def other_order(gradients: Sequence[Any], args: Sequence[Any], pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Return the arguments in the one order in which the gradients fit them, where that is another.

    Empty where the shapes fit as they are, or in no other way, or in several.
    """
    shapes = [np.shape(gradients[slot]) for _, slot in pairs]
    positions = [k for k, _ in pairs]
    own = [np.shape(args[k]) for k in positions]
    fits = [] if own == shapes else fits_by_shape(shapes, own)
    return [positions[k] for k in fits[0]] if len(fits) == 1 else []


def arrays_of(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the path to each floating array in nested dicts, lists and tuples, and the array."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from arrays_of(inner, f"{path}[{key!r}]")
    elif isinstance(value, list | tuple):
        for k, inner in enumerate(value):
            yield from arrays_of(inner, f"{path}[{k}]")
    elif hasattr(value, "dtype") and is_floating(value):
        yield path, value


def put_back(value: Any, arrays: Iterator[Any]) -> Any:
    """Copy nested dicts, lists and tuples, with other arrays in place of those that `arrays_of` finds."""
    return mapped(lambda x: next(arrays) if hasattr(x, "dtype") and is_floating(x) else x, value)


class Flattening:
    """Makes arguments out of the arrays inside others.

    Parameters
    ----------
    args : sequence
        The arguments as they were given.
    labels : sequence of str
        Their names.

    Attributes
    ----------
    args : list
        The arguments with each nested one replaced by the floating arrays in it.
    labels : list of str
        Their names: ``params['W']``.
    """

    def __init__(self, args: Sequence[Any], labels: Sequence[str]) -> None:
        self._given = list(args)
        self._names = list(labels)
        self._counts: list[int | None] = []  # arrays in each nested argument
        self.args: list[Any] = []
        self.labels: list[str] = []
        for arg, label in zip(args, labels, strict=True):
            found = list(arrays_of(arg)) if isinstance(arg, Mapping | list | tuple) else []
            self._counts.append(len(found) if found else None)
            self.args += [array for _, array in found] or [arg]
            self.labels += [label + path for path, _ in found] or [label]

    @property
    def nested(self) -> bool:
        """Whether there is anything to flatten."""
        return any(count is not None for count in self._counts)

    def positions(self, k: int) -> list[int]:
        """Return the positions of the arrays that argument k became."""
        start = sum(1 if count is None else count for count in self._counts[:k])
        return list(range(start, start + (self._counts[k] or 1)))

    def forward(self, forward: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a forward that takes the arguments as they were given."""

        def flat(*args: Any) -> Any:
            arrays = iter(args)
            return forward(
                *[
                    next(arrays) if count is None else put_back(arg, arrays)
                    for arg, count in zip(self._given, self._counts, strict=True)
                ]
            )

        return _named(flat, forward)

    def backward(self, backward: Callable[..., Any], wrt: Sequence[int] | None) -> Callable[..., Any]:
        """Wrap a backward that returns gradients in the form of the arguments, or of those in `wrt`."""

        def flat(dy: Any, cache: Any) -> Any:
            gradients = self._by_argument(backward(dy, cache), wrt)
            found = []
            for k in range(len(self._given)) if wrt is None else wrt:
                found += self._expand(k, gradients.get(k))
            return tuple(found)

        return _named(flat, backward)

    def _by_argument(self, returned: Any, wrt: Sequence[int] | None) -> dict[int, Any]:
        """Say which of the returned gradients belongs to which of the given arguments."""
        able = [k for k, arg in enumerate(self._given) if self._counts[k] is not None or is_floating(arg)]
        wanted = able if wrt is None else list(wrt)
        kind = type(self._given[wanted[0]])
        if len(wanted) == 1 and type(returned) is kind:
            alone = issubclass(kind, list | tuple) and len(returned) == 1 and type(returned[0]) is kind
            return {wanted[0]: returned[0] if alone else returned}
        gradients = leaves(returned)
        if len(gradients) == len(wanted):
            return dict(zip(wanted, gradients, strict=True))
        if wrt is None and len(gradients) == len(self._given):
            return dict(enumerate(gradients))
        plain = [k for k in wanted if self._counts[k] is None]
        if wrt is None and len(gradients) == len(plain):
            return dict(zip(plain, gradients, strict=True))
        names = ", ".join(self._names[k] for k in wanted)
        raise ValueError(
            f"backward returned {len(gradients)} gradients for {len(wanted)} arguments ({names}); that of a "
            "dict or list must come in its form, with None for what has no gradient"
        )

    def _expand(self, k: int, gradient: Any) -> list[Any]:
        count = self._counts[k]
        if count is None:
            return [gradient]
        if gradient is None:
            return [None] * count
        return list(_like(self._given[k], gradient, self._names[k]))


def _like(value: Any, gradient: Any, path: str) -> Iterator[Any]:
    """Yield the gradient of each array in a nested argument; None for what is missing."""
    if isinstance(value, Mapping):
        if gradient is not None and not isinstance(gradient, Mapping):
            raise ValueError(f"{path} is a dict, but its gradient is {type(gradient).__name__}")
        unknown = set(gradient or {}) - set(value)
        if unknown:
            raise ValueError(
                f"the gradient of {path} has the keys {sorted(map(str, unknown))}, which it has not"
            )
        for key, inner in value.items():
            yield from _like(inner, None if gradient is None else gradient.get(key), f"{path}[{key!r}]")
    elif isinstance(value, list | tuple):
        if gradient is not None and (not isinstance(gradient, list | tuple) or len(gradient) != len(value)):
            raise ValueError(f"{path} holds {len(value)} things; its gradient must be a list of as many")
        for k, inner in enumerate(value):
            yield from _like(inner, None if gradient is None else gradient[k], f"{path}[{k}]")
    elif hasattr(value, "dtype") and is_floating(value):
        yield gradient
    elif isinstance(value, float) and gradient is not None:
        raise ValueError(f"{path} is a Python float, but has a gradient: make it an array or np.float64")


def by_name(backward: Callable[..., Any], labels: Sequence[str]) -> Callable[..., Any]:
    """Wrap a backward that returns a dict: the gradient of x under "x", "dx", "d_x" or "grad_x"."""
    places = {
        prefix + label.lower(): k for k, label in enumerate(labels) for prefix in ("grad_", "d_", "d", "")
    }

    def in_order(dy: Any, cache: Any) -> tuple[Any, ...]:
        gradients: list[Any] = [None] * len(labels)
        for key, gradient in backward(dy, cache).items():
            if str(key).lower() not in places:
                raise ValueError(
                    f"backward returned a dict with {key!r}, which names no argument: forward takes "
                    f"{', '.join(labels)}, and the gradient of {labels[0]} is 'd{labels[0]}'"
                )
            gradients[places[str(key).lower()]] = gradient
        return tuple(gradients)

    return _named(in_order, backward)


def _named(wrapper: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    wrapper.__name__ = getattr(function, "__name__", type(function).__name__)
    return wrapper
