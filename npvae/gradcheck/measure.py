"""Measure the gradient of one argument, probe by probe, with both oracles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .arguments import largest, quiet
from .kinks import Surroundings, surroundings, tied_directions
from .objective import Budget, Objective, Probe, choose_probes, random_direction
from .oracles import COMPLEX_STEP, Difference, Differences, central_difference, complex_step, noise_in_table

Array = npt.NDArray[Any]

# Of the line along which a whole network is moved, relative to its parameters: short, as a long step crosses
# many kinks of a large network.
_LINE_STEP = 1e-4
_SMALLEST_LINE_STEP = 1e-7
_LINE_SPACING = 1e-7
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

    def confirmed(self, precision: float) -> bool:
        """Say whether both oracles give the same wherever both were asked, to a part of the largest slope."""
        slopes, at = self.by_complex, np.flatnonzero(self.differenced)
        if slopes is None or not at.size:
            return False
        found = [Difference(float(self.by_difference[k]), float(self.bars[k]), 0.0) for k in at]
        scale = largest(slopes)
        pairs = zip(found, slopes[at], strict=True)
        return all(confirms(d, slope, scale, precision, precision) for d, slope in pairs)


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
    return all(confirms(d, slope, scale) for d, slope in zip(found, expected, strict=True))


def confirms(
    difference: Difference, slope: float, scale: float, agrees: float = _AGREES, trusted: float = _TRUSTED
) -> bool:
    """Say whether a central difference, precise enough to say something, gives what the complex step gave.

    Parameters
    ----------
    difference : Difference
    slope : float
        By complex step.
    scale : float
        The largest slope, or the size of what was added up to it.
    agrees, trusted : float
        Relative to the scale: how close they come beside the error bar, and how large that may be.
    """
    near = abs(difference.value - slope) <= difference.bar + agrees * scale
    return bool(not difference.jump and near and difference.bar <= trusted * scale)


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


def measure_together(
    objectives: Sequence[Objective],
    together: Callable[[Mapping[str, Array]], Any],
    rng: np.random.Generator,
) -> list[Measurement] | None:
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
    list of Measurement, or None
        The slope of each parameter along one random direction, by complex step. None where that cannot be
        trusted, or nothing can be said so fast.

    Notes
    -----
    That the complex steps can be trusted is seen from central differences along one line that moves all
    parameters at once: the slope there is the sum of the parameters' own.
    """
    probes = {o.name: [random_direction(o.point, rng)] for o in objectives}
    with quiet():
        try:
            slopes = {
                o.name: np.array([_slope_of_all(o, probe) for probe in probes[o.name]]) for o in objectives
            }
            finite = all(np.all(np.isfinite(slope)) for slope in slopes.values())
            if not finite or not _confirmed_together(objectives, probes, slopes, together):
                return None
        except Exception:  # someone else's code on complex numbers: it may raise anything
            return None
    return [from_complex_steps(o, probes[o.name], slopes[o.name], {}) for o in objectives]


def _slope_of_all(objective: Objective, probe: Probe) -> float:
    point = np.empty(objective.point.shape, np.complex128)
    point.real = objective.point
    point.imag = 0.0 if probe.direction is None else probe.direction
    point.imag *= COMPLEX_STEP
    value = objective.value(point)
    if not np.iscomplexobj(value):
        raise TypeError("the function returns real numbers for complex ones")
    return float(np.imag(value)) / COMPLEX_STEP


def _confirmed_together(
    objectives: Sequence[Objective],
    probes: Mapping[str, list[Probe]],
    slopes: Mapping[str, Array],
    together: Callable[[Mapping[str, Array]], Any],
) -> bool:
    """Say whether central differences along the sum of the first directions give the sum of their slopes."""
    # Parameters of small slope are moved further, so that each one's share of the sum can be seen.
    most = max(float(abs(slope[0])) for slope in slopes.values())
    if most == 0:
        return False
    weights = {name: float(np.clip(most / max(abs(s[0]), 1e-300), 1, 100)) for name, s in slopes.items()}
    lines = {o.name: (o.point, np.asarray(probes[o.name][0].direction), weights[o.name]) for o in objectives}

    moved = {name: np.empty_like(point) for name, (point, _, _) in lines.items()}

    def phi(t: float) -> float:
        for name, (point, direction, weight) in lines.items():
            np.multiply(direction, t * weight, out=moved[name])
            moved[name] += point
        return float(together(moved))

    value = phi(0.0)
    noise = max(noise_in_table(phi, _LINE_SPACING), objectives[0].eps * abs(value))
    found: Difference = central_difference(phi, value, _LINE_STEP, _SMALLEST_LINE_STEP, noise)
    shares = [weights[name] * float(slope[0]) for name, slope in slopes.items()]
    size = float(np.sum(np.abs(shares)))
    return confirms(found, sum(shares), size)
