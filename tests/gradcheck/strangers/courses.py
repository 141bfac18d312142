"""Layers as written in courses: cs231n's functions with a cache, MyTorch's classes of CMU 11-785."""

import numpy as np

from npvae.gradcheck import check_gradient, check_vjp
from tests.gradcheck.strangers.stranger import Stranger, as_layer, as_pair, draw, one_hot, softmax

X = draw(5, 4, seed=1)
LABELS = np.array([0, 3, 1, 1, 2])


def batchnorm_forward(x, gamma, beta, bn_param):
    """cs231n: a dict of settings, in which the forward keeps running averages."""
    mean, var = x.mean(axis=0), x.var(axis=0)
    bn_param["running_mean"] = 0.9 * bn_param.get("running_mean", 0) + 0.1 * mean
    inv_std = 1 / np.sqrt(var + bn_param["eps"])
    x_hat = (x - mean) * inv_std
    return gamma * x_hat + beta, (x_hat, gamma, inv_std)


def batchnorm_backward(dout, cache):
    x_hat, gamma, inv_std = cache
    d = dout * gamma
    dx = inv_std * (d - d.mean(axis=0) - x_hat * (d * x_hat).mean(axis=0))
    return dx, np.sum(dout * x_hat, axis=0), np.sum(dout, axis=0)


def batchnorm_backward_mean_held(dout, cache):
    x_hat, gamma, inv_std = cache
    d = dout * gamma
    dx = inv_std * (d - x_hat * (d * x_hat).mean(axis=0))
    return dx, np.sum(dout * x_hat, axis=0), np.sum(dout, axis=0)


def check_batchnorm(backward):
    def forward(x, gamma, beta):
        return batchnorm_forward(x, gamma, beta, {"mode": "train", "eps": 1e-5})

    return check_vjp(forward, backward, [X, draw(4, seed=2), draw(4, seed=3)])


def dropout_forward(x, dropout_param):
    """cs231n: a seed for NumPy's global generator among the settings."""
    np.random.seed(dropout_param["seed"])  # noqa: NPY002
    mask = (np.random.rand(*x.shape) < dropout_param["p"]) / dropout_param["p"]  # noqa: NPY002
    return x * mask, (dropout_param, mask)


def dropout_backward(dout, cache):
    _, mask = cache
    return dout * mask


def dropout_backward_scaled_twice(dout, cache):
    dropout_param, mask = cache
    return dout * mask / dropout_param["p"]


def conv_forward(x, w, b, conv_param):
    """cs231n: a convolution of images (N, C, H, W) by four loops."""
    stride, pad = conv_param["stride"], conv_param["pad"]
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    size = w.shape[2]
    places = (padded.shape[2] - size) // stride + 1
    out = np.zeros((len(x), len(w), places, places), x.dtype)
    for i in range(places):
        for j in range(places):
            window = padded[:, :, i * stride : i * stride + size, j * stride : j * stride + size]
            out[:, :, i, j] = np.tensordot(window, w, axes=([1, 2, 3], [1, 2, 3])) + b
    return out, (x, w, b, conv_param)


def conv_backward(dout, cache, shift=0):
    x, w, _, conv_param = cache
    stride, pad = conv_param["stride"], conv_param["pad"]
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dpadded, dw, size = np.zeros_like(padded), np.zeros_like(w), w.shape[2]
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            place = np.s_[:, :, i * stride : i * stride + size, j * stride : j * stride + size]
            dpadded[place] += np.tensordot(dout[:, :, i, j], w, axes=1)
            dw += np.tensordot(dout[:, :, i, j], padded[place], axes=([0], [0]))
    start = pad - shift
    dx = dpadded[:, :, start : start + x.shape[2], start : start + x.shape[3]]
    return dx, dw, dout.sum(axis=(0, 2, 3))


def conv_backward_padding_kept(dout, cache):
    return conv_backward(dout, cache, shift=1)


