import math
from typing import NamedTuple

import numpy as np
import pytest

from npvae.gradcheck import check_vjp


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


class TestCorrectCode:
    @pytest.mark.parametrize("seed", range(5))
    @pytest.mark.parametrize("sizes", [(1, 1, 1), (5, 4, 3), (2, 30, 7)])
    def test_dense(self, sizes, seed):
        report = check_vjp(dense_forward, dense_backward, dense_args(*sizes), seed=seed)
        assert report.verdict == "pass"
        assert [entry.name for entry in report.entries] == ["x", "W", "b"]
        for entry in report.entries:
            assert entry.method == "complex step"
            assert entry.errors["complex step"] < 1e-12
            assert entry.errors["central differences"] < 1e-7

    @pytest.mark.parametrize("scale", [1e-12, 1e-4, 1.0, 1e4, 1e12])
    def test_gradients_of_any_size(self, scale):
        forward, backward = elementwise(lambda x: scale * np.tanh(x), lambda x: scale / np.cosh(x) ** 2)
        report = check_vjp(forward, backward, [draw(6)])
        assert report.verdict == "pass"
        assert max(report.entries[0].errors.values()) < 1e-7

    @pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
    def test_arguments_of_any_size(self, scale):
        forward, backward = elementwise(lambda x: np.log(np.exp(1.0) + (x / scale) ** 2), lambda x: 0.0)

        def right(dy, x):
            return dy * 2 * x / scale**2 / (np.exp(1.0) + (x / scale) ** 2)

        assert check_vjp(forward, right, [scale * draw(6)]).verdict == "pass"
        assert check_vjp(forward, backward, [scale * draw(6)]).verdict == "fail"

    @pytest.mark.parametrize("seed", range(10))
    def test_float32(self, seed):
        args = [a.astype(np.float32) for a in dense_args(20, 30, 10)]
        report = check_vjp(dense_forward, dense_backward, args, seed=seed)
        assert report.verdict == "pass"
        assert report.entries[0].method == "complex step"

    def test_rows_that_sum_to_a_constant(self):
        assert check_vjp(softmax_forward, softmax_backward, [draw(4, 6)]).verdict == "pass"

    def test_a_gradient_of_exactly_zero_is_noted_as_vacuous(self):
        report = check_vjp(
            lambda x, unused: (x**2, x), lambda dy, x: (2 * x * dy, np.zeros(3)), [draw(4), draw(3)]
        )
        assert report.verdict == "pass"
        assert "vacuous" in report.entries[1].hint

    def test_a_gradient_below_the_noise_is_not_passed(self):
        def forward(x, shift):
            shifted = x + shift
            return shifted - shifted.mean(axis=0), None

        def backward(dy, cache):
            dx = dy - dy.mean(axis=0)
            return dx, dx.sum(axis=0)

        report = check_vjp(forward, backward, [draw(7, 3), np.ones(3)])
        assert [entry.verdict for entry in report.entries] == ["pass", "inconclusive"]
        assert "vacuous" in report.entries[1].hint
        assert not report.passed

    def test_an_array_without_entries(self):
        report = check_vjp(dense_forward, dense_backward, dense_args(0, 4, 3))
        assert report.entries[0].verdict == "pass"
        assert "vacuous" in report.entries[0].hint

    def test_the_seed_repeats_everything(self):
        first, second = (check_vjp(dense_forward, dense_backward, dense_args(), seed=3) for _ in range(2))
        assert first == second
        assert first != check_vjp(dense_forward, dense_backward, dense_args(), seed=4)

    def test_a_large_array_is_sampled(self):
        report = check_vjp(dense_forward, dense_backward, dense_args(30, 90, 40))
        assert report.verdict == "pass"
        assert report.entries[1].checked == "64 of 3600, 8 projections"
        assert report.entries[2].checked == "all"

    def test_an_argument_changed_by_its_own_forward_does_not_mislead_the_oracle(self):
        def forward(x):
            x *= 2
            return x**2, x.copy()

        report = check_vjp(forward, lambda dy, doubled: 4 * doubled * dy, [draw(4)])
        assert report.entries[0].verdict == "pass"
        assert [check.name for check in report.failures] == ["unchanged inputs"]


class Moments(NamedTuple):
    mean: np.ndarray
    square: np.ndarray


