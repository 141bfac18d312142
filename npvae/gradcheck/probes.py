"""The directions in which a gradient is looked at: its entries, and random projections of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


_ENTRIES = np.concatenate([np.linspace(0.5, 1.5, 128), -np.linspace(0.5, 1.5, 128)])


class Budget(NamedTuple):
    """How many derivatives to measure for each argument.

    Attributes
    ----------
    n_entries : int
        An array with up to this many entries is checked entry by entry.
    n_coordinates, n_projections : int
        Of a larger array: how many entries, drawn at random, and how many random projections of the whole.
    """

    n_entries: int = 2000
    n_coordinates: int = 64
    n_projections: int = 8


@dataclass(frozen=True, eq=False)
class Probe:
    """A direction of unit length in an argument's space.

    Attributes
    ----------
    index : tuple of int or None
        The entry that the direction moves; None for a projection.
    direction : array or None
        The direction, with the argument's shape; None for a single entry.
    """

    index: tuple[int, ...] | None
    direction: Array | None = None

    def move(self, x: Array, t: complex) -> Array:
        """Return a copy of x moved by t along the direction."""
        if self.direction is not None:
            return (x + t * self.direction).astype(x.dtype, copy=False)
        moved = np.array(x)
        moved[self.index] += t
        return moved

    def project(self, gradient: Array) -> float:
        """Return the part of a gradient that lies along the direction."""
        if self.direction is not None:
            return float(np.sum(gradient * self.direction, dtype=np.float64))
        return float(gradient[self.index])

    def scale(self, x: Array, rms: float) -> float:
        """Return the scale of x along the direction: the larger of the entry's and the whole array's."""
        if self.direction is not None:
            return rms
        return max(rms, float(abs(x[self.index])))


def generator(seed: int) -> np.random.Generator:
    """Return the checker's own random stream for a seed.

    It differs from ``default_rng(seed)``, with which the caller may have drawn the arguments: an upstream
    gradient equal to an argument would hide faults (x.T @ dy would be symmetric).
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))


def random_direction(shape: tuple[int, ...], rng: np.random.Generator) -> Probe:
    """Draw a direction of unit length with random signs, and entries of which none is neglected.

    Their sizes differ, by up to a factor three, so that two entries of a gradient that are swapped show.
    """
    size = int(np.prod(shape))
    drawn = _ENTRIES[np.frombuffer(rng.bytes(size), np.uint8)]
    return Probe(None, (drawn / max(float(np.sqrt(drawn @ drawn)), 1e-300)).reshape(shape))


def choose_probes(shape: tuple[int, ...], budget: Budget, rng: np.random.Generator) -> list[Probe]:
    """Choose the probes for an array of this shape: all entries in C order, or a sample and projections."""
    size = int(np.prod(shape))
    if size <= budget.n_entries:
        return [Probe(index) for index in np.ndindex(*shape)]
    flat = np.sort(rng.choice(size, size=min(size, budget.n_coordinates), replace=False))
    entries = [Probe(tuple(int(i) for i in np.unravel_index(k, shape))) for k in flat]
    return entries + [random_direction(shape, rng) for _ in range(budget.n_projections)]
