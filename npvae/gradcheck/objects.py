"""What an object holds, wherever it is: found, read, written and copied.

One walk serves all who look inside other people's objects: for the parameters of a layer, the arrays of a
cache, random generators, and whatever has the length of the batch. Two names may stand for one array, and an
array may be a view of another. Copies keep that; so does writing.
"""

from __future__ import annotations

import collections
import copy
import dis
import functools
import itertools
import random
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Step = tuple[str, Any]  # ("attribute", name), ("item", key or index), ("call", method) or ("name", variable)

GENERATORS = (np.random.Generator, np.random.RandomState, np.random.BitGenerator, random.Random)

_MOST = 4096  # how many objects are looked at
_MISSING = object()
ATOMS = (str, bytes, int, float, complex, type(None), type, np.generic, types.ModuleType)
_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, functools.partial)


@dataclass(frozen=True)
class Place:
    """Where something is in an object.

    Attributes
    ----------
    steps : tuple of (str, object)
        How to get there: "attribute" with a name, "item" with a key or an index, "call" with a method's name,
        "name" with the name of a variable that a function refers to.
    """

    steps: tuple[Step, ...] = ()

    def __str__(self) -> str:
        return self.suffix.removeprefix(".")

    @property
    def suffix(self) -> str:
        """The place as one would write it after the object's name."""
        words = [
            f"[{key!r}]" if kind == "item" else f".{key}" + "()" * (kind == "call")
            for kind, key in self.steps
        ]
        return "".join(words)

    def then(self, step: Step) -> Place:
        """Return the place one step further."""
        return Place((*self.steps, step))

    def read(self, thing: Any) -> Any:
        """Return what is there; None where there is nothing."""
        try:
            for kind, key in self.steps:
                thing = follow(thing, kind, key)
        except (AttributeError, KeyError, IndexError, TypeError):
            return None
        return thing

    def write(self, thing: Any, value: Any) -> None:
        """Put a number or an array there, for all who hold the same array.

        Raises
        ------
        TypeError
            When the array must be replaced, and cannot be wherever it is.
        """
        held = self.read(thing)
        if not isinstance(held, np.ndarray):
            self.replace(thing, value)
            return
        dtype = np.asarray(value).dtype
        if (held.dtype != dtype and held.dtype.kind != "c") or not held.flags.writeable:
            _convert(thing, held, dtype)
            held = self.read(thing)
        held[...] = value

    def replace(self, thing: Any, value: Any) -> None:
        """Put something else there."""
        kind, key = self.steps[-1]
        holder = Place(self.steps[:-1]).read(thing)
        if isinstance(holder, tuple):
            key = key if kind == "item" else getattr(holder, "_fields", ()).index(key)
            items = [*holder[:key], value, *holder[key + 1 :]]
            named = hasattr(holder, "_fields")
            Place(self.steps[:-1]).replace(thing, type(holder)(*items) if named else type(holder)(items))
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


def nodes(thing: Any, functions: bool = False) -> Iterator[tuple[Place, Any]]:
    """Yield the objects, dicts, lists and tuples that a thing consists of, each once, the outer ones first.

    Parameters
    ----------
    thing : object
    functions : bool
        Whether to look into functions too, and at what they and the methods of objects refer to.
    """
    queue: collections.deque[tuple[Place, Any]] = collections.deque([(Place(), thing)])
    closed: tuple[type, ...] = (*ATOMS, np.ndarray, *GENERATORS, types.BuiltinFunctionType)
    if not functions:
        closed = (*closed, *_FUNCTIONS)
    seen: set[int] = set()
    while queue and len(seen) < _MOST:
        place, node = queue.popleft()
        if isinstance(node, closed) or id(node) in seen or _is_array(node):
            continue
        seen.add(id(node))
        yield place, node
        queue += [(place.then(step), value) for step, value in inside(node, functions)]


def members(thing: Any, functions: bool = False) -> Iterator[tuple[Place, Any]]:
    """Yield all that a thing holds, and it itself; several places where it is held several times."""
    yield Place(), thing
    for place, node in nodes(thing, functions):
        for step, value in inside(node, functions):
            yield place.then(step), value


