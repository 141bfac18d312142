"""Layers as books and tutorials write them: gradients in attributes and lists, updates inside of backward.

In the manner of "Neural Networks from Scratch" (nnfs), "Deep Learning from Scratch", joelnet,
TheIndependentCode/Neural-Network and ML-From-Scratch.
"""

import numpy as np

from npvae.gradcheck import check_layer
from tests.gradcheck.strangers.stranger import Stranger, as_layer, draw, softmax

X = draw(5, 4, seed=1)
LABELS = np.array([0, 3, 1, 1, 2])


class Dense:
    """nnfs: forward takes (inputs, training), results and gradients stay in attributes."""

    def __init__(self):
        self.weights, self.biases = draw(4, 3), np.zeros((1, 3))

    def forward(self, inputs, training):
        self.inputs = inputs
        self.output = np.dot(inputs, self.weights) + self.biases

    def backward(self, dvalues):
        self.dweights = np.dot(self.inputs.T, dvalues)
        self.dbiases = np.sum(dvalues, axis=0, keepdims=True)
        self.dinputs = np.dot(dvalues, self.weights.T)


class DenseInputsDoubled(Dense):
    def backward(self, dvalues):
        super().backward(dvalues)
        self.dinputs *= 2


class DenseInputsForgotten(Dense):
    def backward(self, dvalues):
        super().backward(dvalues)
        del self.dinputs


class DenseBiasAveraged(Dense):
    def backward(self, dvalues):
        super().backward(dvalues)
        self.dbiases = np.mean(dvalues, axis=0, keepdims=True)


class Dropout:
    """nnfs: the mask comes from NumPy's global generator, and only where training is true."""

    def __init__(self):
        self.rate = 0.7

    def forward(self, inputs, training):
        if not training:
            self.output = inputs.copy()
            return
        self.binary_mask = np.random.binomial(1, self.rate, size=inputs.shape) / self.rate  # noqa: NPY002
        self.output = inputs * self.binary_mask

    def backward(self, dvalues):
        self.dinputs = dvalues * self.binary_mask


class DropoutScaleForgotten(Dropout):
    def backward(self, dvalues):
        self.dinputs = dvalues * (self.binary_mask > 0)


class Affine:
    """Deep Learning from Scratch: params and grads are lists, and grads are written in place."""

    def __init__(self):
        self.params = [draw(4, 3), np.zeros(3)]
        self.grads = [np.zeros((4, 3)), np.zeros(3)]

    def forward(self, x):
        W, b = self.params
        self.x = x
        return np.dot(x, W) + b

    def backward(self, dout):
        W, _ = self.params
        self.grads[0][...] = np.dot(self.x.T, dout)
        self.grads[1][...] = np.sum(dout, axis=0)
        return np.dot(dout, W.T)


class AffineBiasNotWritten(Affine):
    def backward(self, dout):
        W, _ = self.params
        _, db = self.grads
        self.grads[0][...] = np.dot(self.x.T, dout)
        db = np.sum(dout, axis=0)  # noqa: F841  # a new array, where the list holds the old one
        return np.dot(dout, W.T)


class Relu:
    """Deep Learning from Scratch: a mask in an attribute."""

    def forward(self, x):
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout):
        return np.where(self.mask, 0, dout)


class ReluIntoDout(Relu):
    def backward(self, dout):
        dout[self.mask] = 0
        return dout


class SoftmaxWithLoss:
    """Deep Learning from Scratch: the last layer's backward(dout=1) does not look at dout."""

    def forward(self, x, t):
        self.y, self.t = softmax(x), t
        return -np.sum(np.log(self.y[np.arange(len(t)), t])) / len(t)

    def backward(self, dout=1):
        dx = self.y.copy()
        dx[np.arange(len(dx)), self.t] -= 1
        return dx / len(dx)


class SoftmaxWithLossSummed(SoftmaxWithLoss):
    def backward(self, dout=1):
        return len(self.t) * super().backward()


