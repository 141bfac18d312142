"""Central differences of an objective along any direction."""

from __future__ import annotations

import numpy as np

from .objective import Objective
from .oracles import Difference, central_difference, noise_in_table, rounding_noise
from .probes import Probe, random_direction, spread_of

SMALLEST_SCALE = 1.0  # smaller arguments (a bias of zeros, weights) are first moved as if of this size
_SMALLEST_STEP = 1e-8  # relative to the argument: finer steps measure nothing but rounding
_SMALLEST_STEP_OF_ENTRY = 1e-2  # relative to the one entry that is moved
# Relative to the argument: finer ones are tried where the noise is larger than any rounding could be, as a
# function that varies on a scale far below its argument (a batch norm of nearly equal numbers) is no
# polynomial over coarse ones.
_NOISE_SPACINGS = (1e-6, 1e-8, 1e-10)
_LARGEST_NOISE = 1e-2  # relative to the function


class Differences:
    """Central differences of an objective, with its scale and its noise found once.

    Parameters
    ----------
    objective : Objective
    rng : numpy.random.Generator
        Draws the line on which the noise is estimated.
    """

    def __init__(self, objective: Objective, rng: np.random.Generator) -> None:
        self.objective = objective
        point = objective.point
        self._value = float(objective.value(point.copy()))
        self._defined = bool(np.any(np.isfinite(point)) and np.isfinite(self._value))
        if not self._defined:
            return
        self._scale = spread_of(point[np.isfinite(point)])
        line = objective.along(random_direction(point, rng), point)
        least = objective.eps * objective.magnitude
        noise = np.inf
        for relative in _NOISE_SPACINGS:
            noise = min(noise, rounding_noise(line, relative * (self._scale or SMALLEST_SCALE)))
            if noise <= _LARGEST_NOISE * objective.magnitude:
                break
        self._noise = max(noise, least)
        # Fourth-order differences balance h^4 and noise / h at the fifth root of the relative noise.
        relative_noise = self._noise / objective.magnitude if objective.magnitude > 0 else objective.eps
        self._first = float(np.clip(relative_noise**0.2, objective.eps**0.2, 0.05))
        # Where the value is zero, as at a minimum, its rounding errors are larger a step away.
        first = self._first * max(self._scale, SMALLEST_SCALE)
        away = noise_in_table(lambda t: line(first + t), _NOISE_SPACINGS[0] * first)
        if away <= _LARGEST_NOISE * abs(float(line(first))):
            self._noise = max(self._noise, away)

    def along(self, probe: Probe) -> Difference:
        """Return the slope along a probe's direction; NaN where the function is not finite."""
        if not self._defined:
            return Difference(np.nan, np.inf, 0.0)
        point = self.objective.point
        scale = probe.scale(point, self._scale)
        step = self._first * max(scale, SMALLEST_SCALE)
        smallest = _SMALLEST_STEP * min(scale or SMALLEST_SCALE, SMALLEST_SCALE)
        if probe.index is not None and point[probe.index]:  # close to a pole, perhaps, or a border at zero
            smallest = min(smallest, _SMALLEST_STEP_OF_ENTRY * float(abs(point[probe.index])))
        line = self.objective.along(probe, point)
        return central_difference(line, self._value, step, smallest, self._noise)