def max_pool_forward(x, size):
    """cs231n: the largest of each window, and which it was."""
    N, C, H, W = x.shape
    windows = x.reshape(N, C, H // size, size, W // size, size).swapaxes(3, 4).reshape(N, C, -1, size * size)
    return windows.max(axis=3).reshape(N, C, H // size, W // size), (x, size, windows.argmax(axis=3))


def max_pool_backward(dout, cache):
    x, size, largest = cache
    N, C, H, W = x.shape
    d = dout.reshape(N, C, -1)[..., None] * one_hot(largest, size * size)
    d = d.reshape(N, C, H // size, W // size, size, size).swapaxes(3, 4)
    return d.reshape(x.shape)


def max_pool_backward_window_transposed(dout, cache):
    x, size, largest = cache
    rows, columns = np.divmod(largest, size)
    return max_pool_backward(dout, (x, size, columns * size + rows))


def lstm_step_forward(x, prev_h, prev_c, Wx, Wh, b):
    """cs231n: two results and a cache, (next_h, next_c, cache)."""
    a = x @ Wx + prev_h @ Wh + b
    i, f, o = (1 / (1 + np.exp(-part)) for part in np.split(a, 4, axis=1)[:3])
    g = np.tanh(np.split(a, 4, axis=1)[3])
    next_c = f * prev_c + i * g
    return o * np.tanh(next_c), next_c, (x, prev_h, prev_c, Wx, Wh, i, f, o, g, next_c)


def lstm_gradients(dc, dnext_h, cache):
    x, prev_h, prev_c, Wx, Wh, i, f, o, g, next_c = cache
    do = dnext_h * np.tanh(next_c) * o * (1 - o)
    da = np.concatenate([dc * g * i * (1 - i), dc * prev_c * f * (1 - f), do, dc * i * (1 - g**2)], axis=1)
    return da @ Wx.T, da @ Wh.T, dc * f, x.T @ da, prev_h.T @ da, da.sum(axis=0)


def lstm_step_backward(dnext_h, dnext_c, cache):
    o, next_c = cache[7], cache[9]
    return lstm_gradients(dnext_c + dnext_h * o * (1 - np.tanh(next_c) ** 2), dnext_h, cache)


def lstm_step_backward_cell_alone(dnext_h, dnext_c, cache):
    return lstm_gradients(dnext_c, dnext_h, cache)


LSTM_ARGS = (draw(3, 4), *draw(2, 3, 2, seed=1), draw(4, 8, seed=2), draw(2, 8, seed=3), draw(8, seed=4))


def softmax_loss(x, y):
    """cs231n: a loss and its gradient at once, (loss, dx)."""
    p = softmax(x)
    dx = p - one_hot(y, x.shape[1])
    return -np.sum(np.log(p[np.arange(len(y)), y])) / len(y), dx / len(y)


def softmax_loss_summed(x, y):
    loss, dx = softmax_loss(x, y)
    return loss, dx * len(y)


class TwoLayerNet:
    """cs231n: loss(X, y) returns a loss and a dict of gradients, for the weights in self.params."""

    def __init__(self):
        self.params = {"W1": draw(4, 3), "b1": draw(3, seed=2), "W2": draw(3, 4, seed=3), "b2": np.zeros(4)}
        self.reg = 0.1

    def loss(self, X, y):
        W1, b1, W2, b2 = self.params.values()
        h = np.tanh(X @ W1 + b1)
        data_loss, ds = softmax_loss(h @ W2 + b2, y)
        loss = data_loss + self.reg / 2 * (np.sum(W1**2) + np.sum(W2**2))
        da = ds @ W2.T * (1 - h**2)
        grads = {"W1": X.T @ da, "b1": da.sum(axis=0), "W2": h.T @ ds, "b2": ds.sum(axis=0)}
        for name in ("W1", "W2"):
            grads[name] += self.decay() * self.params[name]
        return loss, grads

    def decay(self):
        return self.reg


class TwoLayerNetDecayDoubled(TwoLayerNet):
    def decay(self):
        return 2 * self.reg


def check_network_of_params(kind):
    """Check loss(X, y) as a function of the dict of weights."""

    def part(index):
        def evaluate(params):
            net = kind()
            net.params = params
            return net.loss(X, LABELS)[index]

        return evaluate

    return check_gradient(part(0), part(1), [kind().params])


class Linear:
    """MyTorch: W is (out, in), gradients are dLdW and dLdb."""

    def __init__(self):
        self.W, self.b = draw(3, 4), np.zeros((3, 1))

    def forward(self, A):
        self.A, self.N = A, len(A)
        return A @ self.W.T + np.ones((self.N, 1)) @ self.b.T

    def backward(self, dLdZ):
        self.dLdW = dLdZ.T @ self.A
        self.dLdb = dLdZ.T @ np.ones((self.N, 1))
        return dLdZ @ self.W


class LinearBiasAveraged(Linear):
    def backward(self, dLdZ):
        dLdA = super().backward(dLdZ)
        self.dLdb /= self.N
        return dLdA


class Sigmoid:
    """MyTorch: backward() of an activation returns f'."""

    def forward(self, Z):
        self.A = 1 / (1 + np.exp(-Z))
        return self.A

    def backward(self):
        return self.A - self.A * self.A


class SigmoidSquared(Sigmoid):
    def backward(self):
        return self.A * self.A


class MSELoss:
    """MyTorch: backward() of a loss takes no dy."""

    def forward(self, A, Y):
        self.A, self.Y = A, Y
        return np.sum((A - Y) ** 2) / (2 * A.size)

    def backward(self):
        return (self.A - self.Y) / self.A.size


class MSELossMeanOfRows(MSELoss):
    def backward(self):
        return (self.A - self.Y) / len(self.A)


class BatchNorm1d:
    """MyTorch: gamma is BW, and made of ones."""

    def __init__(self):
        self.BW, self.Bb = np.ones((1, 4)), np.zeros((1, 4))

    def forward(self, Z):
        self.inv_std = 1 / np.sqrt(Z.var(axis=0) + 1e-8)
        self.NZ = (Z - Z.mean(axis=0)) * self.inv_std
        return self.BW * self.NZ + self.Bb

    def backward(self, dLdBZ):
        self.dLdBW = np.sum(dLdBZ * self.NZ, axis=0, keepdims=True)
        self.dLdBb = np.sum(dLdBZ, axis=0, keepdims=True)
        d = self.of_normalised(dLdBZ)
        return self.inv_std * (d - d.mean(axis=0) - self.NZ * (d * self.NZ).mean(axis=0))

    def of_normalised(self, dLdBZ):
        return dLdBZ * self.BW


class BatchNorm1dGammaForgotten(BatchNorm1d):
    def of_normalised(self, dLdBZ):
        return dLdBZ


class DecayedLinear(Linear):
    """MyTorch: weight decay is added by the layer, to the gradient of W alone."""

    decayed = ()

    def backward(self, dLdZ):
        dLdA = super().backward(dLdZ)
        for name in self.decayed:
            gradient = getattr(self, f"dLd{name}")
            gradient += 0.1 * getattr(self, name)
        return dLdA


class DecayedLinearBias(DecayedLinear):
    decayed = ("b",)  # it is zero at first


STRANGERS = (
    Stranger(
        "settings in a dict: cs231n's batch norm",
        check_batchnorm,
        batchnorm_backward,
        {"the mean taken for a constant": batchnorm_backward_mean_held},
    ),
    Stranger(
        "a seed in a dict: cs231n's dropout",
        lambda backward: check_vjp(
            lambda x: dropout_forward(x, {"mode": "train", "p": 0.6, "seed": 231}), backward, [X]
        ),
        dropout_backward,
        {"scaled twice": dropout_backward_scaled_twice},
    ),
    Stranger(
        "loops over places: cs231n's convolution",
        lambda backward: check_vjp(
            lambda x, w, b: conv_forward(x, w, b, {"stride": 1, "pad": 1}),
            backward,
            [draw(2, 3, 4, 4), draw(2, 3, 3, 3, seed=1), draw(2, seed=2)],
        ),
        conv_backward,
        {"padding not cut off": conv_backward_padding_kept},
    ),
    Stranger(
        "argmax in the cache: cs231n's max pooling",
        lambda backward: check_vjp(lambda x: max_pool_forward(x, 2), backward, [draw(2, 3, 4, 4)]),
        max_pool_backward,
        {"rows and columns of the window swapped": max_pool_backward_window_transposed},
    ),
    Stranger(
        "(h, c, cache) and backward(dh, dc, cache): cs231n's LSTM",
        as_pair(*LSTM_ARGS),
        (lstm_step_forward, lstm_step_backward),
        {"dc without the path through h": (lstm_step_forward, lstm_step_backward_cell_alone)},
    ),
    Stranger(
        "(loss, grad): cs231n's softmax loss",
        lambda loss: check_gradient(lambda x: loss(x, LABELS), None, X),
        softmax_loss,
        {"sum for mean": softmax_loss_summed},
    ),
    Stranger(
        "loss(X, y) with a dict of gradients: cs231n's networks",
        check_network_of_params,
        TwoLayerNet,
        {"weight decay doubled": TwoLayerNetDecayDoubled},
    ),
    Stranger("dLdW and dLdb: MyTorch", as_layer(X), Linear, {"bias averaged": LinearBiasAveraged}),
    Stranger("backward() returns f': MyTorch", as_layer(X), Sigmoid, {"A^2 for A - A^2": SigmoidSquared}),
    Stranger(
        "backward() of a loss: MyTorch",
        as_layer((X, draw(5, 4, seed=2))),
        MSELoss,
        {"divided by N alone": MSELossMeanOfRows},
    ),
    Stranger(
        "gamma made of ones: MyTorch's batch norm",
        as_layer(X),
        BatchNorm1d,
        {"gamma forgotten in dx": BatchNorm1dGammaForgotten},
        undecided=["gamma forgotten in dx"],
    ),
    Stranger(
        "a bias made of zeros: MyTorch with weight decay",
        as_layer(X),
        DecayedLinear,
        {"the bias decays too": DecayedLinearBias},
        undecided=["the bias decays too"],
    ),
)
