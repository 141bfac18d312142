"""Functions of single float32 numbers that compilers turn into vector instructions, for compiled loops.

They are branch-free: both of two formulas are computed, and then one result is selected. NaN stays NaN.
"""

import numpy as np
from numba.extending import register_jitable

from npvae.kernels.compiled import exp_of_negative, log1p_of_unit

_ONE, _TWO, _ZERO = (np.float32(number) for number in (1, 2, 0))


@register_jitable
def exp(t):
    """Return e^t, as the square of e^(t/2): it overflows where e^t does."""
    e = exp_of_negative(-abs(t) / _TWO)
    root = _ONE / e if t > _ZERO else e
    return root * root


# Taylor polynomials of expm1: below 1/3 eight terms are exact to rounding.
_EXPM1 = tuple(np.float32(c) for c in (1 / 40320, 1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1))


@register_jitable
def expm1(t):
    """Return e^t - 1, with all its digits where it is small."""
    p = _EXPM1[0]
    for k in range(1, 8):
        p = p * t + _EXPM1[k]
    return p * t if abs(t) < np.float32(1 / 3) else exp(t) - _ONE


# tanh t / t as a polynomial in t^2 for |t| < 0.625 (Moshier 1989, Cephes, tanhf).
_TANH = tuple(
    np.float32(c)
    for c in (-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1)
)


@register_jitable
def tanh(t):
    """Return (1 - e^-2|t|) / (1 + e^-2|t|) with the sign of t, or a polynomial where that loses digits."""
    e = exp_of_negative(-_TWO * abs(t))
    far = (_ONE - e) / (_ONE + e)
    t2 = t * t
    p = _TANH[0]
    for k in range(1, 5):
        p = p * t2 + _TANH[k]
    near = t + t * t2 * p
    return near if abs(t) < np.float32(0.625) else (far if t > _ZERO else -far)


@register_jitable
def sigmoid(t):
    """Return 1 / (1 + e^-t)."""
    e = exp_of_negative(-abs(t))
    return (_ONE if t > _ZERO else e) / (_ONE + e)


@register_jitable
def softplus(t):
    """Return ln(1 + e^t)."""
    return (_ZERO if t <= _ZERO else t) + log1p_of_unit(exp_of_negative(-abs(t)))
