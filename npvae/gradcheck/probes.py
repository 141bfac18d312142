"""The directions in which a gradient is looked at: its entries, and random projections of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


_SAME = 1e-9  # deviation of numbers, relative to them, below which they are the same
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


def budget_of(largest: int, **counts: int) -> Budget:
    """Return a budget after a look at what was asked.

    Parameters
    ----------
    largest : int
        Entries of the largest array that is to be checked.
    **counts : int
        Some of the fields of `Budget`.

    Raises
    ------
    ValueError
        When a count is negative, or nothing of the largest array would be looked at.
    """
    for name, count in counts.items():
        if count < 0:
            raise ValueError(f"{name} is {count}; it must be 0 or more")
    budget = Budget(**counts)
    if largest > budget.n_entries and not budget.n_coordinates + budget.n_projections:
        raise ValueError(
            f"n_coordinates and n_projections are 0, and n_entries={budget.n_entries} is less than the "
            f"{largest} entries there are: nothing would be compared"
        )
    return budget


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
            moved = self.direction != 0
            return float(np.sum(gradient[moved] * self.direction[moved], dtype=np.float64))
        return float(gradient[self.index])

    def scale(self, x: Array, spread: float) -> float:
        """Return the scale of x along the direction: the larger of the entry's and the whole array's."""
        if self.direction is not None:
            return spread
        return max(spread, float(abs(x[self.index])))


def spread_of(x: Array) -> float:
    """Return the scale on which numbers vary: their deviation, or, where they are all the same, their size.

    A function may care for the differences of large numbers alone, as a batch norm does.
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
    """Draw a direction of unit length with random signs, in which no finite entry of x is neglected.

    Their sizes differ, by up to a factor three, so that two entries of a gradient that are swapped show.
    Where a mask `among` is given, it moves these entries alone.
    """
    drawn = _ENTRIES[np.frombuffer(rng.bytes(x.size), np.uint8)]
    drawn = drawn * np.ravel(np.isfinite(x) if among is None else among)
    return Probe(None, (drawn / max(float(np.sqrt(drawn @ drawn)), 1e-300)).reshape(x.shape))


def choose_probes(x: Array, budget: Budget, rng: np.random.Generator) -> list[Probe]:
    """Choose the probes for an array: all finite entries in C order, or a sample of them and projections.

    Zeros are often kinks (behind a ReLU), through which a projection says little. Where only a part of the
    array is zero, every second projection leaves it out.
    """
    if x.size <= budget.n_entries:
        return [Probe(index) for index in np.ndindex(*x.shape) if np.isfinite(x[index])]
    finite = np.flatnonzero(np.isfinite(x))
    flat = np.sort(rng.choice(finite, size=min(len(finite), budget.n_coordinates), replace=False))
    entries = [Probe(tuple(int(i) for i in np.unravel_index(k, x.shape))) for k in flat]
    beside_zero = np.isfinite(x) & (x != 0)
    masks = [beside_zero if k % 2 and np.any(beside_zero) else None for k in range(budget.n_projections)]
    return entries + [random_direction(x, rng, mask) for mask in masks]
