"""Measure the gradient of one argument, probe by probe, by the complex step and by central differences."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .arguments import Array, largest, quiet
from .differences import Difference, Differences, central_difference, complex_step, noise_in_table
from .kinks import Surroundings, surroundings, tied_directions
from .objective import Budget, Objective, Probe, choose_probes, nan_where_refused, random_direction

# For the line along which a whole network is moved, relative to its parameters. The steps are short, as a
# long step crosses many kinks of a large network.
_LINE_STEP = 1e-4
_SMALLEST_LINE_STEP = 1e-7
_LINE_SPACING = 1e-7
# When differences confirm complex steps: the distance allowed beyond their error bars, and the largest error
# bar, both relative to the largest slope.
_AGREES = 1e-7
_TRUSTED = 1e-4


class Measurement:
    """The numeric derivatives of an objective along its probes, P of them.

    Where every entry was probed, these probes come first, in C order. Central differences may have been taken
    along some of the probes only; elsewhere the complex steps take their place.
    """

    def __init__(
        self,
        objective: Objective,
        probes: list[Probe],
        by_complex: Array | None,
        complex_error: str,
        differences: Mapping[int, Difference],
        around: Mapping[int, Surroundings],
    ) -> None:
        self.objective, self.probes = objective, probes
        self.by_complex, self.complex_error = by_complex, complex_error  # (P,) slopes; or None, and why
        slopes = by_complex if by_complex is not None else np.full(len(probes), np.nan)
        found = [differences.get(k, Difference(float(slope), 0.0)) for k, slope in enumerate(slopes)]
        beside = [around.get(k, Surroundings([d.value])) for k, d in enumerate(found)]
        self.differenced = np.array([k in differences for k in range(len(probes))], dtype=bool)
        self.by_difference = np.array([d.value for d in found])
        self.bars = np.array([d.bar for d in found])
        self.jumps = np.array([d.jump for d in found])
        # The smallest and largest slope at a kink and beside it; where there is no kink, the slope.
        self.low = np.array([min(b.slopes) for b in beside])
        self.high = np.array([max(b.slopes) for b in beside])
        self.crowded = np.array([b.crowded for b in beside], dtype=bool)

    def without_complex_step(self, reason: str) -> Measurement:
        """Return the same with central differences alone."""
        result = copy.copy(self)
        result.by_complex, result.complex_error = None, reason
        return result

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

    Relative to the scale (the largest slope, or the size of the terms that add up to it), `agrees` is the
    distance allowed beyond the error bar, and `trusted` the largest error bar.
    """
    return all(
        not d.jump and abs(d.value - slope) <= d.bar + agrees * scale and d.bar <= trusted * scale
        for d, slope in zip(differences, slopes, strict=True)
    )


def measure(objective: Objective, budget: Budget, rng: np.random.Generator) -> Measurement:
    """Differentiate an objective with both oracles.

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
                return Measurement(objective, probes, by_complex, "", some, {})
        differences = [oracle.along(probe) for probe in probes]
        around = [surroundings(objective, p, d, rng) for p, d in zip(probes, differences, strict=True)]
        joint = tied_directions(oracle, probes, differences, around, rng)
        if joint and by_complex is not None:
            more, complex_error = _by_complex_step(objective, [probe for probe, _ in joint])
            by_complex = None if more is None else np.concatenate([by_complex, more])
    probes += [probe for probe, _ in joint]
    differences += [difference for _, difference in joint]
    return Measurement(
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

    Each parameter is measured along one random direction, by complex step. ``together(arrays)`` is the
    function with all parameters replaced: central differences along one line that moves all of them at once
    confirm the complex steps, as the slope there is the sum of the parameters' own slopes. Empty if the
    complex step fails or is not confirmed.
    """
    probes = [random_direction(o.point, rng) for o in objectives]
    with quiet():
        found = [_by_complex_step(o, [probe])[0] for o, probe in zip(objectives, probes, strict=True)]
        slopes = np.array([np.nan if slope is None else slope[0] for slope in found])
        most = largest(slopes)
        if not np.all(np.isfinite(slopes)) or most == 0:
            return []
        # Parameters with a small slope are moved further, so that their share of the sum is not negligible.
        weights = np.clip(most / np.maximum(np.abs(slopes), 1e-300), 1, 100)
        steps = [
            (o.name, o.point, weight * np.asarray(probe.direction))
            for o, probe, weight in zip(objectives, probes, weights, strict=True)
        ]
        phi = nan_where_refused(lambda t: together({name: x + t * step for name, x, step in steps}))
        value = float(phi(0.0))
        noise = max(noise_in_table(phi, _LINE_SPACING), objectives[0].eps * abs(value))
        line = central_difference(phi, value, _LINE_STEP, _SMALLEST_LINE_STEP, noise)
    shares = weights * slopes
    if not confirm([line], [np.sum(shares)], float(np.sum(np.abs(shares)))):
        return []
    return [
        Measurement(o, [probe], np.array([slope]), "", {}, {})
        for o, probe, slope in zip(objectives, probes, slopes, strict=True)
    ]
