"""The hot loops in numba: same names and signatures as in ``reference.py``.

Each loop body is branch-free arithmetic in the array's own type, so that LLVM
turns it into vector instructions. Three things make that happen:

- ``error_model="numpy"``: without it every division is tested for zero;
- a subset of the fast-math flags: all of them would let the compiler assume
  that there is no NaN, and a diverged training would go unnoticed;
- an exponential of our own: numba calls libm for exp, one number at a time.

Arrays are C-contiguous, all of one type, float32 or float64
(``kernels/__init__.py`` sees to that).
"""

import math
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np
from numba.extending import overload

from npvae.kernels.compiling import compile_in_one_process

Function = TypeVar("Function", bound=Callable[..., Any])

# Allowed: fused multiply-adds, reciprocals, approximate functions, no care for the sign of zero.
ARITHMETIC = {"contract", "nsz", "arcp", "afn"}
# A sum is vectorised only if its terms may be added in any order. The exponential's range
# reduction must not be: (t - n c1) - n c2 would become t - n (c1 + c2) and lose its last digits.
SUM = ARITHMETIC | {"reassoc"}
# Nothing is changed at all: for copies and integers.
EXACT: set[str] = set()

_warned: list[str] = []


def compile_kernel(fastmath: set[str], inner: bool = False) -> Callable[[Function], Function]:
    """Compile on first use; keep the machine code on disk where there is a place for it.

    An `inner` kernel can be called by compiled code alone: what converts Python's arguments is left out,
    which for many arrays takes as long to compile as the kernel.

    numba compiles a kernel again when its own file has changed, not when a file has whose functions it calls:
    after a change in this folder, delete its ``__pycache__``.
    """

    def decorate(function: Function) -> Function:
        options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": fastmath}
        options |= {"no_cfunc_wrapper": True, "no_cpython_wrapper": inner}
        try:
            kernel = numba.njit(cache=True, **options)(function)
        except RuntimeError as error:  # numba's word for "no place for a cache can be written to"
            if not _warned:
                _warned.append(str(error))
                warnings.warn(
                    "npvae's compiled kernels can't be kept on disk, so every new process compiles them "
                    "again (about five seconds); set NUMBA_CACHE_DIR to a folder that can be written to",
                    RuntimeWarning,
                    stacklevel=2,
                )
            return numba.njit(**options)(function)
        compile_in_one_process(kernel)
        return kernel

    return decorate


def load(function: Any, arguments: tuple[Any, ...]) -> bool:
    """Make a kernel ready for such arguments without calling it; return whether it had to be compiled."""
    before = sum(function.stats.cache_misses.values())
    function.compile(tuple(numba.typeof(argument) for argument in arguments))
    return bool(sum(function.stats.cache_misses.values()) > before)


def exp_of_negative(t: float) -> float:
    """Return exp(t) for t <= 0, by numba's overload below."""
    return math.exp(t)


def log1p_of_unit(e: float) -> float:
    """Return ln(1 + e) for 0 <= e <= 1, by numba's overload below."""
    return math.log1p(e)


# exp(t) = 2^n exp(r) with n = round(t / ln 2) and |r| <= ln(2) / 2, where a Taylor polynomial of
# degree 7 (float32) or 13 (float64) is exact to rounding. ln 2 is subtracted in two parts, the first
# short enough for n * part to be exact (Cody & Waite 1980, Software manual for the elementary functions).
# 2^n is made by writing n into the exponent's bits. Below the lower limit the result would be subnormal.
_EXP32 = tuple(np.float32(1 / math.factorial(k)) for k in range(7, -1, -1))
_EXP64 = tuple(1 / math.factorial(k) for k in range(13, -1, -1))


