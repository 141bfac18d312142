"""Find, read, write, copy and restore what an object holds, at any depth.

The same traversal finds the parameters of a layer, the arrays of a cache, random generators, and arrays as
long as the batch. Two names may refer to one array, and an array may be a view of another; copying and
writing preserve this.
"""

from __future__ import annotations

import collections
import contextlib
import copy
import dis
import functools
import itertools
import random
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .arguments import GENERATORS, Array, is_floating, rebuilt

Step = tuple[str, Any]  # ("attribute", name), ("item", key or index), ("call", method) or ("name", variable)

_MOST = 4096  # how many objects are visited
_MISSING = object()
ATOMS = (str, bytes, int, float, complex, type(None), type, np.generic, types.ModuleType)
_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, functools.partial)


@dataclass(frozen=True)
class Place:
    """Where something is in an object: the steps that lead there."""

    steps: tuple[Step, ...] = ()

    def __str__(self) -> str:
        return self.suffix.removeprefix(".")

    @property
    def suffix(self) -> str:
        """The place as it is written after the object's name."""
        words = [
            f"[{key!r}]" if kind == "item" else f".{key}" + "()" * (kind == "call")
            for kind, key in self.steps
        ]
        return "".join(words)

    def then(self, step: Step) -> Place:
        """Return the place one step further."""
        return Place((*self.steps, step))

    def read(self, thing: Any) -> Any:
        """Return what is there; None if there is nothing."""
        try:
            for kind, key in self.steps:
                thing = follow(thing, kind, key)
        except (AttributeError, KeyError, IndexError, TypeError):
            return None
        return thing

    def write(self, thing: Any, value: Any) -> None:
        """Write a number or an array there, and in all places that hold the same array.

        Raises a TypeError if the array must be replaced, but cannot be in all places that hold it.
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
        """Replace what is there by another value."""
        kind, key = self.steps[-1]
        holder = Place(self.steps[:-1]).read(thing)
        if isinstance(holder, tuple):
            key = key if kind == "item" else getattr(holder, "_fields", ()).index(key)
            items = [*holder[:key], value, *holder[key + 1 :]]
            Place(self.steps[:-1]).replace(thing, rebuilt(holder, items))
        elif kind == "item":
            holder[key] = value
        else:
            object.__setattr__(holder, key, value)  # works for frozen classes too


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

    `functions` says whether to look into functions too, and to include what they and the methods of objects
    refer to.
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
    """Yield a thing and all that it holds; something that is held several times has several places."""
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
    """Return an object's own attributes, including those in slots."""
    found = dict(_get(node, "__dict__", {}))
    for name in slots_of(node):
        value = _get(node, name, _MISSING)
        if value is not _MISSING:
            found.setdefault(name, value)
    return found


def _get(node: Any, name: str, default: Any = None) -> Any:
    """Return an attribute, or the default if reading it raises any exception."""
    try:
        return getattr(node, name)
    except Exception:  # a property of a user's object may raise anything; a slot may not be filled
        return default


def slots_of(node: Any) -> list[str]:
    """Return the names of an object's slots, except __dict__, __weakref__ and the like."""
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
    """Return what a function refers to: its closure, its defaults, and its module's variables."""
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
    """Return the global names that code and its inner functions read, and all names in them."""
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


def numbers(thing: Any) -> Iterator[tuple[Place, Any]]:
    """Yield every real floating array or number with its place, or with each of its places."""
    return ((place, value) for place, value in members(thing) if place.steps and is_floating(value))


def held_in(thing: Any, kinds: type | tuple[type, ...], functions: bool = True) -> dict[str, Any]:
    """Find the values of some types inside a thing: items, attributes, and what functions refer to.

    Each is returned once, by its path as it is written after the thing's name.

    Examples
    --------
    >>> sorted(held_in((np.ones(2), {"mask": np.zeros(3)}), np.ndarray))
    ['[0]', "[1]['mask']"]
    """
    found: dict[int, tuple[str, Any]] = {}
    for place, value in members(thing, functions):
        if isinstance(value, kinds):
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
    """A copy of all arrays inside some things, given by name, to find out later which were changed."""

    def __init__(self, **things: Any) -> None:
        self._kept = [
            (name + path, array, array.copy())
            for name, thing in things.items()
            for path, array in held_in(thing, np.ndarray).items()
            if array.dtype.kind in "biufc"
        ]

    def changed(self) -> list[str]:
        """Return the names of the arrays that differ from what they were."""
        return [name for name, array, kept in self._kept if not same_bits(array, kept)]

    def restore(self) -> None:
        """Restore the values of the arrays that were changed and are writeable."""
        for _, array, kept in self._kept:
            if array.flags.writeable and not same_bits(array, kept):
                array[...] = kept


