"""The arguments of a function: copied, in other dtypes, unpacked, and matched with their gradients."""

from __future__ import annotations

import copy
import inspect
import random
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import combinations, permutations
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
GENERATORS = (np.random.Generator, np.random.RandomState, np.random.BitGenerator, random.Random)

# Arrays whose names, without underscores, are in the set or begin with one of the words are not parameters.
_CONSTANTS = {"t", "pe", "causal", "tril", "triu", "positions", "ytrue"}
_CONSTANT = ("running", "moving", "mask", "eps", "momentum", "const", "buffer", "target", "ema", "label")


@contextmanager
def quiet() -> Iterator[None]:
    """Silence floating-point warnings of trial steps; make a dropped imaginary part an error."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        yield


def is_floating(value: Any) -> bool:
    """Say whether a value is a real floating array or scalar: something that can be differentiated."""
    return isinstance(value, float | np.floating) or (
        isinstance(value, np.ndarray) and value.dtype.kind == "f"
    )


def copied(value: Any, dtype: npt.DTypeLike | None = None) -> Any:
    """Copy an argument; convert a floating one to `dtype` if that is given. Scalars stay scalars.

    Random generators are copied too, so that every evaluation begins in the same state.
    """
    if isinstance(value, GENERATORS):
        return copy.deepcopy(value)
    if isinstance(value, np.ndarray):
        return value.astype(dtype) if dtype is not None and is_floating(value) else value.copy(order="K")
    return np.asarray(value, dtype=dtype)[()] if is_floating(value) else value


def moved(value: Any, shift: Any) -> Any:
    """Return an argument with something added, in its own dtype."""
    x = np.asarray(value)
    return np.asarray(x + shift, x.dtype)[()]


def shuffled(value: Any, rng: np.random.Generator) -> tuple[Any, Any]:
    """Return an argument with its entries shuffled and shrunk, and one with its entries only shrunk.

    Positive numbers stay positive, and entries stay inside any interval around zero. If all entries are
    equal, noise is added to the shuffled ones.
    """
    x = np.asarray(value)
    other, shrink = rng.permutation(x.ravel()).reshape(x.shape), rng.uniform(0.25, 0.75, x.shape)
    if x.size > 1 and np.all(x == x.flat[0]):
        other = other + 0.5 * rng.standard_normal(x.shape)
    return np.asarray(other * shrink, x.dtype)[()], np.asarray(x * shrink, x.dtype)[()]


def coarsest(values: Iterable[Any]) -> np.dtype[Any]:
    """Return the coarsest dtype of the floating arrays and scalars among some values.

    Python floats do not count, as they take the dtype of what they are combined with. The default is float64.
    """
    dtypes = [value.dtype for value in values if isinstance(value, np.ndarray | np.floating)]
    floating = [dtype for dtype in dtypes if dtype.kind == "f"]
    return max(floating, key=lambda dtype: float(np.finfo(dtype).eps), default=np.dtype(np.float64))


def largest(x: Any) -> float:
    """Return the largest finite absolute value in an array or a number; 0 if there is none."""
    values = np.abs(np.asarray(x, np.float64))
    return float(np.max(values, initial=0.0, where=np.isfinite(values)))


def lengths_of(values: Iterable[Any]) -> list[int]:
    """Return the lengths of all first axes (usually the batch), then of all other axes, then all sizes."""
    arrays = [value for value in values if isinstance(value, np.ndarray) and value.ndim]
    first = {array.shape[0] for array in arrays}
    other = {length for array in arrays for length in array.shape[1:]}
    sizes = {array.size for array in arrays}
    return list(dict.fromkeys([*sorted(first), *sorted(other), *sorted(sizes)]))


def signature_of(f: Callable[..., Any]) -> inspect.Signature:
    """Return a function's signature; an empty one if it is not known."""
    try:
        return inspect.signature(f)
    except (TypeError, ValueError):  # builtins and some compiled functions have none
        return inspect.Signature()