def inside(node: Any, functions: bool = False) -> list[tuple[Step, Any]]:
    """Return what a thing holds: its items or attributes, or what a function refers to."""
    if isinstance(node, Mapping):
        return [(("item", key), value) for key, value in itertools.islice(node.items(), _MOST)]
    if isinstance(node, tuple | list):
        names = getattr(node, "_fields", None)
        steps = [("attribute", name) for name in names] if names else [("item", k) for k in range(len(node))]
        return list(itertools.islice(zip(steps, node, strict=True), _MOST))
    if isinstance(node, types.FunctionType):
        return [(("name", name), value) for name, value in _variables(node).items()]
    if isinstance(node, types.MethodType):
        return [(("attribute", "__self__"), node.__self__)]
    if isinstance(node, functools.partial):
        return [(("attribute", name), getattr(node, name)) for name in ("func", "args", "keywords")]
    wrapped = _get(node, "py_func", _get(node, "__wrapped__")) if functions else None
    if callable(wrapped):  # a compiled function: its own insides say nothing
        return [(("attribute", "__wrapped__"), wrapped)]
    found: dict[str, Any] = {}
    if functions:
        for kind in reversed(type(node).__mro__):
            shared = (*GENERATORS, np.ndarray, types.FunctionType)
            found |= {name: value for name, value in vars(kind).items() if isinstance(value, shared)}
    return [(("attribute", name), value) for name, value in (found | attributes_of(node)).items()]


def attributes_of(node: Any) -> dict[str, Any]:
    """Return an object's own attributes, those in slots too."""
    found = dict(_get(node, "__dict__", {}))
    for name in slots_of(node):
        value = _get(node, name, _MISSING)
        if value is not _MISSING:
            found.setdefault(name, value)
    return found


def _get(node: Any, name: str, default: Any = None) -> Any:
    """Return an attribute; the default where that raises whatever it may."""
    try:
        return getattr(node, name)
    except Exception:  # someone else's object, or a slot that is not filled
        return default


def slots_of(node: Any) -> list[str]:
    """Return the names of an object's slots, but not __dict__, __weakref__ and the like."""
    found = []
    for kind in type(node).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else tuple(slots):
            if not name.startswith("__"):
                found.append(name)
            elif not name.endswith("__"):
                found.append(f"_{kind.__name__.lstrip('_')}{name}")
    return found


def _variables(function: types.FunctionType) -> dict[str, Any]:
    """Return what a function refers to: what it encloses, its defaults, and its module's variables."""
    found: dict[str, Any] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not filled yet
            continue
    found |= {f"default {k}": value for k, value in enumerate(function.__defaults__ or ())}
    found |= function.__kwdefaults__ or {}
    read, names = _names_in(function.__code__)
    for name in read:
        value = function.__globals__.get(name)
        if isinstance(value, types.ModuleType):
            of_module = {inner: vars(value).get(inner) for inner in names}
            found |= {
                f"{name}.{inner}": item
                for inner, item in of_module.items()
                if isinstance(item, (np.ndarray, *GENERATORS))
            }
        elif value is not None:
            found.setdefault(name, value)
    return found


