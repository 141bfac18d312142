"""Planted faults fail in check_vjp, for the right argument and with the right hint."""

import numpy as np
import pytest

from npvae.gradcheck import check_vjp
from tests.gradcheck.functions import (
    dense_args,
    dense_backward,
    dense_forward,
    draw,
    reparameterize_forward,
    softmax_forward,
)


def spoil_entry(dx, dW, db):
    dW = dW.copy()
    at = np.unravel_index(np.argmin(np.abs(np.abs(dW) - np.median(np.abs(dW)))), dW.shape)
    dW[at] *= 1.01
    return dx, dW, db


DENSE_FAULTS = {
    "factor 2": (lambda dx, dW, db: (2 * dx, dW, db), "x", "twice"),
    "factor 1/2": (lambda dx, dW, db: (dx, dW / 2, db), "W", "half"),
    "sign": (lambda dx, dW, db: (dx, dW, -db), "b", "sign"),
    "mean for sum": (lambda dx, dW, db: (dx, dW, db / 5), "b", "1/5 of"),
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
