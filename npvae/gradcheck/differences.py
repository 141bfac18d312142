"""Numerical differentiation: the complex step and finite differences, each with an error bar.

Every derivative that the checker needs is the slope at t = 0 of phi(t) = f(x + t v): v is a unit vector for
one entry of a gradient, or a random direction for a projection of it.

- `complex_step` is exact to rounding, but only where f can be evaluated at complex numbers and means the same
  there. It can be silently wrong (np.abs, np.linalg.norm, ...).
- `central_difference` needs nothing but real evaluations. It extrapolates to step zero, estimates its own
  error, and sees a kink: a point where the slopes from the left and from the right differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .objective import Objective, Probe, random_direction, spread_of

COMPLEX_STEP = 1e-110  # h**3 underflows to zero, so the result is exactly zero where phi'(0) is

_LEVEL_RATIO = 4.0  # from one level of steps to the next finer one
_CONVERGED = 1e-9  # truncation error of the slope, relative to it, at which no finer level is tried
_JUMP_CONVERGED = 1e-6  # the same for the jump
# Multiples of the standard deviation of f's rounding noise over h. The extrapolated slope carries about 4.5
# of them and the extrapolated jump about 25; the bounds are four times that.
_SLOPE_NOISE = 18.0
_JUMP_NOISE = 100.0


class Difference(NamedTuple):
    """A slope by central differences."""

    value: float  # at a kink the mean of the two one-sided slopes; NaN where the function is not finite
    bar: float  # error bar of the value, and of both one-sided slopes
    jump: float = 0.0  # right slope minus left slope; 0 where the function is smooth

    @property
    def sides(self) -> tuple[float, float]:
        """The slopes from the left and from the right."""
        return self.value - self.jump / 2, self.value + self.jump / 2

    def contradicts(self, other: Difference) -> bool:
        """Say whether the error bars of two slopes leave no value for both."""
        return abs(self.value - other.value) > self.bar + other.bar


def complex_step(phi: Callable[[complex], Any]) -> float:
    """Differentiate phi, real on the real axis and analytic around 0, at 0: by Im(phi(ih)) / h.

    Raises a TypeError if phi returns a real number for a complex one, as np.abs does: the imaginary part was
    discarded.

    Notes
    -----
    phi(ih) = phi(0) + ih phi'(0) - h^2 phi''(0) / 2 - ..., so the imaginary part is h phi'(0) + O(h^3).
    Nothing is subtracted, so h can be so small that the cubic term underflows.

    References
    ----------
    Squire & Trapp 1998, "Using complex variables to estimate derivatives of real functions".

    Examples
    --------
    >>> round(complex_step(lambda t: (3 + t) ** 2), 14)
    6.0
    """
    result = phi(1j * COMPLEX_STEP)
    if not np.iscomplexobj(result):
        raise TypeError("the function returns real numbers for complex ones")
    return float(np.imag(result)) / COMPLEX_STEP


def rounding_noise(phi: Callable[[float], Any], spacing: float) -> float:
    """Estimate the standard deviation of phi's rounding errors around 0; 0 if it shows none or is not finite.

    The spacing between neighbouring evaluations should be so small that phi is a polynomial of low degree
    over a few of them, and so large that rounding differs from one to the next.

    Notes
    -----
    Differencing an equispaced table k times removes what is smooth and leaves noise of variance
    (2k)! / (k!)^2 times the variance of one value. The smaller estimate from both sides of 0 is used, so that
    a kink on one side is not mistaken for noise. The larger estimate from two spacings is used, as rounding
    may happen to be regular at one of them.

    References
    ----------
    More & Wild 2011, "Estimating computational noise".
    """
    return max(
        min(noise_in_table(phi, step), noise_in_table(phi, -step)) for step in (spacing, math.e * spacing)
    )


def noise_in_table(phi: Callable[[float], Any], spacing: float) -> float:
    """Estimate rounding errors from one table of seven values: see `rounding_noise`."""
    table = np.array([float(phi(k * spacing)) for k in range(7)])
    if not np.all(np.isfinite(table)):
        return 0.0
    orders = []
    for k in range(1, 7):
        table = np.diff(table)
        if k >= 4:
            orders.append(math.sqrt(np.mean(table**2) * math.factorial(k) ** 2 / math.factorial(2 * k)))
    return max(orders)


def central_difference(
    phi: Callable[[float], Any], phi_0: float, step: float, smallest_step: float, noise: float
) -> Difference:
    """Differentiate at 0 by central differences, extrapolated to step zero.

    The first step suffices for a smooth function; finer levels, down to the smallest step, are tried as long
    as the estimate has not settled or a kink is seen. `phi_0` is phi(0), and `noise` the standard deviation
    of phi's rounding errors.

    Notes
    -----
    A level is the steps h, h/2, h/4. The mean of the two one-sided slopes is phi' + a h^2 + b h^4 + ..., so
    Richardson's extrapolation removes a and then b; the difference between the two estimates in which only a
    is removed bounds the truncation error. The difference of the two one-sided slopes is
    jump + c h + d h^3 + ..., extrapolated likewise: it tends to zero unless 0 is a kink. A kink at a small
    distance looks like one at 0 until h gets smaller than that distance, so a kink is reported only when no
    finer level resolves it.

    References
    ----------
    Ridders 1982, "Accurate computation of F'(x) and F'(x) F''(x)".
    """
    levels: list[Difference] = []
    while step >= smallest_step:
        level, settled = _extrapolate(phi, phi_0, step, noise)
        if math.isfinite(level.value) and math.isfinite(level.bar):
            levels.append(level)
            if settled:
                break
        step /= _LEVEL_RATIO
    best_smooth = _best([level for level in levels if not level.jump])
    kinked = [
        level
        for k, level in enumerate(levels)
        if level.jump and not any(level.contradicts(finer) for finer in levels[k + 1 :] if not finer.jump)
    ]
    if not kinked:
        return best_smooth or Difference(math.nan, math.inf)
    # The finest level tells whether coarser ones, which are less noisy, saw the same kink.
    finest = kinked[-1]
    best_kinked = min((level for level in kinked if _same_kink(level, finest)), key=lambda level: level.bar)
    # A level too noisy to resolve the jump does not overrule the one that saw it.
    if best_smooth is not None and best_smooth.bar < abs(best_kinked.jump) / 2:
        return best_smooth
    return best_kinked


def _best(levels: list[Difference]) -> Difference | None:
    """Return the level with the smallest error bar among those that no finer level contradicts.

    A coarse level may step across a pole and still have a small error bar.
    """
    for k in sorted(range(len(levels)), key=lambda k: levels[k].bar):
        if not any(levels[k].contradicts(finer) for finer in levels[k + 1 :]):
            return levels[k]
    return None


def _same_kink(a: Difference, b: Difference) -> bool:
    return not a.contradicts(b) and abs(a.jump - b.jump) <= 2 * (a.bar + b.bar)


def _extrapolate(
    phi: Callable[[float], Any], phi_0: float, step: float, noise: float
) -> tuple[Difference, bool]:
    """Return slope and jump from the steps h, h/2, h/4, and whether no finer level is needed."""
    steps = (step, step / 2, step / 4)
    plus = [float(phi(h)) for h in steps]
    minus = [float(phi(-h)) for h in steps]
    slope = [(p - m) / (2 * h) for p, m, h in zip(plus, minus, steps, strict=True)]
    gap = [((p - phi_0) - (phi_0 - m)) / h for p, m, h in zip(plus, minus, steps, strict=True)]

    coarse, fine = (4 * slope[1] - slope[0]) / 3, (4 * slope[2] - slope[1]) / 3
    value = (16 * fine - coarse) / 15
    truncation = abs(fine - coarse)

    jump_coarse, jump_fine = 2 * gap[1] - gap[0], 2 * gap[2] - gap[1]
    jump = (8 * jump_fine - jump_coarse) / 7
    jump_truncation = 2 * abs(jump - jump_fine)
    jump_rounding = _JUMP_NOISE * noise / step
    jump_error = jump_truncation + jump_rounding

    # Half of the jump's error is an error of the one-sided slopes.
    rounding = _SLOPE_NOISE * noise / step
    bar = truncation + rounding + jump_error / 2
    if abs(jump) > jump_error:
        return Difference(value, bar, jump), False
    settled = truncation <= max(rounding, _CONVERGED * abs(value)) and jump_truncation <= max(
        jump_rounding, _JUMP_CONVERGED * abs(value)
    )
    return Difference(value, bar), settled


SMALLEST_SCALE = 1.0  # the first step for smaller arguments (a bias of zeros, weights) is as for this size
_SMALLEST_STEP = 1e-8  # relative to the argument: finer steps measure nothing but rounding
_SMALLEST_STEP_OF_ENTRY = 1e-2  # relative to the one entry that is moved
# Relative to the argument. Finer ones are tried if the noise is larger than rounding could be: a function
# that varies on a scale far below its argument (a batch norm of nearly equal numbers) is not a polynomial
# over the coarser ones.
_NOISE_SPACINGS = (1e-6, 1e-8, 1e-10)
_LARGEST_NOISE = 1e-2  # relative to the function


class Differences:
    """Central differences of an objective, whose scale and noise are estimated once, on a random line."""

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
        """Return the slope along a probe's direction; NaN if the function is not finite."""
        if not self._defined:
            return Difference(np.nan, np.inf)
        point = self.objective.point
        scale = probe.scale(point, self._scale)
        step = self._first * max(scale, SMALLEST_SCALE)
        smallest = _SMALLEST_STEP * min(scale or SMALLEST_SCALE, SMALLEST_SCALE)
        if probe.index is not None and point[probe.index]:  # a pole, or a boundary at zero, may be near
            smallest = min(smallest, _SMALLEST_STEP_OF_ENTRY * float(abs(point[probe.index])))
        line = self.objective.along(probe, point)
        return central_difference(line, self._value, step, smallest, self._noise)
