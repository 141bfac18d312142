"""How hot loops are compiled, and the exponential and logarithm that they share.

Each loop body is branch-free arithmetic in the array's own type, so that LLVM
turns it into vector instructions. Three things make that happen:

- ``error_model="numpy"``: without it every division is tested for zero;
- a subset of the fast-math flags: all of them would let the compiler assume
  that there is no NaN, and a diverged training would go unnoticed;
- an exponential of our own: numba calls libm for exp, one number at a time.
"""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np
from numba.extending import overload

from npvae.kernels.code_cache import CodeCache, warn_once
from npvae.kernels.compiling import compile_in_one_process

Function = TypeVar("Function", bound=Callable[..., Any])

# Allowed: fused multiply-adds, reciprocals, approximate functions, no care for the sign of zero.
ARITHMETIC = {"contract", "nsz", "arcp", "afn"}
# A sum is vectorised only if its terms may be added in any order. The exponential's range
# reduction must not be: (t - n c1) - n c2 would become t - n (c1 + c2) and lose its last digits.
SUM = ARITHMETIC | {"reassoc"}
# Nothing is changed at all: for copies and integers.
EXACT: set[str] = set()


def compile_kernel(fastmath: set[str], inner: bool = False) -> Callable[[Function], Function]:
    """Compile a function on first use, and cache the machine code on disk if possible.

    An `inner` kernel can be called only by compiled code. It has no wrapper that converts Python arguments,
    because with many arrays the wrapper takes as long to compile as the kernel. A kernel that Python calls
    writes its results into arrays that it is given: where it returned one, numba would run Python code to
    make it, and Ctrl-C there would become a SystemError.

    numba recompiles a kernel if its own file has changed, but not if a file with functions that it calls
    has changed. After a change in this folder, delete its ``__pycache__``.
    """

    def decorate(function: Function) -> Function:
        options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": fastmath}
        options |= {"no_cfunc_wrapper": True, "no_cpython_wrapper": inner}
        kernel = numba.njit(**options)(function)
        if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
            return kernel
        try:
            kernel._cache = CodeCache(function)  # numba has no public way to choose it
        except RuntimeError:  # no cache folder is writable
            warn_once(
                "npvae's compiled kernels can't be kept on disk, so every new process compiles them "
                "again (three to eight seconds); set NUMBA_CACHE_DIR to a folder that can be written to"
            )
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
