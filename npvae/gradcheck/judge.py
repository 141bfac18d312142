"""Compare gradients with their measurements: agreement, verdicts, and hints about wrong gradients."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .arguments import Array, largest
from .hints import Clues, recognise
from .measure import Measurement, measure
from .objective import Budget, Objective
from .report import Entry, Reason, Verdict, worst_verdict

# The largest rounding error of a correct gradient, relative to its largest entry.
_ROUNDING = {np.dtype(np.float16): 2e-2, np.dtype(np.float32): 2e-4}
_ROUNDING_FLOAT64 = 1e-9
# Rounding that remains where large terms cancel, in multiples of eps * (size of the terms).
CANCELLATION = 32.0


def allowance(dtype: npt.DTypeLike, scale: float, terms: float) -> float:
    """Return the largest absolute error that rounding may cause in a gradient computed in a dtype.

    `scale` is its largest entry, and `terms` the size of the terms that add up to it; if they cancel, their
    rounding errors remain.
    """
    dtype = np.dtype(dtype)
    return _ROUNDING.get(dtype, _ROUNDING_FLOAT64) * scale + CANCELLATION * float(np.finfo(dtype).eps) * terms


def gradients_of(names: Iterable[str]) -> list[str]:
    """Return what the gradients of these arguments are called in a report."""
    return [f"the gradient of {name}" for name in names]


def mismatch(
    found: Sequence[Any],
    expected: Sequence[Array],
    names: Sequence[str],
    terms: Sequence[float],
    dtype: npt.DTypeLike | None = None,
    words: str = "{name} is {found}, not {expected}",
) -> str:
    """Say where arrays that should be equal differ by more than rounding; empty if they do not.

    For the terms, see `allowance`. The dtype is that of the coarser computation, by default of `expected`.
    """
    for a, b, name, size in zip(found, expected, names, terms, strict=True):
        a, b = np.asarray(a), np.asarray(b)
        if a.shape != b.shape:
            return f"{name} has shape {a.shape}, not {b.shape}"
        if a.dtype.kind not in "fiu" or b.dtype.kind not in "fiu":
            if a.dtype != b.dtype:
                return f"{name} has dtype {a.dtype}, not {b.dtype}"
            continue
        with np.errstate(all="ignore"):
            distance = np.asarray(np.abs(a.astype(np.float64) - b.astype(np.float64)))
        distance[(a == b) | (np.isnan(a) & np.isnan(b))] = 0.0
        kind = dtype or (b.dtype if b.dtype.kind == "f" else np.dtype(np.float64))
        if not np.all(distance <= allowance(kind, largest(b), size)):
            at = np.unravel_index(int(np.argmax(np.nan_to_num(distance, nan=np.inf))), distance.shape)
            place = f"{name}[{', '.join(str(int(i)) for i in at)}]" if at else name
            one, other = _apart(float(a[at]), float(b[at]))
            return words.format(name=place, found=one, expected=other)
    return ""


def _apart(a: float, b: float) -> tuple[str, str]:
    """Write two different numbers with enough digits to show the difference."""
    return next((f"{a:.{n}g}", f"{b:.{n}g}") for n in (6, 10, 17) if f"{a:.{n}g}" != f"{b:.{n}g}" or n == 17)


# Relative to the gradient's scale: central differences with an error bar above the first decide nothing,
# those with an error bar below the second overrule the complex step.
RESOLUTION = 1e-2
NARROW = 1e-6
# Multiples of the rounding of the upstream gradient: smaller slopes may vanish in the rounding of the value.
_FLAT = 1e5

_LIES = "it contradicts differences (np.abs, np.linalg.norm, np.var, a branch, a conjugate)"


class Comparison:
    """An analytic gradient compared with its measurement along P probes, given the size of its terms.

    The complex steps do not count if central differences contradict them at most places.
    """

    def __init__(
        self,
        measurement: Measurement,
        gradient: Array,
        dtype: np.dtype[Any],
        terms: float,
        rtol: float = 0.0,
    ) -> None:
        if _complex_step_lies(measurement, dtype, terms):
            measurement = measurement.without_complex_step(_LIES)
        self.measurement = m = measurement
        self.analytic = np.array([probe.project(gradient) for probe in m.probes])
        self.scale = max(largest(m.numeric), largest(m.jumps))
        # The largest error that rounding may cause in the gradient, plus what `rtol` allows.
        self.rounding = allowance(dtype, self.scale, terms) + rtol * self.scale
        self.kink = np.abs(m.jumps) > self.rounding
        self.difference_bars = m.bars + np.where(self.kink, 0.0, np.abs(m.jumps) / 2)
        # How far the gradient lies outside the range of the slopes at and around a kink.
        self.outside = np.maximum(0.0, np.maximum(m.low - self.analytic, self.analytic - m.high))

        self._defined = np.isfinite(m.by_difference)
        self._near_differences = self._near(m.by_difference, self.difference_bars)
        if m.by_complex is None:
            never = np.zeros(len(self.analytic), dtype=bool)
            self.contradiction = self._near_complex = self._close_to_complex = never
            self.bars = self.difference_bars
        else:
            bars = CANCELLATION * m.objective.eps * (np.abs(m.by_complex) + terms)
            self._near_complex = self._near(m.by_complex, bars)
            # At what looks like a kink it may be a pole close by, which the complex step does not resolve.
            close = np.abs(self.analytic - m.by_complex) <= NARROW * largest(m.by_complex)
            self._close_to_complex = self._near_complex | close
            apart = np.abs(m.by_complex - m.by_difference) > bars + self.difference_bars + self.rounding
            self.contradiction = ~self.kink & apart  # of the two oracles
            self.bars = np.where(self.kink, self.difference_bars, bars)  # of the oracle that decides
        # What the gradient is compared with (at a kink, the mean of both slopes), and the distance from it.
        self.target = np.where(self.kink, m.by_difference, m.numeric)
        self.distance = np.where(self.kink, self.outside, np.abs(self.analytic - m.numeric))

    def _near(self, numeric: Array, bars: Array) -> Array:
        return np.asarray(np.abs(self.analytic - numeric) <= bars + self.rounding)

    @property
    def resolved(self) -> bool:
        """Whether any of the differences that were taken has a small enough error bar."""
        asked = self.measurement.differenced
        found = self.difference_bars[asked] <= RESOLUTION * self.scale
        return self.scale == 0 or not np.any(asked) or bool(np.any(found))

    def verdicts(self) -> tuple[Array, Reason]:
        """Return the verdict for each probe, and whether they are all vacuous."""
        found = self._by_differences() if self.measurement.by_complex is None else self._by_both()
        found[self.kink] = self._at_kinks()[self.kink]
        vacuous = self._vacuous(found)
        if vacuous is Reason.ZERO:
            found[self._defined] = "pass"
        elif vacuous is Reason.SMALL:
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
        # Kinks that meet within one term and cancel there look like a single kink: a correct backward takes
        # all of them from one side, and may return 0 or the sum of both slopes.
        both = 2 * m.by_difference
        one_sided = np.minimum(np.abs(self.analytic), np.abs(self.analytic - both)) <= bars + self.rounding
        crowded = m.crowded & (self.outside <= m.high - m.low + bars)
        undecided = np.where(crowded | one_sided | self._close_to_complex, "inconclusive", "fail")
        return np.where(self.outside <= bars + self.rounding, "kink", undecided)

    def _vacuous(self, found: Array) -> Reason:
        """Return the reason if the measurement shows nothing, else `Reason.NONE`."""
        m = self.measurement
        seen = np.where(self.kink, np.abs(m.jumps), np.abs(m.numeric)) > self.bars + self.rounding
        if np.any(seen | self.contradiction | ~np.isfinite(m.numeric) | (found == "fail")):
            return Reason.NONE
        exact = m.by_complex is not None or not np.any(m.by_difference)
        zero = exact and not np.any(m.numeric) and not np.any(self.analytic)
        return Reason.ZERO if zero else Reason.SMALL


def _complex_step_lies(measurement: Measurement, dtype: np.dtype[Any], terms: float) -> bool:
    """Say whether differences contradict the complex step at half of the places or more."""
    if measurement.by_complex is None or not np.any(measurement.differenced):
        return False
    slopes, bars = measurement.by_difference, measurement.bars
    scale = largest(slopes)
    narrow = (bars <= NARROW * scale) & (measurement.jumps == 0) & measurement.differenced
    # A value close to zero may look flat because of its rounding alone, which the noise does not show.
    flat = _FLAT * measurement.objective.eps * measurement.objective.upstream
    off = np.abs(measurement.by_complex - slopes) > bars + flat + allowance(dtype, scale, terms)
    silent = (measurement.by_complex == 0) & (np.abs(slopes) > 4 * bars + flat) & (measurement.jumps == 0)
    many = max(1.0, 0.5 * np.sum(measurement.differenced))
    # If all complex steps are zero, the imaginary part was lost on the way: in float32, or in a real part.
    lost = not np.any(measurement.by_complex) and np.sum(silent & measurement.differenced) >= many
    return bool(np.sum(narrow & off) >= many or lost)


COMPLEX_STEP = "complex step"
DIFFERENCES = "central differences"
_GENEROUS = 8.0  # multiples of the usual rounding that do not fail if the oracles are uncertain


def judge(measurement: Measurement, gradient: Array, dtype: np.dtype[Any], rtol: float = 0.0) -> Entry:
    """Compare an argument's gradient, computed in a dtype, with its measurement.

    The entry's hint says why the verdict is not a plain "pass"; `npvae.gradcheck.hints` adds what kind of
    error a wrong gradient shows.

    The tolerance is the sum of three parts: the oracle's own error bar, a fraction of the largest numeric
    derivative of this argument, and a few eps of the terms that the function adds up, whose rounding errors
    remain when they cancel. The size of these terms is estimated by the value at the point and, before a
    gradient fails, by values nearby. No tolerance is absolute, so gradients of any size are judged alike. But
    unless both oracles measure the same gradient, a difference is not a failure if rounding of terms as large
    as the upstream gradient could cause it: a function that is zero everywhere, such as a sum of
    probabilities minus one, does not show how large the cancelling terms are.

    The two oracles have to agree within their error bars. If they do not, and no kink explains it, a gradient
    that contradicts both is wrong. A gradient that agrees with differences of narrow error bars is right,
    because the complex step is silently wrong if the forward is not analytic. Any other gradient is
    undecided. If differences contradict at least half of the complex steps, differences alone decide;
    otherwise a gradient that agrees with the complex step does not fail.
    """
    objective = measurement.objective
    if not measurement.probes:
        checked, hint = "no entries", "vacuous: no entries"
        return Entry(objective.name, gradient.shape, "pass", checked=checked, hint=hint, reason=Reason.EMPTY)
    entry = _judge(measurement, gradient, dtype, objective.terms_here, rtol)
    if entry.verdict in ("pass", "kink"):
        return entry
    entry = _judge(measurement, gradient, dtype, objective.terms_close_by, rtol)
    own_precision = np.finfo(dtype).eps <= 2 * objective.eps
    if entry.verdict != "fail" or (own_precision and measurement.confirmed(NARROW)):
        return entry
    generous = _GENEROUS if own_precision else 1.0
    terms = generous * max(objective.terms_close_by, objective.upstream)
    if _judge(measurement, gradient, dtype, terms, rtol).verdict != "fail":
        text = "rounding of terms as large as the upstream gradient may explain the difference"
        return replace(entry, verdict="inconclusive", hint=text, reason=Reason.ROUNDING)
    return entry


def _judge(
    measurement: Measurement, gradient: Array, dtype: np.dtype[Any], terms: float, rtol: float
) -> Entry:
    """Judge a gradient, given the size of the terms that add up to it."""
    c = Comparison(measurement, gradient, dtype, terms, rtol)
    verdicts, vacuous = c.verdicts()
    errors = _relative(c.distance, c.scale)
    verdict: Verdict = worst_verdict(list(verdicts))
    reason, hint = (vacuous, f"vacuous: {vacuous.value}") if vacuous.vacuous else _caveat(c, verdicts)
    at = int(np.argmax(np.where(verdicts == verdict, np.nan_to_num(errors, nan=np.inf), -1.0)))
    jump = abs(float(c.measurement.jumps[at])) / 2 if c.kink[at] else 0.0
    return Entry(
        measurement.objective.name,
        gradient.shape,
        verdict,
        index=measurement.probes[at].index,
        analytic=float(c.analytic[at]),
        numeric=float(c.target[at]),
        error=float(errors[at]),
        error_bar=float(c.bars[at]),
        tolerance=float(c.bars[at] + c.rounding + jump),
        method=DIFFERENCES if c.measurement.by_complex is None or c.kink[at] else COMPLEX_STEP,
        errors=_errors(c),
        checked=_coverage(measurement),
        hint=hint,
        reason=reason,
    )


def _errors(c: Comparison) -> dict[str, float]:
    """Return the largest relative error against each oracle, without the kinks."""
    m = c.measurement
    places = {DIFFERENCES: m.differenced & ~c.kink, COMPLEX_STEP: ~c.kink}
    found = {DIFFERENCES: m.by_difference if np.any(m.differenced) else None, COMPLEX_STEP: m.by_complex}
    return {
        method: float(np.max(_relative(np.abs(c.analytic - slopes)[places[method]], c.scale), initial=0.0))
        for method, slopes in found.items()
        if slopes is not None
    }


def _relative(distance: Array, scale: float) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(distance == 0, 0.0, distance / np.float64(scale))


def _caveat(c: Comparison, verdicts: Array) -> tuple[Reason, str]:
    """Return the reason and the hint for a verdict that needs an explanation."""
    measurement = c.measurement
    kinks = np.flatnonzero(verdicts == "kink")
    if np.any((verdicts == "inconclusive") & (np.abs(measurement.jumps) > 0)):
        text = "several kinks meet here, and any slope may be right: check at another point"
        return Reason.CROWDED, text
    if kinks.size:
        low, high = measurement.low[kinks[0]], measurement.high[kinks[0]]
        places = measurement.objective.point.size if measurement.dense else len(verdicts)
        where = f"no derivative at {kinks.size} of {places} places"
        return Reason.KINK, f"kink: {where}; slopes from {low:.4g} to {high:.4g} at the first"
    if np.any(c.contradiction & (verdicts != "pass")):
        text = (
            "complex step and differences disagree: the forward is not smooth here, or computes something "
            "else for complex numbers (np.abs, np.linalg.norm, a branch, a conjugate)"
        )
        return Reason.DISAGREE, text
    if not np.any(np.isfinite(measurement.by_difference)):
        return Reason.UNDEFINED, "the forward is not finite around this point, or raises an error there"
    if np.any(verdicts == "inconclusive"):
        return Reason.WIDE, "the error bars are too wide to decide"
    if measurement.by_complex is None:
        return Reason.NO_COMPLEX_STEP, f"no complex step: {measurement.complex_error}"
    if not c.resolved:
        text = "complex step alone: central differences are too noisy here to confirm it"
        return Reason.UNCONFIRMED, text
    return Reason.NONE, ""


def _coverage(measurement: Measurement) -> str:
    if measurement.dense:
        return "all"
    entries = sum(probe.index is not None for probe in measurement.probes)
    projections = len(measurement.probes) - entries
    return f"{entries} of {measurement.objective.point.size}, {projections} projections"


_TIED = "the gradients of tied entries do not add up (does each get all of the gradient, or none?)"


def compare(
    objectives: Sequence[Objective],
    gradients: Sequence[Any],
    dtype: np.dtype[Any],
    clues: Clues,
    budget: Budget,
    rng: np.random.Generator,
    rtol: float = 0.0,
) -> tuple[Entry, ...]:
    """Compare gradients, computed from arguments of a dtype, with the derivatives of their objectives.

    A gradient may be None. The measured gradients are added to the clues.
    """
    measurements = [measure(objective, budget, rng) for objective in objectives]
    clues = replace(clues, gradients={m.objective.name: m.whole for m in measurements if m.dense})
    return tuple(
        _compared(measurement, None if gradient is None else np.asarray(gradient), dtype, clues, rtol)
        for measurement, gradient in zip(measurements, gradients, strict=True)
    )


def _compared(
    measurement: Measurement, gradient: Array | None, dtype: np.dtype[Any], clues: Clues, rtol: float
) -> Entry:
    """Judge one gradient; if it is wrong, describe the error."""
    name, shape = measurement.objective.name, measurement.objective.point.shape
    hint = ""
    if gradient is None:
        hint = "there is no gradient: None was returned"
    elif gradient.dtype.kind not in "fiu":
        hint = f"the gradient has dtype {gradient.dtype}"
    elif gradient.shape != shape:
        hint = f"the gradient has shape {gradient.shape}, the argument {shape}"
        if [n for n in gradient.shape if n != 1] == [n for n in shape if n != 1]:
            same = _compared(measurement, gradient.reshape(shape), dtype, clues, rtol)
            words = {"fail": "its values are wrong too", "inconclusive": "its values could not be judged"}
            looks = f"{hint}; {words.get(same.verdict, 'its values are right')}"
            return replace(same, verdict="fail", hint="; ".join(filter(None, [looks, same.hint])))
    if gradient is None or hint:
        return Entry(name, shape, "fail", hint=hint, reason=Reason.NOT_COMPARED)
    entry = judge(measurement, gradient, dtype, rtol)
    if entry.verdict != "fail":
        return entry
    if measurement.dense and entry.index is None:  # each single entry looks right
        return replace(entry, hint="; ".join(filter(None, [_TIED, entry.hint])))
    slight, looks = recognise(name, *_comparable(measurement, gradient), clues)
    reason = Reason.SLIGHT if slight and entry.reason is Reason.NONE else entry.reason
    return replace(entry, hint="; ".join(filter(None, [looks, entry.hint])), reason=reason)


def _comparable(measurement: Measurement, gradient: Array) -> tuple[Array, Array]:
    """Return analytic and numeric values of one shape: whole arrays, or the sampled entries as vectors."""
    if measurement.dense:
        return np.where(np.isfinite(measurement.objective.point), gradient, 0), measurement.whole
    at = [k for k, probe in enumerate(measurement.probes) if probe.index is not None]
    at = at or list(range(len(measurement.probes)))
    analytic = np.array([measurement.probes[k].project(gradient) for k in at])
    return analytic, measurement.numeric[at]
