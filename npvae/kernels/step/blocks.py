"""Activations of a block of a layer's output, and their derivatives, in place.

An activation is applied to rows top .. bottom and columns start .. end of y (N, M). Its derivative, given the
output y, is multiplied into that block of dy. All have the same arguments, whether they need `slope` or
not, so that `network.loss_and_gradient` can call the ones that it needs by their addresses; only these are
compiled.
"""

import numpy as np

from npvae.kernels import elementwise as f
from npvae.kernels.compiled import ARITHMETIC, compile_kernel
from npvae.kernels.views import part_of_row

_ZERO, _ONE = np.float32(0), np.float32(1)


@compile_kernel(ARITHMETIC, inner=True)
def _relu(slope, y, top, bottom, start, end):
    for i in range(top, bottom):
        row = part_of_row(y, i, start, end)
        for j in range(row.size):
            row[j] = _ZERO if row[j] <= _ZERO else row[j]


@compile_kernel(ARITHMETIC, inner=True)
def _relu_gradient(slope, y, dy, top, bottom, start, end):
    for i in range(top, bottom):
        row, d = part_of_row(y, i, start, end), part_of_row(dy, i, start, end)
        for j in range(row.size):
            d[j] = d[j] if row[j] > _ZERO else _ZERO


@compile_kernel(ARITHMETIC, inner=True)
def _leaky_relu(slope, y, top, bottom, start, end):
    for i in range(top, bottom):
        row = part_of_row(y, i, start, end)
        for j in range(row.size):
            row[j] = row[j] if row[j] > _ZERO else slope * row[j]


@compile_kernel(ARITHMETIC, inner=True)
def _leaky_relu_gradient(slope, y, dy, top, bottom, start, end):
    for i in range(top, bottom):
        row, d = part_of_row(y, i, start, end), part_of_row(dy, i, start, end)
        for j in range(row.size):
            d[j] = d[j] if row[j] > _ZERO else slope * d[j]


@compile_kernel(ARITHMETIC, inner=True)
def _tanh(slope, y, top, bottom, start, end):
    for i in range(top, bottom):
        row = part_of_row(y, i, start, end)
        for j in range(row.size):
            row[j] = f.tanh(row[j])


@compile_kernel(ARITHMETIC, inner=True)
def _tanh_gradient(slope, y, dy, top, bottom, start, end):
    for i in range(top, bottom):
        row, d = part_of_row(y, i, start, end), part_of_row(dy, i, start, end)
        for j in range(row.size):
            d[j] = d[j] * (_ONE - row[j] * row[j])


@compile_kernel(ARITHMETIC, inner=True)
def _sigmoid(slope, y, top, bottom, start, end):
    for i in range(top, bottom):
        row = part_of_row(y, i, start, end)
        for j in range(row.size):
            row[j] = f.sigmoid(row[j])


@compile_kernel(ARITHMETIC, inner=True)
def _sigmoid_gradient(slope, y, dy, top, bottom, start, end):
    for i in range(top, bottom):
        row, d = part_of_row(y, i, start, end), part_of_row(dy, i, start, end)
        for j in range(row.size):
            d[j] = d[j] * row[j] * (_ONE - row[j])


@compile_kernel(ARITHMETIC, inner=True)
def _softplus(slope, y, top, bottom, start, end):
    for i in range(top, bottom):
        row = part_of_row(y, i, start, end)
        for j in range(row.size):
            row[j] = f.softplus(row[j])


@compile_kernel(ARITHMETIC, inner=True)
def _softplus_gradient(slope, y, dy, top, bottom, start, end):
    for i in range(top, bottom):
        row, d = part_of_row(y, i, start, end), part_of_row(dy, i, start, end)
        for j in range(row.size):
            d[j] = -d[j] * f.expm1(-row[j])


@compile_kernel(ARITHMETIC, inner=True)
def _identity(slope, y, top, bottom, start, end):
    pass


@compile_kernel(ARITHMETIC, inner=True)
def _identity_gradient(slope, y, dy, top, bottom, start, end):
    pass


# By their names in core: what is applied, and what its derivative is multiplied into.
ACTIVATIONS = {
    "relu": (_relu, _relu_gradient),
    "leaky_relu": (_leaky_relu, _leaky_relu_gradient),
    "tanh": (_tanh, _tanh_gradient),
    "sigmoid": (_sigmoid, _sigmoid_gradient),
    "softplus": (_softplus, _softplus_gradient),
    "identity": (_identity, _identity_gradient),
}