class TestStructure:
    def test_a_named_tuple_of_results(self):
        def forward(x):
            return Moments(x.mean(axis=0), np.sum(x**2)), x

        def backward(dy, x):
            assert isinstance(dy, Moments)
            assert dy.mean.shape == (3,)
            assert np.shape(dy.square) == ()
            return dy.mean / len(x) + 2 * x * dy.square

        assert check_vjp(forward, backward, [draw(5, 3)]).verdict == "pass"
        wrong = check_vjp(forward, lambda dy, x: dy.mean + 2 * x * dy.square, [draw(5, 3)])
        assert wrong.verdict == "fail"

    def test_wrt_by_name_and_position(self):
        def backward(dy, cache):
            std, eps = cache
            return dy, dy * eps * std / 2

        args = draw(5, 2), draw(5, 2, seed=1), draw(5, 2, seed=2)
        for wrt in (["mu", "log_var"], [0, 1]):
            report = check_vjp(reparameterize_forward, backward, args, wrt=wrt)
            assert report.verdict == "pass"
            assert [entry.name for entry in report.entries] == ["mu", "log_var"]
            assert f"wrt={wrt!r}" in report.reproduce

    def test_scalars_and_other_arguments(self):
        def forward(x, slope, times, label):
            assert label == "a label"
            assert x.dtype.kind in "fc"
            return slope * x**times, (x, slope, times)

        def backward(dy, cache):
            x, slope, times = cache
            return dy * slope * times * x ** (times - 1), np.sum(dy * x**times)

        report = check_vjp(forward, backward, [draw(4), 0.3, 3, "a label"])
        assert report.verdict == "pass"
        assert [entry.shape for entry in report.entries] == [(4,), ()]

    def test_names(self):
        args = dense_args()
        report = check_vjp(dense_forward, dense_backward, args, names=["input", "weights", "bias"])
        assert [entry.name for entry in report.entries] == ["input", "weights", "bias"]
        starred = check_vjp(lambda *a: dense_forward(*a), dense_backward, args)
        assert [entry.name for entry in starred.entries] == ["arg0", "arg1", "arg2"]

    @pytest.mark.parametrize(
        ("call", "error", "match"),
        [
            (lambda: check_vjp(lambda x: x, lambda dy, c: dy, [draw(3)]), TypeError, "pair"),
            (lambda: check_vjp(lambda x: (x > 0, x), lambda dy, c: dy, [draw(3)]), TypeError, "bool"),
            (lambda: check_vjp(dense_forward, dense_backward, [1, 2, 3]), ValueError, "nothing"),
            (lambda: check_vjp(dense_forward, dense_backward, dense_args(), wrt=["z"]), ValueError, "'z'"),
            (lambda: check_vjp(dense_forward, dense_backward, dense_args(), wrt=[7]), ValueError, "7"),
            (lambda: check_vjp(dense_forward, dense_backward, dense_args(), wrt=[]), ValueError, "empty"),
            (
                lambda: check_vjp(dense_forward, dense_backward, dense_args(), wrt=[0]),
                ValueError,
                "3 gradients",
            ),
            (
                lambda: check_vjp(dense_forward, dense_backward, dense_args(), names=["x"]),
                ValueError,
                "1 names",
            ),
        ],
    )
    def test_misuse_is_explained(self, call, error, match):
        with pytest.raises(error, match=match):
            call()


def spoil_entry(dx, dW, db):
    dW = dW.copy()
    at = np.unravel_index(np.argmin(np.abs(np.abs(dW) - np.median(np.abs(dW)))), dW.shape)
    dW[at] *= 1.01
    return dx, dW, db


DENSE_FAULTS = {
    "factor 2": (lambda dx, dW, db: (2 * dx, dW, db), "x", "twice"),
    "factor 1/2": (lambda dx, dW, db: (dx, dW / 2, db), "W", "half"),
    "sign": (lambda dx, dW, db: (dx, dW, -db), "b", "sign"),
    "mean for sum": (lambda dx, dW, db: (dx, dW, db / 5), "b", "mean for a"),
    "one N too many": (lambda dx, dW, db: (dx, 5 * dW, db), "W", "missing 1/5"),
    "transpose": (lambda dx, dW, db: (dx, dW.T, db), "W", "transpose"),
    "zero": (lambda dx, dW, db: (dx, 0 * dW, db), "W", "zero"),
    "one entry 1 % off": (spoil_entry, "W", "1 of 16"),
    "all 0.1 % off": (lambda dx, dW, db: (1.001 * dx, dW, db), "x", "1.001"),
    "one column off": (lambda dx, dW, db: (dx, np.roll(dW, 1, axis=1), db), "W", ""),
    "not a number": (lambda dx, dW, db: (dx * np.nan, dW, db), "x", "not finite"),
    "wrong shape": (lambda dx, dW, db: (dx, dW, db[None]), "b", "shape"),
    "none": (lambda dx, dW, db: (dx, None, db), "W", "None"),
}


