"""Restore the state before each evaluation: that of random generators, and that of copies of a layer.

Copying a tree of objects takes many times as long as its forward pass. So a copy that is no longer in use is
restored and used again.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import random
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .objects import (
    ATOMS,
    GENERATORS,
    Place,
    attributes_of,
    duplicate,
    generators_in,
    numbers,
    root_of,
    slots_of,
)


class Noise:
    """The state of all generators that something may draw from, restored before each evaluation.

    Parameters
    ----------
    **things
        Their attributes, what they hold, and what their functions refer to are searched for generators.
        Named as the report should name them. NumPy's global generator and Python's are always there.

    Attributes
    ----------
    drawn : list of str
        The generators that were found in another state than at first, as the report should name them.
    """

    _LOOKS = 3  # it takes as long as a small network to see which generators were drawn from

    def __init__(self, **things: Any) -> None:
        self._held: dict[str, tuple[Any, Any]] = {}
        for name, thing in things.items():
            for path, generator in generators_in(thing).items():
                if all(generator is not held for held, _ in self._held.values()):
                    with contextlib.suppress(NotImplementedError):  # random.SystemRandom has no state
                        self._held[name + path] = generator, state_of(generator)
        self._held["NumPy's global generator"] = np.random, state_of(np.random)
        self._held["Python's global generator"] = random, state_of(random)
        self._drawn: dict[str, tuple[Any, Any]] = {}
        self._looks = 0

    @property
    def drawn(self) -> list[str]:
        """The names of the generators that were drawn from."""
        return list(self._drawn)

    @property
    def remark(self) -> str:
        """What to tell of the generators that were drawn from."""
        return (
            f"it draws from {', '.join(self._drawn)}, reset before each evaluation: the noise is held fixed"
        )

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Leave all generators afterwards as they were at first."""
        try:
            yield
        finally:
            for generator, state in self._held.values():
                set_state(generator, state)

    def reset(self) -> None:
        """Set the generators that were drawn from as they were at first."""
        for generator, state in self._drawn.values():
            set_state(generator, state)

    def look(self) -> None:
        """See which generators were drawn from; only the first few times."""
        if self._looks < self._LOOKS:
            self._looks += 1
            for name, (generator, state) in self._held.items():
                if name not in self._drawn and not _same(state_of(generator), state):
                    self._drawn[name] = generator, state


@contextlib.contextmanager
def noise_kept() -> Iterator[None]:
    """Leave the global generators afterwards as they were before."""
    with Noise().kept():
        yield


def state_of(generator: Any) -> Any:
    """Return the state of a random generator."""
    if generator is random or isinstance(generator, random.Random):
        return generator.getstate()
    if generator is np.random or isinstance(generator, np.random.RandomState):
        return generator.get_state()
    return getattr(generator, "bit_generator", generator).state


def set_state(generator: Any, state: Any) -> None:
    """Set the state of a random generator."""
    if generator is random or isinstance(generator, random.Random):
        generator.setstate(state)
    elif generator is np.random or isinstance(generator, np.random.RandomState):
        generator.set_state(state)
    else:
        getattr(generator, "bit_generator", generator).state = state


def _same(a: Any, b: Any) -> bool:
    """Compare two states: numbers, strings and arrays in dicts and tuples."""
    if isinstance(a, dict):
        return all(_same(a[key], b[key]) for key in a)
    if isinstance(a, tuple) and any(isinstance(item, np.ndarray | tuple) for item in a):
        return all(_same(x, y) for x, y in zip(a, b, strict=True))
    return bool(np.array_equal(a, b)) if isinstance(a, np.ndarray) else bool(a == b)


class Copies:
    """Copies of a layer, each in the layer's own state when it is handed out.

    Parameters
    ----------
    layer : object
        What is copied; it must not change.
    places : sequence of Place
        What is to be written into the copies.
    """

    def __init__(self, layer: Any, places: list[Place] | None = None) -> None:
        self._layer = layer
        self._places = places or []
        self._free: list[_Restorable] = []

    def take(self) -> Working:
        """Return a copy, which comes back when it is no longer held."""
        if self._free:
            ready = self._free.pop()
            ready.restore()
        else:
            ready = _Restorable(duplicate(self._layer), self._places)
        return Working(ready, self._free)


class Working:
    """A copy of a layer that is in use.

    Parameters
    ----------
    source : _Restorable
        The copy.
    free : list
        Where it goes when this object is gone.

    Attributes
    ----------
    layer : object
    inputs : tuple
        What its forward was given.
    """

    __slots__ = ("__free__", "__source__", "inputs", "layer")  # those with underscores are not looked into

    def __init__(self, source: _Restorable, free: list[_Restorable]) -> None:
        self.layer = source.layer
        self.inputs: tuple[Any, ...] = ()
        self.__source__ = source
        self.__free__ = free

    def write(self, k: int, value: Any) -> None:
        """Put a value at the k-th place."""
        self.__source__.write(k, value)

    def __del__(self) -> None:
        if self.__source__.complete:
            self.__free__.append(self.__source__)


