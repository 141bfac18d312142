"""Kinks: the slopes at a kink and around it, and smooth directions through tied entries.

A correct backward returns the slope on one side of each kink, or a slope in between. The possible slopes are
measured around the kink.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .arguments import Array, largest, moved
from .differences import SMALLEST_SCALE, Difference, Differences
from .objective import Objective, Probe

_NEIGHBOURHOOD = 1e-4  # relative to the argument: how far from a kink other slopes are looked for
_N_NEIGHBOURS = 8
_APART = 0.005  # relative to the jump: two slopes that differ by more count as different
_N_TIES = 64  # how many groups of tied entries are tried
_SMOOTH = 1e-3  # relative change of the slope around a point up to which a direction counts as smooth


@dataclass(frozen=True, eq=False)
class Surroundings:
    """The slopes along one probe at a point, and close to it."""

    slopes: list[float]
    crowded: bool = False  # whether some of them are neither the left nor the right slope at the point
    kinked_terms: Array = field(default_factory=lambda: np.zeros(0, np.intp))  # terms with a kink there


def surroundings(
    objective: Objective, probe: Probe, difference: Difference, rng: np.random.Generator
) -> Surroundings:
    """Find the slopes on both sides of a kink that central differences have seen, and the slopes near it.

    Along a line through a single kink two slopes occur. Where several kinks meet (a unit of a ReLU layer that
    is zero for the whole batch), each may be taken from its left or from its right, and a correct gradient
    need not lie between the two slopes that one line shows. Kinks in different terms of the sum are separated
    exactly. Kinks within one term are separated by moving the point and the other arguments.
    """
    if not difference.jump:
        return Surroundings([difference.value])
    ends = list(difference.sides)
    others = [
        slope
        for slope in slopes_beside(objective, probe, rng, _APART * abs(difference.jump))
        if min(abs(slope - end) for end in ends) > _APART * abs(difference.jump)
    ]
    by_term, kinked = _slopes_by_term(objective, probe)
    return Surroundings(ends + by_term + others, bool(others), kinked)


def slopes_beside(
    objective: Objective, probe: Probe, rng: np.random.Generator, tolerance: float
) -> list[float]:
    """Return the slopes along a probe at nearby points where left and right slope agree to a tolerance."""
    scale = _scale(objective)
    step = 1e-3 * _NEIGHBOURHOOD * scale
    slopes = []
    for k in range(_N_NEIGHBOURS):
        point = moved(objective.point, _NEIGHBOURHOOD * scale * rng.standard_normal(objective.point.shape))
        value = objective.value
        if objective.beside is not None and k % 2:
            value = objective.beside(rng, _NEIGHBOURHOOD * 10.0 ** rng.uniform(-1, 1))
        left, here, right = (float(value(probe.move(point, t))) for t in (-step, 0.0, step))
        # If a point is so close to a kink that one step crosses it, neither slope can be measured there.
        if abs((right - here) - (here - left)) <= tolerance * step:
            slopes.append((right - left) / (2 * step))
    return slopes


def _slopes_by_term(objective: Objective, probe: Probe) -> tuple[list[float], Array]:
    """Return the smallest and largest slope if each term takes its left or right one, and the kinked terms.

    A term that is too noisy to tell left from right takes the mean of both.
    """
    if objective.terms is None:
        return [], np.zeros(0, np.intp)
    h = _NEIGHBOURHOOD * _scale(objective)
    at = {t: objective.terms(probe.move(objective.point, t)) for t in (-h, -h / 2, 0.0, h / 2, h)}
    right = (4 * at[h / 2] - at[h] - 3 * at[0.0]) / h
    left = -(4 * at[-h / 2] - at[-h] - 3 * at[0.0]) / h
    noise = 100 * objective.eps * np.abs(at[0.0]) / h
    apart = np.abs(right - left) > noise + 1e-6 * np.abs(right)
    middle = (right + left) / 2
    low = float(np.sum(np.where(apart, np.minimum(left, right), middle)))
    high = float(np.sum(np.where(apart, np.maximum(left, right), middle)))
    return ([low, high] if np.isfinite(low) and np.isfinite(high) else []), np.flatnonzero(apart)


def tied_directions(
    oracle: Differences,
    probes: list[Probe],
    differences: list[Difference],
    around: list[Surroundings],
    rng: np.random.Generator,
) -> list[tuple[Probe, Difference]]:
    """Find directions that move tied entries together, along which the function is smooth.

    If two entries tie for a maximum, each has a kink, with slopes 0 and dy. A correct backward may give dy to
    either of them, or half of it to each. A backward that gives dy to both, or to neither, is wrong, although
    each entry alone looks right. The error shows when both entries are moved at once, each in the direction
    in which it affects the maximum: along this line the maximum is smooth, here and nearby, and has slope dy.
    """
    objective = oracle.objective
    groups: dict[int, list[int]] = {}
    for k, beside in enumerate(around):
        if probes[k].index is not None:
            for term in beside.kinked_terms:
                groups.setdefault(int(term), []).append(k)
    found = []
    for group in list(dict.fromkeys(tuple(g) for g in groups.values() if len(g) > 1))[:_N_TIES]:
        direction = np.zeros(objective.point.shape)
        for k in group:
            left, right = differences[k].sides
            direction[probes[k].index] = np.sign(abs(right) - abs(left)) / np.sqrt(len(group))
        probe = Probe(None, direction)
        slope = oracle.along(probe)
        if not np.any(direction) or slope.jump or not np.isfinite(slope.value):
            continue
        close_by = [s for _ in range(2) for s in slopes_beside(objective, probe, rng, np.inf)]
        if all(abs(other - slope.value) <= _SMOOTH * abs(slope.value) for other in close_by):
            found.append((probe, slope))
    return found


def _scale(objective: Objective) -> float:
    return max(largest(objective.point), SMALLEST_SCALE)