class TimeSoftmaxWithLoss:
    """Deep Learning from Scratch 2: labels of -1 are padding, and do not count."""

    def forward(self, xs, ts):
        N, T, V = xs.shape
        ys, ts = softmax(xs.reshape(N * T, V)), ts.reshape(N * T)
        self.mask = ts != -1
        self.cache = ys, np.where(self.mask, ts, 0), (N, T, V)
        return -np.sum(np.log(ys[np.arange(N * T), self.cache[1]]) * self.mask) / self.mask.sum()

    def backward(self, dout=1):
        ys, ts, shape = self.cache
        dx = ys.copy()
        dx[np.arange(len(ts)), ts] -= 1
        dx *= dout / self.divisor()
        dx *= self.mask[:, np.newaxis]
        return dx.reshape(shape)

    def divisor(self):
        return self.mask.sum()


class TimeSoftmaxWithLossPaddingCounted(TimeSoftmaxWithLoss):
    def divisor(self):
        return self.mask.size


class Embedding:
    """Deep Learning from Scratch 2: the input is an index, and backward returns nothing."""

    def __init__(self):
        self.params, self.grads = [draw(6, 3)], [np.zeros((6, 3))]

    def forward(self, idx):
        self.idx = idx
        return self.params[0][idx]

    def backward(self, dout):
        (dW,) = self.grads
        dW[...] = 0
        np.add.at(dW, self.idx, dout)


class EmbeddingRepeatsLost(Embedding):
    def backward(self, dout):
        (dW,) = self.grads
        dW[...] = 0
        dW[self.idx] = dout


class TimeRNN:
    """Deep Learning from Scratch 2: backpropagation through time, with a list of steps."""

    def __init__(self):
        self.params = [draw(4, 3), draw(3, 3, seed=2), draw(3, seed=3)]
        self.grads = [np.zeros_like(p) for p in self.params]

    def forward(self, xs):
        Wx, Wh, b = self.params
        h, self.steps = np.zeros((len(xs), len(Wh))), []
        for x in xs.swapaxes(0, 1):
            h_next = np.tanh(h @ Wh + x @ Wx + b)
            self.steps.append((x, h, h_next))
            h = h_next
        return np.stack([h for _, _, h in self.steps], axis=1)

    def backward(self, dhs):
        Wx, Wh, _ = self.params
        dxs, dh, grads = np.empty((*dhs.shape[:2], len(Wx))), 0, [0, 0, 0]
        for t in reversed(range(len(self.steps))):
            x, h, h_next = self.steps[t]
            dt = (dhs[:, t] + dh) * (1 - h_next**2)
            grads = [g + d for g, d in zip(grads, (x.T @ dt, h.T @ dt, dt.sum(axis=0)), strict=True)]
            dxs[:, t], dh = dt @ Wx.T, self.back_in_time(dt @ Wh.T)
        for own, g in zip(self.grads, grads, strict=True):
            own[...] = g
        return dxs

    def back_in_time(self, dh):
        return dh


class TimeRNNCutOff(TimeRNN):
    def back_in_time(self, dh):
        return np.zeros_like(dh)


class Linear:
    """joelnet: params and grads are dicts."""

    def __init__(self):
        self.params, self.grads = {"w": draw(4, 3), "b": draw(3, seed=2)}, {}

    def forward(self, inputs):
        self.inputs = inputs
        return inputs @ self.params["w"] + self.params["b"]

    def backward(self, grad):
        self.grads["b"] = np.sum(grad, axis=0)
        self.grads["w"] = self.inputs.T @ grad
        return grad @ self.params["w"].T


class Tanh:
    """joelnet: an activation made from f and f'."""

    def forward(self, inputs):
        self.inputs = inputs
        return np.tanh(inputs)

    def backward(self, grad):
        return (1 - np.tanh(self.inputs) ** 2) * grad


class TanhTwice(Tanh):
    def forward(self, inputs):
        self.inputs = np.tanh(inputs)  # f' is given the output, not the input
        return self.inputs


class NeuralNet:
    """joelnet: layers in a list."""

    activation = Tanh

    def __init__(self):
        self.layers = [Linear(), self.activation()]

    def forward(self, inputs):
        for layer in self.layers:
            inputs = layer.forward(inputs)
        return inputs

    def backward(self, grad):
        for layer in reversed(self.layers):
            grad = layer.backward(grad)
        return grad


class NeuralNetTanhTwice(NeuralNet):
    activation = TanhTwice


