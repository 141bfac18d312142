"""What backward returns: gradients in dicts and lists, in place of lists, and together with updates."""

import numpy as np

from npvae.gradcheck import check_layer
from tests.gradcheck.strangers.stranger import Stranger, as_layer, draw

X = draw(5, 4, seed=1)
SQUARES = [draw(5, 4, seed=seed) for seed in (1, 2)]


class Squares:
    """Two parameters of one shape, set in another order than they are used."""

    def __init__(self):
        self.U, self.W = draw(4, 4, seed=2), draw(4, 4, seed=3)

    def forward(self, x):
        self.x, self.h = x, x @ self.W
        return self.h @ self.U

    def gradients(self, dy):
        dh = dy @ self.U.T
        return dh @ self.W.T, self.x.T @ dh, self.h.T @ dy


class ByName(Squares):
    """One dict for the parameters, after dx."""

    def backward(self, dy):
        dx, dW, dU = self.gradients(dy)
        return dx, {"W": dW, "U": dU}


class ByNameSwapped(Squares):
    def backward(self, dy):
        dx, dW, dU = self.gradients(dy)
        return dx, {"W": dU, "U": dW}


class AllByName(Squares):
    """One dict for all, the gradient of the input too."""

    def backward(self, dy):
        dx, dW, dU = self.gradients(dy)
        return {"dW": dW, "dU": dU, "dX": dx}


class AllByPlainName(Squares):
    """The same under the plain names."""

    def backward(self, dy):
        dx, dW, dU = self.gradients(dy)
        return {"x": dx, "W": dW, "U": dU}


class AllByPlainNameTwice(Squares):
    def backward(self, dy):
        dx, dW, dU = self.gradients(dy)
        return {"x": 2 * dx, "W": dW, "U": dU}


class AllByNameSwapped(Squares):
    def backward(self, dy):
        dx, dW, dU = self.gradients(dy)
        return {"dW": dU, "dU": dW, "dX": dx}


class Pair:
    """Two layers, whose gradients are named after both."""

    def __init__(self):
        self.first, self.second = Squares(), Squares()

    def forward(self, x):
        return self.second.forward(self.first.forward(x))

    def backward(self, dy):
        d, dW, dU = self.second.gradients(dy)
        found = {"second_W": dW, "second_U": dU}
        dx, dW, dU = self.first.gradients(d)
        return dx, {**found, "first_W": dW, "first_U": dU}


class PairSwapped(Pair):
    def backward(self, dy):
        dx, found = super().backward(dy)
        return dx, {**found, "first_W": found["second_W"], "second_W": found["first_W"]}


class Product:
    """Its inputs come as one list; their gradients as two results."""

    def forward(self, factors):
        self.a, self.b = factors
        return self.a * self.b

    def backward(self, dy):
        return dy * self.b, dy * self.a


class ProductSwapped(Product):
    def backward(self, dy):
        return dy * self.a, dy * self.b


class Stacked(Product):
    """Their gradients as one array."""

    def backward(self, dy):
        return np.stack([dy * self.b, dy * self.a])


class StackedTwice(Product):
    def backward(self, dy):
        return np.stack([dy * self.b, 2 * dy * self.a])


class Row:
    """A bias of one row; its gradient has one row too, or is wrong."""

    def __init__(self):
        self.W, self.b = draw(4, 3), draw(1, 3, seed=2)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        return dy @ self.W.T, [self.x.T @ dy, dy.sum(axis=0, keepdims=True)]


class RowFlat(Row):
    def backward(self, dy):
        return dy @ self.W.T, [self.x.T @ dy, dy.sum(axis=0)]


class RowTransposed(Row):
    def backward(self, dy):
        return dy @ self.W.T, [dy.T @ self.x, dy.sum(axis=0, keepdims=True)]


class Learner(Row):
    """Backward takes a rate and updates the parameters itself."""

    def backward(self, dy, learn_rate=0.1):
        dx = dy @ self.W.T
        self.W -= learn_rate * self.x.T @ dy
        self.b -= learn_rate * dy.sum(axis=0, keepdims=True)
        return dx


class LearnerMean(Row):
    def backward(self, dy, learn_rate=0.1):
        dx = dy @ self.W.T
        self.W -= learn_rate * self.x.T @ dy
        self.b -= learn_rate * dy.mean(axis=0, keepdims=True)
        return dx


class ClassMethods:
    """PyTorch's functions as class methods, with the older name of saved tensors."""

    @classmethod
    def forward(cls, ctx, x, w):
        ctx.save_for_backward(x, w)
        return x * w

    @classmethod
    def backward(cls, ctx, dy):
        x, w = ctx.saved_variables
        return dy * w, dy * x


class ClassMethodsSwapped(ClassMethods):
    @classmethod
    def backward(cls, ctx, dy):
        x, w = ctx.saved_variables
        return dy * x, dy * w


class SetUp:
    """PyTorch's newer form: the context is set up apart."""

    @staticmethod
    def forward(x, w):
        return x * w

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.x, ctx.w = inputs

    @staticmethod
    def backward(ctx, dy):
        return dy * ctx.w, dy * ctx.x


class SetUpSwapped(SetUp):
    @staticmethod
    def backward(ctx, dy):
        return dy * ctx.x, dy * ctx.w


def as_function(kind):
    """Check a class of PyTorch's form."""
    return check_layer(kind, tuple(SQUARES))


STRANGERS = (
    Stranger("dx, {name: gradient}", as_layer(X), ByName, {"swapped": ByNameSwapped}),
    Stranger("{name: gradient} with the input's", as_layer(X), AllByName, {"swapped": AllByNameSwapped}),
    Stranger("{name: gradient}, plain", as_layer(X), AllByPlainName, {"dx twice": AllByPlainNameTwice}),
    Stranger("{layer_name: gradient}", as_layer(X), Pair, {"swapped": PairSwapped}),
    Stranger("a list in, a tuple out", as_layer(SQUARES), Product, {"swapped": ProductSwapped}),
    Stranger("a list in, one array out", as_layer(SQUARES), Stacked, {"a factor": StackedTwice}),
    Stranger(
        "dx, [dW, db]", as_layer(X), Row, {"db of another shape": RowFlat, "dW transposed": RowTransposed}
    ),
    Stranger("learn_rate", as_layer(X), Learner, {"mean for sum": LearnerMean}),
    Stranger("class methods of a context", as_function, ClassMethods, {"swapped": ClassMethodsSwapped}),
    Stranger("setup_context", as_function, SetUp, {"swapped": SetUpSwapped}),
)
