"""Points where an oracle is easily wrong: correct code must not fail there."""

import numpy as np
import pytest

from npvae.gradcheck import check_gradient, check_vjp
from tests.gradcheck.functions import draw


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return p, p


def softmax_backward(dy, p):
    return p * (dy - np.sum(dy * p, axis=1, keepdims=True))


def batch_norm(x):
    centred = x - x.mean(axis=0)
    std = np.sqrt(x.var(axis=0) + 1e-5)
    return centred / std, (centred / std, std)


def batch_norm_backward(dy, cache):
    y, std = cache
    return (dy - dy.mean(axis=0) - y * np.mean(dy * y, axis=0)) / std


MASKED = np.array([[1.0, 2.0, -np.inf], [0.0, 1.0, 2.0]])


class TestInfinity:
    def test_masked_logits(self):
        report = check_vjp(softmax, softmax_backward, [MASKED])
        assert report.verdict == "pass", str(report)
        assert check_vjp(softmax, lambda dy, p: 1.01 * softmax_backward(dy, p), [MASKED]).verdict == "fail"

    def test_in_a_large_argument(self):
        z = draw(60, 50)
        z[:, ::7] = -np.inf
        assert check_vjp(softmax, softmax_backward, [z]).verdict == "pass"
        wrong = check_vjp(softmax, lambda dy, p: 1.01 * softmax_backward(dy, p), [z])
        assert wrong.verdict == "fail"

    def test_a_result_that_is_not_finite(self):
        with np.errstate(invalid="ignore"):
            report = check_vjp(lambda x: (np.log(x), x), lambda dy, x: dy / x, [np.array([1.0, -1.0, 2.0])])
        assert report.verdict == "inconclusive"
        assert "y is not finite at 1 of 3 places" in report.entries[0].hint

    @pytest.mark.parametrize("at_zero", [0.0, np.inf])
    def test_a_square_root_at_zero_is_undecided(self, at_zero):
        def backward(dy, x):
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.where(x > 0, 0.5 * dy / np.sqrt(x), dy * at_zero if at_zero else 0.0)

        report = check_vjp(lambda x: (np.sqrt(x), x), backward, [np.array([0.0, 1.0, 4.0])])
        assert report.verdict == "inconclusive", str(report)


class TestZeros:
    @pytest.mark.parametrize("power", [3, 4, 5])
    def test_powers_at_zero(self, power):
        """The complex step's own error must not be taken for a gradient."""
        for x in (np.zeros(3), np.arange(3.0)):
            report = check_gradient(lambda x, p=power: np.sum(x**p), lambda x, p=power: p * x ** (p - 1), x)
            assert report.verdict == "pass", str(report)

    def test_a_wrong_gradient_at_zero(self):
        report = check_gradient(lambda x: np.sum(x**3), lambda x: 3 * x**2 + 1e-6, np.zeros(3))
        assert report.verdict == "fail"

    def test_a_constant(self):
        report = check_vjp(lambda x: (np.ones(3), x), lambda dy, x: 0 * x, [draw(3)])
        assert report.verdict == "pass"
        assert "vacuous" in report.entries[0].hint
        assert check_vjp(lambda x: (np.ones(3), x), lambda dy, x: 0 * x + 1e-9, [draw(3)]).verdict == "fail"

    def test_most_of_a_large_argument_at_a_kink(self):
        """Projections through many kinks decide little; those beside the zeros still see a wrong column."""
        columns = np.where(np.arange(60) == 7, 1.1, 1.0)
        for seed in range(10):
            x = np.maximum(draw(60, 60, seed=seed), 0)
            right = check_vjp(lambda x: (np.maximum(x, 0), x), lambda dy, x: dy * (x > 0), [x], seed=seed)
            wrong = check_vjp(
                lambda x: (np.maximum(x, 0), x), lambda dy, x: dy * (x > 0) * columns, [x], seed=seed
            )
            assert (right.verdict, wrong.verdict) == ("kink", "fail")


