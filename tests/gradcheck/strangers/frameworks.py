"""Layers in the manner of frameworks.

numpy-ml, neon, thinc, Chainer, autograd, JAX, PyTorch, micrograd, numpy-transformer, llm.c.
"""

import numpy as np

from npvae.gradcheck import check_layer, check_vjp
from tests.gradcheck.strangers.stranger import Stranger, as_gradient, as_layer, as_pair, draw, softmax

X = draw(5, 4, seed=1)


class FullyConnected:
    """numpy-ml: weights are made at the first forward, inputs are listed until they are flushed."""

    def __init__(self):
        self.X, self.derived_variables = [], {"Z": []}
        self.parameters, self.gradients = {"W": None, "b": None}, {}
        self.is_initialized = False

    def _init_params(self, n_in):
        self.parameters = {"W": draw(n_in, 3), "b": np.zeros((1, 3))}
        self.gradients = {name: np.zeros_like(value) for name, value in self.parameters.items()}
        self.is_initialized = True

    def forward(self, X, retain_derived=True):
        if not self.is_initialized:
            self._init_params(X.shape[1])
        Z = X @ self.parameters["W"] + self.parameters["b"]
        if retain_derived:
            self.X.append(X)
            self.derived_variables["Z"].append(Z)
        return np.tanh(Z)

    def backward(self, dLdy, retain_grads=True):
        dLdy = dLdy if isinstance(dLdy, list) else [dLdy]
        dX = []
        for dy, x, z in zip(dLdy, self.X, self.derived_variables["Z"], strict=True):
            dZ = dy * self.slope(z)
            if retain_grads:
                self.gradients["W"] += x.T @ dZ
                self.gradients["b"] += dZ.sum(axis=0, keepdims=True)
            dX.append(dZ @ self.parameters["W"].T)
        return dX[0] if len(dX) == 1 else dX

    def slope(self, z):
        return 1 - np.tanh(z) ** 2

    def flush_gradients(self):
        self.X, self.derived_variables = [], {"Z": []}
        self.gradients = {name: np.zeros_like(value) for name, value in self.parameters.items()}


class FullyConnectedSlopeOfInput(FullyConnected):
    def slope(self, z):
        return 1 - z**2


class NeonLinear:
    """neon and pylearn2: fprop and bprop."""

    def __init__(self):
        self.W = draw(4, 3)

    def fprop(self, inputs):
        self.inputs = inputs
        return inputs @ self.W

    def bprop(self, error):
        self.dW = self.inputs.T @ error
        return error @ self.W.T


class NeonLinearSignFlipped(NeonLinear):
    def bprop(self, error):
        deltas = super().bprop(error)
        self.dW = -self.dW
        return deltas


def residual(W):
    """thinc: a layer is a function that returns Y and the callback that takes dY back."""

    def forward(X):
        Y = np.tanh(X @ W)

        def backprop(dY):
            dZ = dY * (1 - Y**2)
            return dY + dZ @ W.T, X.T @ dZ

        return X + Y, backprop

    return forward


def in_opposite_order(callbacks):
    """thinc: a chain's callback calls those of its layers."""

    def backprop_all(dX):
        gradients = []
        for backprop in reversed(callbacks):
            dX, dW = backprop(dX)
            gradients.insert(0, dW)
        return dX, *gradients

    return backprop_all


def chain(X, *weights):
    callbacks = []
    for W in weights:
        X, backprop = residual(W)(X)
        callbacks.append(backprop)
    return X, in_opposite_order(callbacks)


def chain_late_binding(X, *weights):
    callbacks = []
    for W in weights:
        X, backprop = residual(W)(X)
        callbacks.append(lambda dY: backprop(dY))  # noqa: B023  # the last one, every time
    return X, in_opposite_order(callbacks)


def check_callbacks(forward):
    return check_vjp(
        lambda X, W1, W2: forward(X, W1, W2),
        lambda dY, backprop: backprop(dY),
        [X, draw(4, 4, seed=2), draw(4, 4, seed=3)],
    )


