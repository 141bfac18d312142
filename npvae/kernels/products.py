"""Products on the threads of a team; the arithmetic is that of BLAS."""

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from npvae.kernels.team import current_team

# Multiply-adds below which a product is left whole, and how many a piece has at least.
SMALL = 5_000_000
_PIECE = 15_000_000
_MOST = 8  # pieces, and so threads that a product can use
_LONG_PIECE = 300_000  # entries of such a piece
LONG = 50_000  # entries from which on a pass over an array is worth sharing out


def product(a: np.ndarray, b: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return a @ b for matrices a (N, K) and b (K, M).

    Within `npvae.kernels.using_team` a large product is cut into pieces, along its rows if each piece keeps
    128 of them, else along its columns: a thread then reads all of one factor and a part of the other.

    Parameters
    ----------
    a, b : (N, K) and (K, M) arrays
    out : (N, M) array, optional
        Overwritten and returned.
    """
    n, m = a.shape[0], b.shape[1]
    size = n * a.shape[1] * m
    team = current_team() if size >= SMALL else None
    if team is None:
        return np.dot(a, b) if out is None else np.matmul(a, b, out=out)  # dot: half a microsecond less
    y = np.empty((n, m), np.result_type(a, b)) if out is None else out
    n_pieces = min(max(size // _PIECE, 2), _MOST)
    if n >= 128 * n_pieces:
        team.run([partial(np.matmul, a[i:j], b, y[i:j]) for i, j in cuts(n, n_pieces)])
    else:
        team.run([partial(np.matmul, a, b[:, i:j], y[:, i:j]) for i, j in cuts(m, n_pieces)])
    return y


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