class TestPlantedFaults:
    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize("fault", DENSE_FAULTS)
    def test_dense(self, fault, seed, dtype):
        spoil, name, hint = DENSE_FAULTS[fault]
        args = [a.astype(dtype) for a in dense_args(5, 4, 4)]

        def backward(dy, cache):
            return spoil(*dense_backward(dy, cache))

        report = check_vjp(dense_forward, backward, args, wrt=["x", "W", "b"], seed=seed)
        assert not report.passed
        verdicts = {entry.name: entry.verdict for entry in report.entries}
        assert verdicts == {"x": "pass", "W": "pass", "b": "pass"} | {name: "fail"}
        assert hint in report.worst.hint
        assert report.worst.name == name

    def test_the_worst_index_is_found(self):
        def backward(dy, cache):
            dx, dW, db = dense_backward(dy, cache)
            dW[2, 1] += 1e-3
            return dx, dW, db

        report = check_vjp(dense_forward, backward, dense_args())
        assert report.worst.index == (2, 1)
        assert report.worst.analytic == pytest.approx(report.worst.numeric + 1e-3)
        assert abs(report.worst.analytic - report.worst.numeric) > report.worst.tolerance

    def test_one_entry_in_a_large_array_is_found_by_projections(self):
        def backward(dy, cache):
            dx, dW, db = dense_backward(dy, cache)
            dW[17, 23] *= 1.01
            return dx, dW, db

        report = check_vjp(dense_forward, backward, dense_args(5, 60, 40))
        assert report.worst.name == "W"
        assert report.verdict == "fail"
        assert report.worst.index is None

    @pytest.mark.parametrize("scale", [1e-7, 1e-30, 1e-100])
    def test_zero_for_a_small_gradient(self, scale):
        report = check_vjp(lambda x: (scale * np.sum(x**2), x), lambda dy, x: np.zeros_like(x), [draw(5)])
        assert report.verdict == "fail"

    def test_zero_for_a_gradient_that_is_small_beside_the_function(self):
        def forward(x):
            return 1 + 1e-13 * np.sum(x**2), x

        assert check_vjp(forward, lambda dy, x: 2e-13 * dy * x, [draw(5)]).verdict == "pass"
        assert check_vjp(forward, lambda dy, x: np.zeros_like(x), [draw(5)]).verdict == "fail"

    def test_something_for_a_gradient_of_zero(self):
        report = check_vjp(lambda x, y: (2 * x, x), lambda dy, x: (2 * dy, 1e-9 * dy), [draw(5), draw(5)])
        assert [entry.verdict for entry in report.entries] == ["pass", "fail"]

    def test_the_log_variance_with_a_wrong_factor(self):
        def backward(dy, cache):
            std, eps = cache
            return dy, dy * eps * std

        args = draw(5, 2), draw(5, 2, seed=1), draw(5, 2, seed=2)
        report = check_vjp(reparameterize_forward, backward, args, wrt=[0, 1])
        assert [entry.verdict for entry in report.entries] == ["pass", "fail"]
        assert "missing 1/2" in report.entries[1].hint

    def test_the_gradient_of_another_argument(self):
        def backward(dy, cache):
            a, _ = cache
            return dy * a, dy * a

        report = check_vjp(lambda a, b: (a * b, (a, b)), backward, [draw(5), draw(5, seed=1)])
        assert report.entries[0].hint == "it is the gradient of b"
        assert report.entries[1].verdict == "pass"

    def test_heads_swapped(self):
        def backward(dy, cache):
            std, eps = cache
            return dy * eps * std / 2, dy

        args = draw(5, 2), draw(5, 2, seed=1), draw(5, 2, seed=2)
        report = check_vjp(reparameterize_forward, backward, args, wrt=[0, 1])
        assert [e.hint for e in report.entries] == [
            "it is the gradient of log_var",
            "it is the gradient of mu",
        ]

    def test_a_softmax_without_its_coupling(self):
        report = check_vjp(softmax_forward, lambda dy, y: dy * y * (1 - y), [draw(4, 6)])
        assert report.verdict == "fail"


