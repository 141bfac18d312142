"""Products of a Hessian with a vector, against complex steps of the gradient."""

import numpy as np
import pytest

from npvae.gradcheck import check_hvp, check_vjp
from tests.gradcheck.functions import draw

A = draw(6, 6)
SYMMETRIC = A + A.T


def rosenbrock_gradient(x, y):
    return -2 * (1 - x) - 4 * x * (y - x**2), 2 * (y - x**2)


def rosenbrock_hvp(point, v):
    (x, y), (s, t) = point, v
    return (2 - 4 * y + 12 * x**2) * s - 4 * x * t, -4 * x * s + 2 * t


def test_a_quadratic_form():
    report = check_hvp(lambda x: SYMMETRIC @ x, lambda x, v: SYMMETRIC @ v, draw(6))
    assert report.verdict == "pass"
    assert report.entries[0].name == "x"
    assert report.entries[0].error < 1e-13


def test_several_arguments():
    point = [draw(4), draw(4, seed=1)]
    report = check_hvp(rosenbrock_gradient, rosenbrock_hvp, point)
    assert report.verdict == "pass"
    assert [entry.name for entry in report.entries] == ["x", "y"]


@pytest.mark.parametrize(
    "hvp",
    [
        lambda x, v: 2 * SYMMETRIC @ v,
        lambda x, v: SYMMETRIC @ x,
        lambda x, v: np.diag(SYMMETRIC) * v,
        lambda x, v: 0 * v,
    ],
)
def test_wrong_products(hvp):
    report = check_hvp(lambda x: SYMMETRIC @ x, hvp, draw(6))
    assert report.verdict == "fail"


def test_a_cross_term_with_the_wrong_sign():
    def wrong(point, v):
        (x, y), (s, t) = point, v
        return (2 - 4 * y + 12 * x**2) * s + 4 * x * t, -4 * x * s + 2 * t

    report = check_hvp(rosenbrock_gradient, wrong, [draw(4), draw(4, seed=1)])
    assert {entry.name: entry.verdict for entry in report.entries} == {"x": "fail", "y": "pass"}


def test_the_gradient_of_nothing():
    """Where A is not symmetric, A x is not a gradient and its Jacobian is not a Hessian."""
    assert check_hvp(lambda x: A @ x, lambda x, v: A @ v, draw(6)).verdict == "fail"


def test_the_backward_of_a_backward():
    """What check_hvp's notes say: differentiate backward as a function of dy and x."""

    def tanh_backward(dy, x):
        y = np.tanh(x)
        return dy * (1 - y**2), (dy, y)

    def double_backward(ddx, cache):
        dy, y = cache
        return ddx * (1 - y**2), -2 * ddx * dy * y * (1 - y**2)

    assert check_vjp(tanh_backward, double_backward, [draw(5), draw(5, seed=1)]).verdict == "pass"


@pytest.mark.parametrize(
    ("x", "message"),
    [(np.arange(3), "floating"), ([], "floating"), ([draw(3), "text"], "floating")],
)
def test_nothing_to_differentiate(x, message):
    with pytest.raises(ValueError, match=message):
        check_hvp(lambda *x: x, lambda x, v: v, x)


def test_a_gradient_of_another_shape():
    with pytest.raises(ValueError, match=r"shapes \(2,\)"):
        check_hvp(lambda x: x[:2], lambda x, v: v, draw(3))


def test_the_call_is_repeated_in_full():
    report = check_hvp(lambda x: 2 * x, lambda x, v: 2 * v, draw(3), seed=4, variations=False)
    assert report.title == "check_hvp(<lambda>, <lambda>)"
    assert report.reproduce == "check_hvp(<lambda>, <lambda>, x, seed=4, variations=False)"
