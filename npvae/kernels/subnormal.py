"""Moments too small to matter, which would take a hundred times as long as others to compute with."""

import numpy as np
import numpy.typing as npt


def negligible(dtype: npt.DTypeLike) -> float:
    """Return the size below which an optimizer sets a decaying moment to zero: 1e-31 in float32.

    Notes
    -----
    Where a gradient has become exactly zero, as that of a pixel that is hardly ever white, a moment decays
    as 0.9^t and after some hundred steps falls below finfo.tiny. Such subnormal numbers take processors a
    hundred cycles each, and they stay: 0.9 times the smallest of them rounds back to itself. They made
    an epoch on MNIST take 1.6 times as long. The limit leaves room, by the factor 1 / eps, for the moment
    times a learning rate; no parameter notices, as a step of that size is lost in rounding.
    """
    limits = np.finfo(dtype)
    return float(limits.tiny / limits.eps)