class SquaredDifference:
    """Chainer: a tuple of inputs in, a tuple of outputs out, and backward(inputs, grad_outputs)."""

    def forward(self, inputs):
        x0, x1 = inputs
        return ((x0 - x1) ** 2,)

    def backward(self, inputs, grad_outputs):
        (gy,) = grad_outputs
        x0, x1 = inputs
        gx0 = 2 * gy * (x0 - x1)
        return gx0, -gx0


class SquaredDifferenceOneSign(SquaredDifference):
    def backward(self, inputs, grad_outputs):
        gx0, _ = super().backward(inputs, grad_outputs)
        return gx0, gx0


def check_function(kind):
    return check_vjp(
        lambda x0, x1: (kind().forward((x0, x1)), (x0, x1)),
        lambda gys, inputs: kind().backward(inputs, gys),
        [X, draw(5, 4, seed=2)],
    )


def logsumexp(x):
    """autograd: a function, and a function vjp(ans, x) that returns g -> gradient."""
    return np.log(np.sum(np.exp(x), axis=1))


def logsumexp_vjp(ans, x):
    return lambda g: g[:, None] * np.exp(x - ans[:, None])


def logsumexp_vjp_along_columns(ans, x):
    return lambda g: g * np.exp(x - ans[:, None])


def check_vjp_maker(vjp):
    def forward(x):
        ans = logsumexp(x)
        return ans, vjp(ans, x)

    return check_vjp(forward, lambda g, pull: pull(g), [draw(4, 4)])


def softplus_fwd(x):
    """JAX's custom_vjp: fwd(x) -> (y, residuals), bwd(residuals, g) -> a tuple."""
    return np.log1p(np.exp(x)), (x,)


def softplus_bwd(res, g):
    (x,) = res
    return (g / (1 + np.exp(-x)),)


def softplus_bwd_complement(res, g):
    (x,) = res
    return (g / (1 + np.exp(x)),)


class Scale:
    """torch.autograd.Function: static methods, and a ctx that keeps what backward needs."""

    @staticmethod
    def forward(ctx, x, scale):
        ctx.save_for_backward(x, scale)
        return x * scale**2

    @staticmethod
    def backward(ctx, grad_output):
        x, scale = ctx.saved_tensors
        return grad_output * scale**2, 2 * grad_output * x * scale


class ScaleSwapped(Scale):
    @staticmethod
    def backward(ctx, grad_output):
        return Scale.backward(ctx, grad_output)[::-1]


class Value:
    """micrograd: a graph of numbers, each of which knows how to hand its gradient on."""

    def __init__(self, data, children=()):
        self.data, self.grad, self._prev, self._backward = data, 0.0, children, lambda: None

    def __add__(self, other):
        out = Value(self.data + other.data, (self, other))

        def _backward():
            self.grad += out.grad
            other.grad += out.grad

        out._backward = _backward
        return out

    def __mul__(self, other):
        out = Value(self.data * other.data, (self, other))

        def _backward():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out._backward = _backward
        return out

    def tanh(self):
        out = Value(np.tanh(self.data), (self,))

        def _backward():
            self.grad += (1 - out.data**2) * out.grad

        out._backward = _backward
        return out

    def backward(self):
        order, visited = [], set()

        def build(v):
            if v not in visited:
                visited.add(v)
                for child in v._prev:
                    build(child)
                order.append(v)

        build(self)
        self.grad = 1.0
        for v in reversed(order):
            v._backward()


class ValueOverwritten(Value):
    def __add__(self, other):
        out = Value(self.data + other.data, (self, other))

        def _backward():
            self.grad = out.grad
            other.grad = out.grad

        out._backward = _backward
        return out


def neuron(kind, x):
    values = [kind(v) for v in x]
    return values, (values[0] + values[1] * values[2]).tanh() * (values[0] + values[3])


def neuron_gradient(kind, x):
    values, out = neuron(kind, x)
    out.backward()
    return np.array([v.grad for v in values])


