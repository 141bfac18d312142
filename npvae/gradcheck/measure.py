"""Measure the gradient of one argument, probe by probe, by the complex step and by central differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .arguments import largest, quiet
from .differences import (
    COMPLEX_STEP,
    Difference,
    Differences,
    central_difference,
    complex_step,
    noise_in_table,
)
from .kinks import Surroundings, surroundings, tied_directions
from .objective import Budget, Objective, Probe, choose_probes, random_direction

Array = npt.NDArray[Any]

# For the line along which a whole network is moved, relative to its parameters. The steps are short, as a
# long step crosses many kinks of a large network.
_LINE_STEP = 1e-4
_SMALLEST_LINE_STEP = 1e-7
_LINE_SPACING = 1e-7
# When differences confirm complex steps: the distance allowed beyond their error bars, and the largest error
# bar, both relative to the largest slope.
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
        Slopes by complex step; None if the function cannot be evaluated at complex numbers.
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
        Whether several kinks meet there, so that slopes nearby are neither the left nor the right one.
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

    @classmethod
    def of(
        cls,
        objective: Objective,
        probes: list[Probe],
        by_complex: Array | None,
        complex_error: str,
        differences: Mapping[int, Difference],
        around: Mapping[int, Surroundings],
    ) -> Measurement:
        """Combine what was found along all probes, or along some of them."""
        slopes = by_complex if by_complex is not None else np.full(len(probes), np.nan)
        found = [differences.get(k, Difference(float(slope), 0.0)) for k, slope in enumerate(slopes)]
        beside = [around.get(k, Surroundings([d.value])) for k, d in enumerate(found)]
        return cls(
            objective,
            probes,
            by_complex,
            complex_error,
            differenced=np.array([k in differences for k in range(len(probes))], dtype=bool),
            by_difference=np.array([d.value for d in found]),
            bars=np.array([d.bar for d in found]),
            jumps=np.array([d.jump for d in found]),
            low=np.array([min(b.slopes) for b in beside]),
            high=np.array([max(b.slopes) for b in beside]),
            crowded=np.array([b.crowded for b in beside], dtype=bool),
        )

    @property
    def numeric(self) -> Array:
        """The derivatives by the better oracle: by complex step, if there is one."""
        return self.by_difference if self.by_complex is None else self.by_complex

    @property
    def dense(self) -> bool:
        """Whether every entry of the argument that is finite was probed."""
        return sum(p.index is not None for p in self.probes) == np.sum(np.isfinite(self.objective.point))

    @property
    def whole(self) -> Array:
        """The numeric gradient in the argument's shape, if it is dense; 0 where that is not finite."""
        return _scattered(self.objective.point, self.numeric)

    def confirmed(self, precision: float) -> bool:
        """Say whether both oracles agree wherever both were used, relative to the largest slope."""
        slopes, at = self.by_complex, np.flatnonzero(self.differenced)
        if slopes is None or not at.size:
            return False
        found = [Difference(self.by_difference[k], self.bars[k], 0.0) for k in at]
        return confirm(found, slopes[at], largest(slopes), precision, precision)


def _scattered(point: Array, slopes: Array) -> Array:
    """Return an array with the slopes of the finite entries, which come first in `slopes`."""
    finite = np.isfinite(point)
    gradient = np.zeros(point.shape)
    gradient[finite] = slopes[: np.sum(finite)]
    return gradient


def confirm(
    differences: Sequence[Difference],
    slopes: Sequence[float] | Array,
    scale: float,
    agrees: float = _AGREES,
    trusted: float = _TRUSTED,
) -> bool:
    """Say whether central differences are precise enough and agree with complex steps.

    Parameters
    ----------
    differences, slopes : sequences
        By central differences and by complex step.
    scale : float
        The largest slope, or the size of the terms that add up to it.
    agrees, trusted : float
        Relative to the scale: the distance allowed beyond the error bar, and the largest error bar.
    """
    return all(
        not d.jump and abs(d.value - slope) <= d.bar + agrees * scale and d.bar <= trusted * scale
        for d, slope in zip(differences, slopes, strict=True)
    )


