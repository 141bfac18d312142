"""Functions for which the complex step raises an error or is wrong."""

import math

import numpy as np
import pytest

from npvae.gradcheck import check_vjp
from tests.gradcheck.functions import draw


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
        assert [r.verdict for r in (right, as_complex, neither)] == ["pass", "fail", "fail"]
        assert right.entries[0].method == "central differences"
        assert "it contradicts differences" in right.entries[0].hint

    def test_a_complex_step_that_nothing_confirms_is_noted(self):
        report = check_vjp(lambda x: (1 + 1e-13 * np.sum(x**2), x), lambda dy, x: 2e-13 * dy * x, [draw(5)])
        assert "alone" in report.entries[0].hint

    def test_a_forward_that_is_not_finite(self):
        report = check_vjp(lambda x: (x * np.nan, x), lambda dy, x: dy, [draw(5)])
        assert report.verdict == "inconclusive"
        assert "not finite" in report.entries[0].hint
