"""What forward and backward hand over: results in parts, gradients in order, arrays inside a cache."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, permutations
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_DEPTH = 6  # how deep a cache is searched for arrays
_MOST = 4096  # and how many objects of it are looked at
_OPAQUE = (str, bytes, int, float, complex, bool, type, types.ModuleType, type(None), np.random.Generator)


def leaves(y: Any) -> list[Any]:
    """Return the results that y consists of: its items, or y itself."""
    return list(y) if isinstance(y, tuple | list) else [y]


def parts_of(y: Any) -> list[Array]:
    """Return the arrays that y consists of.

    Raises
    ------
    TypeError
        When one of them is not floating.
    """
    if isinstance(y, Mapping):
        raise TypeError("y is a dict; return its items as a tuple")
    parts = [np.asarray(part) for part in leaves(y)]
    for part in parts:
        if part.dtype.kind != "f":
            raise TypeError(f"y holds dtype {part.dtype}; only floating results have a gradient")
    return parts


def like(y: Any, parts: Sequence[Any]) -> Any:
    """Put parts together the way y is; arrays without axes become scalars."""
    parts = [part if np.ndim(part) else np.asarray(part)[()] for part in parts]
    if not isinstance(y, tuple | list):
        return parts[0]
    return type(y)(*parts) if hasattr(y, "_fields") else type(y)(parts)


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
    shapes = [np.shape(gradients[slot]) for slot in slots]
    counts = f"backward returned {len(slots)} gradients for {len(candidates)} arguments"
    for choices in (combinations, permutations):
        if len(slots) > len(candidates) or (choices is permutations and len(candidates) > 7):
            break
        fits = [
            chosen
            for chosen in choices(candidates, len(slots))
            if all(np.shape(args[k]) == shape for k, shape in zip(chosen, shapes, strict=True))
        ]
        if len(fits) == 1:
            return list(zip(fits[0], slots, strict=True))
        if fits:
            raise ValueError(f"{counts}, and their shapes fit in {len(fits)} ways; wrt says which are meant")
    raise ValueError(f"{counts}, and their shapes do not fit; wrt says which arguments they are for")


def other_order(gradients: Sequence[Any], args: Sequence[Any], pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Return the arguments in the one order in which the gradients fit them, where that is another.

    Empty where the shapes fit as they are, or in no other way, or in several.
    """
    shapes = [np.shape(gradients[slot]) for _, slot in pairs]
    positions = [k for k, _ in pairs]
    if all(np.shape(args[k]) == shape for k, shape in zip(positions, shapes, strict=True)) or len(pairs) > 7:
        return []
    fits = [
        list(order)
        for order in permutations(positions)
        if all(np.shape(args[k]) == shape for k, shape in zip(order, shapes, strict=True))
    ]
    return fits[0] if len(fits) == 1 else []


def arrays_in(thing: Any) -> dict[str, Array]:
    """Find the arrays inside a thing: items, attributes, and what a closure holds.

    Returns
    -------
    dict of str to array
        The path to each array, as one would write it after the thing's name, and the array itself.

    Examples
    --------
    >>> sorted(arrays_in((np.ones(2), {"mask": np.zeros(3)})))
    ['[0]', "[1]['mask']"]
    """
    found: dict[str, Array] = {}
    seen: set[int] = set()
    queue: list[tuple[str, Any, int]] = [("", thing, 0)]
    while queue and len(seen) < _MOST:
        path, item, depth = queue.pop(0)
        if isinstance(item, _OPAQUE) or id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, np.ndarray):
            found[path] = item
        elif depth < _DEPTH:
            queue += [(path + name, inner, depth + 1) for name, inner in _inside(item)]
    return found


def _inside(item: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(item, tuple | list):
        names = getattr(item, "_fields", None)
        for k, inner in enumerate(item):
            yield (f".{names[k]}" if names else f"[{k}]"), inner
    elif isinstance(item, Mapping):
        for key, inner in item.items():
            yield f"[{key!r}]", inner
    elif isinstance(item, types.FunctionType):
        for name, cell in zip(item.__code__.co_freevars, item.__closure__ or (), strict=True):
            try:
                yield f".{name}", cell.cell_contents
            except ValueError:  # not filled yet
                continue
    elif not isinstance(item, types.BuiltinFunctionType):
        attributes = dict(getattr(item, "__dict__", {}))
        for kind in type(item).__mro__:
            slots = kind.__dict__.get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else slots:
                if hasattr(item, name):
                    attributes.setdefault(name, getattr(item, name))
        for name, inner in attributes.items():
            yield f".{name}", inner


class Snapshot:
    """A copy of all arrays inside some things, to see later which were changed.

    Parameters
    ----------
    **things
        Named as the report should name them.
    """

    def __init__(self, **things: Any) -> None:
        self._kept = [
            (name + path, array, array.copy())
            for name, thing in things.items()
            for path, array in arrays_in(thing).items()
            if array.dtype.kind in "biufc"
        ]

    def changed(self) -> list[str]:
        """Return the names of the arrays that differ from what they were."""
        return [name for name, array, copy in self._kept if not same_bits(array, copy)]

    def restore(self) -> None:
        """Give the arrays that differ from what they were, and may be written to, their old values."""
        for _, array, copy in self._kept:
            if array.flags.writeable and not same_bits(array, copy):
                array[...] = copy


def same_bits(a: Any, b: Any) -> bool:
    """Say whether two arrays are equal, NaN to NaN."""
    a, b = np.asarray(a), np.asarray(b)
    if np.array_equal(a, b):
        return True
    return a.shape == b.shape and a.dtype.kind in "fc" and bool(np.array_equal(a, b, equal_nan=True))
