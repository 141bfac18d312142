"""Sums of float32 numbers in compiled loops."""

import numpy as np

from npvae.kernels.compiled import ARITHMETIC, SUM, compile_kernel
from npvae.kernels.views import part_of_row, vector_at

_ZERO = np.float32(0)


@compile_kernel(SUM, inner=True)
def sum_of(terms):
    """Return the sum of a vector's entries."""
    total = _ZERO
    for i in range(terms.size):
        total += terms[i]
    return total


@compile_kernel(SUM, inner=True)
def sum_of_squares(terms):
    """Return the sum of the squares of a vector's entries."""
    total = _ZERO
    for i in range(terms.size):
        total += terms[i] * terms[i]
    return total


@compile_kernel(ARITHMETIC, inner=True)
def sum_columns(a, sums, start, end):
    """Sum the columns start .. end of a (N, M) over its rows, into that part of sums (M,)."""
    part = vector_at(sums, start, end - start)
    for j in range(part.size):
        part[j] = _ZERO
    for i in range(a.shape[0]):
        row = part_of_row(a, i, start, end)
        for j in range(part.size):
            part[j] += row[j]
