"""Check the gradient of a large network in the time of a few dozen evaluations.

Each parameter's gradient is compared along one random direction by complex step, which needs one
evaluation each. That the complex step can be trusted is seen from central differences along one line that
moves all parameters at once: the slope there is the sum of the parameters' own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .arguments import quiet
from .measure import from_complex_steps
from .objective import Objective
from .oracles import COMPLEX_STEP, Difference, central_difference, noise_in_table
from .probes import Probe, random_direction
from .report import Entry
from .verdicts import judge

Array = npt.NDArray[Any]

_STEP = 1e-4  # relative to the parameters: short, as a long step crosses many kinks of a large network
_SMALLEST_STEP = 1e-7
_NOISE_SPACING = 1e-7
_TRUSTED = 1e-4  # error bar of the line's slope, relative to the slopes that it adds up, that says something
_AGREES = 1e-7  # of these slopes: how close the sum has to come beside the error bar


def quick_entries(
    objectives: Sequence[Objective],
    gradients: Mapping[str, Any],
    dtype: np.dtype[Any],
    together: Callable[[Mapping[str, Array]], Any],
    rng: np.random.Generator,
) -> dict[str, Entry] | None:
    """Compare gradients with complex steps along a random direction each.

    Parameters
    ----------
    objectives : sequence of Objective
        One for each parameter.
    gradients : mapping of str to array
        The analytic gradients.
    dtype : dtype
        The coarsest in which they were computed.
    together : callable
        ``together(arrays) -> number``: the function with all parameters replaced.
    rng : numpy.random.Generator
        Draws them.

    Returns
    -------
    dict of str to Entry, or None
        None where the complex step cannot be trusted, or nothing can be said so fast.
    """
    probes = {o.name: [random_direction(o.point, rng)] for o in objectives}
    with quiet():
        try:
            slopes = {o.name: np.array([_slope(o, probe) for probe in probes[o.name]]) for o in objectives}
            finite = all(np.all(np.isfinite(slope)) for slope in slopes.values())
            if not finite or not _confirmed(objectives, probes, slopes, together):
                return None
        except Exception:  # someone else's code on complex numbers: it may raise anything
            return None
    entries = {}
    for objective in objectives:
        slope, gradient = slopes[objective.name], np.asarray(gradients[objective.name])
        if gradient.shape != objective.point.shape or gradient.dtype.kind not in "fiu":
            return None
        entry = judge(from_complex_steps(objective, probes[objective.name], slope, {}), gradient, dtype)
        entries[objective.name] = replace(
            entry,
            checked=f"1 projection of {gradient.size}",
        )
    return entries


def _slope(objective: Objective, probe: Probe) -> float:
    point = np.empty(objective.point.shape, np.complex128)
    point.real = objective.point
    point.imag = 0.0 if probe.direction is None else probe.direction
    point.imag *= COMPLEX_STEP
    value = objective.value(point)
    if not np.iscomplexobj(value):
        raise TypeError("the function returns real numbers for complex ones")
    return float(np.imag(value)) / COMPLEX_STEP


def _confirmed(
    objectives: Sequence[Objective],
    probes: Mapping[str, list[Probe]],
    slopes: Mapping[str, Array],
    together: Callable[[Mapping[str, Array]], Any],
) -> bool:
    """Say whether central differences along the sum of the first directions give the sum of their slopes."""
    # Parameters of small slope are moved further, so that each one's share of the sum can be seen.
    largest = max(float(abs(slope[0])) for slope in slopes.values())
    if largest == 0:
        return False
    weights = {name: float(np.clip(largest / max(abs(s[0]), 1e-300), 1, 100)) for name, s in slopes.items()}
    lines = {o.name: (o.point, np.asarray(probes[o.name][0].direction), weights[o.name]) for o in objectives}

    moved = {name: np.empty_like(point) for name, (point, _, _) in lines.items()}

    def phi(t: float) -> float:
        for name, (point, direction, weight) in lines.items():
            np.multiply(direction, t * weight, out=moved[name])
            moved[name] += point
        return float(together(moved))

    value = phi(0.0)
    noise = max(noise_in_table(phi, _NOISE_SPACING), objectives[0].eps * abs(value))
    found: Difference = central_difference(phi, value, _STEP, _SMALLEST_STEP, noise)
    shares = [weights[name] * float(slope[0]) for name, slope in slopes.items()]
    size = float(np.sum(np.abs(shares)))
    near = abs(found.value - sum(shares)) <= found.bar + _AGREES * size
    return bool(not found.jump and near and found.bar <= _TRUSTED * size)
