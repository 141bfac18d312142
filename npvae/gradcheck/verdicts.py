"""Judge an analytic gradient by its measurement."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .agreement import largest
from .comparison import NARROW, Comparison
from .measure import Measurement
from .report import Entry, Verdict, worst_verdict

Array = npt.NDArray[Any]

COMPLEX_STEP = "complex step"
DIFFERENCES = "central differences"
ALONE = "by complex step alone: central differences are too noisy here to confirm it"

_GENEROUS = 8.0  # multiples of the usual rounding that are not failed where the oracles are not sure


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
    c = Comparison(measurement, gradient, dtype, terms)
    verdicts, vacuous = c.verdicts()
    errors = _relative(c.distance, c.scale)
    verdict: Verdict = worst_verdict(list(verdicts))
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
        hint=vacuous or _caveat(c, verdicts),
    )


def _errors(c: Comparison) -> dict[str, float]:
    """Return the largest relative error by each oracle, kinks left out."""
    m = c.measurement
    places = {DIFFERENCES: m.differenced & ~c.kink, COMPLEX_STEP: ~c.kink}
    found = {DIFFERENCES: m.by_difference if np.any(m.differenced) else None, COMPLEX_STEP: m.by_complex}
    return {
        method: float(np.max(_relative(np.abs(c.analytic - slopes)[places[method]], c.scale), initial=0.0))
        for method, slopes in found.items()
        if slopes is not None
    }


def _confirmed_by_both(measurement: Measurement, dtype: np.dtype[Any]) -> bool:
    """Say whether both oracles give the same in the gradient's own precision, far above their noise."""
    slopes, at = measurement.by_complex, measurement.differenced
    if slopes is None or not np.any(at) or np.finfo(dtype).eps > 2 * measurement.objective.eps:
        return False
    narrow = NARROW * largest(slopes)
    off = np.abs(slopes - measurement.by_difference)
    return bool(np.all((measurement.bars <= narrow)[at]) and np.all((off <= measurement.bars + narrow)[at]))


def _relative(distance: Array, scale: float) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(distance == 0, 0.0, distance / np.float64(scale))


def _caveat(c: Comparison, verdicts: Array) -> str:
    """Say what keeps the measurement from being plain."""
    measurement = c.measurement
    kinks = np.flatnonzero(verdicts == "kink")
    if np.any((verdicts == "inconclusive") & (np.abs(measurement.jumps) > 0)):
        return "several kinks meet here, and any slope may be right: check at another point"
    if kinks.size:
        low, high = measurement.low[kinks[0]], measurement.high[kinks[0]]
        places = measurement.objective.point.size if measurement.dense else len(verdicts)
        where = f"no derivative at {kinks.size} of {places} places"
        return f"kink: {where}; slopes from {low:.4g} to {high:.4g} at the first"
    if np.any(c.contradiction & (verdicts != "pass")):
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
    if not c.confirmed:
        return ALONE
    return ""


def _coverage(measurement: Measurement) -> str:
    if measurement.dense:
        return "all"
    entries = sum(probe.index is not None for probe in measurement.probes)
    projections = len(measurement.probes) - entries
    return f"{entries} of {measurement.objective.point.size}, {projections} projections"
