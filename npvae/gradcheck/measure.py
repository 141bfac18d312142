"""Measure the gradient of one argument, probe by probe, with both oracles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .arguments import quiet
from .oracles import Difference, central_difference, complex_step, rounding_noise
from .probes import Budget, Probe, choose_probes, random_direction

Array = npt.NDArray[Any]

_SMALLEST_SCALE = 1.0  # smaller arguments (a bias of zeros, weights) are first moved as if of this size
_SMALLEST_STEP = 1e-8  # relative to the argument: finer steps measure nothing but rounding
_NEIGHBOURHOOD = 1e-4  # relative to the argument: how far beside a kink other slopes are looked for
_N_NEIGHBOURS = 8
_NOISE_SPACING = 1e-6  # relative to the argument


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


@dataclass(frozen=True, eq=False)
class Measurement:
    """The numeric derivatives of an objective along its probes, P of them.

    Attributes
    ----------
    objective : Objective
        What was differentiated.
    probes : list of Probe
        The directions.
    by_complex : (P,) array or None
        By complex step; None where the function cannot be evaluated so.
    complex_error : str
        Why `by_complex` is None.
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
        """Whether every entry of the argument was probed, in C order."""
        return len(self.probes) == self.objective.point.size and all(p.index is not None for p in self.probes)


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
    """
    probes = choose_probes(objective.point.shape, budget, rng)
    with quiet():
        by_complex, complex_error = _by_complex_step(objective, probes)
        differences = _by_differences(objective, probes, rng)
        slopes = [_slopes_around(objective, p, d, rng) for p, d in zip(probes, differences, strict=True)]
    return Measurement(
        objective,
        probes,
        by_complex,
        complex_error,
        by_difference=np.array([d.value for d in differences]),
        bars=np.array([d.bar for d in differences]),
        jumps=np.array([d.jump for d in differences]),
        low=np.array([min(around) for around, _ in slopes]),
        high=np.array([max(around) for around, _ in slopes]),
        crowded=np.array([crowd for _, crowd in slopes], dtype=bool),
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


def _by_differences(objective: Objective, probes: list[Probe], rng: np.random.Generator) -> list[Difference]:
    point = objective.point
    value_0 = float(objective.value(point.copy()))
    if point.size == 0 or not np.isfinite(value_0):
        return [Difference(np.nan, np.inf, 0.0) for _ in probes]
    rms = float(np.sqrt(np.mean(np.square(point, dtype=np.float64))))

    direction = random_direction(point.shape, rng)
    spacing = _NOISE_SPACING * (rms or _SMALLEST_SCALE)
    noise = rounding_noise(objective.along(direction, point), spacing)
    noise = max(noise, objective.eps * objective.magnitude)

    # Fourth-order differences balance truncation h^4 and noise / h at the fifth root of the relative noise.
    relative_noise = noise / objective.magnitude if objective.magnitude > 0 else objective.eps
    first = float(np.clip(relative_noise**0.2, objective.eps**0.2, 0.05))

    differences = []
    for probe in probes:
        scale = probe.scale(point, rms)
        step = first * max(scale, _SMALLEST_SCALE)
        smallest = _SMALLEST_STEP * min(scale or _SMALLEST_SCALE, _SMALLEST_SCALE)
        line = objective.along(probe, point)
        differences.append(central_difference(line, value_0, step, smallest, noise))
    return differences


def _slopes_around(
    objective: Objective, probe: Probe, difference: Difference, rng: np.random.Generator
) -> tuple[list[float], bool]:
    """Return the one-sided slopes at a kink, and those beside it; and whether others than two occur.

    Along a line through a single kink two slopes occur. Where several kinks meet (a unit of a ReLU layer that
    is zero for the whole batch), each may be taken from its left or from its right, and a correct gradient
    need not lie between the two slopes that one line shows. Kinks in different terms of the sum are taken
    apart exactly. Kinks within one term are taken apart by moving the point, and what else there is.
    """
    if not difference.jump:
        return [difference.value], False
    ends = [difference.value - difference.jump / 2, difference.value + difference.jump / 2]
    scale = max(float(np.max(np.abs(objective.point))), _SMALLEST_SCALE)
    step = 1e-3 * _NEIGHBOURHOOD * scale
    others = []
    for k in range(_N_NEIGHBOURS):
        shift = _NEIGHBOURHOOD * scale * rng.standard_normal(objective.point.shape)
        point = (objective.point + shift).astype(objective.point.dtype)
        value = objective.value
        if objective.beside is not None and k % 2:
            value = objective.beside(rng, _NEIGHBOURHOOD * 10.0 ** rng.uniform(-1, 1))
        slope = float(value(probe.move(point, step))) - float(value(probe.move(point, -step)))
        slope /= 2 * step
        if np.isfinite(slope) and min(abs(slope - end) for end in ends) > 0.05 * abs(difference.jump):
            others.append(slope)
    if objective.terms is not None:
        ends += _slopes_by_term(objective, probe, scale)
    return ends + others, bool(others)


def _slopes_by_term(objective: Objective, probe: Probe, scale: float) -> list[float]:
    """Return the smallest and the largest slope when each term takes the left or the right slope of its own.

    Nothing where a term is too noisy to be told left from right.
    """
    assert objective.terms is not None
    h = _NEIGHBOURHOOD * scale
    at = {t: objective.terms(probe.move(objective.point, t)) for t in (-h, -h / 2, 0.0, h / 2, h)}
    right = (4 * at[h / 2] - at[h] - 3 * at[0.0]) / h
    left = -(4 * at[-h / 2] - at[-h] - 3 * at[0.0]) / h
    noise = 100 * objective.eps * np.abs(at[0.0]) / h
    apart = np.abs(right - left) > noise + 1e-6 * np.abs(right)
    middle = (right + left) / 2
    low = float(np.sum(np.where(apart, np.minimum(left, right), middle)))
    high = float(np.sum(np.where(apart, np.maximum(left, right), middle)))
    return [low, high] if np.isfinite(low) and np.isfinite(high) else []