def same_bits(a: Any, b: Any) -> bool:
    """Say whether two arrays are equal, where NaN equals NaN."""
    a, b = np.asarray(a), np.asarray(b)
    if np.array_equal(a, b):
        return True
    return a.shape == b.shape and a.dtype.kind in "fc" and bool(np.array_equal(a, b, equal_nan=True))


def duplicate(thing: Any) -> Any:
    """Copy a thing with all that it holds; views of other arrays remain views of the copies."""
    roots: dict[int, list[Array]] = {}
    for _, value in numbers(thing):
        if type(value) is np.ndarray:
            roots.setdefault(id(_root_of(value)), []).append(value)
    memo: dict[int, Any] = {}
    for group in roots.values():
        if len({id(array) for array in group}) > 1:
            root = _root_of(group[0])
            with contextlib.suppress(TypeError, ValueError):  # memory of another kind
                memo.update(_moved(root, [root, *group], root.dtype))
    return copy.deepcopy(thing, memo)


def _convert(thing: Any, array: Array, dtype: npt.DTypeLike) -> None:
    """Convert an array, its base, and all views of that to another dtype, wherever they are held."""
    root = _root_of(array)
    group = [
        (place, value)
        for place, value in numbers(thing)
        if isinstance(value, np.ndarray) and _root_of(value) is root
    ]
    try:
        new = _moved(root, [value for _, value in group], np.dtype(dtype))
    except ValueError as error:
        raise TypeError(f"the memory of {group[0][0]} cannot be converted to another dtype") from error
    for place, value in group:
        place.replace(thing, new[id(value)])


def _moved(root: Array, arrays: list[Array], dtype: np.dtype[Any]) -> dict[int, Array]:
    """Copy a base array into new memory; return the views of the copy that correspond to arrays, by id."""
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


def _root_of(array: Array) -> Array:
    """Return the array that an array is a view of, or the array itself."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


class Noise:
    """The state of all generators that some things may draw from, restored before each evaluation.

    The things are given by name. Their attributes, what they hold, and what their functions refer to are
    searched for generators. NumPy's and Python's global generators are included.
    """

    _LOOKS = 3  # finding out which generators were drawn from takes as long as a small network

    def __init__(self, **things: Any) -> None:
        self._held: dict[str, tuple[Any, Any]] = {}
        self._drawn: dict[str, tuple[Any, Any]] = {}
        self._looks = 0
        self._held["NumPy's global generator"] = np.random, _state_of(np.random)
        self._held["Python's global generator"] = random, _state_of(random)
        self.include(things)

    def include(self, things: Mapping[str, Any]) -> None:
        """Include the generators in more things."""
        for name, thing in things.items():
            for path, generator in held_in(thing, GENERATORS).items():
                if all(generator is not held for held, _ in self._held.values()):
                    with contextlib.suppress(NotImplementedError):  # random.SystemRandom has no state
                        self._held[name + path] = generator, _state_of(generator)

    @property
    def drawn(self) -> list[str]:
        """The names of the generators that were found in another state than their original one."""
        return list(self._drawn)

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Set all generators to their original state on exit."""
        try:
            yield
        finally:
            for generator, state in self._held.values():
                _set_state(generator, state)

    def reset(self) -> None:
        """Set the generators that were drawn from to their original state."""
        for generator, state in self._drawn.values():
            _set_state(generator, state)

    def look(self) -> None:
        """Find out which generators were drawn from; later calls do nothing."""
        if self._looks < self._LOOKS:
            self._looks += 1
            for name, (generator, state) in self._held.items():
                if name not in self._drawn and not _same_state(_state_of(generator), state):
                    self._drawn[name] = generator, state


def _state_of(generator: Any) -> Any:
    for name in ("getstate", "get_state"):  # of Python's generators, and of NumPy's older ones
        if hasattr(generator, name):
            return getattr(generator, name)()
    return getattr(generator, "bit_generator", generator).state


def _set_state(generator: Any, state: Any) -> None:
    for name in ("setstate", "set_state"):
        if hasattr(generator, name):
            getattr(generator, name)(state)
            return
    getattr(generator, "bit_generator", generator).state = state


def _same_state(a: Any, b: Any) -> bool:
    """Compare two states: numbers, strings and arrays in dicts and tuples."""
    if isinstance(a, dict):
        return all(_same_state(a[key], b[key]) for key in a)
    if isinstance(a, tuple) and any(isinstance(item, np.ndarray | tuple) for item in a):
        return all(_same_state(x, y) for x, y in zip(a, b, strict=True))
    return bool(np.array_equal(a, b)) if isinstance(a, np.ndarray) else bool(a == b)