def refusal(f: Callable[..., Any], args: Sequence[Any]) -> str:
    """Say why a function does not take these arguments; empty if it does, or if that is not known."""
    signature = signature_of(f)
    try:
        if signature.parameters:
            signature.bind(*args)
    except TypeError as error:
        return str(error)
    return ""


def name_of(function: Callable[..., Any]) -> str:
    """Return a function's name, a method's with its class, or the name of an object's type."""
    name = getattr(function, "__name__", type(function).__name__)
    return f"{type(function.__self__).__name__}.{name}" if inspect.ismethod(function) else name


def kind_of(value: Any) -> str:
    """Return a value's dtype, or its type if it has none."""
    return str(getattr(value, "dtype", type(value).__name__))


def normal(name: Any) -> str:
    """Return a name in lower case, without underscores and without the class of a private name."""
    return re.sub(r"^_[A-Z]\w*?__(?=.)", "", str(name)).replace("_", "").lower()


def looks_constant(name: str) -> bool:
    """Say whether something with this name is usually not trained, such as a mask or a target."""
    return normal(name).startswith(_CONSTANT) or normal(name) in _CONSTANTS


def labels_of(forward: Callable[..., Any], args: Sequence[Any], names: Sequence[str] | None) -> list[str]:
    """Name the arguments: by `names` if they are given, else as forward names its parameters."""
    if names is not None:
        if len(names) != len(args):
            raise ValueError(f"{len(names)} names for {len(args)} arguments")
        return list(names)
    parameters = signature_of(forward).parameters.values()
    found = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [found[k] if k < len(found) else f"arg{k}" for k in range(len(args))]


def positions_of(args: list[Any], labels: list[str], wrt: Sequence[int | str] | None) -> list[int]:
    """Find the positions of the arguments to differentiate."""
    if wrt is None:
        positions = [k for k, arg in enumerate(args) if is_floating(arg)]
        if not positions:
            kinds = ", ".join(f"{n} is {kind_of(arg)}" for n, arg in zip(labels, args, strict=True))
            raise ValueError(
                f"there is nothing to differentiate: no argument is floating ({kinds or 'there is none'})"
            )
        return positions
    positions = [position_of(labels, item) for item in wrt]
    if not positions:
        raise ValueError("wrt is empty: there is nothing to differentiate")
    for position in positions:
        if not is_floating(args[position]):
            raise ValueError(f"wrt has {labels[position]}, which is {kind_of(args[position])}, not floating")
    return positions


def position_of(labels: Sequence[str], item: int | str) -> int:
    """Find the position of an argument that is given by position or name."""
    if isinstance(item, str) and item not in labels:
        raise ValueError(f"wrt names {item!r}, but the arguments are {labels}")
    position = labels.index(item) if isinstance(item, str) else item
    if not 0 <= position < len(labels):
        raise ValueError(f"wrt has {item!r}, but the arguments are numbered 0 to {len(labels) - 1}")
    return position


def leaves(y: Any) -> list[Any]:
    """Return the results that y consists of: its items, or y itself."""
    return list(y) if isinstance(y, tuple | list) else [y]


def parts_of(y: Any) -> list[Array]:
    """Return the floating arrays, real or complex, that y consists of; raise a TypeError if it has none."""
    if isinstance(y, Mapping):
        raise TypeError("y is a dict; return its items as a tuple")
    parts = [np.asarray(part) for part in leaves(y)]
    floating = [part for part in parts if part.dtype.kind in "fc"]
    if not floating:
        raise TypeError(f"y holds dtype {parts[0].dtype}; only floating results have a gradient")
    return floating


def like(y: Any, parts: Sequence[Any]) -> Any:
    """Put parts together with the structure of y; 0-d arrays become scalars, non-floating results None."""
    found = iter([part if np.ndim(part) else np.asarray(part)[()] for part in parts])
    if not isinstance(y, tuple | list):
        return next(found)
    items: list[Any] = [next(found) if np.asarray(part).dtype.kind in "fc" else None for part in y]
    return rebuilt(y, items)