class _Restorable:
    """A copy of a layer that can be restored.

    Attributes
    ----------
    layer : object
    complete : bool
        Whether everything in it is of a kind that can be restored.
    """

    def __init__(self, layer: Any, places: list[Place]) -> None:
        self.layer = layer
        self.complete = True
        self._resets: list[Callable[[], None]] = []
        self._attributes: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self._arrays: list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]] = []
        self._seen: set[int] = set()
        self._keep(layer)
        held = [(place, value) for place, value in numbers(layer) if isinstance(value, np.ndarray)]
        self._slots = [(place, place.read(layer), self._holders(place, held)) for place in places]

    def restore(self) -> None:
        """Give everything the value that it had at first."""
        for attributes, saved in self._attributes:
            if attributes.keys() != saved.keys():
                attributes.clear()
            attributes.update(saved)
        for array, values in self._arrays:
            array[...] = values
        for reset in self._resets:
            reset()

    def write(self, k: int, value: Any) -> None:
        """Put a value at the k-th place, for all who hold the same array."""
        place, held, holders = self._slots[k]
        if isinstance(held, np.ndarray) and held.dtype == value.dtype and held.flags.writeable:
            held[...] = value
        elif holders is None:
            place.write(self.layer, value)
        else:
            if isinstance(held, np.ndarray):
                new = np.empty_like(held, dtype=value.dtype)
                new[...] = value
                value = new
            for holder, kind, key in holders:
                if kind == "item":
                    holder[key] = value
                else:
                    object.__setattr__(holder, key, value)

    def _holders(self, place: Place, held: list[tuple[Place, Any]]) -> list[tuple[Any, str, Any]] | None:
        """Return all who hold what is at a place; None where that does not say all, as there are views."""
        value = place.read(self.layer)
        group = [place]
        if isinstance(value, np.ndarray):
            root = root_of(value)
            arrays = [(other, array) for other, array in held if root_of(array) is root]
            if any(array is not value for _, array in arrays):
                return None
            group = [other for other, _ in arrays]
        found = [(Place(one.steps[:-1]).read(self.layer), *one.steps[-1]) for one in group]
        return None if any(isinstance(holder, tuple) for holder, _, _ in found) else found

    def _keep(self, node: Any) -> None:
        """Record how to restore a thing, and all that it holds."""
        if isinstance(node, (*ATOMS, types.FunctionType, types.BuiltinFunctionType, np.dtype, np.ufunc)):
            return
        if id(node) in self._seen:
            return
        self._seen.add(id(node))
        if isinstance(node, np.ndarray):
            self._keep_array(node)
            return
        if isinstance(node, GENERATORS):
            try:
                self._resets.append(functools.partial(set_state, node, state_of(node)))
            except NotImplementedError:  # random.SystemRandom has no state
                self.complete = False
            return
        built_in = next(kind for kind in type(node).__mro__ if not kind.__flags__ & _HEAP_TYPE)
        if built_in in _REFILLED:
            saved = dict(node) if isinstance(node, dict) else list(node)
            self._resets.append(functools.partial(_refill, built_in, node, saved))
            items = [*saved, *saved.values()] if isinstance(saved, dict) else saved
        elif isinstance(node, types.MethodType):
            items = [node.__self__]
        elif built_in is tuple or isinstance(node, frozenset):
            items = list(node)
        else:
            items = []
            self.complete = self.complete and built_in in (object, types.SimpleNamespace)
        for item in items:
            self._keep(item)
        own = attributes_of(node)
        attributes = getattr(node, "__dict__", None)
        if isinstance(attributes, dict):
            self._attributes.append((attributes, dict(attributes)))
        for name in slots_of(node):
            if name in own:
                self._resets.append(functools.partial(object.__setattr__, node, name, own[name]))
            else:  # forward may fill it
                self.complete = False
        for value in own.values():
            self._keep(value)

    def _keep_array(self, array: np.ndarray[Any, Any]) -> None:
        if type(array) is not np.ndarray or array.dtype.hasobject:
            self.complete = False
        elif array.flags.writeable:
            self._arrays.append((array, array.copy(order="K")))


_HEAP_TYPE = 1 << 9  # the flag of classes that were made in Python


_REFILLED = (list, dict, collections.OrderedDict, collections.defaultdict, set, collections.deque)


def _refill(kind: Any, node: Any, saved: Any) -> None:
    """Give a container back what it held, by the methods of the class that it was derived from."""
    kind.clear(node)
    if issubclass(kind, list | collections.deque):
        kind.extend(node, saved)
    else:
        kind.update(node, saved)
