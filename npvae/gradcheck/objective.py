"""The scalar function of one argument whose derivatives are measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .probes import Probe

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
    terms: Callable[[Array], Array] | None = None
    beside: Callable[[np.random.Generator, float], Callable[[Array], Any]] | None = None

    def along(self, probe: Probe, point: Array) -> Callable[[complex], Any]:
        """Return the function on the line through a point (real or complex) along a probe's direction."""
        return lambda t: self.value(probe.move(point, t))
