"""Turn gradients and objectives into report entries: measure, judge, and say what a wrong one looks like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .hints import recognise
from .measure import Measurement, measure
from .objective import Objective
from .probes import Budget
from .report import Entry
from .verdicts import judge

Array = npt.NDArray[Any]

_TIED = "tied entries, moved together: their gradients do not add up (each given all of it, or none?)"


def compare(
    objectives: Sequence[Objective],
    gradients: Sequence[Any],
    dtype: np.dtype[Any],
    lengths: Sequence[int],
    budget: Budget,
    rng: np.random.Generator,
) -> tuple[Entry, ...]:
    """Compare gradients with the derivatives of their objectives.

    Parameters
    ----------
    objectives : sequence of Objective
        One for each argument.
    gradients : sequence of array_like
        The analytic gradients, in the same order.
    dtype : dtype
        The coarsest in which they were computed.
    lengths : sequence of int
        Lengths of axes and sizes of the arguments and results, for the hints.
    budget : Budget
        How many derivatives to measure for each argument.
    rng : numpy.random.Generator
        Draws the probes.

    Returns
    -------
    tuple of Entry
    """
    arrays = [None if gradient is None else np.asarray(gradient) for gradient in gradients]
    measurements = [measure(objective, budget, rng) for objective in objectives]
    whole = {m.objective.name: m.whole for m in measurements if m.dense}
    entries = []
    for measurement, gradient in zip(measurements, arrays, strict=True):
        name, shape = measurement.objective.name, measurement.objective.point.shape
        problem = _malformed(gradient, shape)
        if gradient is None or problem:
            entries.append(Entry(name, shape, "fail", hint=problem))
            continue
        entry = judge(measurement, gradient, dtype)
        if entry.verdict == "fail":
            tied = measurement.dense and entry.index is None  # the entries, each by itself, look right
            analytic, numeric = _comparable(measurement, gradient)
            looks = _TIED if tied else recognise(name, analytic, numeric, whole, lengths)
            entry = replace(entry, hint="; ".join(hint for hint in (looks, entry.hint) if hint))
        entries.append(entry)
    return tuple(entries)


def _malformed(gradient: Array | None, shape: tuple[int, ...]) -> str:
    """Say what keeps a gradient from being compared at all; empty when nothing does."""
    if gradient is None:
        return "there is no gradient: None was returned"
    if gradient.dtype.kind not in "fiu":
        return f"the gradient has dtype {gradient.dtype}"
    if gradient.shape != shape:
        return f"the gradient has shape {gradient.shape}, the argument {shape}"
    return ""


def _comparable(measurement: Measurement, gradient: Array) -> tuple[Array, Array]:
    """Return analytic and numeric values of one shape: whole arrays, or the sampled entries as vectors."""
    if measurement.dense:
        return np.where(np.isfinite(measurement.objective.point), gradient, 0), measurement.whole
    at = [k for k, probe in enumerate(measurement.probes) if probe.index is not None]
    at = at or list(range(len(measurement.probes)))
    analytic = np.array([measurement.probes[k].project(gradient) for k in at])
    return analytic, measurement.numeric[at]
