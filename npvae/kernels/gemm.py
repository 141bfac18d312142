"""Matrix products in compiled code: columns of y = a b + bias.

The factor b is copied, panel by panel of as many columns as a tile has, into a small buffer, where the
tile's loop reads it from front to back; each panel is multiplied by all rows of a. Every entry of y is one
sum, from the first term to the last, wherever the tile's borders lie: the result does not depend on how
a product is cut, and a row of y not on the other rows of a.
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

# Rows of a that are multiplied by all panels before the next ones are: as many as stay in the cache.
_ROWS_AT_ONCE = 128


@compile_kernel(set())
def multiply(a, a_transposed, b, b_transposed, bias, y, start, stop):
    """Compute columns start .. stop of y (N, M) = a (N, K) @ b (K, M) + bias (M,), all C-contiguous.

    Where `a_transposed`, `a` is given as (K, N), and likewise b. An empty bias is none.
    """
    lanes = VECTOR_BYTES // y.itemsize
    n_rows, n_terms = y.shape[0], a.shape[0] if a_transposed else a.shape[1]
    a_row, a_column = (1, n_rows) if a_transposed else (n_terms, 1)
    width = VECTORS * lanes
    space = np.empty((n_terms + 1) * width + lanes, y.dtype)
    aligned = (VECTOR_BYTES - space.ctypes.data % VECTOR_BYTES) % VECTOR_BYTES // y.itemsize
    panel = space[aligned:]
    flat_a, flat_b, flat_y = a.reshape(-1), b.reshape(-1), y.reshape(-1)
    for first_row in range(0, n_rows, _ROWS_AT_ONCE):
        last_row = min(first_row + _ROWS_AT_ONCE, n_rows)
        for j in range(start, stop, width):
            n_columns = min(width, stop - j)
            wide = n_columns > lanes
            panel_width = width if wide else lanes
            if bias.size:  # in the panel's first row
                _copy(bias, 0, j, n_columns, 1, panel, 0, panel_width)
            else:
                panel[:panel_width] = 0
            if b_transposed:
                _copy_transposed(flat_b, j, n_columns, n_terms, panel, panel_width)
            else:
                _copy(flat_b, b.shape[1], j, n_columns, n_terms, panel, panel_width, panel_width)
            for i in range(first_row, last_row, ROWS):
                rows = min(ROWS, last_row - i)
                place = i * y.shape[1] + j
                if wide:
                    multiply_tile(
                        flat_a, i * a_row, a_row, a_column, n_terms, panel, panel_width, panel, 0,
                        flat_y, place, y.shape[1], rows, n_columns,
                    )  # fmt: skip
                else:
                    multiply_narrow_tile(
                        flat_a, i * a_row, a_row, a_column, n_terms, panel, panel_width, panel, 0,
                        flat_y, place, y.shape[1], rows, n_columns,
                    )  # fmt: skip


@compile_kernel(set())
def _copy(b, row_length, j, n_columns, n_terms, panel, panel_start, panel_width):
    """Copy n_columns columns of b, from j on, into the panel's rows; fill up with zeros."""
    lanes = VECTOR_BYTES // b.itemsize
    for k in range(n_terms):
        for c in range(0, panel_width, lanes):
            copy_vector(b, k * row_length + j + c, panel, panel_start + k * panel_width + c, n_columns - c)


@compile_kernel(set())
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
