"""Correct functions of any size pass check_vjp, and the report says what was not shown."""

import numpy as np
import pytest

from npvae.gradcheck import check_vjp
from tests.gradcheck.functions import (
    dense_args,
    dense_backward,
    dense_forward,
    draw,
    elementwise,
    softmax_backward,
    softmax_forward,
)


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