class Copies:
    """Copies of a layer, each in the layer's own state when `take` returns it.

    Copying a tree of objects takes many times as long as its forward pass, so a copy that is no longer in use
    is restored and used again. The layer must not change. At the places, other values are written.
    """

    def __init__(self, layer: Any, places: Sequence[Place] = ()) -> None:
        self._layer = layer
        self._places = places
        self._free: dict[tuple[Any, ...], list[_Copy]] = {}  # for each combination of dtypes

    def take(self, values: Sequence[Any] = ()) -> Working:
        """Return a copy with these values at the places; it is reused when it is no longer referenced."""
        free = self._free.setdefault(tuple(np.asarray(value).dtype for value in values), [])
        restore: Callable[[], None] | None
        if free:
            layer, restore = free.pop()
            restore()
        else:
            layer = duplicate(self._layer)
            self._write(layer, values)  # where an array needs another dtype, a new one takes its place
            restore = restorer(layer)
        self._write(layer, values)
        return Working(layer, restore, free)

    def _write(self, layer: Any, values: Sequence[Any]) -> None:
        for place, value in zip(self._places, values, strict=False):
            place.write(layer, value)


_Copy = tuple[Any, Callable[[], None]]


class Working:
    """A copy of a layer that is in use, and the inputs that its forward was given."""

    __slots__ = ("__free__", "__restore__", "inputs", "layer")  # those with underscores are not looked into

    def __init__(self, layer: Any, restore: Callable[[], None] | None, free: list[_Copy]) -> None:
        self.layer = layer
        self.inputs: tuple[Any, ...] = ()
        self.__restore__ = restore
        self.__free__ = free

    def __del__(self) -> None:
        if self.__restore__ is not None:
            self.__free__.append((self.layer, self.__restore__))


_HEAP_TYPE = 1 << 9  # the flag of classes that were made in Python
_REFILLED = (list, dict, collections.OrderedDict, collections.defaultdict, set, collections.deque)
_CONSTANT = (*ATOMS, types.FunctionType, types.BuiltinFunctionType, np.dtype, np.ufunc)


def restorer(thing: Any) -> Callable[[], None] | None:
    """Return a function that restores a thing and all that it holds to their current state.

    None if it holds something of a type that cannot be restored, such as an object of compiled code.
    """
    attributes: list[tuple[dict[str, Any], dict[str, Any]]] = []
    arrays: list[tuple[Array, Array]] = []
    resets: list[Callable[[], None]] = []
    seen: set[int] = set()
    queue = [thing]
    while queue:
        node = queue.pop()
        if isinstance(node, _CONSTANT) or id(node) in seen:
            continue
        seen.add(id(node))
        built_in = next(kind for kind in type(node).__mro__ if not kind.__flags__ & _HEAP_TYPE)
        if isinstance(node, np.ndarray):
            if type(node) is not np.ndarray or node.dtype.hasobject:
                return None
            if node.flags.writeable:
                arrays.append((node, node.copy(order="K")))
            continue
        if isinstance(node, GENERATORS):
            try:
                resets.append(functools.partial(_set_state, node, _state_of(node)))
            except NotImplementedError:  # random.SystemRandom has no state
                return None
            continue
        if built_in in _REFILLED:
            saved = dict(node) if isinstance(node, dict) else list(node)
            resets.append(functools.partial(_refill, built_in, node, saved))
            queue += [*saved, *saved.values()] if isinstance(saved, dict) else saved
        elif built_in in (tuple, frozenset):
            queue += node
        elif isinstance(node, types.MethodType):
            queue.append(node.__self__)
        elif built_in not in (object, types.SimpleNamespace):
            return None
        own, slots = attributes_of(node), slots_of(node)
        if not own.keys() >= set(slots):  # forward may fill a slot that is empty
            return None
        resets += [functools.partial(object.__setattr__, node, name, own[name]) for name in slots]
        if isinstance(held := getattr(node, "__dict__", None), dict):
            attributes.append((held, dict(held)))
        queue += own.values()

    def restore() -> None:
        for held, saved in attributes:
            if held.keys() != saved.keys():
                held.clear()
            held.update(saved)
        for array, values in arrays:
            array[...] = values
        for reset in resets:
            reset()

    return restore


def _refill(kind: Any, node: Any, saved: Any) -> None:
    """Restore the items of a container by the methods of the built-in class that it is derived from."""
    kind.clear(node)
    if issubclass(kind, list | collections.deque):
        kind.extend(node, saved)
    else:
        kind.update(node, saved)
