"""The scalar function of one argument whose derivatives are measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from .arguments import Array, copied, is_floating, largest, moved, quiet

_SAME = 1e-9  # relative deviation below which numbers count as equal
_ENTRIES = np.concatenate([np.linspace(0.5, 1.5, 128), -np.linspace(0.5, 1.5, 128)])


@dataclass(frozen=True)
class Budget:
    """How many derivatives to measure for each argument."""

    n_entries: int = 2000  # an array with up to this many entries is checked entry by entry
    n_coordinates: int = 64  # of a larger array, so many randomly drawn entries ...
    n_projections: int = 8  # ... and random projections are checked

    def require_enough_for(self, size: int) -> None:
        """Raise a ValueError if a count is negative, or nothing of an array of this size would be checked."""
        for name in ("n_entries", "n_coordinates", "n_projections"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 0 or more")
        if size > self.n_entries and not self.n_coordinates + self.n_projections:
            raise ValueError(
                f"n_coordinates and n_projections are 0, and n_entries={self.n_entries} is less than the "
                f"largest array's {size} entries: nothing would be compared"
            )


@dataclass(frozen=True, eq=False)
class Probe:
    """A direction of unit length in an argument's space."""

    index: tuple[int, ...] | None  # the entry that the direction moves; None for a projection
    direction: Array | None = None  # with the argument's shape; None for a single entry

    def move(self, x: Array, t: complex) -> Array:
        """Return a copy of x moved by t along the direction."""
        if self.direction is not None:
            return (x + t * self.direction).astype(x.dtype, copy=False)
        result = np.array(x)
        result[self.index] += t
        return result

    def project(self, gradient: Array) -> float:
        """Return the part of a gradient that lies along the direction."""
        if self.direction is not None:
            at = self.direction != 0
            return float(np.sum(gradient[at] * self.direction[at], dtype=np.float64))
        return float(gradient[self.index])

    def scale(self, x: Array, spread: float) -> float:
        """Return the scale of x along the direction: the larger of the entry's and the whole array's."""
        if self.direction is not None:
            return spread
        return max(spread, float(abs(x[self.index])))


def spread_of(x: Array) -> float:
    """Return the scale on which numbers vary: their standard deviation or, if they are all equal, their size.

    A function may depend only on the differences of large numbers, as a batch norm does.
    """
    x = x.astype(np.float64)
    size = float(np.sqrt(np.mean(x**2)))
    deviation = float(np.std(x))
    return deviation if deviation > _SAME * size else size


def generator(seed: int) -> np.random.Generator:
    """Return the checker's own random stream for a seed.

    It differs from ``default_rng(seed)``, with which the caller may have drawn the arguments: an upstream
    gradient equal to an argument would hide faults (x.T @ dy would be symmetric).
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))


def random_direction(x: Array, rng: np.random.Generator, among: Array | None = None) -> Probe:
    """Draw a direction of unit length with random signs that moves every finite entry of x.

    The sizes of its entries differ by up to a factor of three, so that swapped entries of a gradient show.
    If a mask `among` is given, only these entries move.
    """
    drawn = _ENTRIES[np.frombuffer(rng.bytes(x.size), np.uint8)]
    drawn = drawn * np.ravel(np.isfinite(x) if among is None else among)
    return Probe(None, (drawn / max(float(np.sqrt(drawn @ drawn)), 1e-300)).reshape(x.shape))


def choose_probes(x: Array, budget: Budget, rng: np.random.Generator) -> list[Probe]:
    """Choose the probes for an array: all finite entries in C order, or a sample of them and projections.

    Zeros are often kinks (behind a ReLU), at which a projection says little. If only a part of the array is
    zero, every second projection leaves this part out.
    """
    if x.size <= budget.n_entries:
        return [Probe(index) for index in np.ndindex(*x.shape) if np.isfinite(x[index])]
    finite = np.flatnonzero(np.isfinite(x))
    flat = np.sort(rng.choice(finite, size=min(len(finite), budget.n_coordinates), replace=False))
    entries = [Probe(tuple(int(i) for i in np.unravel_index(k, x.shape))) for k in flat]
    beside_zero = np.isfinite(x) & (x != 0)
    masks = [beside_zero if k % 2 and np.any(beside_zero) else None for k in range(budget.n_projections)]
    return entries + [random_direction(x, rng, mask) for mask in masks]


@dataclass(frozen=True, eq=False)
class Objective:
    """A scalar function of one argument, with all others held fixed."""

    name: str  # the argument's
    point: Array  # where the derivative is wanted, in float64 if the function takes it
    # In complex arithmetic for a complex array. An evaluation must not influence later ones.
    value: Callable[[Array], Any]
    magnitude: float  # size of the terms that are summed to the scalar, and of its rounding errors
    eps: float  # machine epsilon of the function's results
    upstream: float = 1.0  # the largest entry of the upstream gradient; 1 for a loss
    # The terms that sum to the value: at a kink, each may take its own side.
    terms: Callable[[Array], Array] | None = None
    # beside(rng, size) is like `value`, but with all other arguments moved at random by a relative amount,
    # which separates kinks that meet at the point.
    beside: Callable[[np.random.Generator, float], Callable[[Array], Any]] | None = None

    def along(self, probe: Probe, point: Array) -> Callable[[complex], Any]:
        """Return the function on the line through a point (real or complex) along a probe's direction."""
        return lambda t: self.value(probe.move(point, t))

    @property
    def terms_here(self) -> float:
        """Size of the terms that may cancel in an entry of the gradient, estimated from the value here."""
        return self.magnitude / max(1.0, largest(self.point))

    @cached_property
    def terms_close_by(self) -> float:
        """The same, estimated from values nearby too.

        At a minimum, or where a softmax is saturated, both the value and the gradient are zero or nearly so:
        terms of ordinary size cancel in both, and their rounding errors remain.
        """
        sizes = [self.terms_here]
        with quiet():
            for point, length in points_close_by(self.point):
                value = self.value(point) if self.terms is None else np.linalg.norm(self.terms(point))
                sizes.append(abs(float(value)) / length)
        return max(size for size in sizes if np.isfinite(size))


