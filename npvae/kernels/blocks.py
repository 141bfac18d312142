"""Activations of a block of a layer's output, and their derivatives, in place."""

import numpy as np

from npvae.kernels import elementwise as f
from npvae.kernels.compiled import ARITHMETIC, compile_kernel

_ZERO, _ONE = np.float32(0), np.float32(1)


@compile_kernel(ARITHMETIC, inner=True)
def activate(activation, slope, y, top, bottom, start, end):
    """Apply an activation to rows top .. bottom and columns start .. end of y, in place."""
    for i in range(top, bottom):
        row = y[i, start:end]
        if activation == f.RELU:
            for j in range(row.size):
                row[j] = _ZERO if row[j] <= _ZERO else row[j]
        elif activation == f.LEAKY_RELU:
            for j in range(row.size):
                row[j] = row[j] if row[j] > _ZERO else slope * row[j]
        elif activation == f.TANH:
            for j in range(row.size):
                row[j] = f.tanh(row[j])
        elif activation == f.SIGMOID:
            for j in range(row.size):
                row[j] = f.sigmoid(row[j])
        elif activation == f.SOFTPLUS:
            for j in range(row.size):
                row[j] = f.softplus(row[j])


@compile_kernel(ARITHMETIC, inner=True)
def carry_back(activation, slope, y, dy, top, bottom, start, end):
    """Multiply a block of dy by the activation's derivative, given its output y, in place."""
    for i in range(top, bottom):
        row, d = y[i, start:end], dy[i, start:end]
        if activation == f.RELU:
            for j in range(row.size):
                d[j] = d[j] if row[j] > _ZERO else _ZERO
        elif activation == f.LEAKY_RELU:
            for j in range(row.size):
                d[j] = d[j] if row[j] > _ZERO else slope * d[j]
        elif activation == f.TANH:
            for j in range(row.size):
                d[j] = d[j] * (_ONE - row[j] * row[j])
        elif activation == f.SIGMOID:
            for j in range(row.size):
                d[j] = d[j] * row[j] * (_ONE - row[j])
        elif activation == f.SOFTPLUS:
            for j in range(row.size):
                d[j] = -d[j] * f.expm1(-row[j])
