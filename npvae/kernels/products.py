"""Matrix products: of ``gemm.py`` on processors with AVX2 or AVX-512, of BLAS elsewhere."""

import functools
from collections.abc import Callable

import numpy as np

from npvae.kernels.choice import choice
from npvae.kernels.interrupts import importing_numba

NO_BIAS = {np.dtype(kind): np.empty(0, kind) for kind in (np.float32, np.float64)}


def multiplied(a: np.ndarray, b: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray | None:
    """Return a (N, K) @ b (K, M) + bias (M,) by the compiled product; None if it is not for these arrays."""
    multiply = _compiled()
    if multiply is None or not _suit(a, b, bias):
        return None
    n, m = a.shape[0], b.shape[1]
    y = np.empty((n, m), a.dtype)
    added = NO_BIAS[a.dtype] if bias is None else bias
    multiply(*_in_memory_order(a), *_in_memory_order(b), added, y, 0, n, 0, m)
    return y


def has_compiled_products() -> bool:
    """Say whether compiled products are in use: they are asked for, and there are some for this processor."""
    return choice() == "compiled" and _compiled() is not None


@functools.cache
def _compiled() -> Callable[..., None] | None:
    with importing_numba():
        from npvae.kernels import tiles

        if not tiles.VECTOR_BYTES:
            return None
        from npvae.kernels.gemm import multiply

        return multiply


def _suit(a: np.ndarray, b: np.ndarray, bias: np.ndarray | None) -> bool:
    """Say whether the compiled product can take these arrays; it checks nothing itself."""
    dtype = a.dtype
    if dtype not in NO_BIAS or b.dtype != dtype or a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
        return False
    if not all(x.flags.c_contiguous or x.flags.f_contiguous for x in (a, b)):
        return False
    return bias is None or (bias.dtype == dtype and bias.shape == b.shape[1:] and bias.flags.c_contiguous)


def _in_memory_order(x: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return x, or its transpose if that lies row after row in memory, and whether it was transposed."""
    return (x, False) if x.flags.c_contiguous else (x.T, True)
