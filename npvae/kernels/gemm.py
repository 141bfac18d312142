"""Matrix products in compiled code: columns of y = a b + bias.

The factor b is copied into a small buffer, one panel at a time. A panel has as many columns as a tile, and
the tile's loop reads it sequentially; each panel is multiplied by all rows of a. Every entry of y is summed
from the first term to the last, in whichever tile it lies. So if b is finite, the result does not depend on
how the product is split, and a row of y does not depend on the other rows of a.

Terms for which a is zero in all rows of a tile are skipped. For images with a dark background, such as
MNIST's, these are more than half of the terms. (They count as zero even if b is infinite or NaN.)
"""

import numpy as np

from npvae.kernels.compiled import compile_kernel
from npvae.kernels.tiles import (
    ROWS,
    VECTOR_BYTES,
    VECTORS,
    copy_vector,
    multiply_narrow_tile,
    multiply_tile,
    transpose_square,
)
from npvae.kernels.views import flat

# Rows of a that are multiplied by all panels before the next ones are: as many as stay in the cache.
_ROWS_AT_ONCE = 128
# Zeros are skipped if at most this fraction of the terms remains, estimated from one tile in every 16.
_FEW = 0.75
_TILES_FOR_A_SAMPLE = 16


@compile_kernel(set())
def multiply(a, a_transposed, b, b_transposed, bias, y, first_row, end_row, first_column, end_column):
    """Compute a part of y (N, M) = a (N, K) @ b (K, M) + bias (M,), all C-contiguous.

    Where `a_transposed`, `a` is given as (K, N), and likewise b. An empty bias is none.
    """
    lanes = VECTOR_BYTES // y.itemsize
    n_rows, n_terms = y.shape[0], a.shape[0] if a_transposed else a.shape[1]
    a_row, a_column = (1, n_rows) if a_transposed else (n_terms, 1)
    width = VECTORS * lanes
    space = np.empty((n_terms + 1) * width + lanes, y.dtype)
    aligned = (VECTOR_BYTES - space.ctypes.data % VECTOR_BYTES) % VECTOR_BYTES // y.itemsize
    panel = space[aligned:]
    flat_a, flat_b = flat(a), flat(b)
    most_tiles = -(-min(end_row - first_row, _ROWS_AT_ONCE) // ROWS)
    terms, counts = np.empty(most_tiles * n_terms, np.int32), np.empty(most_tiles, np.int64)
    for top in range(first_row, end_row, _ROWS_AT_ONCE):
        bottom = min(top + _ROWS_AT_ONCE, end_row)
        few = _find_terms(flat_a, top, bottom, a_row, a_column, n_terms, terms, counts)
        for j in range(first_column, end_column, width):
            n_columns = min(width, end_column - j)
            panel_width = width if n_columns > lanes else lanes
            for c in range(0, panel_width, lanes):
                copy_vector(bias, j + c, panel, c, n_columns - c if bias.size else 0)
            if b_transposed:
                _copy_transposed(flat_b, j, n_columns, n_terms, panel, panel_width)
            else:
                _copy(flat_b, b.shape[1], j, n_columns, n_terms, panel, panel_width)
            for i in range(top, bottom, ROWS):
                tile = (i - top) // ROWS if few else 0
                rows, where = min(ROWS, bottom - i), i * y.shape[1] + j
                if n_columns > lanes:
                    multiply_tile(
                        flat_a, i * a_row, a_row, a_column, terms, tile * n_terms, counts[tile],
                        panel, y, where, y.shape[1], rows, n_columns,
                    )  # fmt: skip
                else:
                    multiply_narrow_tile(
                        flat_a, i * a_row, a_row, a_column, terms, tile * n_terms, counts[tile],
                        panel, y, where, y.shape[1], rows, n_columns,
                    )  # fmt: skip


@compile_kernel(set(), inner=True)
def _find_terms(a, top, bottom, a_row, a_column, n_terms, terms, counts):
    """List, for each tile, the terms for which some of its rows are not zero; return whether they are few.

    A sample of tiles decides. If their terms are many, only the first list is filled, with all terms.
    """
    n_tiles = -(-(bottom - top) // ROWS)
    n_samples, n_used = 1 + n_tiles // _TILES_FOR_A_SAMPLE, 0
    for look in range(n_samples + n_tiles):  # one loop for both, so that what it calls is compiled once
        tile = look * n_tiles // n_samples if look < n_samples else look - n_samples
        row, start = top + tile * ROWS, tile * n_terms
        counts[tile] = _terms_of_tile(a, row, bottom, a_row, a_column, n_terms, terms, start)
        n_used += counts[tile]
        if look == n_samples - 1 and n_used > _FEW * n_terms * n_samples:
            for k in range(n_terms):
                terms[k] = k
            counts[0] = n_terms
            return False
    return True


@compile_kernel(set(), inner=True)
def _terms_of_tile(a, row, bottom, a_row, a_column, n_terms, terms, start):
    """Write the terms that a tile needs into `terms`, from `start` on; return how many there are."""
    n_used = 0
    for k in range(n_terms):
        is_used = False
        for m in range(ROWS):  # a number that the compiler knows; the last row may count repeatedly
            is_used |= a[min(row + m, bottom - 1) * a_row + k * a_column] != 0
        terms[start + n_used] = k
        n_used += is_used
    return n_used


@compile_kernel(set(), inner=True)
def _copy(b, row_length, j, n_columns, n_terms, panel, panel_width):
    """Copy n_columns columns of b, from j on, into the panel below its row 0; fill up with zeros."""
    lanes = VECTOR_BYTES // b.itemsize
    for k in range(n_terms):
        for c in range(0, panel_width, lanes):
            copy_vector(b, k * row_length + j + c, panel, (k + 1) * panel_width + c, n_columns - c)


@compile_kernel(set(), inner=True)
def _copy_transposed(b, j, n_columns, n_terms, panel, panel_width):
    """Copy n_columns rows of b, from j on, into the panel's columns below its row 0; fill up with zeros."""
    lanes = VECTOR_BYTES // b.itemsize
    for c in range(0, panel_width, lanes):
        whole = n_terms - n_terms % lanes if c + lanes <= n_columns else 0
        for k in range(0, whole, lanes):
            transpose_square(b, (j + c) * n_terms + k, n_terms, panel, (k + 1) * panel_width + c, panel_width)
        for k in range(whole, n_terms):
            for i in range(c, c + lanes):
                panel[(k + 1) * panel_width + i] = b[(j + i) * n_terms + k] if i < n_columns else 0
