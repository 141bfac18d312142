"""Functions as people write them: many forms, the border of a domain, rounded constants."""

import functools
import subprocess
import sys

import numpy as np
import pytest

from npvae.gradcheck import check_gradient, check_layer, check_network, check_vjp
from tests.gradcheck.functions import draw

X = draw(5, 4)
B = draw(5, 5, seed=2)
POSITIVE_DEFINITE = B @ B.T + 0.5 * np.eye(5)


def notes(report):
    return {note.name for note in report.notes}


class TestTheLengthOfTheBatch:
    """What a function holds may have that length, and it need not accept another length."""

    def record(self, f, gradient, x):
        lengths = set()

        def seen(x):
            lengths.add(len(x))
            return f(x)

        report = check_gradient(seen, gradient, x)
        assert report.verdict == "pass", str(report)
        return lengths

    def test_a_closure(self):
        t = draw(6, seed=1)
        assert self.record(lambda x: np.sum((x - t) ** 2), lambda x: 2 * (x - t), draw(6)) == {6}

    def test_a_partial(self):
        def loss(t, x):
            return np.sum((x - t) ** 2)

        def gradient(t, x):
            return 2 * (x - t)

        t = draw(6, seed=1)
        found = self.record(functools.partial(loss, t), functools.partial(gradient, t), draw(6))
        assert found == {6}

    def test_an_attribute(self):
        class Loss:
            def __init__(self):
                self.inside = {"t": [draw(6, seed=1)]}

            def value(self, x):
                return np.sum((x - self.inside["t"][0]) ** 2)

            def gradient(self, x):
                return 2 * (x - self.inside["t"][0])

        assert self.record(Loss().value, Loss().gradient, draw(6)) == {6}

    def test_a_constant_of_a_layer(self):
        lengths = set()

        class Loss:
            def __init__(self):
                self.goal = draw(6, seed=1)

            def forward(self, x):
                lengths.add(len(x))
                self.x = x
                return np.sum((x - self.goal) ** 2)

            def backward(self):
                return 2 * (self.x - self.goal)

        assert check_layer(Loss(), draw(6), params={"goal": None}).verdict == "pass"
        assert lengths == {6}

    def test_nothing_of_that_length(self):
        t = draw(3)
        assert self.record(lambda x: np.sum(x**2) + t.sum(), lambda x: 2 * x, draw(6)) >= {0, 1, 6}

    def test_compiled_code_without_a_look_at_its_indices(self):
        code = """
import numpy as np, numba
from npvae.gradcheck import check_gradient
target = np.random.default_rng(0).standard_normal(6)
@numba.njit
def loss(z, t):
    s = 0.0
    for i in range(t.size): s += np.tanh(z[i] - t[i])
    return s
@numba.njit
def fill(g, z, t):
    for i in range(t.size): g[i] = 1 - np.tanh(z[i] - t[i])**2
def grad(z):
    g = np.empty(z.size)
    fill(g, z, target)
    return g
x = np.random.default_rng(1).standard_normal(6)
for _ in range(10):
    report = check_gradient(lambda z: loss(z, target), grad, x)
print(report.verdict)
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
        assert (done.returncode, done.stdout.split()) == (0, ["pass"]), done.stderr


def log_determinant(A):
    return 2 * np.sum(np.log(np.diag(np.linalg.cholesky(A))))


def entropy(p):
    if np.any(np.real(p) < 0) or np.any(np.real(p) > 1):
        raise ValueError("probabilities are from 0 to 1")
    return -np.sum(np.log(p))


class TestStepsThatTheFunctionRefuses:
    def test_a_cholesky_factor(self):
        """np.linalg.cholesky reads the lower triangle alone."""

        def right(A):
            g = np.linalg.inv(A)
            return np.tril(2 * g) - np.diag(np.diag(g))

        assert check_gradient(log_determinant, right, POSITIVE_DEFINITE).verdict == "pass"
        assert check_gradient(log_determinant, np.linalg.inv, POSITIVE_DEFINITE).verdict == "fail"

    @pytest.mark.parametrize("last", [0.02, 1e-5, 1 - 1e-5])
    def test_a_border(self, last):
        p = np.array([0.5, 0.9, last])
        assert check_gradient(entropy, lambda p: -1 / p, p).verdict == "pass"
        assert check_gradient(entropy, lambda p: -2 / p, p).verdict == "fail"


class TestSmallConstants:
    def softmax(self, x):
        e = np.exp(x - x.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)

    def check(self, **options):
        t = np.array([0, 1, 3, 2, 1])

        def loss(x):
            return -np.log(self.softmax(x)[np.arange(5), t] + 1e-7).mean()

        def gradient(x):
            g = self.softmax(x)
            g[np.arange(5), t] -= 1
            return g / 5

        return check_gradient(loss, gradient, X, **options)

    def test_an_epsilon_in_a_logarithm(self):
        report = self.check()
        assert report.verdict == "fail"
        assert "small constant" in report.entries[0].hint
        assert self.check(rtol=1e-5).verdict == "pass"
        assert "rtol=1e-05" in self.check(rtol=1e-5).reproduce
        assert self.check(rtol=1e-9).verdict == "fail"

    def test_several_gradients_share_one_cause(self):
        class Network:
            def __init__(self, epsilon=1e-6):
                self.epsilon = epsilon

            def loss_and_grad(self, params, x):
                h = x @ params["W"] + params["b"]
                dh = 2 * h
                loss = np.sum(h**2) + self.epsilon * np.sum(h)
                return loss, {"W": x.T @ dh, "b": dh.sum(axis=0)}

        params = {"W": draw(4, 3), "b": draw(3)}
        report = check_network(Network(), params, X)
        assert {entry.verdict for entry in report.entries} == {"fail"}
        assert "one cause" in notes(report)
        assert check_network(Network(), params, X, rtol=1e-4).verdict == "pass"


def single(x):
    return np.asarray(x, np.complex64 if np.iscomplexobj(x) else np.float32)


class TestSinglePrecision:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("wide", [False, True])
    @pytest.mark.parametrize(("factor", "verdict"), [(1, "pass"), (2, "fail"), (1.01, "fail")])
    def test_inside_a_forward(self, dtype, wide, factor, verdict):
        def forward(x):
            y = np.sin(single(x))
            return (y.astype(np.complex128 if np.iscomplexobj(y) else np.float64) if wide else y), single(x)

        report = check_vjp(forward, lambda dy, x: factor * dy * np.cos(x), [draw(5).astype(dtype)])
        assert report.verdict == verdict, str(report)

    def test_a_gradient_of_fewer_digits(self):
        def gradient(x):
            return (3 * x**2).astype(np.float32)

        report = check_gradient(lambda x: np.sum(x**3), gradient, X)
        assert report.verdict == "pass", str(report)
        assert "precision" in notes(report)
        wrong = check_gradient(lambda x: np.sum(x**3), lambda x: 1.01 * gradient(x), X)
        assert wrong.verdict == "fail"


def test_a_cache_whose_sign_flips_is_no_noise():
    def backward(dy, cache):
        np.negative(cache, out=cache)
        return -2 * dy * cache

    report = check_vjp(lambda x: (x**2, x.copy()), backward, [X])
    assert report.verdict == "fail"
    assert "fresh noise" not in str(report)


def test_a_lost_constant_is_recognised():
    """The KL divergence of a normal distribution from N(0, 1), in its log-variance."""

    def forward(mu, log_var):
        return 0.5 * np.sum(np.exp(log_var) + mu**2 - 1 - log_var, axis=1), (mu, log_var)

    def backward(dy, cache):
        mu, log_var = cache
        return dy[:, None] * mu, dy[:, None] * 0.5 * np.exp(log_var)

    report = check_vjp(forward, backward, [X, draw(5, 4, seed=1)])
    assert report.entries[0].verdict == "pass"
    assert "off by 0.5 times dy" in report.entries[1].hint


def test_an_ignored_dy_is_recognised():
    report = check_vjp(lambda x: (np.sum(x**2), x), lambda dy, x: 2 * x, [X])
    assert "right for dy = 1" in report.entries[0].hint


class TestForms:
    def test_results_and_cache_side_by_side(self):
        def forward(x):
            return x**2, 3 * x, x

        assert check_vjp(forward, lambda dh, dc, x: 2 * dh * x + 3 * dc, [X]).verdict == "pass"
        assert check_vjp(forward, lambda dh, dc, x: 2 * dh * x + dc, [X]).verdict == "fail"

    def test_value_and_gradient(self):
        assert check_gradient(lambda x: (np.sum(x**2), 2 * x), None, X).verdict == "pass"
        assert check_gradient(lambda x: (np.sum(x**2), x), None, X).verdict == "fail"
        with pytest.raises(TypeError, match=r"check_gradient\(f, None, x\)"):
            check_gradient(lambda x: (np.sum(x**2), 2 * x), lambda x: 2 * x, X)

    def test_value_and_gradients_by_name(self):
        def loss(W, b):
            y = X @ W + b
            return np.sum(y**2), {"W": 2 * X.T @ y, "b": 2 * y.sum(axis=0)}

        report = check_gradient(loss, None, [draw(4, 3), draw(3)])
        assert (report.verdict, len(report.entries)) == ("pass", 2)

    def test_a_jacobian(self):
        def residuals(x):
            return np.array([10 * (x[1] - x[0] ** 2), 1 - x[0], x[0] * x[1]])

        def jacobian(x, wrong=1.0):
            return np.array([[-20 * x[0], 10], [-wrong, 0], [x[1], x[0]]])

        x = np.array([0.7, -0.4])
        assert check_gradient(residuals, jacobian, x).verdict == "pass"
        assert check_gradient(residuals, functools.partial(jacobian, wrong=1.1), x).verdict == "fail"

    def test_the_derivative_of_each_entry(self):
        assert check_gradient(np.tanh, lambda x: 1 - np.tanh(x) ** 2, X).verdict == "pass"
        assert check_gradient(np.tanh, lambda x: 1 - np.tanh(x), X).verdict == "fail"

    def test_a_result_that_is_not_floating(self):
        def forward(x):
            return (x.max(1), x.argmax(1)), x

        def backward(d, x):
            return (np.arange(4) == x.argmax(1)[:, None]) * d[0][:, None]

        report = check_vjp(forward, backward, [X])
        assert report.verdict == "pass", str(report)
        assert "results" in notes(report)
        assert check_vjp(forward, lambda d, x: 2 * backward(d, x), [X]).verdict == "fail"

    def test_the_gradient_of_the_first_result_alone(self):
        def backward(dy, x):
            return 2 * dy.reshape(x.shape)

        report = check_vjp(lambda x: ((2 * x, np.exp(x)), x), backward, [X])
        assert report.verdict == "pass"
        assert "first result" in notes(report)
        with pytest.raises(AttributeError) as caught:
            check_vjp(lambda x: ((2 * x, np.exp(x)), x), lambda dy, x: dy.nothing, [X])
        assert "def first(*args)" in caught.value.__notes__[0]

    def test_a_cache_that_comes_first(self):
        def forward(x):
            return x**2, x

        assert check_vjp(forward, lambda res, g: (2 * g * res,), [X]).verdict == "pass"
        assert check_vjp(forward, lambda res, g: (g * res,), [X]).verdict == "fail"

    def test_a_backward_that_forward_returns(self):
        def forward(x):
            return x**2, lambda dy: 2 * dy * x

        assert check_vjp(forward, None, [X]).verdict == "pass"
        assert check_vjp(lambda x: (x**2, lambda dy: dy * x), None, [X]).verdict == "fail"

    def test_shapes_that_differ_by_axes_of_length_one(self):
        right = check_vjp(lambda b: (X + b, None), lambda dy, _: dy.sum(axis=0), [draw(1, 4)])
        wrong = check_vjp(lambda b: (X + b, None), lambda dy, _: dy.mean(axis=0), [draw(1, 4)])
        assert (right.verdict, wrong.verdict) == ("fail", "fail")
        assert "its values are right" in right.entries[0].hint
        assert "its values are wrong too" in wrong.entries[0].hint

    def test_a_message_to_paste(self):
        with pytest.raises(TypeError, match=r"y1, y2, cache = forward\(\*args\)"):
            check_vjp(lambda x: (x, x, x), lambda dy, cache: dy, [X])


class TestFormsOfLayers:
    def test_a_class_with_a_context(self):
        class Square:
            factor = 2

            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x**2

            @staticmethod
            def backward(ctx, dy):
                (x,) = ctx.saved_tensors
                return 2 * x * dy

        class Wrong(Square):
            @staticmethod
            def backward(ctx, dy):
                return Square.backward(ctx, dy) * 2

        for make in (lambda kind: kind, lambda kind: kind()):
            report = check_layer(make(Square), X)
            assert (report.verdict, [e.name for e in report.entries]) == ("pass", ["x"])
            assert check_layer(make(Wrong), X).verdict == "fail"

    @pytest.mark.parametrize(
        "names",
        [("forward_pass", "backward_pass"), ("fprop", "bprop"), ("up", "down"), ("__call__", "bprop")],
    )
    def test_methods_of_other_names(self, names):
        def up(self, x):
            self.x = x
            return x**2

        def make(factor):
            down = lambda self, dy: factor * self.x * dy  # noqa: E731
            return type("Square", (), {names[0]: up, names[1]: down})()

        told = {"forward": "up", "backward": "down"} if names[0] == "up" else {}
        assert check_layer(make(2.0), X, **told).verdict == "pass"
        assert check_layer(make(1.0), X, **told).verdict == "fail"
        if told:
            with pytest.raises(TypeError, match="forward='propagate'"):
                check_layer(make(2.0), X)

    def test_a_backward_that_returns_the_derivative(self):
        class Sigmoid:
            factor = 1.0

            def forward(self, x):
                self.s = 1 / (1 + np.exp(-x))
                return self.s

            def backward(self):
                return self.factor * self.s * (1 - self.s)

        assert check_layer(Sigmoid(), X).verdict == "pass"
        wrong = Sigmoid()
        wrong.factor = 2.0
        assert check_layer(wrong, X).verdict == "fail"

    def test_inputs_in_a_list(self):
        class Multiply:
            factor = 1.0

            def forward(self, xs):
                self.a, self.b = xs
                return self.a * self.b

            def backward(self, dy):
                return [dy * self.b, self.factor * dy * self.a]

        wrong = Multiply()
        wrong.factor = 2.0
        for x in ([X, 2 * X + 1], ([X, 2 * X + 1],)):
            assert check_layer(Multiply(), x).verdict == "pass"
            assert check_layer(wrong, x).verdict == "fail"

    def test_inputs_in_a_tuple_that_come_back(self):
        class Product:
            factor = 1.0

            def forward(self, inputs):
                x, W = inputs
                return (x @ W,)

            def backward(self, inputs, grad_outputs):
                (x, W), (gy,) = inputs, grad_outputs
                return gy @ W.T, self.factor * x.T @ gy

        wrong = Product()
        wrong.factor = 2.0
        assert check_layer(Product(), ((X, draw(4, 3)),)).verdict == "pass"
        assert check_layer(wrong, ((X, draw(4, 3)),)).verdict == "fail"

    @pytest.mark.parametrize("rebinds", [False, True])
    def test_an_update_with_a_learning_rate(self, rebinds):
        class Dense:
            def __init__(self, factor=1.0):
                self.weights, self.bias, self.factor = draw(4, 3), draw(3), factor

            def forward(self, x):
                self.x = x
                return x @ self.weights + self.bias

            def backward(self, dy, learning_rate):
                dx = dy @ self.weights.T
                step = learning_rate * self.factor * self.x.T @ dy
                self.bias -= learning_rate * dy.sum(axis=0)
                if rebinds:
                    self.weights = self.weights - step
                else:
                    self.weights -= step
                return dx

        report = check_layer(Dense(), X)
        assert report.verdict == "pass", str(report)
        assert [entry.name for entry in report.entries] == ["x", "weights", "bias"]
        assert {e.name for e in check_layer(Dense(1.01), X).entries if e.verdict == "fail"} == {"weights"}

    def test_arguments_of_the_forward_again(self):
        class Loss:
            factor = 2.0

            def forward(self, pred, target):
                return np.sum((pred - target) ** 2)

            def backward(self, dy, pred, target):
                return self.factor * dy * (pred - target)

        wrong = Loss()
        wrong.factor = 1.0
        assert check_layer(Loss(), (X, draw(5, 4, seed=1))).verdict == "pass"
        assert check_layer(wrong, (X, draw(5, 4, seed=1))).verdict == "fail"


@pytest.mark.parametrize("library", ["torch", "jax.numpy"])
def test_arrays_of_other_libraries(library):
    numpy = pytest.importorskip(library)
    x = numpy.asarray(np.asarray(X, np.float64))

    def forward(x):
        assert isinstance(x, type(numpy.asarray(X)))
        return numpy.sin(x), x

    def backward(dy, x):
        assert isinstance(dy, type(x))
        return dy * numpy.cos(x)

    assert check_vjp(forward, backward, [x]).verdict == "pass"
    assert check_vjp(forward, lambda dy, x: 2 * backward(dy, x), [x]).verdict == "fail"
    assert check_gradient(lambda x: numpy.sum(x**3), lambda x: 3 * x**2, x).verdict == "pass"
    assert check_gradient(lambda x: numpy.sum(x**3), lambda x: x**2, x).verdict == "fail"
