"""What was not compared, or is vacuous, is never reported as a plain pass."""

import types

import numpy as np
import pytest

from npvae.gradcheck import check_gradient, check_layer, check_network, check_vjp
from tests.gradcheck.functions import draw

LABELS = np.array([0, 2, 1, 2, 0])


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def test_labels_that_the_function_holds():
    """One row of logits is broadcast against five labels: this is not a batch of one."""

    def forward(z):
        p = softmax(z)
        return -np.log(p[np.arange(len(p)), LABELS]).mean(), p

    def backward(dy, p):
        g = p.copy()
        g[np.arange(len(g)), LABELS] -= 1
        return dy * g / len(g)

    report = check_vjp(forward, backward, [draw(5, 3)])
    assert report.verdict == "pass", str(report)


@pytest.mark.parametrize("ids", [[0, 1, 2], [2, 0, 1], [0, 2, 4]])
def test_an_embedding_that_loses_repeated_rows(ids):
    def forward(E, ids):
        return E[ids] ** 2, (E, ids)

    def backward(wrong):
        def pull(dy, cache):
            E, ids = cache
            dE = np.zeros_like(E)
            if wrong:
                dE[ids] += 2 * dy * E[ids]
            else:
                np.add.at(dE, ids, 2 * dy * E[ids])
            return dE

        return pull

    args = [draw(6, 4), np.array(ids)]
    assert check_vjp(forward, backward(False), args).verdict == "pass"
    assert check_vjp(forward, backward(True), args).verdict == "fail"


@pytest.mark.parametrize("holder", [types.SimpleNamespace(a=2.0), (1, 2)])
def test_a_gradient_of_something_that_is_not_floating(holder):
    report = check_vjp(lambda x, p: (2 * x, None), lambda dy, c: (2 * dy, 9.0), [draw(4), holder])
    assert report.verdict == "inconclusive"
    assert "a gradient for p" in str(report)


def test_a_gradient_of_a_python_float_in_a_dict():
    with pytest.raises(ValueError, match=r"p\['a'\] is a Python float"):
        check_vjp(
            lambda x, p: (x * p["a"] * p["w"], (x, p)),
            lambda dy, c: (dy * c[1]["a"] * c[1]["w"], {"a": 9.0, "w": dy * c[0] * c[1]["a"]}),
            [draw(4), {"a": 2.0, "w": draw(4)}],
        )


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ({"n_entries": 0, "n_coordinates": 0, "n_projections": 0}, "nothing would be compared"),
        ({"n_projections": -3}, "n_projections is -3"),
        ({"n_coordinates": -1}, "n_coordinates is -1"),
    ],
)
def test_budgets_that_look_at_nothing(budget, message):
    class Square:
        def loss_and_grad(self, params):
            return np.sum(params["w"] ** 2), {"w": 9 * params["w"]}

    with pytest.raises(ValueError, match=message):
        check_vjp(lambda x: (x**2, x), lambda dy, x: 9 * x * dy, [draw(4)], **budget)
    with pytest.raises(ValueError, match=message):
        check_network(Square(), {"w": draw(4)}, **budget)


def test_a_vacuous_gradient_is_told_in_the_first_line():
    report = check_vjp(lambda x: (np.maximum(x, 0), x), lambda dy, x: dy * (x > 0), [-1 - np.abs(draw(4))])
    assert str(report).splitlines()[0].endswith("PASS, 1 of 1 gradients vacuous")


def test_scalars_of_float32():
    x = np.float32(2.1)
    right = check_vjp(lambda x: (x**3, x), lambda dy, x: 3 * x * x * dy, [x])
    assert right.verdict == "pass", str(right)
    assert check_vjp(lambda x: (x**3, x), lambda dy, x: 3.1 * x * x * dy, [x]).verdict == "fail"


@pytest.mark.parametrize("option", ["names", "wrt"])
def test_a_layer_has_no_names(option):
    class Double:
        def forward(self, x):
            return 2 * x

        def backward(self, dy):
            return 2 * dy

    with pytest.raises(TypeError, match=f"no {option}: params says"):
        check_layer(Double(), draw(3), **{option: ["x"]})


def test_a_dict_for_y():
    with pytest.raises(TypeError, match="y is a dict"):
        check_vjp(lambda x: ({"y": x}, None), lambda dy, c: dy, [draw(3)])


def test_vacuous_here_and_wrong_elsewhere():
    """A slope of 7 where no unit is on: nothing shows it at the point, and a shuffled point does."""

    def forward(x, w):
        return np.maximum(x * w, 0), (x, w)

    def backward(dy, cache):
        x, w = cache
        return 7 * dy * w * (x * w > 0), 7 * np.sum(dy * x * (x * w > 0), axis=0)

    x, w = draw(5, 4), np.ones(4)
    x[:, :2], x[:, 2:] = -np.abs(x[:, :2]), np.abs(x[:, 2:])
    w[2:] = -1.0  # every product is negative
    report = check_vjp(forward, backward, [x, w])
    assert report.verdict == "inconclusive", str(report)


def test_check_gradient_says_what_a_bad_budget_is():
    with pytest.raises(ValueError, match="nothing would be compared"):
        check_gradient(np.sum, np.ones_like, draw(4), n_entries=0, n_coordinates=0, n_projections=0)
