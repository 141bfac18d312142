"""An analytic gradient beside its measurement, and a verdict for each probe."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .agreement import CANCELLATION, allowance, largest
from .measure import Measurement

Array = npt.NDArray[Any]

# Parts of the gradient's scale: central differences with an error bar above the first decide nothing, those
# below the second are believed even against the complex step.
RESOLUTION = 1e-2
NARROW = 1e-6
# Multiples of the rounding of the upstream gradient: smaller slopes may vanish in the rounding of the value.
_FLAT = 1e5

_LIES = "it contradicts differences (np.abs, np.linalg.norm, np.var, a branch, a conjugate)"


class Comparison:
    """An analytic gradient beside its measurement along P probes.

    Parameters
    ----------
    measurement : Measurement
        The numeric derivatives. Where central differences contradict most of the complex steps, these are
        left out.
    gradient : array
        The analytic gradient.
    dtype : dtype
        What it was computed in.
    terms : float
        Size of the terms that are added up to it.

    Attributes
    ----------
    measurement : Measurement
        As it is used.
    analytic : (P,) array
        The gradient along the probes.
    scale : float
        The largest numeric derivative, or jump.
    rounding : float
        What rounding in the gradient may amount to.
    kink : (P,) array of bool
        Where the slopes from the left and from the right differ.
    difference_bars, bars : (P,) arrays
        Error bars of the differences, and of the oracle that decides.
    contradiction : (P,) array of bool
        Where the two oracles exclude each other.
    outside : (P,) array
        How far the gradient lies outside of the slopes at and around a kink.
    """

    def __init__(self, measurement: Measurement, gradient: Array, dtype: np.dtype[Any], terms: float) -> None:
        if _complex_step_lies(measurement, dtype, terms):
            measurement = replace(measurement, by_complex=None, complex_error=_LIES)
        self.measurement = m = measurement
        self.analytic = np.array([probe.project(gradient) for probe in m.probes])
        self.scale = max(largest(m.numeric), largest(m.jumps))
        self.rounding = allowance(dtype, self.scale, terms)
        self.kink = np.abs(m.jumps) > self.rounding
        self.difference_bars = m.bars + np.where(self.kink, 0.0, np.abs(m.jumps) / 2)
        self.outside = np.maximum(0.0, np.maximum(m.low - self.analytic, self.analytic - m.high))

        self._defined = np.isfinite(m.by_difference)
        self._near_differences = self._near(m.by_difference, self.difference_bars)
        if m.by_complex is None:
            self.contradiction = self._near_complex = np.zeros(len(self.analytic), dtype=bool)
            self.bars = self.difference_bars
        else:
            bars = CANCELLATION * m.objective.eps * (np.abs(m.by_complex) + terms)
            self._near_complex = self._near(m.by_complex, bars)
            apart = np.abs(m.by_complex - m.by_difference) > bars + self.difference_bars + self.rounding
            self.contradiction = ~self.kink & apart
            self.bars = np.where(self.kink, self.difference_bars, bars)

    def _near(self, numeric: Array, bars: Array) -> Array:
        return np.asarray(np.abs(self.analytic - numeric) <= bars + self.rounding)

    @property
    def target(self) -> Array:
        """What the gradient is compared with: at a kink the mean of both slopes."""
        return np.where(self.kink, self.measurement.by_difference, self.measurement.numeric)

    @property
    def distance(self) -> Array:
        """How far the gradient is off; at a kink, how far outside of the slopes."""
        return np.where(self.kink, self.outside, np.abs(self.analytic - self.measurement.numeric))

    @property
    def confirmed(self) -> bool:
        """Whether differences resolve anything, as far as they were taken."""
        asked = self.measurement.differenced
        resolved = self.difference_bars[asked] <= RESOLUTION * self.scale
        return self.scale == 0 or not np.any(asked) or bool(np.any(resolved))

    def verdicts(self) -> tuple[Array, str]:
        """Return the verdict for each probe, and what is vacuous about them all."""
        found = self._by_differences() if self.measurement.by_complex is None else self._by_both()
        found[self.kink] = self._at_kinks()[self.kink]
        vacuous = self._vacuous(found)
        if vacuous == _ZERO:
            found[self._defined] = "pass"
        elif vacuous:
            found[:] = "inconclusive"
        broken = ~np.isfinite(self.analytic)
        found[broken] = np.where(self._defined, "fail", "inconclusive")[broken]
        return found, vacuous

    def _by_differences(self) -> Array:
        found = np.where(self._near_differences, "pass", "fail").astype(object)
        found[self._near_differences & (self.difference_bars > RESOLUTION * self.scale)] = "inconclusive"
        found[~self._defined] = "inconclusive"
        return found

    def _by_both(self) -> Array:
        near, near_differences = self._near_complex, self._near_differences
        narrow = self.difference_bars <= NARROW * self.scale
        found = np.where(near, "pass", "fail").astype(object)
        found[self.contradiction & (near | near_differences)] = "inconclusive"
        found[self.contradiction & near_differences & narrow] = "pass"
        mostly = np.mean(self._defined & ~self.contradiction) >= 0.5
        found[~self._defined & ~(near & mostly)] = "inconclusive"
        return found

    def _at_kinks(self) -> Array:
        m, bars = self.measurement, self.difference_bars
        # Kinks that meet within one term, and cancel there, cannot be told from a single one: a correct
        # backward takes all of them from one side, and may return 0 or the sum of both slopes.
        both = 2 * m.by_difference
        one_sided = np.minimum(np.abs(self.analytic), np.abs(self.analytic - both)) <= bars + self.rounding
        crowded = m.crowded & (self.outside <= m.high - m.low + bars)
        undecided = np.where(crowded | one_sided | self._near_complex, "inconclusive", "fail")
        return np.where(self.outside <= bars + self.rounding, "kink", undecided)

    def _vacuous(self, found: Array) -> str:
        """Say why the measurement shows nothing; empty where it shows something."""
        m = self.measurement
        seen = np.where(self.kink, np.abs(m.jumps), np.abs(m.numeric)) > self.bars + self.rounding
        if np.any(seen | self.contradiction | ~np.isfinite(m.numeric) | (found == "fail")):
            return ""
        exact = m.by_complex is not None or not np.any(m.by_difference)
        return _ZERO if exact and not np.any(m.numeric) and not np.any(self.analytic) else _SMALL


_ZERO = "vacuous: the gradient is exactly zero"
_SMALL = "vacuous: the gradient is smaller than the oracle's error bar"


def _complex_step_lies(measurement: Measurement, dtype: np.dtype[Any], terms: float) -> bool:
    """Say whether differences with narrow bars contradict the complex step at half of the places or more."""
    if measurement.by_complex is None or not np.any(measurement.differenced):
        return False
    slopes, bars = measurement.by_difference, measurement.bars
    scale = largest(slopes)
    narrow = (bars <= NARROW * scale) & (measurement.jumps == 0) & measurement.differenced
    # A value close to zero may be flat for its rounding alone, which no noise shows.
    flat = _FLAT * measurement.objective.eps * measurement.objective.upstream
    off = np.abs(measurement.by_complex - slopes) > bars + flat + allowance(dtype, scale, terms)
    return bool(np.sum(narrow & off) >= max(1.0, 0.5 * np.sum(measurement.differenced)))