class Column:
    """TheIndependentCode: backward takes a learning rate and updates the weights; x is a column."""

    def __init__(self):
        self.weights, self.bias = draw(3, 4), draw(3, 1, seed=2)

    def forward(self, input):
        self.input = input
        return np.dot(self.weights, input) + self.bias

    def backward(self, output_gradient, learning_rate):
        input_gradient = np.dot(self.weights.T, output_gradient)
        self.weights -= learning_rate * np.dot(output_gradient, self.input.T)
        self.bias -= learning_rate * output_gradient
        return input_gradient


class ColumnUpdatedTooEarly(Column):
    def backward(self, output_gradient, learning_rate):
        self.weights -= learning_rate * np.dot(output_gradient, self.input.T)
        self.bias -= learning_rate * output_gradient
        return np.dot(self.weights.T, output_gradient)


def check_steps(kind):
    """Check a layer that updates itself: a step with learning rate 1, taken back, is the gradient."""

    class OneStep(kind):
        def backward(self, dy):
            weights, bias = self.weights.copy(), self.bias.copy()
            dx = super().backward(dy, 1.0)
            self.dweights, self.dbias = weights - self.weights, bias - self.bias
            self.weights, self.bias = weights, bias
            return dx

    return check_layer(OneStep(), draw(4, 1, seed=1))


class Softplus:
    """ML-From-Scratch: a function is an object with a method gradient(x)."""

    def __call__(self, x):
        return np.log(1 + np.exp(x))

    def gradient(self, x):
        return 1 / (1 + np.exp(-x))


class Activation:
    """ML-From-Scratch: the methods are forward_pass and backward_pass."""

    def __init__(self):
        self.activation_func = Softplus()

    def forward_pass(self, X, training=True):
        self.layer_input = X
        return self.activation_func(X)

    def backward_pass(self, accum_grad):
        return accum_grad * self.activation_func.gradient(self.layer_input)


class ActivationOfTheOutput(Activation):
    def forward_pass(self, X, training=True):
        self.layer_input = self.activation_func(X)
        return self.layer_input


STRANGERS = (
    Stranger(
        "forward(x, training), dinputs in an attribute: nnfs",
        as_layer((X, True)),
        Dense,
        {
            "dinputs doubled": DenseInputsDoubled,
            "dinputs forgotten": DenseInputsForgotten,
            "biases averaged": DenseBiasAveraged,
        },
        undecided=["dinputs forgotten"],
    ),
    Stranger(
        "dropout by np.random, dinputs: nnfs",
        as_layer((X, True)),
        Dropout,
        {"scale forgotten": DropoutScaleForgotten},
    ),
    Stranger(
        "params and grads in lists: Deep Learning from Scratch",
        as_layer(X),
        Affine,
        {"bias not written into the list": AffineBiasNotWritten},
    ),
    Stranger("mask: Deep Learning from Scratch", as_layer(X), Relu, {"writes into dout": ReluIntoDout}),
    Stranger(
        "backward(dout=1) ignores dout: Deep Learning from Scratch",
        as_layer((X, LABELS)),
        SoftmaxWithLoss,
        {"sum for mean": SoftmaxWithLossSummed},
    ),
    Stranger(
        "padded labels: Deep Learning from Scratch",
        as_layer((draw(2, 3, 4), np.array([[0, 3, -1], [2, -1, -1]]))),
        TimeSoftmaxWithLoss,
        {"padding counted": TimeSoftmaxWithLossPaddingCounted},
    ),
    Stranger(
        "embedding, backward returns None: Deep Learning from Scratch",
        as_layer(np.array([2, 0, 5, 2])),
        Embedding,
        {"repeated rows lost": EmbeddingRepeatsLost},
    ),
    Stranger(
        "recurrent, a list of steps: Deep Learning from Scratch",
        as_layer(draw(2, 3, 4, seed=1)),
        TimeRNN,
        {"no gradient back in time": TimeRNNCutOff},
    ),
    Stranger(
        "layers in a list, dicts of parameters: joelnet",
        as_layer(X),
        NeuralNet,
        {"f' of the output": NeuralNetTanhTwice},
    ),
    Stranger(
        "backward(dy, learning_rate) updates: TheIndependentCode",
        check_steps,
        Column,
        {"dx by the updated weights": ColumnUpdatedTooEarly},
    ),
    Stranger(
        "forward_pass and backward_pass: ML-From-Scratch",
        as_layer(X),
        Activation,
        {"derivative at the output": ActivationOfTheOutput},
    ),
)
