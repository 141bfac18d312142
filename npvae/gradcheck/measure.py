"""Measure the gradient of one argument, probe by probe, with both oracles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .arguments import quiet
from .differences import Differences
from .kinks import Surroundings, surroundings, tied_directions
from .objective import Objective
from .oracles import Difference, complex_step
from .probes import Budget, Probe, choose_probes, random_direction

Array = npt.NDArray[Any]

# When a sample of differences confirms the complex steps: relative to the largest slope, how close they come
# beside their error bars, and how large these may be.
_AGREES = 1e-7
_TRUSTED = 1e-4


@dataclass(frozen=True, eq=False)
class Measurement:
    """The numeric derivatives of an objective along its probes, P of them.

    Attributes
    ----------
    objective : Objective
        What was differentiated.
    probes : list of Probe
        The directions. Where every entry was probed they come first, in C order.
    by_complex : (P,) array or None
        By complex step; None where the function cannot be evaluated so.
    complex_error : str
        Why `by_complex` is None.
    differenced : (P,) array of bool
        Where central differences were taken. Elsewhere `by_difference` repeats `by_complex`, and the bars and
        jumps are zero.
    by_difference, bars, jumps : (P,) arrays
        By central differences: slopes, their error bars, and the jumps of the slope at kinks.
    low, high : (P,) arrays
        The smallest and largest slope found at a kink and beside it; where there is no kink, the slope.
    crowded : (P,) array of bool
        Whether several kinks meet there, so that slopes occur beside it that are neither the left nor the
        right one.
    """

    objective: Objective
    probes: list[Probe]
    by_complex: Array | None
    complex_error: str
    differenced: Array
    by_difference: Array
    bars: Array
    jumps: Array
    low: Array
    high: Array
    crowded: Array

    @property
    def numeric(self) -> Array:
        """The derivatives by the better oracle: complex step where there is one."""
        return self.by_difference if self.by_complex is None else self.by_complex

    @property
    def dense(self) -> bool:
        """Whether every entry of the argument that is finite was probed."""
        return sum(p.index is not None for p in self.probes) == np.sum(np.isfinite(self.objective.point))

    @property
    def whole(self) -> Array:
        """The numeric gradient, with the argument's shape, where it is dense; 0 where that is not finite."""
        finite = np.isfinite(self.objective.point)
        gradient = np.zeros(finite.shape)
        gradient[finite] = self.numeric[: np.sum(finite)]
        return gradient


def from_complex_steps(
    objective: Objective, probes: list[Probe], slopes: Array, differences: dict[int, Difference]
) -> Measurement:
    """Put together what complex steps gave along all probes, and differences, without a kink, along some."""
    differenced = np.zeros(len(slopes), dtype=bool)
    by_difference, bars, jumps = slopes.copy(), np.zeros(len(slopes)), np.zeros(len(slopes))
    for k, found in differences.items():
        differenced[k], by_difference[k], bars[k] = True, found.value, found.bar
    crowded = np.zeros(len(slopes), dtype=bool)
    return Measurement(
        objective, probes, slopes, "", differenced, by_difference, bars, jumps, slopes, slopes, crowded
    )


def measure(objective: Objective, budget: Budget, rng: np.random.Generator) -> Measurement:
    """Differentiate an objective with both oracles.

    Parameters
    ----------
    objective : Objective
        The function and the point.
    budget : Budget
        How many derivatives to measure.
    rng : numpy.random.Generator
        Draws the probes.

    Returns
    -------
    Measurement

    Notes
    -----
    Where there are complex steps for many entries, central differences are taken of a sample of them and of
    random projections of them all. One kink, or one difference that does not confirm the complex step, and
    they are taken of every entry.
    """
    probes = choose_probes(objective.point, budget, rng)
    with quiet():
        by_complex, complex_error = _by_complex_step(objective, probes)
        oracle = Differences(objective, rng)
        if by_complex is not None and len(probes) > budget.n_coordinates + budget.n_projections:
            sample = np.sort(rng.choice(len(probes), budget.n_coordinates, replace=False))
            some = {k: oracle.along(probes[k]) for k in sample}
            if _confirmed(by_complex, some, oracle, budget, rng):
                return from_complex_steps(objective, probes, by_complex, some)
        differences = [oracle.along(probe) for probe in probes]
        around = [surroundings(objective, p, d, rng) for p, d in zip(probes, differences, strict=True)]
        joint = tied_directions(objective, oracle, probes, differences, around, rng)
        if joint and by_complex is not None:
            slopes, complex_error = _by_complex_step(objective, [probe for probe, _ in joint])
            by_complex = None if slopes is None else np.concatenate([by_complex, slopes])
    probes = probes + [probe for probe, _ in joint]
    differences += [difference for _, difference in joint]
    around += [Surroundings([difference.value]) for _, difference in joint]
    return Measurement(
        objective,
        probes,
        by_complex,
        complex_error,
        differenced=np.ones(len(probes), dtype=bool),
        by_difference=np.array([d.value for d in differences]),
        bars=np.array([d.bar for d in differences]),
        jumps=np.array([d.jump for d in differences]),
        low=np.array([min(beside.slopes) for beside in around]),
        high=np.array([max(beside.slopes) for beside in around]),
        crowded=np.array([beside.crowded for beside in around], dtype=bool),
    )


def _confirmed(
    by_complex: Array,
    some: dict[int, Difference],
    oracle: Differences,
    budget: Budget,
    rng: np.random.Generator,
) -> bool:
    """Say whether differences of a sample, and of projections of all, give what complex steps gave."""
    point = oracle.objective.point
    whole = np.zeros(point.shape)
    whole[np.isfinite(point)] = by_complex
    found, expected = list(some.values()), [float(by_complex[k]) for k in some]
    for _ in range(budget.n_projections):
        probe = random_direction(point, rng)
        found.append(oracle.along(probe))
        expected.append(probe.project(whole))
    scale = float(np.max(np.abs(expected)))
    return all(
        not d.jump and abs(d.value - slope) <= d.bar + _AGREES * scale and d.bar <= _TRUSTED * scale
        for d, slope in zip(found, expected, strict=True)
    )


def _by_complex_step(objective: Objective, probes: list[Probe]) -> tuple[Array | None, str]:
    point = objective.point.astype(np.complex128)
    try:
        slopes = [complex_step(objective.along(probe, point)) for probe in probes]
    except Exception as error:  # someone else's code on complex numbers: it may raise anything
        return None, f"{type(error).__name__}: {error}".splitlines()[0]
    result = np.array(slopes, dtype=np.float64)
    if not np.all(np.isfinite(result)):
        return None, "its result is not finite"
    return result, ""