@overload(exp_of_negative)
def _exp_of_negative_overload(t: Any) -> Any:
    if t == numba.types.float32:

        def exp32(t: Any) -> Any:
            t = np.float32(-87) if t < np.float32(-87) else t
            n = np.floor(t * np.float32(1.44269504) + np.float32(0.5))
            r = t - n * np.float32(0.693359375)
            r = r - n * np.float32(-2.12194440e-4)
            p = _EXP32[0]
            for k in range(1, 8):
                p = p * r + _EXP32[k]
            return p * np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)

        return exp32

    def exp64(t: Any) -> Any:
        t = -708.0 if t < -708.0 else t
        n = np.floor(t * 1.4426950408889634 + 0.5)
        r = t - n * 6.93147180369123816490e-01
        r = r - n * 1.90821492927058770002e-10
        p = _EXP64[0]
        for k in range(1, 14):
            p = p * r + _EXP64[k]
        return p * np.int64((np.int64(n) + 1023) << 52).view(np.float64)

    return exp64


# ln(1 + e) = 2 artanh(u) = 2 (u + u^3 / 3 + u^5 / 5 + ...) with u = e / (2 + e) <= 1/3. In float64 the
# series is summed as two, over every other term: LLVM does not unroll a loop of more than a dozen terms.
_LOG32 = tuple(np.float32(1 / (2 * k + 1)) for k in range(7, -1, -1))
_LOG64_EVEN = tuple(1 / (4 * k + 1) for k in range(8, -1, -1))
_LOG64_ODD = tuple(1 / (4 * k + 3) for k in range(8, -1, -1))


@overload(log1p_of_unit)
def _log1p_of_unit_overload(e: Any) -> Any:
    if e == numba.types.float32:

        def log1p32(e: Any) -> Any:
            u = e / (np.float32(2) + e)
            p = _LOG32[0]
            for k in range(1, 8):
                p = p * (u * u) + _LOG32[k]
            return np.float32(2) * u * p

        return log1p32

    def log1p64(e: Any) -> Any:
        u = e / (2.0 + e)
        u2 = u * u
        u4 = u2 * u2
        even, odd = _LOG64_EVEN[0], _LOG64_ODD[0]
        for k in range(1, 9):
            even = even * u4 + _LOG64_EVEN[k]
            odd = odd * u4 + _LOG64_ODD[k]
        return 2.0 * u * (even + u2 * odd)

    return log1p64


@compile_kernel(ARITHMETIC)
def relu(a, b):
    y = np.empty_like(a)
    zero = a.dtype.type(0)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            t = a[i, j] + b[j]
            y[i, j] = zero if t <= zero else t
    return y


@compile_kernel(ARITHMETIC)
def relu_gradient(dy, y):
    da = np.empty_like(dy)
    zero = dy.dtype.type(0)
    for i in range(dy.shape[0]):
        for j in range(dy.shape[1]):
            da[i, j] = dy[i, j] if y[i, j] > zero else zero
    return da


@compile_kernel(ARITHMETIC)
def leaky_relu(a, b, slope):
    y = np.empty_like(a)
    zero, slope = a.dtype.type(0), a.dtype.type(slope)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            t = a[i, j] + b[j]
            y[i, j] = t if t > zero else slope * t
    return y


@compile_kernel(ARITHMETIC)
def leaky_relu_gradient(dy, y, slope):
    da = np.empty_like(dy)
    zero, slope = dy.dtype.type(0), dy.dtype.type(slope)
    for i in range(dy.shape[0]):
        for j in range(dy.shape[1]):
            da[i, j] = dy[i, j] if y[i, j] > zero else slope * dy[i, j]
    return da


@compile_kernel(ARITHMETIC)
def tanh_gradient(dy, y):
    da = np.empty_like(dy)
    one = dy.dtype.type(1)
    for i in range(dy.shape[0]):
        for j in range(dy.shape[1]):
            da[i, j] = dy[i, j] * (one - y[i, j] * y[i, j])
    return da


@compile_kernel(ARITHMETIC)
def sigmoid(a, b):
    y = np.empty_like(a)
    zero, one = a.dtype.type(0), a.dtype.type(1)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            t = a[i, j] + b[j]
            e = exp_of_negative(-abs(t))
            y[i, j] = (one if t > zero else e) / (one + e)
    return y


