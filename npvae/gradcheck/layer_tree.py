"""The arrays that a layer holds, wherever they are: read, written and copied.

Two names may stand for one array, and an array may be a view of another. Copies keep that; so does writing.
"""

from __future__ import annotations

import copy
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .arguments import GENERATORS

Array = npt.NDArray[Any]
Step = tuple[str, Any]  # ("attribute", name), ("item", key or index) or ("call", name of a method)

_MOST = 4096  # how many objects are looked at
_OPAQUE = (str, bytes, int, float, complex, type(None), type, np.ndarray, np.generic, types.ModuleType)
_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType)


@dataclass(frozen=True)
class Place:
    """Where something is in a layer.

    Attributes
    ----------
    steps : tuple of (str, object)
        How to get there: "attribute" with a name, "item" with a key or an index, "call" with a method's name.
    """

    steps: tuple[Step, ...] = ()

    def __str__(self) -> str:
        words = [
            f"[{key!r}]" if kind == "item" else f".{key}" + "()" * (kind == "call")
            for kind, key in self.steps
        ]
        return "".join(words).removeprefix(".")

    def then(self, step: Step) -> Place:
        """Return the place one step further."""
        return Place((*self.steps, step))

    def read(self, layer: Any) -> Any:
        """Return what is there; None where there is nothing."""
        try:
            for kind, key in self.steps:
                layer = follow(layer, kind, key)
        except (AttributeError, KeyError, IndexError, TypeError):
            return None
        return layer

    def write(self, layer: Any, value: Any) -> None:
        """Put a number or an array there, for all who hold the same array.

        Raises
        ------
        TypeError
            When the array must be replaced, and cannot be wherever it is.
        """
        held = self.read(layer)
        if not isinstance(held, np.ndarray):
            self.replace(layer, value)
            return
        dtype = np.asarray(value).dtype
        if (held.dtype != dtype and held.dtype.kind != "c") or not held.flags.writeable:
            _convert(layer, held, dtype)
            held = self.read(layer)
        held[...] = value

    def replace(self, layer: Any, value: Any) -> None:
        """Put something else there."""
        kind, key = self.steps[-1]
        holder = Place(self.steps[:-1]).read(layer)
        if isinstance(holder, tuple):
            items = [*holder[:key], value, *holder[key + 1 :]]
            named = hasattr(holder, "_fields")
            Place(self.steps[:-1]).replace(layer, type(holder)(*items) if named else type(holder)(items))
        elif kind == "item":
            holder[key] = value
        else:
            object.__setattr__(holder, key, value)  # the attribute itself, also where the class is frozen


def follow(holder: Any, kind: str, key: Any) -> Any:
    """Take one step."""
    if kind == "item":
        return holder[key]
    found = getattr(holder, key)
    if kind == "attribute":
        return found
    found = found()
    return list(found) if isinstance(found, Iterator) else found


def nodes(layer: Any) -> Iterator[tuple[Place, Any]]:
    """Yield the objects, dicts, lists and tuples that a layer consists of, the outer ones first."""
    queue: list[tuple[Place, Any]] = [(Place(), layer)]
    seen: set[int] = set()
    while queue and len(seen) < _MOST:
        place, node = queue.pop(0)
        if isinstance(node, (*_OPAQUE, *_FUNCTIONS, *GENERATORS)) or id(node) in seen:
            continue
        seen.add(id(node))
        yield place, node
        queue += [(place.then(step), value) for step, value in inside(node)]


def inside(node: Any) -> list[tuple[Step, Any]]:
    """Return what an object, a dict, a list or a tuple holds."""
    if isinstance(node, Mapping):
        return [(("item", key), value) for key, value in node.items()]
    if isinstance(node, tuple | list):
        return [(("item", k), value) for k, value in enumerate(node)]
    found = dict(getattr(node, "__dict__", {}))
    for kind in type(node).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(node, name):
                found.setdefault(name, getattr(node, name))
    return [(("attribute", name), value) for name, value in found.items()]


def numbers(layer: Any) -> Iterator[tuple[Place, Any]]:
    """Yield the place of every real floating array or number, several for one that is held several times."""
    for place, node in nodes(layer):
        for step, value in inside(node):
            if is_parameter(value):
                yield place.then(step), value


def is_parameter(value: Any) -> bool:
    """Say whether something may be a parameter: a floating array or number."""
    return isinstance(value, np.ndarray | np.floating | float) and np.asarray(value).dtype.kind == "f"


def duplicate(layer: Any) -> Any:
    """Copy a layer with all it holds; what was a view of another array remains one."""
    roots: dict[int, list[Array]] = {}
    for _, value in numbers(layer):
        if type(value) is np.ndarray:
            roots.setdefault(id(_root(value)), []).append(value)
    memo: dict[int, Any] = {}
    for group in roots.values():
        if len({id(array) for array in group}) > 1:
            root = _root(group[0])
            try:
                memo.update(_moved(root, [root, *group], root.dtype))
            except (TypeError, ValueError):  # memory of another kind
                continue
    return copy.deepcopy(layer, memo)


def _convert(layer: Any, array: Array, dtype: npt.DTypeLike) -> None:
    """Give an array, its views, and all that it is a view of, another dtype; wherever they are held."""
    root = _root(array)
    group = [
        (place, value)
        for place, value in numbers(layer)
        if isinstance(value, np.ndarray) and _root(value) is root
    ]
    try:
        new = _moved(root, [value for _, value in group], np.dtype(dtype))
    except ValueError as error:
        raise TypeError(f"the memory of {group[0][0]} cannot be given another dtype") from error
    for place, value in group:
        place.replace(layer, new[id(value)])


def _moved(root: Array, arrays: list[Array], dtype: np.dtype[Any]) -> dict[int, Array]:
    """Copy a root into new memory; return the views of the copy that correspond to arrays, by their id."""
    memory = np.empty(root.size, dtype)
    scale = dtype.itemsize, root.dtype.itemsize

    def view(array: Array) -> Array:
        if array.dtype != root.dtype:
            raise TypeError("a view has another dtype than its base")
        offset = array.__array_interface__["data"][0] - root.__array_interface__["data"][0]
        strides = [stride // scale[1] * scale[0] for stride in array.strides]
        return np.ndarray(array.shape, dtype, memory, offset // scale[1] * scale[0], strides)

    view(root)[...] = root
    return {id(array): view(array) for array in arrays}


def _root(array: Array) -> Array:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