def norm_forward(x):
    return np.linalg.norm(x, axis=1), x


def norm_backward(dy, x):
    return x * (dy / np.linalg.norm(x, axis=1))[:, None]


def buffer_forward(x):
    y = np.empty(x.shape)
    y[:] = x**3
    return y, x


def loop_forward(x):
    return np.array([[math.exp(v) for v in row] for row in x]), x


def float32_forward(x):
    if x.dtype != np.float32:
        raise TypeError("compiled for float32")
    return np.tanh(x), x


UNSAFE = {
    "np.abs": (lambda x: (np.abs(x), x), lambda dy, x: dy * np.sign(x)),
    "np.linalg.norm": (norm_forward, norm_backward),
    "np.logaddexp": (lambda x: (np.logaddexp(0, x), x), lambda dy, x: dy / (1 + np.exp(-x))),
    "float buffer": (buffer_forward, lambda dy, x: dy * 3 * x**2),
    "math.exp": (loop_forward, lambda dy, x: dy * np.exp(x)),
    "float32 inside": (lambda x: (np.tanh(x.astype(np.float32)), x), lambda dy, x: dy / np.cosh(x) ** 2),
}


class TestComplexUnsafe:
    @pytest.mark.parametrize("name", UNSAFE)
    def test_differences_take_over(self, name):
        forward, backward = UNSAFE[name]
        report = check_vjp(forward, backward, [draw(3, 4)])
        assert report.verdict == "pass"
        assert report.entries[0].method == "central differences"
        assert "no complex step" in report.entries[0].hint

    @pytest.mark.parametrize("fault", [0.0, 0.98, -1.0, 2.0])
    @pytest.mark.parametrize("name", UNSAFE)
    def test_wrong_code_fails(self, name, fault):
        forward, backward = UNSAFE[name]
        assert check_vjp(forward, lambda dy, x: fault * backward(dy, x), [draw(3, 4)]).verdict == "fail"

    def test_a_function_of_float32_alone(self):
        x = draw(3, 4).astype(np.float32)
        report = check_vjp(float32_forward, lambda dy, x: dy / np.cosh(x) ** 2, [x])
        assert report.verdict == "pass"
        assert report.entries[0].method == "central differences"
        report = check_vjp(float32_forward, lambda dy, x: 1.02 * dy / np.cosh(x) ** 2, [x])
        assert report.verdict == "fail"

    def test_a_lie_of_the_complex_step_is_never_passed(self):
        def forward(x):
            return x * np.abs(x), x

        right = check_vjp(forward, lambda dy, x: dy * 2 * np.abs(x), [draw(5)])
        as_complex = check_vjp(forward, lambda dy, x: dy * np.abs(x), [draw(5)])
        neither = check_vjp(forward, lambda dy, x: dy * 3 * np.abs(x), [draw(5)])
        assert [r.verdict for r in (right, as_complex, neither)] == ["inconclusive", "inconclusive", "fail"]
        assert "disagree" in right.entries[0].hint

    def test_a_complex_step_that_nothing_confirms_is_noted(self):
        report = check_vjp(lambda x: (1 + 1e-13 * np.sum(x**2), x), lambda dy, x: 2e-13 * dy * x, [draw(5)])
        assert "alone" in report.entries[0].hint

    def test_a_forward_that_is_not_finite(self):
        report = check_vjp(lambda x: (x * np.nan, x), lambda dy, x: dy, [draw(5)])
        assert report.verdict == "inconclusive"
        assert "not finite" in report.entries[0].hint


def at_zero(value, smooth):
    return lambda dy, x: dy * np.where(x == 0, value, smooth(x))


KINKS = {
    "relu": (lambda x: np.maximum(x, 0), lambda x: 1.0 * (x > 0), (0, 1)),
    "relu by where": (lambda x: np.where(x > 0, x, 0), lambda x: 1.0 * (x > 0), (0, 1)),
    "leaky relu": (lambda x: np.where(x > 0, x, 0.1 * x), lambda x: np.where(x > 0, 1, 0.1), (0.1, 1)),
    "abs": (np.abs, np.sign, (-1, 1)),
    "clip": (lambda x: np.clip(x, 0, 0.5), lambda x: 1.0 * ((x > 0) & (x < 0.5)), (0, 1)),
}


