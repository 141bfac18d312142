"""What is unusual or undecidable gives a note and no failure."""

import numpy as np
import pytest

from npvae.gradcheck import check_gradient, check_layer, check_vjp
from tests.gradcheck.functions import draw


def notes(report):
    return {note.name for note in report.notes}


def failed(report):
    return {check.name for check in report.failures}


TARGETS = draw(5, 4, seed=9)


class SquaredError:
    """Holds its targets, as many losses do."""

    def __init__(self):
        self.targets = TARGETS

    def forward(self, x):
        self.x = x
        return np.mean((x - self.targets) ** 2)

    def backward(self, dy=1.0):
        return dy * 2 * (self.x - self.targets) / self.x.size


class TestWhatTheFunctionHolds:
    """One row that is broadcast against targets that the function holds is not a batch of one."""

    def test_a_closure(self):
        for x in (draw(5), draw(5, 4)):
            t = draw(*x.shape, seed=3)
            report = check_gradient(lambda x, t=t: np.sum((x - t) ** 2), lambda x, t=t: 2 * (x - t), x)
            assert report.verdict == "pass", str(report)
            assert {"N = 1"} <= notes(report)

    def test_an_attribute(self):
        assert check_layer(SquaredError(), draw(5, 4)).verdict == "pass"


SYMMETRIC = draw(4, 4) @ draw(4, 4).T + 4 * np.eye(4)


class TestArgumentsOfAStructure:
    """Formulas that hold only for symmetric or sorted arguments pass where these are given."""

    def test_the_determinant_of_a_symmetric_matrix(self):
        report = check_vjp(
            lambda A: (np.linalg.slogdet(A)[1], A), lambda dy, A: dy * np.linalg.inv(A), [SYMMETRIC]
        )
        assert report.verdict == "pass", str(report)
        assert "another point" in notes(report)

    def test_interpolation(self):
        xp, fp = np.sort(draw(7)), draw(7, seed=1)

        def forward(x, xp, fp):
            return np.interp(x, xp, fp), (x, xp, fp)

        def backward(dy, cache):
            x, xp, fp = cache
            k = np.clip(np.searchsorted(xp, x) - 1, 0, len(xp) - 2)
            inside = (x > xp[0]) & (x < xp[-1])
            return dy * inside * (fp[k + 1] - fp[k]) / (xp[k + 1] - xp[k])

        report = check_vjp(forward, backward, [draw(5, seed=2), xp, fp], wrt=["x"])
        assert report.passed, str(report)

    def test_sums_over_segments(self):
        def forward(x, starts):
            return np.add.reduceat(x, starts), (len(x), starts)

        def backward(dy, cache):
            n, starts = cache
            return np.repeat(dy, np.diff([*starts, n]), axis=0)

        report = check_vjp(forward, backward, [draw(10, 3), np.array([0, 4, 6])])
        assert report.verdict == "pass", str(report)

    @pytest.mark.parametrize("seed", range(6))
    def test_an_inverse_has_no_batch_axis(self, seed):
        def backward(dy, B):
            return -B.T @ dy @ B.T

        report = check_vjp(
            lambda A: (np.linalg.inv(A), np.linalg.inv(A)), backward, [draw(4, 4, seed=seed)], seed=seed
        )
        assert not failed(report), str(report)

    def test_differences_of_neighbours(self):
        def backward(dy, x):
            s = np.sign(np.diff(x))
            return dy * (np.concatenate([[0], s]) - np.concatenate([s, [0]]))

        report = check_vjp(lambda x: (np.abs(np.diff(x)).sum(), x), backward, [draw(6)])
        assert report.passed, str(report)

    def test_a_standard_deviation(self):
        def backward(dy, x):
            return dy * (x - x.mean()) / np.std(x) / x.size

        assert check_vjp(lambda x: (np.std(x), x), backward, [draw(6)]).verdict == "pass"


def test_running_averages_may_be_updated_in_place():
    def forward(x, mean):
        mean *= 0.9
        mean += 0.1 * x.mean(axis=0)
        return x - x.mean(axis=0), None

    report = check_vjp(forward, lambda dy, _: dy - dy.mean(axis=0), [draw(5, 3), np.zeros(3)], wrt="x")
    assert report.verdict == "pass", str(report)
    assert any("forward changes mean" in note.detail for note in report.notes)