@functools.lru_cache(maxsize=4096)
def _names_in(code: types.CodeType) -> tuple[list[str], list[str]]:
    """Return the global names that code reads, and these with attributes; those of inner functions too."""
    lines = dis.get_instructions(code)
    read = [line.argval for line in lines if line.opname in ("LOAD_GLOBAL", "LOAD_NAME")]
    names = list(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            inner = _names_in(constant)
            read, names = [*read, *inner[0]], [*names, *inner[1]]
    return read, names


def _is_array(value: Any) -> bool:
    """Say whether something is an array of any library: its class has a shape and a dtype."""
    return hasattr(type(value), "shape") and hasattr(type(value), "dtype")


def is_parameter(value: Any) -> bool:
    """Say whether something may be a parameter: a floating array or number."""
    return isinstance(value, np.ndarray | np.floating | float) and np.asarray(value).dtype.kind == "f"


def numbers(thing: Any) -> Iterator[tuple[Place, Any]]:
    """Yield the place of every real floating array or number, several for one that is held several times."""
    return ((place, value) for place, value in members(thing) if place.steps and is_parameter(value))


def arrays_in(thing: Any, functions: bool = True) -> dict[str, Array]:
    """Find the arrays inside a thing: items, attributes, and what a function encloses.

    Returns
    -------
    dict of str to array
        The path to each array, as one would write it after the thing's name, and the array itself.

    Examples
    --------
    >>> sorted(arrays_in((np.ones(2), {"mask": np.zeros(3)})))
    ['[0]', "[1]['mask']"]
    """
    found: dict[int, tuple[str, Array]] = {}
    for place, value in members(thing, functions):
        if isinstance(value, np.ndarray):
            found.setdefault(id(value), (place.suffix, value))
    return dict(found.values())


def generators_in(thing: Any) -> dict[str, Any]:
    """Find random generators among a thing's attributes and items, and what its methods refer to.

    Returns
    -------
    dict of str to generator
        By the path to each, as one would write it after the thing's name.

    Examples
    --------
    >>> class Dropout:
    ...     rng = np.random.default_rng(0)
    >>> list(generators_in({"layers": [Dropout()]}))
    ["['layers'][0].rng"]
    """
    found: dict[int, tuple[str, Any]] = {}
    for place, value in members(thing, functions=True):
        if isinstance(value, GENERATORS):
            found.setdefault(id(value), (place.suffix.replace(".__self__", ""), value))
    return dict(found.values())


def shapes_in(thing: Any) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all arrays, of any library, and lists of numbers that a thing refers to."""
    found: dict[str, tuple[int, ...]] = {}
    for place, value in members(thing, functions=True):
        if _is_array(value) and isinstance(value.shape, tuple) and value.shape:
            found[str(place)] = value.shape
        elif isinstance(value, list | tuple) and value and all(isinstance(v, int | float) for v in value):
            found[str(place)] = (len(value),)
    return found


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
        return [name for name, array, kept in self._kept if not same_bits(array, kept)]

    def restore(self) -> None:
        """Give the arrays that differ from what they were, and may be written to, their old values."""
        for _, array, kept in self._kept:
            if array.flags.writeable and not same_bits(array, kept):
                array[...] = kept


def same_bits(a: Any, b: Any) -> bool:
    """Say whether two arrays are equal, NaN to NaN."""
    a, b = np.asarray(a), np.asarray(b)
    if np.array_equal(a, b):
        return True
    return a.shape == b.shape and a.dtype.kind in "fc" and bool(np.array_equal(a, b, equal_nan=True))


def duplicate(thing: Any) -> Any:
    """Copy a thing with all it holds; what was a view of another array remains one."""
    roots: dict[int, list[Array]] = {}
    for _, value in numbers(thing):
        if type(value) is np.ndarray:
            roots.setdefault(id(root_of(value)), []).append(value)
    memo: dict[int, Any] = {}
    for group in roots.values():
        if len({id(array) for array in group}) > 1:
            root = root_of(group[0])
            try:
                memo.update(_moved(root, [root, *group], root.dtype))
            except (TypeError, ValueError):  # memory of another kind
                continue
    return copy.deepcopy(thing, memo)


def _convert(thing: Any, array: Array, dtype: npt.DTypeLike) -> None:
    """Give an array, its views, and all that it is a view of, another dtype; wherever they are held."""
    root = root_of(array)
    group = [
        (place, value)
        for place, value in numbers(thing)
        if isinstance(value, np.ndarray) and root_of(value) is root
    ]
    try:
        new = _moved(root, [value for _, value in group], np.dtype(dtype))
    except ValueError as error:
        raise TypeError(f"the memory of {group[0][0]} cannot be given another dtype") from error
    for place, value in group:
        place.replace(thing, new[id(value)])


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


def root_of(array: Array) -> Array:
    """Return the array that an array is a view of, or it itself."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
