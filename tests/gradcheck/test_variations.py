import numpy as np
import pytest

from npvae.gradcheck import check_vjp
from tests.gradcheck.functions import draw


def square_forward(x):
    return x**2, x


def flat(x):
    """Read an array in the order of its memory, as code that ignores strides does."""
    return x.ravel(order="K").reshape(x.shape)


def failed(report):
    return {check.name for check in report.failures}


FAULTS = {
    "strides ignored": (
        square_forward,
        lambda dy, x: 2 * dy * flat(x),
        "transposed arrays",
    ),
    "squeezed": (square_forward, lambda dy, x: np.squeeze(2 * dy * x), "N = 1"),
    "N - 1": (
        lambda x: (np.sum(x**2, axis=1), x),
        lambda dy, x: 2 * dy[:, None] * x * (1 if len(x) > 1 else 0),
        "N = 1",
    ),
    "rows found by their values": (
        lambda x: (np.sum(x**2, axis=1), x),
        lambda dy, x: np.stack([2 * r * dy[np.argmax((x == r).all(axis=1))] for r in x]) if len(x) else x,
        "repeated rows",
    ),
    "a constant lost in float32": (
        lambda x: (np.tanh(x), x),
        lambda dy, x: dy * (1 - np.tanh(x) ** 2) * ((x.dtype.type(1) + x.dtype.type(1e-9)) > 1),
        "float32",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("seed", range(3))
def test_faults_are_found(name, seed):
    forward, backward, check = FAULTS[name]
    x = draw(6, 4, seed=seed)
    report = check_vjp(forward, backward, [x], seed=seed)
    assert {entry.verdict for entry in report.entries} == {"pass"}
    assert check in failed(report), str(report)
    assert report.verdict == "fail"
    assert check_vjp(forward, backward, [x], seed=seed, variations=False).verdict == "pass"


def test_a_broadcast_axis_that_is_not_summed():
    def forward(x, w):
        return x * w, (x, w)

    def backward(dy, cache):
        x, w = cache
        dw = np.sum(dy * x, axis=0, keepdims=True)
        dx = dy * w
        if x.shape[1] == 1:  # the sum over the other axis is forgotten
            dx = dx[:, :1]
        return dx, dw

    report = check_vjp(forward, backward, [draw(5, 3), draw(1, 3)])
    assert "broadcast axes" in failed(report)


def test_what_is_refused_is_a_note():
    def forward(x):
        if len(x) < 2:
            raise ValueError("two rows or more")
        if not x.flags.c_contiguous:
            raise ValueError("C order")
        return x - x.mean(axis=0), None

    report = check_vjp(forward, lambda dy, _: dy - dy.mean(axis=0), [draw(5, 3)])
    assert report.verdict == "pass"
    assert {"transposed arrays", "strided arrays", "N = 1", "N = 0"} <= {note.name for note in report.notes}


def affine(x, W, b):
    return x @ W + b, (x, W)


def affine_backward(dy, cache):
    return dy @ cache[1].T, cache[0].T @ dy, dy.sum(axis=0)


def product(x, w):
    return x * w, (x, w)


def product_backward(dy, cache):
    return dy * cache[1], dy * cache[0]


AS_LONG_AS_THE_BATCH = {
    "dense": (affine, affine_backward, [(4, 4), (4, 4), (4,)]),
    "features first": (
        lambda W, x: (W @ x, (W, x)),
        lambda dy, cache: (dy @ cache[1].T, cache[0].T @ dy),
        [(4, 4), (4, 4)],
    ),
    "elementwise": (product, product_backward, [(4, 4), (4, 4)]),
    "a weight for each feature": (
        product,
        lambda dy, cache: (dy * cache[1], np.sum(dy * cache[0], axis=0)),
        [(4, 4), (4,)],
    ),
    "a weight for each sample": (
        lambda x, w: (x * w[:, None], (x, w)),
        lambda dy, cache: (dy * cache[1][:, None], np.sum(dy * cache[0], axis=1)),
        [(4, 4), (4,)],
    ),
    "errors of each sample": (
        lambda x, t: (np.sum((x - t) ** 2, axis=1), x - t),
        lambda dy, r: (2 * dy[:, None] * r, -2 * dy[:, None] * r),
        [(4, 4), (4, 4)],
    ),
}


@pytest.mark.parametrize("name", AS_LONG_AS_THE_BATCH)
def test_weights_as_long_as_the_batch_are_not_taken_for_samples(name):
    forward, backward, shapes = AS_LONG_AS_THE_BATCH[name]
    report = check_vjp(forward, backward, [draw(*shape, seed=k) for k, shape in enumerate(shapes)])
    assert report.verdict == "pass", str(report)
    checks = {check.name: check.verdict for check in report.checks}
    assert checks["N = 1"] == checks["N = 0"] == checks["repeated rows"] == "pass"


def test_a_fault_of_a_batch_of_one_is_found_where_weights_are_as_long_as_the_batch():
    def backward(dy, cache):
        dx, dW, db = affine_backward(dy, cache)
        return dx, dW, db if len(dy) > 1 else 0 * db

    report = check_vjp(affine, backward, [draw(4, 4), draw(4, 4, seed=1), draw(4)])
    assert failed(report) == {"N = 1"}


def test_a_number_does_not_tell_which_axis_is_the_batch():
    report = check_vjp(
        lambda x, W: (np.sum(x @ W), (x, W)),
        lambda dy, cache: (
            dy * np.ones((len(cache[0]), 4)) @ cache[1].T,
            cache[0].T @ np.ones((len(cache[0]), 4)) * dy,
        ),
        [draw(4, 4), draw(4, 4, seed=1)],
    )
    assert report.verdict == "pass"
    assert "same length as the batch, 4" in str(report)


def test_ill_conditioned_code_is_not_failed_in_float32():
    def forward(x):
        return np.log(1 - np.tanh(5 + x) ** 2), x

    report = check_vjp(forward, lambda dy, x: -2 * dy * np.tanh(5 + x), [0.1 * draw(5, 3)])
    assert report.verdict == "pass", str(report)


@pytest.mark.parametrize("seed", range(8))
def test_normalisation_over_the_batch_is_not_failed(seed):
    def forward(x):
        centred = x - x.mean(axis=0)
        std = np.sqrt(np.mean(centred**2, axis=0) + 1e-5)
        return centred / std, (centred / std, std)

    def backward(dy, cache):
        y, std = cache
        return (dy - dy.mean(axis=0) - y * np.mean(dy * y, axis=0)) / std

    report = check_vjp(forward, backward, [draw(6, 4, seed=seed)], seed=seed)
    assert report.verdict == "pass", str(report)