class TestKinks:
    @pytest.mark.parametrize("part", [0.0, 0.5, 1.0])
    @pytest.mark.parametrize("name", KINKS)
    def test_between_the_slopes(self, name, part):
        f, smooth, (low, high) = KINKS[name]
        x = draw(6)
        x[2] = 0
        report = check_vjp(lambda x: (f(x), x), at_zero(low + part * (high - low), smooth), [x])
        assert report.verdict == "kink"
        assert report.passed
        assert "1 of 6" in report.entries[0].hint

    @pytest.mark.parametrize("outside", [-0.05, 1.05])
    @pytest.mark.parametrize("name", KINKS)
    def test_outside_the_slopes(self, name, outside):
        f, smooth, (low, high) = KINKS[name]
        x = draw(6)
        x[2] = 0
        report = check_vjp(lambda x: (f(x), x), at_zero(low + outside * (high - low), smooth), [x])
        assert report.verdict == "fail"
        assert report.entries[0].index == (2,)

    def test_a_kink_excuses_nothing_elsewhere(self):
        x = draw(6)
        x[2] = 0
        report = check_vjp(lambda x: (np.abs(x), x), lambda dy, x: dy * (x > 0), [x])
        assert report.verdict == "fail"

    def test_every_entry_at_a_kink(self):
        report = check_vjp(lambda x: (np.abs(x), x), lambda dy, x: dy * np.sign(x), [np.zeros(3)])
        assert report.verdict == "kink"

    def test_a_maximum_with_ties(self):
        def backward(dy, cache):
            return np.eye(4)[cache.argmax(axis=1)] * dy[:, None]

        x = draw(3, 4)
        x[1] = 2.0
        assert check_vjp(lambda x: (x.max(axis=1), x), backward, [x]).verdict == "kink"
        assert (
            check_vjp(lambda x: (x.max(axis=1), x), lambda dy, x: 1.1 * backward(dy, x), [x]).verdict
            == "fail"
        )

    @pytest.mark.parametrize("distance", [1e-3, 1e-5, 1e-6, -1e-6, -1e-4])
    def test_a_kink_close_by(self, distance):
        forward, backward = elementwise(lambda x: np.maximum(x, 0), lambda x: 1.0 * (x > 0))
        x = draw(6)
        x[2] = distance
        assert check_vjp(forward, backward, [x]).verdict == "pass"
        wrong = check_vjp(
            forward, lambda dy, x: dy * (x > -2 * abs(distance)) * (x < 0) + dy * (x > 0.1), [x]
        )
        assert wrong.verdict == "fail"

    @pytest.mark.parametrize("rule", [0.0, 0.5, 1.0])
    @pytest.mark.parametrize("seed", range(10))
    def test_a_scalar_at_zero_that_scales_relus(self, seed, rule):
        a = draw(7, seed=seed)

        def forward(s):
            return np.maximum(s * a, 0), s

        def backward(dy, s):
            return np.sum(dy * a * np.where(s * a == 0, rule, s * a > 0))

        assert check_vjp(forward, backward, [0.0], seed=seed).verdict == "kink"
        wrong = check_vjp(forward, lambda dy, s: backward(dy, s) + 9.0, [0.0], seed=seed)
        assert wrong.verdict == "fail"

    @pytest.mark.parametrize("seed", range(10))
    def test_the_same_in_one_number_is_not_failed(self, seed):
        a, v = draw(2, 7, seed=seed)

        def forward(s):
            return np.sum(v * np.maximum(s * a, 0)), s

        def backward(dy, s):
            return dy * np.sum(v * a * (s * a > 0))

        report = check_vjp(forward, backward, [0.0], seed=seed)
        assert report.verdict in ("kink", "inconclusive")
        assert check_vjp(forward, lambda dy, s: dy * 50.0, [0.0], seed=seed).verdict == "fail"

    @pytest.mark.parametrize("seed", range(10))
    def test_another_argument_takes_kinks_apart(self, seed):
        a, v = draw(2, 7, seed=seed)

        def forward(s, b):
            return np.sum(v * np.maximum(s * a + b, 0)), (s, b)

        def backward(dy, cache):
            s, b = cache
            on = s * a + b > 0
            return dy * np.sum(v * a * on), dy * v * on

        report = check_vjp(forward, backward, [0.0, np.zeros(7)], seed=seed)
        assert report.verdict in ("kink", "inconclusive")