def test_a_part_of_the_state_that_is_stale():
    """The first batch's mask is kept in the object: its gradient at another point is neither A's nor B's."""

    class Relu:
        mask = None

        def forward(self, x):
            if self.mask is None:
                self.mask = x > 0
            return np.maximum(x, 0) ** 2, x

        def backward(self, dy, x):
            return 2 * dy * x * self.mask

    layer = Relu()
    report = check_vjp(layer.forward, layer.backward, [draw(5, 4)])
    assert {entry.verdict for entry in report.entries} == {"pass"}
    assert "stale cache" in failed(report)


def test_errors_that_float32_hides_show_in_float64():
    W = (0.01 * draw(8, 3)).astype(np.float32)
    x, decay = draw(20, 8, seed=1).astype(np.float32), 1e-4

    def forward(x, W):
        return np.sum((x @ W) ** 2, dtype=W.dtype) + W.dtype.type(decay) * np.sum(W**2), (x, W)

    def backward(dy, cache, decay=decay):
        x, W = cache
        return dy * 2 * (x @ W) @ W.T, dy * (2 * x.T @ (x @ W) + 2 * W.dtype.type(decay) * W)

    assert check_vjp(forward, backward, [x, W]).verdict == "pass"
    report = check_vjp(forward, lambda dy, cache: backward(dy, cache, 0.0), [x, W])
    assert {entry.verdict for entry in report.entries} == {"pass"}
    assert failed(report) == {"float64"}


def test_a_left_out_argument_that_matters_is_said_to():
    def forward(x, w, unused):
        return x * w, (x, w)

    def backward(dy, cache):
        return dy * cache[1], None, None

    args = [draw(3), draw(3), draw(3)]
    report = check_vjp(forward, backward, args)
    assert (report.verdict, failed(report)) == ("inconclusive", {"left out"})
    assert "no gradient was found for w, though y depends on it" in str(report)
    assert "no gradient was found for unused, and y does not depend on it" in str(report)
    told = check_vjp(forward, lambda dy, cache: backward(dy, cache)[0], args, wrt="x")
    assert told.verdict == "pass"


@pytest.mark.parametrize("name", ["target", "y_true", "mask"])
def test_plain_numbers_masks_and_targets_need_no_gradient(name):
    def forward(x, slope, target):
        return slope * (x - target), slope

    def backward(dy, slope):
        return dy * slope, None, None

    report = check_vjp(forward, backward, [draw(5, 4), 0.5, draw(5, 4, seed=1)], names=["x", "slope", name])
    assert report.verdict == "pass", str(report)
    assert "left out" in notes(report)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: check_vjp(lambda x: (x, None), lambda dy, c: dy, draw(3)), r"must be a list .* \[x\]"),
        (lambda: check_vjp(lambda x: (x, None), lambda dy, c: dy, [np.arange(3)]), "x is int64"),
        (lambda: check_vjp(lambda x: x, lambda dy, c: dy, [draw(3)]), "not ndarray"),
        (lambda: check_vjp(lambda x: (x, x, x), lambda dy, c: dy, [draw(3)]), "not 3 values"),
        (
            lambda: check_vjp(lambda x: ((x, x), None), lambda d1, d2, d3, c: d1, [draw(3)]),
            r"backward\(d1, d2, d3, c\)",
        ),
        (
            lambda: check_gradient(lambda x: x[0], lambda x: x, [1.0, 2.0]),
            r"as an array, np.array\(x\)",
        ),
    ],
)
def test_calls_that_cannot_work(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_gradients_in_another_order():
    def backward(dy, cache):
        x, w = cache
        return np.sum(dy * x, axis=0), dy * w

    report = check_vjp(lambda x, w: (x * w, (x, w)), backward, [draw(5, 3), draw(3)])
    assert report.verdict == "fail"
    assert any("in the order w, x" in note.detail for note in report.notes)


def test_an_argument_that_must_stay_as_it_is_matters():
    """Whether y depends on it cannot be seen, so the report must not say that y does not."""
    rotation = np.array([[0.6, -0.8], [0.8, 0.6]])

    def forward(x, Q):
        if not np.array_equal(Q, rotation):
            raise ValueError("not orthogonal")
        return x @ Q, Q

    report = check_vjp(forward, lambda dy, Q: (dy @ Q.T, None), [draw(3, 2), rotation])
    assert report.verdict == "inconclusive", str(report)