def rebuilt(value: Any, items: Sequence[Any]) -> Any:
    """Return a tuple, NamedTuple or list of the same type with other items."""
    return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)


def mapped(function: Callable[[Any], Any], value: Any) -> Any:
    """Apply a function to all items in nested dicts, lists and tuples."""
    if isinstance(value, Mapping):
        return {key: mapped(function, item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return rebuilt(value, [mapped(function, item) for item in value])
    return function(value)


def in_numpy(value: Any) -> Any:
    """Convert the arrays of PyTorch, JAX and the like in a value, at any depth, to NumPy's."""

    def convert(x: Any) -> Any:
        return np.asarray(x.detach() if hasattr(x, "detach") else x).copy() if _is_foreign(x) else x

    return mapped(convert, value)


def maker_of(value: Any) -> Callable[[Any], Any] | None:
    """Return the function that makes arrays of the library used in an argument; None for NumPy."""
    if isinstance(value, Mapping | tuple | list):
        return next((make for _, item in _items(value) if (make := maker_of(item))), None)
    if not _is_foreign(value):
        return None
    library = sys.modules[type(value).__module__.partition(".")[0]]
    space = value.__array_namespace__() if hasattr(value, "__array_namespace__") else library
    return lambda x: space.asarray(x) if isinstance(x, np.ndarray | np.generic) else x


def _is_foreign(value: Any) -> bool:
    return hasattr(value, "__dlpack__") and not isinstance(value, np.ndarray | np.generic | type)


def assign_gradients(
    returned: Any, args: Sequence[Any], candidates: Sequence[int], chosen: bool
) -> list[tuple[int, int]]:
    """Return, for each returned gradient, the position of its argument and its own position.

    The candidates are the positions of the arguments that may have a gradient. If the caller has `chosen`
    them, there must be one gradient for each. Otherwise, if there are as many gradients as floating
    arguments, or as arguments, they are assigned in order. If there are fewer, they are matched by shape, in
    the order of the arguments if possible, provided that there is only one way to do so; if not, a ValueError
    is raised. None stands for an argument that is not differentiable.
    """
    gradients = leaves(returned)
    count = len(gradients)
    if chosen:
        if count != len(candidates):
            raise ValueError(
                f"backward returned {count} gradients for {len(candidates)} arguments; "
                "wrt says which arguments they are for"
            )
        return list(zip(candidates, range(count), strict=True))
    if count == len(candidates):
        pairs = list(zip(candidates, range(count), strict=True))
    elif count == len(args):
        pairs = [(k, k) for k in candidates]
    else:
        slots = [slot for slot, gradient in enumerate(gradients) if gradient is not None]
        fits = fits_by_shape([np.shape(gradients[s]) for s in slots], [np.shape(args[k]) for k in candidates])
        if len(fits) != 1:
            how = f"fit in {len(fits)} ways" if fits else "do not fit"
            raise ValueError(
                f"backward returned {len(slots)} gradients for {len(candidates)} arguments, and their shapes "
                f"{how}; wrt says which arguments they are for"
            )
        pairs = [(candidates[k], slot) for k, slot in zip(fits[0], slots, strict=True)]
    pairs = [(k, slot) for k, slot in pairs if gradients[slot] is not None]
    if not pairs:
        raise ValueError("backward returned no gradient: there is nothing to check")
    return pairs


def fits_by_shape(
    shapes: Sequence[tuple[int, ...]], available: Sequence[tuple[int, ...]]
) -> list[tuple[int, ...]]:
    """Return the ways to match gradients with arrays by shape: the position of each gradient's array.

    If some ways keep the order of the arrays, only these are returned.
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
    """Return the arguments in the order that the gradients fit, if it is another one and the only one.

    Empty if the shapes fit as they are, or fit in no other order, or in several.
    """
    shapes = [np.shape(gradients[slot]) for _, slot in pairs]
    positions = [k for k, _ in pairs]
    own = [np.shape(args[k]) for k in positions]
    fits = [] if own == shapes else fits_by_shape(shapes, own)
    return [positions[k] for k in fits[0]] if len(fits) == 1 else []


class Flattening:
    """Turns the arrays inside nested arguments into arguments of their own, named ``params['W']``."""

    def __init__(self, args: Sequence[Any], labels: Sequence[str]) -> None:
        self._given = list(args)
        self._names = list(labels)
        self._counts: list[int | None] = []  # arrays in each nested argument
        self.args: list[Any] = []
        self.labels: list[str] = []
        for arg, label in zip(args, labels, strict=True):
            found = list(_arrays_of(arg)) if isinstance(arg, Mapping | list | tuple) else []
            self._counts.append(len(found) if found else None)
            self.args += [array for _, array in found] or [arg]
            self.labels += [label + path for path, _ in found] or [label]
        self.nested = any(count is not None for count in self._counts)

    def positions(self, k: int) -> list[int]:
        """Return the positions of the arrays into which argument k was flattened."""
        start = sum(1 if count is None else count for count in self._counts[:k])
        return list(range(start, start + (self._counts[k] or 1)))

    def forward(self, forward: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a forward that takes the arguments as they were given."""

        def put_back(value: Any, arrays: Iterator[Any]) -> Any:
            return mapped(lambda x: next(arrays) if _is_array(x) else x, value)

        def flat(*args: Any) -> Any:
            arrays = iter(args)
            pairs = zip(self._given, self._counts, strict=True)
            return forward(*[next(arrays) if n is None else put_back(arg, arrays) for arg, n in pairs])

        return flat

    def backward(self, backward: Callable[..., Any], wrt: Sequence[int] | None) -> Callable[..., Any]:
        """Wrap a backward that returns gradients in the form of the arguments, or of those in `wrt`."""

        def flat(dy: Any, cache: Any) -> Any:
            gradients = self._by_argument(backward(dy, cache), wrt)
            found = []
            for k in range(len(self._given)) if wrt is None else wrt:
                own = gradients.get(k)
                nested = self._counts[k] is not None
                found += list(_parallel(self._given[k], own, self._names[k])) if nested else [own]
            return tuple(found)

        return flat

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
            f"backward returned {len(gradients)} gradients for {len(wanted)} arguments ({names}); the "
            "gradient of a dict or list must have the same form, with None for what has no gradient"
        )


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    return value.items() if isinstance(value, Mapping) else enumerate(value)


def _is_array(value: Any) -> bool:
    return hasattr(value, "dtype") and is_floating(value)


def _arrays_of(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the path to each floating array in nested dicts, lists and tuples, and the array."""
    if isinstance(value, Mapping | list | tuple):
        for key, inner in _items(value):
            yield from _arrays_of(inner, f"{path}[{key!r}]")
    elif _is_array(value):
        yield path, value


def _parallel(value: Any, gradient: Any, path: str) -> Iterator[Any]:
    """Yield the gradient of each array in a nested argument; None for one that is missing."""
    if isinstance(value, Mapping | list | tuple):
        by_key = isinstance(value, Mapping)
        kind = Mapping if by_key else list | tuple
        if gradient is not None and not (
            isinstance(gradient, kind) and (by_key or len(gradient) == len(value))
        ):
            raise ValueError(
                f"{path} is a {type(value).__name__} of {len(value)}; its gradient must have the same form, "
                f"but it is {type(gradient).__name__}"
            )
        found = {} if gradient is None else dict(_items(gradient))
        if unknown := set(found) - {key for key, _ in _items(value)}:
            raise ValueError(
                f"the gradient of {path} has keys that {path} lacks: {sorted(map(str, unknown))}"
            )
        for key, inner in _items(value):
            yield from _parallel(inner, found.get(key), f"{path}[{key!r}]")
    elif _is_array(value):
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

    return in_order
