"""Compiled twins of formulas: functions that may take their place for arrays that suit them.

A twin has the name and arguments of the formula that `compiled_twin` decorates, and returns the same up to
rounding. It returns NotImplemented for arrays that it does not support: other types than float32 and
float64, mixed types, non-contiguous arrays, or shapes that do not fit. ``tests/kernels/test_twins.py``
compares every twin with its formula.

A twin exists only if it saves more time than it takes to compile (``benchmarks/kernels.py``): matrix
products, because NumPy's BLAS may mistake the processor for an older one; functions with an exponential;
and the optimizers' passes over memory. Maxima, elementwise products and similar functions stay in NumPy.
"""

import math
from typing import Any

import numpy as np

from npvae.kernels.compiled import (
    ARITHMETIC,
    EXACT,
    SUM,
    compile_kernel,
    exp_of_negative,
    log1p_of_unit,
)
from npvae.kernels.products import NO_BIAS, multiplied


def _alike(*arrays: np.ndarray) -> bool:
    """Say whether arrays have one shape, one type (float32 or float64), and no gaps."""
    first = arrays[0]
    return (
        first.dtype.char in "fd"
        and first.dtype.isnative
        and all(a.dtype == first.dtype and a.shape == first.shape and a.flags.c_contiguous for a in arrays)
    )


def dense_forward(x: np.ndarray, W: np.ndarray, b: np.ndarray) -> Any:
    """See `npvae.core.layers.dense_forward`."""
    y = multiplied(x, W, b)
    return NotImplemented if y is None else (y, (x, W))


def dense_backward(dy: np.ndarray, cache: Any) -> Any:
    """See `npvae.core.layers.dense_backward`."""
    x, W = cache
    if dy.shape != (len(x), W.shape[1]) or dy.dtype not in NO_BIAS:
        return NotImplemented
    dx, dW = multiplied(dy, W.T), multiplied(x.T, dy)
    return NotImplemented if dx is None or dW is None else (dx, dW, dy.sum(axis=0))


def sigmoid_forward(x: np.ndarray) -> Any:
    """See `npvae.core.activations.sigmoid_forward`."""
    if not _alike(x):
        return NotImplemented
    y = np.empty(x.shape, x.dtype)
    _sigmoid(x.reshape(-1), y.reshape(-1))
    return y, y


def softplus_forward(x: np.ndarray) -> Any:
    """See `npvae.core.activations.softplus_forward`."""
    if not _alike(x):
        return NotImplemented
    y = np.empty(x.shape, x.dtype)
    _softplus(x.reshape(-1), y.reshape(-1))
    return y, y


def bernoulli_forward(x: np.ndarray, logits: np.ndarray) -> Any:
    """See `npvae.core.likelihoods.bernoulli_forward`."""
    if x.ndim != 2 or not _alike(x, logits):
        return NotImplemented
    log_likelihood, residual = np.empty(len(x), x.dtype), np.empty(x.shape, x.dtype)
    _bernoulli(x, logits, log_likelihood, residual)
    return log_likelihood, residual


def take_pixels(X: np.ndarray, rows: np.ndarray) -> Any:
    """See `npvae.training.batches.take_pixels`."""
    pixels = X.view(np.ndarray)  # of a memory map
    suits = pixels.ndim == 2 and pixels.flags.c_contiguous and rows.dtype == np.int64
    if not suits or pixels.dtype != np.uint8:
        return NotImplemented
    y = np.empty((len(rows), pixels.shape[1]), np.float32)
    _take_pixels(pixels, rows, y)
    return y


def sgd(
    theta: np.ndarray, gradient: np.ndarray, velocity: np.ndarray, learning_rate: float, momentum: float
) -> Any:
    """See `npvae.training.optimizers.sgd`."""
    return (
        _sgd(theta, gradient, velocity, learning_rate, momentum)
        if _alike(theta, gradient, velocity)
        else NotImplemented
    )


def adagrad(
    theta: np.ndarray, gradient: np.ndarray, squares: np.ndarray, learning_rate: float, epsilon: float
) -> Any:
    """See `npvae.training.optimizers.adagrad`."""
    return (
        _adagrad(theta, gradient, squares, learning_rate, epsilon)
        if _alike(theta, gradient, squares)
        else NotImplemented
    )


def adam(theta: np.ndarray, gradient: np.ndarray, m: np.ndarray, v: np.ndarray, *settings: float) -> Any:
    """See `npvae.training.optimizers.adam`."""
    return _adam(theta, gradient, m, v, *settings) if _alike(theta, gradient, m, v) else NotImplemented


@compile_kernel(ARITHMETIC)
def _sigmoid(x, y):
    zero, one = x.dtype.type(0), x.dtype.type(1)
    for i in range(x.size):
        e = exp_of_negative(-abs(x[i]))
        y[i] = (one if x[i] > zero else e) / (one + e)


@compile_kernel(ARITHMETIC)
def _softplus(x, y):
    zero = x.dtype.type(0)
    for i in range(x.size):
        y[i] = (zero if x[i] <= zero else x[i]) + log1p_of_unit(exp_of_negative(-abs(x[i])))


@compile_kernel(SUM)
def _sum(terms):
    total = terms.dtype.type(0)
    for j in range(terms.size):
        total += terms[j]
    return total


@compile_kernel(ARITHMETIC)
def _bernoulli(x, logits, log_likelihood, residual):
    zero, one = logits.dtype.type(0), logits.dtype.type(1)
    terms = np.empty(logits.shape[1], logits.dtype)
    for i in range(logits.shape[0]):
        for j in range(logits.shape[1]):
            logit = logits[i, j]
            e = exp_of_negative(-abs(logit))
            terms[j] = x[i, j] * logit - (zero if logit <= zero else logit) - log1p_of_unit(e)
            residual[i, j] = x[i, j] - (one if logit > zero else e) / (one + e)
        log_likelihood[i] = _sum(terms)


@compile_kernel(EXACT)
def _take_pixels(X, rows, y):
    scale = 1 / 255  # in double precision: for all 256 pixels it rounds to what the slower division gives
    for i in range(rows.shape[0]):
        if not 0 <= rows[i] < X.shape[0]:
            raise IndexError("a row number is out of range")
        row = X[rows[i]]
        for j in range(X.shape[1]):
            y[i, j] = np.float32(row[j] * scale)


@compile_kernel(ARITHMETIC)
def _sgd(theta, gradient, velocity, learning_rate, momentum):
    learning_rate, momentum = theta.dtype.type(learning_rate), theta.dtype.type(momentum)
    zero = theta.dtype.type(0)
    negligible = theta.dtype.type(np.finfo(theta.dtype).tiny / np.finfo(theta.dtype).eps)
    for i in range(theta.size):
        new = momentum * velocity[i] + gradient[i]
        velocity[i] = zero if abs(new) < negligible else new
        theta[i] -= learning_rate * velocity[i]


@compile_kernel(ARITHMETIC)
def _adagrad(theta, gradient, squares, learning_rate, epsilon):
    learning_rate, epsilon = theta.dtype.type(learning_rate), theta.dtype.type(epsilon)
    for i in range(theta.size):
        squares[i] += gradient[i] * gradient[i]
        theta[i] -= learning_rate * gradient[i] / (np.sqrt(squares[i]) + epsilon)


@compile_kernel(ARITHMETIC)
def _adam(theta, gradient, m, v, learning_rate, beta1, beta2, epsilon, t):
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