def points_close_by(point: Array) -> Iterator[tuple[Array, float]]:
    """Yield points moved at random by the spread of the entries and by 1, with the distance, at least 1."""
    rng = generator(0)
    x = point[np.isfinite(point)]
    if not x.size:
        return
    for length in (spread_of(x) * np.sqrt(x.size), 1.0):
        for side in (1.0, -1.0):
            yield random_direction(point, rng).move(point, side * length), max(1.0, length)


def nan_where_refused(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function of an array so that it returns NaN for real arrays for which it raises.

    A step out of a function's domain says nothing about its derivative. It is ignored, like a step to a point
    at which the function is not finite.
    """

    def evaluate(x: Array) -> Any:
        try:
            return function(x)
        except Exception:  # user code need not accept this point
            if np.iscomplexobj(x):
                raise
            return np.float64(np.nan)

    return evaluate


def objectives_of(
    evaluate: Callable[[npt.DTypeLike | None, Mapping[Any, Array]], Sequence[Any]],
    points: Mapping[Any, Any],
    names: Sequence[str],
    given: Iterable[Any],
    weights: Sequence[Any],
    parts: Sequence[Any],
    *,
    by_term: bool,
) -> tuple[list[Objective], type[np.float64] | None]:
    """Return the number L = sum(weights * parts) as a function of each of several arguments.

    ``evaluate(dtype, replaced)`` returns the parts with some of the `points` replaced. All other floating
    arguments have `dtype`, or their own dtype if that is None. If a replaced one is complex, so is the
    arithmetic. `given` are all values on which the parts depend, `parts` those at the point. `by_term` says
    whether each entry of the parts is a term that may have kinks of its own.

    Also returned is the dtype of the evaluations: float64, or None, for the given dtypes, if the function
    does not take it.
    """

    def terms(dtype: npt.DTypeLike | None, replaced: Mapping[Any, Array]) -> list[Any]:
        found = evaluate(dtype, replaced)
        if any(np.asarray(part).dtype == np.complex64 for part in found):  # a complex step underflows there
            raise TypeError("the function computes in complex64")
        return [weight * part for weight, part in zip(weights, found, strict=True)]

    def value(dtype: npt.DTypeLike | None, others: Mapping[Any, Array], key: Any, x: Array) -> Any:
        return sum(np.add.reduce(term, axis=None) for term in terms(dtype, {**others, key: x}))

    def flat(dtype: npt.DTypeLike | None, key: Any, x: Array) -> Array:
        return np.concatenate([np.ravel(term) for term in terms(dtype, {key: x})])

    def beside(
        dtype: npt.DTypeLike | None, key: Any, rng: np.random.Generator, size: float
    ) -> Callable[[Array], Any]:
        """Return L with every other argument moved a little."""
        others = {
            other: moved(copied(x, dtype), size * max(1.0, largest(x)) * rng.standard_normal(np.shape(x)))
            for other, x in points.items()
            if other != key
        }
        return nan_where_refused(partial(value, dtype, others, key))

    found = in_float64(evaluate, points)
    doubles = all(np.asarray(x).dtype == np.float64 for x in given if is_floating(x))
    dtype = np.float64 if doubles or found is not None else None
    found = [np.asarray(part) for part in parts] if found is None else found
    with np.errstate(all="ignore"):
        squares = [np.sum((w * np.asarray(part)) ** 2) for w, part in zip(weights, parts, strict=True)]
        magnitude = float(np.sqrt(sum(squares)))
    eps = max((float(np.finfo(part.dtype).eps) for part in found if part.dtype.kind == "f"), default=0.0)
    objectives = []
    for name, (key, x) in zip(names, points.items(), strict=True):
        point = np.asarray(copied(x, dtype))
        objectives.append(
            Objective(
                name,
                point,
                nan_where_refused(partial(value, dtype, {}, key)),
                magnitude=magnitude,
                eps=max(eps, float(np.finfo(point.dtype).eps)),
                upstream=max(map(largest, weights)),
                terms=nan_where_refused(partial(flat, dtype, key)) if by_term else None,
                beside=partial(beside, dtype, key),
            )
        )
    return objectives, dtype


def in_float64(evaluate: Callable[..., Sequence[Any]], points: Mapping[Any, Any]) -> list[Array] | None:
    """Return the parts that a function returns for float64 arguments; None if it raises."""
    first, point = next(iter(points.items()))
    try:
        with quiet():
            found = evaluate(np.float64, {first: np.array(point, np.float64)})
    except Exception:  # user code, perhaps compiled only for float32, may raise anything
        return None
    return [np.asarray(part) for part in found]
