"""Matrix products, and how they are shared out to the threads of a team.

On processors with AVX2 or AVX-512 the compiled product of ``gemm.py`` is used, elsewhere BLAS.
"""

import functools
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from npvae.kernels import reference
from npvae.kernels.choice import choice
from npvae.kernels.team import current_team

# Multiply-adds below which a product is left whole, and how many a piece has at least.
SMALL = 1_000_000
_PIECE = 15_000_000
_MOST = 8  # pieces, and so threads that a product can use
_LONG_PIECE = 300_000  # entries of such a piece
LONG = 50_000  # entries from which on a pass over an array is worth sharing out

_NO_BIAS = {np.dtype(kind): np.empty(0, kind) for kind in (np.float32, np.float64)}


def product(
    a: np.ndarray, b: np.ndarray, bias: np.ndarray | None = None, out: np.ndarray | None = None
) -> np.ndarray:
    """Return a @ b + bias, or a @ b without a bias.

    Within `npvae.kernels.using_team` a large product is cut into pieces, along its rows if there are more of
    them than columns: a thread reads all of one factor and a part of the other.

    Parameters
    ----------
    a, b : (N, K) and (K, M) arrays
    bias : (M,) array, optional
    out : (N, M) array, optional
        Overwritten and returned; may not overlap the others.

    Raises
    ------
    ValueError
        The shapes do not fit each other.
    """
    compiled = _compiled() if choice() == "compiled" and _suit(a, b, bias, out) else None
    if compiled is None:
        return reference.product(a, b, bias, out)
    n, m = a.shape[0], b.shape[1]
    y = np.empty((n, m), a.dtype) if out is None else out
    multiply = partial(
        compiled, *_in_memory_order(a), *_in_memory_order(b), _NO_BIAS[a.dtype] if bias is None else bias, y
    )
    size = n * a.shape[1] * m
    team = current_team() if size >= SMALL else None
    if team is None:
        multiply(0, n, 0, m)
    else:
        n_pieces = min(max(size // _PIECE, 2), _MOST)
        if n > m:
            team.run([partial(multiply, start, stop, 0, m) for start, stop in cuts(n, n_pieces)])
        else:
            team.run([partial(multiply, 0, n, start, stop) for start, stop in cuts(m, n_pieces)])
    return y


def has_compiled_products() -> bool:
    """Say whether there are compiled products for this processor."""
    return _compiled() is not None


@functools.cache
def _compiled() -> Callable[..., None] | None:
    from npvae.kernels import tiles  # importing numba takes half a second: only when it is needed

    if not tiles.VECTOR_BYTES:
        return None
    from npvae.kernels.gemm import multiply

    return multiply


def _suit(a: np.ndarray, b: np.ndarray, bias: np.ndarray | None, out: np.ndarray | None) -> bool:
    """Say whether the compiled product can take these arrays; it checks nothing itself."""
    dtype = a.dtype
    if dtype not in _NO_BIAS or b.dtype != dtype or a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
        return False
    for x in (a, b):
        if not (x.flags.c_contiguous or x.flags.f_contiguous):
            return False
    for x, shape in ((bias, b.shape[1:]), (out, (a.shape[0], b.shape[1]))):
        if x is not None and not (x.dtype == dtype and x.shape == shape and x.flags.c_contiguous):
            return False
    return True


def _in_memory_order(x: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return x, or its transpose if that lies row after row in memory, and whether it was transposed."""
    return (x, False) if x.flags.c_contiguous else (x.T, True)


def squared_norm(v: np.ndarray) -> Any:
    """Return the sum of the squares of v (P,), cut like a product: the same with any number of threads."""
    team = current_team() if v.size >= LONG else None
    if team is None:
        return np.dot(v, v)
    ends = cuts(v.size, min(max(v.size // _LONG_PIECE, 2), _MOST))
    parts = np.empty(len(ends), v.dtype)

    def add_up(piece: int) -> None:
        start, stop = ends[piece]
        parts[piece] = np.dot(v[start:stop], v[start:stop])

    team.run([partial(add_up, piece) for piece in range(len(ends))])
    return parts.sum()


def cuts(n: int, n_pieces: int) -> list[tuple[int, int]]:
    """Cut 0 .. n into about equal pieces, each but the last a multiple of 16 entries long."""
    size = -(-n // (n_pieces * 16)) * 16
    return list(pairwise([*range(0, n, size), n]))
