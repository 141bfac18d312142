"""Functions with correct backwards, and arguments at which to check them."""

import numpy as np


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def dense_forward(x, W, b):
    return x @ W + b, (x, W)


def dense_backward(dy, cache):
    x, W = cache
    return dy @ W.T, x.T @ dy, dy.sum(axis=0)


def dense_args(N=5, D=4, H=3):
    return draw(N, D), draw(D, H, seed=1), draw(H, seed=2)


def reparameterize_forward(mu, log_var, eps):
    std = np.exp(log_var / 2)
    return mu + std * eps, (std, eps)


def softmax_forward(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    y = e / e.sum(axis=1, keepdims=True)
    return y, y


def softmax_backward(dy, y):
    return y * (dy - np.sum(dy * y, axis=1, keepdims=True))


def elementwise(f, derivative):
    return (lambda x: (f(x), x)), (lambda dy, x: dy * derivative(x))