def measure(objective: Objective, budget: Budget, rng: np.random.Generator) -> Measurement:
    """Differentiate an objective with both oracles.

    Notes
    -----
    If there are complex steps for many entries, central differences are taken only for a sample of entries
    and for random projections. If one of them shows a kink or does not confirm the complex step, central
    differences are taken for every entry.
    """
    probes = choose_probes(objective.point, budget, rng)
    with quiet():
        by_complex, complex_error = _by_complex_step(objective, probes)
        oracle = Differences(objective, rng)
        if by_complex is not None and len(probes) > budget.n_coordinates + budget.n_projections:
            sample = np.sort(rng.choice(len(probes), budget.n_coordinates, replace=False))
            some = {int(k): oracle.along(probes[k]) for k in sample}
            whole = _scattered(objective.point, by_complex)
            across = [random_direction(objective.point, rng) for _ in range(budget.n_projections)]
            found = [*some.values(), *[oracle.along(probe) for probe in across]]
            slopes = [*[float(by_complex[k]) for k in some], *[probe.project(whole) for probe in across]]
            if confirm(found, slopes, largest(slopes)):
                return Measurement.of(objective, probes, by_complex, "", some, {})
        differences = [oracle.along(probe) for probe in probes]
        around = [surroundings(objective, p, d, rng) for p, d in zip(probes, differences, strict=True)]
        joint = tied_directions(oracle, probes, differences, around, rng)
        if joint and by_complex is not None:
            more, complex_error = _by_complex_step(objective, [probe for probe, _ in joint])
            by_complex = None if more is None else np.concatenate([by_complex, more])
    probes += [probe for probe, _ in joint]
    differences += [difference for _, difference in joint]
    return Measurement.of(
        objective, probes, by_complex, complex_error, dict(enumerate(differences)), dict(enumerate(around))
    )


def _by_complex_step(objective: Objective, probes: list[Probe]) -> tuple[Array | None, str]:
    point = objective.point.astype(np.complex128)
    try:
        slopes = [complex_step(objective.along(probe, point)) for probe in probes]
    except Exception as error:  # user code may raise anything for complex numbers
        return None, f"{type(error).__name__}: {error}".splitlines()[0]
    result = np.array(slopes, dtype=np.float64)
    if not np.all(np.isfinite(result)):
        return None, "its result is not finite"
    return result, ""


def measure_together(
    objectives: Sequence[Objective],
    together: Callable[[Mapping[str, Array]], Any],
    rng: np.random.Generator,
) -> list[Measurement]:
    """Measure the gradient of a large network in the time of a few dozen evaluations.

    Parameters
    ----------
    objectives : sequence of Objective
        One for each parameter.
    together : callable
        ``together(arrays) -> number``: the function with all parameters replaced.
    rng : numpy.random.Generator
        Draws the directions.

    Returns
    -------
    list of Measurement
        The slope of each parameter along one random direction, by complex step. Empty if the complex step
        fails or cannot be confirmed.

    Notes
    -----
    Central differences along one line that moves all parameters at once confirm the complex steps: the slope
    there is the sum of the parameters' own slopes.
    """
    probes = [random_direction(o.point, rng) for o in objectives]
    with quiet():
        try:
            slopes = [_slope_in_place(o, probe) for o, probe in zip(objectives, probes, strict=True)]
            if not np.all(np.isfinite(slopes)) or not _add_up(objectives, probes, slopes, together):
                return []
        except Exception:  # user code may raise anything for complex numbers
            return []
    found = zip(objectives, probes, slopes, strict=True)
    return [Measurement.of(o, [probe], np.array([slope]), "", {}, {}) for o, probe, slope in found]


def _slope_in_place(objective: Objective, probe: Probe) -> float:
    """Take a complex step with only one additional array, to save memory for large networks."""
    point = np.empty(objective.point.shape, np.complex128)
    point.real, point.imag = objective.point, np.asarray(probe.direction)
    point.imag *= COMPLEX_STEP
    return complex_step(lambda _: objective.value(point))


def _add_up(
    objectives: Sequence[Objective],
    probes: Sequence[Probe],
    slopes: Sequence[float],
    together: Callable[[Mapping[str, Array]], Any],
) -> bool:
    """Say whether central differences along the sum of all directions give the sum of their slopes."""
    most = largest(slopes)
    if most == 0:
        return False
    # Parameters with a small slope are moved further, so that their share of the sum is not negligible.
    weights = [float(np.clip(most / max(abs(slope), 1e-300), 1, 100)) for slope in slopes]
    places = {o.name: np.empty_like(o.point) for o in objectives}

    def phi(t: float) -> float:
        for o, probe, weight in zip(objectives, probes, weights, strict=True):
            np.multiply(np.asarray(probe.direction), t * weight, out=places[o.name])
            places[o.name] += o.point
        return float(together(places))

    value = phi(0.0)
    noise = max(noise_in_table(phi, _LINE_SPACING), objectives[0].eps * abs(value))
    found = central_difference(phi, value, _LINE_STEP, _SMALLEST_LINE_STEP, noise)
    shares = [weight * slope for weight, slope in zip(weights, slopes, strict=True)]
    return confirm([found], [sum(shares)], float(np.sum(np.abs(shares))))
