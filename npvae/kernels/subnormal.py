"""Set negligible moments to zero, because arithmetic with subnormal numbers is a hundred times slower."""

import numpy as np
import numpy.typing as npt


def negligible(dtype: npt.DTypeLike) -> float:
    """Return the size below which an optimizer sets a decaying moment to zero: 1e-31 in float32.

    Notes
    -----
    Where a gradient has become exactly zero, as that of a pixel that is hardly ever white, a moment decays
    as 0.9^t and after some hundred steps falls below finfo.tiny. Such subnormal numbers take processors a
    hundred cycles each, and they stay: 0.9 times the smallest of them rounds back to itself. They made
    an epoch on MNIST take 1.6 times as long. The limit exceeds tiny by the factor 1 / eps, so that the
    moment times a learning rate is not subnormal either. The parameters do not change, because a step of
    that size is lost in rounding.
    """
    limits = np.finfo(dtype)
    return float(limits.tiny / limits.eps)
