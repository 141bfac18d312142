"""Random generators that a network draws from: NumPy's global one, and those that it holds."""

from __future__ import annotations

import contextlib
import random
import types
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .arguments import GENERATORS

_GLOBAL = "NumPy's global generator"
_DEPTH = 4  # network.layers[0].dropout.rng
_MOST = 4096  # how many objects are looked at


class Noise:
    """The state of all generators that a network may draw from, to be set again before each evaluation.

    Parameters
    ----------
    network : object
        Its attributes, what they hold, and what its methods refer to are searched for generators.

    Attributes
    ----------
    drawn : list of str
        The generators that were found in another state than at first, as the report should name them.
    """

    def __init__(self, network: Any) -> None:
        self.drawn: list[str] = []
        self._held: dict[str, tuple[Any, Any]] = {}
        for path, generator in generators_in(network).items():
            with contextlib.suppress(NotImplementedError):  # random.SystemRandom has no state
                self._held[f"network{path}"] = generator, _state(generator)
        self._global = np.random.get_state()  # noqa: NPY002  # other people's code draws from it

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Leave all generators afterwards as they were at first."""
        try:
            yield
        finally:
            self.reset()
            np.random.set_state(self._global)  # noqa: NPY002

    def reset(self) -> None:
        """Set the generators that the network holds, and the global one if it was drawn from, as at first."""
        for generator, state in self._held.values():
            _set_state(generator, state)
        if _GLOBAL in self.drawn:  # it takes as long as a small network: only where it matters
            np.random.set_state(self._global)  # noqa: NPY002

    def look(self) -> None:
        """See which generators were drawn from."""
        now = np.random.get_state()  # noqa: NPY002
        found = {name: not _same(_state(generator), state) for name, (generator, state) in self._held.items()}
        found[_GLOBAL] = not _same(now, self._global)
        self.drawn += [name for name, moved in found.items() if moved and name not in self.drawn]


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
    found: dict[str, Any] = {}
    seen: set[int] = set()
    queue: list[tuple[str, Any, int]] = [("", thing, 0)]
    while queue and len(seen) < _MOST:
        path, item, depth = queue.pop(0)
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, GENERATORS):
            found[path] = item
        elif depth < _DEPTH:
            queue += [(path + name, inner, depth + 1) for name, inner in _inside(item)]
    return found


def _inside(item: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(item, Mapping):
        yield from ((f"[{key!r}]", inner) for key, inner in item.items())
    elif isinstance(item, tuple | list):
        yield from ((f"[{k}]", inner) for k, inner in enumerate(item))
    elif isinstance(item, types.MethodType):
        yield "", item.__self__
    elif isinstance(item, types.FunctionType):
        for name, cell in zip(item.__code__.co_freevars, item.__closure__ or (), strict=True):
            with contextlib.suppress(ValueError):  # not filled yet
                yield f".{name}", cell.cell_contents
        for name in item.__code__.co_names:
            if isinstance(item.__globals__.get(name), GENERATORS):
                yield f".{name}", item.__globals__[name]
    elif hasattr(item, "__dict__") and not isinstance(item, type | types.ModuleType):
        of_classes = {k: v for kind in reversed(type(item).__mro__) for k, v in vars(kind).items()}
        shared = {k: v for k, v in of_classes.items() if isinstance(v, (*GENERATORS, types.FunctionType))}
        yield from ((f".{name}", inner) for name, inner in (shared | vars(item)).items())


def _state(generator: Any) -> Any:
    if isinstance(generator, random.Random):
        return generator.getstate()
    if isinstance(generator, np.random.RandomState):
        return generator.get_state()
    return getattr(generator, "bit_generator", generator).state


def _set_state(generator: Any, state: Any) -> None:
    if isinstance(generator, random.Random):
        generator.setstate(state)
    elif isinstance(generator, np.random.RandomState):
        generator.set_state(state)
    else:
        getattr(generator, "bit_generator", generator).state = state


def _same(a: Any, b: Any) -> bool:
    """Compare two states: numbers, strings and arrays in dicts and tuples."""
    if isinstance(a, dict):
        return all(_same(a[key], b[key]) for key in a)
    if isinstance(a, tuple):
        return all(_same(x, y) for x, y in zip(a, b, strict=True))
    return bool(np.array_equal(a, b)) if isinstance(a, np.ndarray) else bool(a == b)
