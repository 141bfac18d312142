"""Central differences of an objective along any direction."""

from __future__ import annotations

import numpy as np

from .objective import Objective
from .oracles import Difference, central_difference, rounding_noise
from .probes import Probe, random_direction

SMALLEST_SCALE = 1.0  # smaller arguments (a bias of zeros, weights) are first moved as if of this size
_SMALLEST_STEP = 1e-8  # relative to the argument: finer steps measure nothing but rounding
_NOISE_SPACING = 1e-6  # relative to the argument


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
        self._defined = point.size > 0 and bool(np.isfinite(self._value))
        if not self._defined:
            return
        self._rms = float(np.sqrt(np.mean(np.square(point, dtype=np.float64))))
        spacing = _NOISE_SPACING * (self._rms or SMALLEST_SCALE)
        noise = rounding_noise(objective.along(random_direction(point.shape, rng), point), spacing)
        self._noise = max(noise, objective.eps * objective.magnitude)
        # Fourth-order differences balance h^4 and noise / h at the fifth root of the relative noise.
        relative_noise = self._noise / objective.magnitude if objective.magnitude > 0 else objective.eps
        self._first = float(np.clip(relative_noise**0.2, objective.eps**0.2, 0.05))

    def along(self, probe: Probe) -> Difference:
        """Return the slope along a probe's direction; NaN where the function is not finite."""
        if not self._defined:
            return Difference(np.nan, np.inf, 0.0)
        point = self.objective.point
        scale = probe.scale(point, self._rms)
        step = self._first * max(scale, SMALLEST_SCALE)
        smallest = _SMALLEST_STEP * min(scale or SMALLEST_SCALE, SMALLEST_SCALE)
        line = self.objective.along(probe, point)
        return central_difference(line, self._value, step, smallest, self._noise)
