"""Judge an analytic gradient by its measurement."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .agreement import CANCELLATION, allowance, largest
from .measure import Measurement
from .report import Entry, Verdict, worst_verdict

Array = npt.NDArray[Any]

COMPLEX_STEP = "complex step"
DIFFERENCES = "central differences"

# Parts of the gradient's scale: central differences with an error bar above the first decide nothing, those
# below the second are believed even against the complex step.
_RESOLUTION = 1e-2
_NARROW = 1e-6

_GENEROUS = 8.0  # multiples of the usual rounding that are not failed where the oracles are not sure

# Multiples of the rounding of the upstream gradient: smaller slopes may vanish in the rounding of the value.
_FLAT = 1e5

ALONE = "by complex step alone: central differences are too noisy here to confirm it"
_LIES = "it contradicts differences (np.abs, np.linalg.norm, np.var, a branch, a conjugate)"


def judge(measurement: Measurement, gradient: Array, dtype: np.dtype[Any]) -> Entry:
    """Compare an argument's gradient with its measurement.

    Parameters
    ----------
    measurement : Measurement
        P numeric derivatives with error bars.
    gradient : array
        The analytic gradient, with the argument's shape.
    dtype : dtype
        The floating dtype that the gradient was computed in.

    Returns
    -------
    Entry
        Its hint says why the verdict is not a plain "pass"; what a wrong gradient looks like is added by
        `npvae.gradcheck.hints`.

    Notes
    -----
    The tolerance is the oracle's own error bar, plus a part of the largest numeric derivative of this
    argument, plus a few eps of the terms that the function adds up (what is left of a sum that cancels). The
    terms are as large as the value at the point or, before a gradient is failed, close by. No number in it is
    absolute, so a gradient may be as small or as large as it likes. But unless both oracles measure the same
    gradient, a difference that rounding of terms of the upstream gradient's size can make is not called a
    failure: a function that is zero everywhere, such as a sum of probabilities less one, gives no hint of
    what cancels in it.

    The two oracles have to agree within their error bars. Where they do not, and no kink explains it, a
    gradient that contradicts both is wrong; one that agrees with differences of narrow bars is right, as the
    complex step is wrong without a sign of it where the forward is not analytic; about any other nothing can
    be said. Where half of the complex steps or more are contradicted so, differences alone decide; elsewhere
    a gradient that agrees with the complex step is not failed.
    """
    objective = measurement.objective
    if not measurement.probes:
        return Entry(objective.name, gradient.shape, "pass", checked="no entries", hint="vacuous: no entries")
    entry = _judge(measurement, gradient, dtype, objective.terms_here)
    if entry.verdict in ("pass", "kink"):
        return entry
    entry = _judge(measurement, gradient, dtype, objective.terms_close_by)
    if entry.verdict != "fail" or _confirmed_by_both(measurement, dtype):
        return entry
    generous = _GENEROUS if np.finfo(dtype).eps <= 2 * objective.eps else 1.0
    terms = generous * max(objective.terms_close_by, objective.upstream)
    if _judge(measurement, gradient, dtype, terms).verdict != "fail":
        text = "the difference is no larger than the rounding of terms of the upstream gradient's size"
        return replace(entry, verdict="inconclusive", hint=text)
    return entry


def _judge(measurement: Measurement, gradient: Array, dtype: np.dtype[Any], terms: float) -> Entry:
    """Judge with the size of the terms that are added up to the gradient."""
    objective = measurement.objective
    if _complex_step_lies(measurement, dtype, terms):
        measurement = replace(measurement, by_complex=None, complex_error=_LIES)

    analytic = np.array([probe.project(gradient) for probe in measurement.probes])
    numeric, differences, jumps = measurement.numeric, measurement.by_difference, measurement.jumps
    scale = max(largest(numeric), largest(jumps))
    rounding = allowance(dtype, scale, terms)
    own_bar = CANCELLATION * objective.eps * (np.abs(numeric) + terms)

    kink = np.abs(jumps) > rounding
    difference_bars = measurement.bars + np.where(kink, 0.0, np.abs(jumps) / 2)
    near_differences = np.abs(analytic - differences) <= difference_bars + rounding
    outside = np.maximum(0.0, np.maximum(measurement.low - analytic, analytic - measurement.high))
    between = outside <= difference_bars + rounding
    defined = np.isfinite(differences)
    contradiction = near = np.zeros(len(analytic), dtype=bool)
    if measurement.by_complex is None:
        bars = difference_bars
        verdicts = np.where(near_differences, "pass", "fail").astype(object)
        verdicts[near_differences & (bars > _RESOLUTION * scale)] = "inconclusive"
        verdicts[~defined] = "inconclusive"
    else:
        bars = own_bar
        near = np.abs(analytic - numeric) <= own_bar + rounding
        contradiction = ~kink & (np.abs(numeric - differences) > own_bar + difference_bars + rounding)
        verdicts = np.where(near, "pass", "fail").astype(object)
        verdicts[contradiction & (near | near_differences)] = "inconclusive"
        verdicts[contradiction & near_differences & (difference_bars <= _NARROW * scale)] = "pass"
        mostly = np.mean(defined & ~contradiction) >= 0.5
        verdicts[~defined & ~(near & mostly)] = "inconclusive"
    # Kinks that meet within one term, and cancel there, cannot be told from a single one: a correct backward
    # takes all of them from one side, and may return 0 or the sum of both slopes.
    left, right = differences - jumps / 2, differences + jumps / 2
    one_sided = np.minimum(np.abs(analytic), np.abs(analytic - left - right)) <= difference_bars + rounding
    crowded = measurement.crowded & (outside <= measurement.high - measurement.low + difference_bars)
    undecided = crowded | one_sided | near
    at_kink = np.where(between, "kink", np.where(undecided, "inconclusive", "fail"))
    verdicts[kink] = at_kink[kink]
    bars = np.where(kink, difference_bars, bars)

    asked = measurement.differenced
    confirmed = not np.any(asked) or bool(np.any(difference_bars[asked] <= _RESOLUTION * scale))
    hint = _caveat(measurement, verdicts, contradiction & (verdicts != "pass"), confirmed or scale == 0)
    seen = np.where(kink, np.abs(jumps), np.abs(numeric)) > bars + rounding
    if not np.any(seen | contradiction | ~np.isfinite(numeric) | (verdicts == "fail")):
        exact = measurement.by_complex is not None or not np.any(differences)
        if exact and not np.any(numeric) and not np.any(analytic):
            hint = "vacuous: the gradient is exactly zero"
            verdicts[defined] = "pass"
        else:
            verdicts[:] = "inconclusive"
            hint = "vacuous: the gradient is smaller than the oracle's error bar"
    verdicts[~np.isfinite(analytic)] = np.where(defined, "fail", "inconclusive")[~np.isfinite(analytic)]

    target = np.where(kink, differences, numeric)
    distance = np.where(kink, outside, np.abs(analytic - numeric))
    errors = _relative(distance, scale)
    verdict: Verdict = worst_verdict(list(verdicts))
    at = int(np.argmax(np.where(verdicts == verdict, np.nan_to_num(errors, nan=np.inf), -1.0)))
    compared = {DIFFERENCES: measurement.differenced & ~kink, COMPLEX_STEP: ~kink}
    values = {DIFFERENCES: differences, COMPLEX_STEP: measurement.by_complex}
    return Entry(
        objective.name,
        gradient.shape,
        verdict,
        index=measurement.probes[at].index,
        analytic=float(analytic[at]),
        numeric=float(target[at]),
        error=float(errors[at]),
        error_bar=float(bars[at]),
        tolerance=float(bars[at] + rounding + (np.abs(jumps[at]) / 2 if kink[at] else 0.0)),
        method=DIFFERENCES if measurement.by_complex is None or kink[at] else COMPLEX_STEP,
        errors={
            method: float(np.max(_relative(np.abs(analytic - found)[compared[method]], scale), initial=0.0))
            for method, found in values.items()
            if found is not None and (method == COMPLEX_STEP or np.any(measurement.differenced))
        },
        checked=_coverage(measurement),
        hint=hint,
    )


def _confirmed_by_both(measurement: Measurement, dtype: np.dtype[Any]) -> bool:
    """Say whether both oracles give the same in the gradient's own precision, far above their noise."""
    slopes, at = measurement.by_complex, measurement.differenced
    if slopes is None or not np.any(at) or np.finfo(dtype).eps > 2 * measurement.objective.eps:
        return False
    narrow = _NARROW * largest(slopes)
    off = np.abs(slopes - measurement.by_difference)
    return bool(np.all((measurement.bars <= narrow)[at]) and np.all((off <= measurement.bars + narrow)[at]))