class SelfAttention:
    """numpy-transformer: forward returns (y, attention), backward takes the gradient of y alone."""

    def __init__(self):
        self.W_q, self.W_k, self.W_v = draw(3, 4, 2, seed=2)

    def forward(self, x):
        self.x = x
        self.q, self.k, self.v = x @ self.W_q, x @ self.W_k, x @ self.W_v
        self.attention = softmax(self.q @ self.k.swapaxes(1, 2) / self.scale())
        return self.attention @ self.v, self.attention

    def backward(self, error):
        a = self.attention
        da = error @ self.v.swapaxes(1, 2)
        ds = a * (da - np.sum(da * a, axis=-1, keepdims=True)) / self.scale_of_gradient()
        dq, dk, dv = ds @ self.k, ds.swapaxes(1, 2) @ self.q, a.swapaxes(1, 2) @ error
        self.grad_W_q, self.grad_W_k, self.grad_W_v = (
            np.einsum("ntd,nth->dh", self.x, d) for d in (dq, dk, dv)
        )
        return dq @ self.W_q.T + dk @ self.W_k.T + dv @ self.W_v.T

    def scale(self):
        return np.sqrt(self.k.shape[-1])

    def scale_of_gradient(self):
        return self.scale()


class SelfAttentionScaleForgotten(SelfAttention):
    def scale_of_gradient(self):
        return 1.0


def layernorm_forward(x, w, b):
    """llm.c: out and a cache of what is expensive to recompute."""
    mean = x.mean(axis=-1, keepdims=True)
    rstd = (x.var(axis=-1, keepdims=True) + 1e-5) ** -0.5
    return (x - mean) * rstd * w + b, (x, w, mean, rstd)


def layernorm_backward(dout, cache, weighted=True):
    x, w, mean, rstd = cache
    norm = (x - mean) * rstd
    dnorm = dout * w
    from_mean = dnorm if weighted else dout
    dx = dnorm - from_mean.mean(-1, keepdims=True) - norm * (dnorm * norm).mean(-1, keepdims=True)
    return dx * rstd, (dout * norm).sum((0, 1)), dout.sum((0, 1))


def layernorm_backward_mean_unweighted(dout, cache):
    return layernorm_backward(dout, cache, weighted=False)


STRANGERS = (
    Stranger(
        "weights made and inputs listed by forward: numpy-ml",
        as_layer(X),
        FullyConnected,
        {"slope at the input of tanh": FullyConnectedSlopeOfInput},
    ),
    Stranger("fprop and bprop: neon", as_layer(X), NeonLinear, {"dW's sign flipped": NeonLinearSignFlipped}),
    Stranger(
        "forward returns (Y, backprop): thinc", check_callbacks, chain, {"late binding": chain_late_binding}
    ),
    Stranger(
        "tuples in, tuples out: Chainer",
        check_function,
        SquaredDifference,
        {"one sign for both": SquaredDifferenceOneSign},
    ),
    Stranger(
        "vjp(ans, x) returns a function: autograd",
        check_vjp_maker,
        logsumexp_vjp,
        {"broadcast along the other axis": logsumexp_vjp_along_columns},
    ),
    Stranger(
        "bwd(residuals, g): JAX's custom_vjp",
        lambda bwd: check_vjp(softplus_fwd, lambda g, res: bwd(res, g), [X]),
        softplus_bwd,
        {"1 - sigmoid": softplus_bwd_complement},
    ),
    Stranger(
        "forward(ctx, x), a class of static methods: torch.autograd.Function",
        lambda kind: check_layer(kind, (X, draw(5, 4, seed=2))),
        Scale,
        {"gradients swapped": ScaleSwapped},
    ),
    Stranger(
        "a graph of numbers: micrograd",
        lambda kind: as_gradient(draw(4))(
            (lambda x: neuron(kind, x)[1].data, lambda x: neuron_gradient(kind, x))
        ),
        Value,
        {"= for +=": ValueOverwritten},
    ),
    Stranger(
        "(y, attention), of which y has a gradient: numpy-transformer",
        as_layer(draw(2, 3, 4, seed=1)),
        SelfAttention,
        {"scale forgotten": SelfAttentionScaleForgotten},
    ),
    Stranger(
        "out and a cache: llm.c's LayerNorm",
        as_pair(draw(2, 3, 4), draw(4, seed=1), draw(4, seed=2)),
        (layernorm_forward, layernorm_backward),
        {"w forgotten in one mean": (layernorm_forward, layernorm_backward_mean_unweighted)},
    ),
)
