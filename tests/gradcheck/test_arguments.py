"""Arguments and results of any structure in check_vjp, and what it says when it is misused."""

from typing import NamedTuple

import numpy as np
import pytest

from npvae.gradcheck import check_vjp
from tests.gradcheck.functions import dense_args, dense_backward, dense_forward, draw, reparameterize_forward


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