def _complex_step_lies(measurement: Measurement, dtype: np.dtype[Any], terms: float) -> bool:
    """Say whether differences with narrow bars contradict the complex step at half of the places or more."""
    if measurement.by_complex is None or not np.any(measurement.differenced):
        return False
    slopes, bars = measurement.by_difference, measurement.bars
    scale = largest(slopes)
    narrow = (bars <= _NARROW * scale) & (measurement.jumps == 0) & measurement.differenced
    # A value close to zero may be flat for its rounding alone, which no noise shows.
    flat = _FLAT * measurement.objective.eps * measurement.objective.upstream
    off = np.abs(measurement.by_complex - slopes) > bars + flat + allowance(dtype, scale, terms)
    return bool(np.sum(narrow & off) >= max(1.0, 0.5 * np.sum(measurement.differenced)))


def _relative(distance: Array, scale: float) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(distance == 0, 0.0, distance / np.float64(scale))


def _caveat(measurement: Measurement, verdicts: Array, contradiction: Array, confirmed: bool) -> str:
    """Say what keeps the measurement from being plain."""
    kinks = np.flatnonzero(verdicts == "kink")
    if np.any((verdicts == "inconclusive") & (np.abs(measurement.jumps) > 0)):
        return "several kinks meet here, and any slope may be right: check at another point"
    if kinks.size:
        low, high = measurement.low[kinks[0]], measurement.high[kinks[0]]
        places = measurement.objective.point.size if measurement.dense else len(verdicts)
        where = f"no derivative at {kinks.size} of {places} places"
        return f"kink: {where}; slopes from {low:.4g} to {high:.4g} at the first"
    if np.any(contradiction):
        return (
            "the oracles disagree: the forward is not smooth here, or means something else for complex "
            "numbers (np.abs, np.linalg.norm, a branch, a conjugate)"
        )
    if not np.any(np.isfinite(measurement.by_difference)):
        return "the forward is not finite around this point"
    if np.any(verdicts == "inconclusive"):
        return "the error bars are too wide to decide"
    if measurement.by_complex is None:
        return f"no complex step: {measurement.complex_error}"
    if not confirmed:
        return ALONE
    return ""


def _coverage(measurement: Measurement) -> str:
    if measurement.dense:
        return "all"
    entries = sum(probe.index is not None for probe in measurement.probes)
    projections = len(measurement.probes) - entries
    return f"{entries} of {measurement.objective.point.size}, {projections} projections"