@compile_kernel(ARITHMETIC)
def sigmoid_gradient(dy, y):
    da = np.empty_like(dy)
    one = dy.dtype.type(1)
    for i in range(dy.shape[0]):
        for j in range(dy.shape[1]):
            da[i, j] = dy[i, j] * y[i, j] * (one - y[i, j])
    return da


@compile_kernel(ARITHMETIC)
def softplus(a, b):
    y = np.empty_like(a)
    zero = a.dtype.type(0)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            t = a[i, j] + b[j]
            y[i, j] = (zero if t <= zero else t) + log1p_of_unit(exp_of_negative(-abs(t)))
    return y


@compile_kernel(SUM)
def _sum(terms):
    total = terms.dtype.type(0)
    for j in range(terms.size):
        total += terms[j]
    return total


@compile_kernel(ARITHMETIC)
def bernoulli(x, logits):
    log_likelihood, residual = np.empty(logits.shape[0], logits.dtype), np.empty_like(logits)
    zero, one = logits.dtype.type(0), logits.dtype.type(1)
    terms = np.empty(logits.shape[1], logits.dtype)
    for i in range(logits.shape[0]):
        for j in range(logits.shape[1]):
            logit = logits[i, j]
            e = exp_of_negative(-abs(logit))
            terms[j] = x[i, j] * logit - (zero if logit <= zero else logit) - log1p_of_unit(e)
            residual[i, j] = x[i, j] - (one if logit > zero else e) / (one + e)
        log_likelihood[i] = _sum(terms)
    return log_likelihood, residual


@compile_kernel(ARITHMETIC)
def scale_rows(a, d):
    y = np.empty_like(a)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            y[i, j] = a[i, j] * d[i]
    return y


@compile_kernel(EXACT)
def take_pixels(X, rows):
    y = np.empty((rows.shape[0], X.shape[1]), np.float32)
    scale = 1 / 255  # in double precision: for all 256 pixels it rounds to what the slower division gives
    for i in range(rows.shape[0]):
        if not 0 <= rows[i] < X.shape[0]:
            raise IndexError("a row number is out of range")
        row = X[rows[i]]
        for j in range(X.shape[1]):
            y[i, j] = np.float32(row[j] * scale)
    return y


@compile_kernel(ARITHMETIC)
def sgd(theta, gradient, velocity, learning_rate, momentum):
    learning_rate, momentum = theta.dtype.type(learning_rate), theta.dtype.type(momentum)
    zero = theta.dtype.type(0)
    negligible = theta.dtype.type(np.finfo(theta.dtype).tiny / np.finfo(theta.dtype).eps)
    for i in range(theta.size):
        new = momentum * velocity[i] + gradient[i]
        velocity[i] = zero if abs(new) < negligible else new
        theta[i] -= learning_rate * velocity[i]


@compile_kernel(ARITHMETIC)
def adagrad(theta, gradient, squares, learning_rate, epsilon):
    learning_rate, epsilon = theta.dtype.type(learning_rate), theta.dtype.type(epsilon)
    for i in range(theta.size):
        squares[i] += gradient[i] * gradient[i]
        theta[i] -= learning_rate * gradient[i] / (np.sqrt(squares[i]) + epsilon)


@compile_kernel(ARITHMETIC)
def adam(theta, gradient, m, v, learning_rate, beta1, beta2, epsilon, t):
    real = theta.dtype.type
    step = real(learning_rate / (1 - beta1**t))
    scale = real(1 / math.sqrt(1 - beta2**t))
    keep1, keep2, take1, take2 = real(beta1), real(beta2), real(1 - beta1), real(1 - beta2)
    epsilon, zero, tiny = real(epsilon), real(0), real(8 * np.finfo(theta.dtype).tiny)
    negligible = real(np.finfo(theta.dtype).tiny / np.finfo(theta.dtype).eps)
    for i in range(theta.size):
        new_m = keep1 * m[i] + take1 * gradient[i]
        new_v = keep2 * v[i] + take2 * gradient[i] * gradient[i]
        m[i] = zero if abs(new_m) < negligible else new_m
        v[i] = zero if new_v < tiny else new_v
        theta[i] -= step * m[i] / (np.sqrt(v[i]) * scale + epsilon)
