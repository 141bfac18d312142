"""At a kink any slope between the one-sided ones is accepted, and nothing else is excused."""

import numpy as np
import pytest

from npvae.gradcheck import check_vjp
from npvae.gradcheck.kinks import slopes_beside
from npvae.gradcheck.objective import Objective, Probe
from tests.gradcheck.functions import draw, elementwise


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


def tie_rule(rule):
    """Return the backward of a maximum over rows that gives every entry that ties rule(number of ties)."""

    def backward(dy, x):
        ties = x == x.max(axis=1, keepdims=True)
        return dy[:, None] * ties * rule(ties.sum(axis=1, keepdims=True))

    return backward


def to_the_first(dy, x):
    return np.eye(x.shape[1])[x.argmax(axis=1)] * dy[:, None]


class TestTies:
    """Of entries that tie for a maximum each may take anything, as long as it adds up."""

    def tied(self, ties, seed):
        x = draw(3, 5, seed=seed)
        x[1, :ties] = 2.5
        x[2, -ties:] = 3.5
        return x

    def row_max(self, x):
        return x.max(axis=1), x

    @pytest.mark.parametrize("ties", [2, 3, 5])
    @pytest.mark.parametrize("seed", range(5))
    def test_correct_rules(self, ties, seed):
        for backward in (to_the_first, tie_rule(lambda n: 1 / n)):
            report = check_vjp(self.row_max, backward, [self.tied(ties, seed)], seed=seed)
            assert report.verdict == "kink", str(report)

    @pytest.mark.parametrize("ties", [2, 3, 5])
    @pytest.mark.parametrize("seed", range(5))
    def test_rules_that_do_not_add_up(self, ties, seed):
        for rule in (lambda n: 1.0, lambda n: n == 1, lambda n: 0.9 / n):
            report = check_vjp(self.row_max, tie_rule(rule), [self.tied(ties, seed)], seed=seed)
            assert report.entries[0].verdict == "fail", str(report)
            if rule(2) != 0.45:  # less than the true maximum's share is seen in rows without ties too
                assert "tied entries" in report.entries[0].hint

    def test_the_largest_absolute_value(self):
        """The direction along which entries of opposite sign stay tied moves them apart."""

        def forward(x):
            return np.max(np.abs(x)), x

        def backward(share):
            def pull(dy, x):
                ties = np.abs(x) == np.max(np.abs(x))
                return dy * ties * np.sign(x) * (1 / ties.sum() if share else 1.0)

            return pull

        x = np.array([0.3, -2.0, 2.0, 1.0])
        assert check_vjp(forward, backward(True), [x]).verdict == "kink"
        assert check_vjp(forward, backward(False), [x]).verdict == "fail"

    def test_overlapping_windows(self):
        """Max-pooling with stride 1: an entry may tie in two windows."""

        def forward(x):
            return np.maximum(x[:-1], x[1:]), x

        def backward(to_both):
            def pull(dy, x):
                dx = np.zeros_like(x)
                left = x[:-1] >= x[1:]
                dx[:-1] += dy * left
                dx[1:] += dy * (x[1:] >= x[:-1] if to_both else ~left)
                return dx

            return pull

        x = np.array([1.0, 2.0, 2.0, 0.5, 3.0, 3.0, 3.0])
        assert check_vjp(forward, backward(False), [x]).verdict == "kink"
        assert check_vjp(forward, backward(True), [x]).verdict == "fail"

    @pytest.mark.parametrize("seed", range(20))
    @pytest.mark.parametrize("rule", [0.0, 0.5, 1.0])
    def test_dead_units_are_no_ties(self, rule, seed):
        """The units of a layer of zeros all have their kink at the same point, and either side is right."""
        x, V = draw(4, 3, seed=seed), draw(5, 2, seed=seed + 100)

        def forward(W):
            return np.maximum(x @ W, 0) @ V, W

        def backward(dy, W):
            a = x @ W
            return x.T @ (dy @ V.T * np.where(a == 0, rule, a > 0))

        report = check_vjp(forward, backward, [np.zeros((3, 5))], seed=seed)
        assert report.verdict in ("kink", "inconclusive"), str(report)


def test_a_step_across_a_kink_shows_no_slope_of_its_own():
    """Otherwise a point that happens to lie on the kink would count as several kinks."""

    class Still:
        def standard_normal(self, shape):
            return np.zeros(shape)

    def slopes(f, x):
        objective = Objective("x", np.array([x]), lambda x: float(f(x[0])), 1.0, np.finfo(float).eps)
        return slopes_beside(objective, Probe((0,)), Still(), tolerance=0.1)

    assert slopes(abs, 0.0) == []
    np.testing.assert_allclose(slopes(abs, 0.5), 8 * [1.0], rtol=1e-6)


def test_a_zero_unit_of_a_leaky_layer_under_a_scalar_loss_never_fails():
    """Three samples' kinks meet in each weight, one of them small beside the others."""

    def forward(x, W, b, v):
        z = x @ W + b
        residual = np.where(z.real >= 0, z, 0.2 * z) @ v - 1
        return np.sum(residual**2) / 2, (x, z, v, residual)

    def backward(d_loss, cache):
        x, z, v, residual = cache
        dz = d_loss * residual[:, None] * v * np.where(z > 0, 1, 0.2)
        return x.T @ dz, dz.sum(axis=0)

    n = 12
    for seed in range(12):
        rng = np.random.default_rng(seed)
        x, W = rng.standard_normal((3, n)), rng.standard_normal((n, n))
        b, v = rng.standard_normal(n), rng.standard_normal(n)
        W[:, 0], b[0] = 0, 0
        report = check_vjp(forward, backward, [x, W, b, v], wrt=[1, 2], seed=seed)
        assert report.verdict in ("kink", "inconclusive"), str(report)
