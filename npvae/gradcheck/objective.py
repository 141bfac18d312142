"""The scalar function of one argument whose derivatives are measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .agreement import largest
from .arguments import quiet
from .probes import Probe, generator, random_direction, spread_of

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Objective:
    """A scalar function of one argument, all others held.

    Attributes
    ----------
    name : str
        The argument's name.
    point : array
        Where the derivative is wanted, as the oracle evaluates it (float64 wherever the function takes it).
    value : callable
        ``value(array) -> scalar``. For a complex array it evaluates in complex arithmetic. It must leave
        nothing behind that another evaluation could see.
    magnitude : float
        Size of the terms that are summed to the scalar; its rounding errors are proportional to it.
    eps : float
        Machine epsilon of the function's results.
    upstream : float
        The largest entry of the upstream gradient; 1 for a loss.
    terms : callable or None
        ``terms(array) -> vector`` that sums to the value: at a kink, each term may take its own side.
    beside : callable or None
        ``beside(rng, size) -> callable`` like `value`, with all that the function also depends on moved at
        random by `size`, relative: it separates kinks that meet at the point.
    """

    name: str
    point: Array
    value: Callable[[Array], Any]
    magnitude: float
    eps: float
    upstream: float = 1.0
    terms: Callable[[Array], Array] | None = None
    beside: Callable[[np.random.Generator, float], Callable[[Array], Any]] | None = None

    def along(self, probe: Probe, point: Array) -> Callable[[complex], Any]:
        """Return the function on the line through a point (real or complex) along a probe's direction."""
        return lambda t: self.value(probe.move(point, t))

    @property
    def terms_here(self) -> float:
        """Size of the terms that may cancel in an entry of the gradient, as the value here shows it."""
        return self.magnitude / max(1.0, largest(self.point))

    @cached_property
    def terms_close_by(self) -> float:
        """The same, as values close by show it too.

        At a minimum, or where a softmax is saturated, the value is zero or nearly so, and so is the gradient:
        terms of ordinary size cancel in both, and their rounding errors remain.
        """
        sizes = [self.terms_here]
        with quiet():
            for moved, length in points_close_by(self.point):
                value = self.value(moved) if self.terms is None else np.linalg.norm(self.terms(moved))
                sizes.append(abs(float(value)) / length)
        return max(size for size in sizes if np.isfinite(size))


def points_close_by(point: Array) -> Iterator[tuple[Array, float]]:
    """Yield points moved at random by as much as the entries vary, and by 1 in all; and how far they moved.

    Shorter moves than 1 are said to be as long.
    """
    rng = generator(0)
    x = point[np.isfinite(point)]
    if not x.size:
        return
    for length in (spread_of(x) * np.sqrt(x.size), 1.0):
        for side in (1.0, -1.0):
            yield random_direction(point, rng).move(point, side * length), max(1.0, length)
