"""Common habits: gradients that add up, a generator in each module, lists of inputs."""

import random
import weakref

import numpy as np

from npvae.gradcheck import check_gradient, check_vjp
from tests.gradcheck.strangers.stranger import Stranger, as_layer, as_pair, draw, one_hot, softmax

X = draw(5, 4, seed=1)
LABELS = np.array([0, 3, 1, 1, 2])
RNG = np.random.default_rng(0)
NODES = weakref.WeakSet()


class Parameter:
    """A value with a gradient that accumulates: PyTorch's convention."""

    def __init__(self, data):
        self.data, self.grad = data, np.zeros_like(data)


class Linear:
    """The optimizer sets the gradients to zero, nobody else."""

    def __init__(self):
        self.W, self.b = Parameter(draw(4, 3)), Parameter(draw(3, seed=2))

    def forward(self, x):
        self.x = x
        return x @ self.W.data + self.b.data

    def backward(self, dy):
        self.W.grad += self.x.T @ dy
        self.b.grad += dy.sum(axis=0)
        return dy @ self.W.data.T


class LinearBiasOfOneRow(Linear):
    def backward(self, dy):
        self.W.grad += self.x.T @ dy
        self.b.grad += dy[0]
        return dy @ self.W.data.T


def dropout_forward(x):
    """Dropout with a generator that the module holds."""
    mask = RNG.random(x.shape) < 0.7
    return x * mask / 0.7, mask


def dropout_backward(dy, mask):
    return dy * mask / 0.7


def dropout_backward_unscaled(dy, mask):
    return dy * mask


class PythonsDropout:
    """Dropout with Python's random."""

    def forward(self, x):
        self.mask = np.reshape([random.random() < 0.7 for _ in range(x.size)], x.shape)
        return x * self.mask / 0.7

    def backward(self, dy):
        return dy * self.mask / 0.7


class PythonsDropoutUnscaled(PythonsDropout):
    def backward(self, dy):
        return dy * self.mask


class Multiply:
    """A layer of several inputs takes them as one list."""

    def forward(self, xs):
        self.a, self.b = xs
        return self.a * self.b

    def backward(self, dy):
        return [dy * self.b, dy * self.a]


class MultiplySwapped(Multiply):
    def backward(self, dy):
        return [dy * self.a, dy * self.b]


class Concatenate:
    """A list of inputs of different widths."""

    def forward(self, xs):
        self.widths = [x.shape[1] for x in xs]
        return np.concatenate(xs, axis=1)

    def backward(self, dy):
        return np.split(dy, np.cumsum(self.widths)[:-1], axis=1)


class ConcatenateReversed(Concatenate):
    def backward(self, dy):
        return [part[:, ::-1] for part in super().backward(dy)]


class CausalAttention:
    """A mask of -inf among the attributes."""

    def __init__(self):
        self.mask = np.where(np.tril(np.ones((4, 4))) > 0, 0.0, -np.inf)

    def forward(self, scores):
        self.p = softmax(scores + self.mask)
        return self.p

    def backward(self, dy):
        return self.p * (dy - np.sum(dy * self.p, axis=-1, keepdims=True))


class CausalAttentionDiagonal(CausalAttention):
    def backward(self, dy):
        return dy * self.p * (1 - self.p)


class Node:
    """A cache that weak references point to."""

    __slots__ = ("__weakref__", "y")

    def __init__(self, y):
        self.y = y
        NODES.add(self)


def sigmoid_forward(x):
    y = 1 / (1 + np.exp(-x))
    return y, Node(y)


def sigmoid_backward(dy, node):
    return dy * node.y * (1 - node.y)


def sigmoid_backward_one_factor(dy, node):
    return dy * node.y


def row_maximum(x):
    """Two results, of which the second is an index."""
    return (x.max(axis=1), x.argmax(axis=1)), x


def row_maximum_backward(dys, x):
    return one_hot(x.argmax(axis=1), x.shape[1]) * dys[0][:, None]


def row_maximum_backward_first(dys, x):
    return one_hot(np.zeros(len(x), int), x.shape[1]) * dys[0][:, None]


def cross_entropy(x):
    """A small constant keeps the logarithm finite, and is left out of the gradient."""
    return -np.log(softmax(x)[np.arange(5), LABELS] + 1e-7).mean()


def cross_entropy_gradient(x):
    return (softmax(x) - one_hot(LABELS, 4)) / 5


def cross_entropy_gradient_summed(x):
    return softmax(x) - one_hot(LABELS, 4)


def check_with_epsilon(gradient):
    return check_gradient(cross_entropy, gradient, X, rtol=1e-5)


def tied_forward(x, W):
    """Encoder and decoder share their weights."""
    h = np.tanh(x @ W)
    return h @ W.T, (x, W, h)


def tied_backward(dy, cache):
    x, W, h = cache
    dW = dy.T @ h
    da = dy @ W * (1 - h**2)
    dW += x.T @ da
    return da @ W.T, dW


def tied_backward_decoder_alone(dy, cache):
    dx, _ = tied_backward(dy, cache)
    return dx, dy.T @ cache[2]


class Flip:
    """A cache whose sign backward flips: a second backward is not the first."""

    def forward(self, x):
        y = np.tanh(x)
        return y, [1 - y**2]

    def backward(self, dy, cache):
        return dy * cache[0]


class FlipInPlace(Flip):
    def backward(self, dy, cache):
        dx = dy * cache[0]
        cache[0] = -cache[0]
        return dx


STRANGERS = (
    Stranger(
        "p.grad += ..., zeroed by the optimizer", as_layer(X), Linear, {"bias of one row": LinearBiasOfOneRow}
    ),
    Stranger(
        "dropout by a module's generator",
        as_pair(X),
        (dropout_forward, dropout_backward),
        {"scale forgotten": (dropout_forward, dropout_backward_unscaled)},
    ),
    Stranger(
        "dropout by Python's random",
        as_layer(X),
        PythonsDropout,
        {"scale forgotten": PythonsDropoutUnscaled},
    ),
    Stranger(
        "inputs in a list",
        as_layer([X, draw(5, 4, seed=2)]),
        Multiply,
        {"gradients swapped": MultiplySwapped},
    ),
    Stranger(
        "inputs of different widths in a list",
        as_layer([X, draw(5, 2, seed=2)]),
        Concatenate,
        {"columns reversed": ConcatenateReversed},
    ),
    Stranger(
        "a mask of -inf",
        as_layer(draw(4, 4)),
        CausalAttention,
        {"diagonal of the Jacobian alone": CausalAttentionDiagonal},
    ),
    Stranger(
        "a cache with __weakref__ in __slots__",
        as_pair(X),
        (sigmoid_forward, sigmoid_backward),
        {"a factor forgotten": (sigmoid_forward, sigmoid_backward_one_factor)},
    ),
    Stranger(
        "(max, argmax), of which one has a gradient",
        as_pair(X),
        (row_maximum, row_maximum_backward),
        {"all to the first column": (row_maximum, row_maximum_backward_first)},
    ),
    Stranger(
        "log(p + 1e-7), accepted by rtol",
        check_with_epsilon,
        cross_entropy_gradient,
        {"sum for mean": cross_entropy_gradient_summed},
    ),
    Stranger(
        "tied weights",
        as_pair(X, draw(4, 2, seed=2)),
        (tied_forward, tied_backward),
        {"the decoder's share alone": (tied_forward, tied_backward_decoder_alone)},
    ),
    Stranger(
        "a cache that is a list",
        lambda kind: check_vjp(kind().forward, kind().backward, [X]),
        Flip,
        {"its sign flips at each backward": FlipInPlace},
    ),
)