class TestSteepFunctions:
    @pytest.mark.parametrize("x", [1e-2, 1e-4, 1e-5, 1e-6, -1e-6])
    def test_close_to_a_pole(self, x):
        x = np.array([x, 1.0])
        report = check_vjp(lambda x: (1 / x, x), lambda dy, x: -dy / x**2, [x])
        assert report.verdict == "pass", str(report)
        assert check_vjp(lambda x: (1 / x, x), lambda dy, x: -1.01 * dy / x**2, [x]).verdict == "fail"

    def test_logarithms_of_small_numbers(self):
        x = 10.0 ** -np.arange(1, 16)
        report = check_vjp(lambda x: (np.log(x), x), lambda dy, x: dy / x, [x])
        assert report.verdict == "pass", str(report)

    @pytest.mark.parametrize("mean", [100.0, 3000.0, 10000.0])
    @pytest.mark.parametrize("seed", range(4))
    def test_a_batch_norm_of_large_numbers_in_float32(self, mean, seed):
        x = (mean + draw(6, 4, seed=seed)).astype(np.float32)
        report = check_vjp(batch_norm, batch_norm_backward, [x], seed=seed)
        assert report.verdict in ("pass", "inconclusive"), str(report)

    @pytest.mark.parametrize("seed", range(10))
    def test_signs_by_normalisation(self, seed):
        """x / |x| with a single column: the gradient is zero, the terms in it are 1 / |x|."""

        def forward(x):
            return x / np.sqrt(np.sum(x**2, axis=1, keepdims=True)), x

        def backward(dy, x):
            norm = np.sqrt(np.sum(x**2, axis=1, keepdims=True))
            y = x / norm
            return (dy - y * np.sum(dy * y, axis=1, keepdims=True)) / norm

        report = check_vjp(forward, backward, [draw(4, 1, seed=seed)], seed=seed)
        assert report.verdict in ("pass", "inconclusive"), str(report)

    @pytest.mark.parametrize("spread", [1.0, 1e-2, 1e-3, 1e-4])
    @pytest.mark.parametrize("seed", range(3))
    def test_a_batch_norm_of_nearly_equal_numbers(self, spread, seed):
        x = 1000 + spread * draw(6, 4, seed=seed)
        report = check_vjp(batch_norm, batch_norm_backward, [x], seed=seed)
        assert report.verdict in (("pass",) if spread > 1e-2 else ("pass", "inconclusive")), str(report)

    def test_the_batch_norm_of_the_textbook(self):
        """np.var takes the modulus of complex numbers: differences decide."""
        x = draw(6, 4)
        report = check_vjp(batch_norm, batch_norm_backward, [x])
        assert report.verdict == "pass"
        assert "contradicts differences" in report.entries[0].hint
        forgotten = check_vjp(batch_norm, lambda dy, c: (dy - dy.mean(axis=0)) / c[1], [x])
        assert forgotten.verdict == "fail"  # although the complex step, which np.var misleads, agrees with it


def test_saturated_float32_is_linear():
    for seed in range(15):
        x = (30 * draw(6, 5, seed=seed)).astype(np.float32)
        report = check_vjp(softmax, softmax_backward, [x], seed=seed)
        assert not [check for check in report.checks if check.verdict == "fail"], str(report)


@pytest.mark.parametrize("seed", range(5))
def test_float32_data_with_float64_weights(seed):
    """Every gradient has the digits of the data that it is computed from."""

    def forward(x, g):
        centred = x - x.mean(axis=1, keepdims=True)
        normalised = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + x.dtype.type(1e-5))
        return normalised * g, (normalised, centred, x, g)

    def backward(dy, cache):
        normalised, centred, x, g = cache
        std = np.sqrt((centred**2).mean(axis=1, keepdims=True) + x.dtype.type(1e-5))
        dn = dy * g
        dx = dn - dn.mean(axis=1, keepdims=True)
        dx = dx - normalised * (dn * normalised).mean(axis=1, keepdims=True)
        return dx / std, np.sum(dy * normalised, axis=0)

    args = [draw(20, 30, seed=seed).astype(np.float32), draw(30, seed=seed + 50)]
    report = check_vjp(forward, backward, args, seed=seed)
    assert report.verdict == "pass", str(report)
