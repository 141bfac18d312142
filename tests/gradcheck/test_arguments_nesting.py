"""Parameters in dicts and lists, and gradients in dicts."""

import numpy as np
import pytest

from npvae.gradcheck import check_gradient, check_vjp
from tests.gradcheck.functions import draw

X = draw(5, 4)
P = {"W": draw(4, 3, seed=1), "b": draw(3, seed=2)}


def forward(x, p):
    return x @ p["W"] + p["b"], (x, p)


def gradients(dy, cache, wrong=1.0):
    x, p = cache
    return dy @ p["W"].T, {"W": wrong * (x.T @ dy), "b": dy.sum(axis=0)}


def layers_forward(x, layers):
    kept = [x]
    for W, b in layers:
        kept.append(np.tanh(kept[-1] @ W + b))
    return kept[-1], (kept, layers)


def layers_backward(wrong=1.0):
    def backward(dy, cache):
        kept, layers = cache
        found = []
        for (W, _), h, y in zip(layers[::-1], kept[-2::-1], kept[:0:-1], strict=True):
            da = dy * (1 - y**2)
            found.insert(0, (wrong * (h.T @ da), da.sum(axis=0)))
            dy = da @ W.T
        return dy, found

    return backward


LAYERS = [(draw(4, 6, seed=1), draw(6, seed=2)), (draw(6, 2, seed=3), draw(2, seed=4))]


def names(report):
    return [entry.name for entry in report.entries]


def verdicts(report):
    return {entry.name: entry.verdict for entry in report.entries}


def test_a_dict():
    report = check_vjp(forward, gradients, [X, P])
    assert report.verdict == "pass", str(report)
    assert names(report) == ["x", "p['W']", "p['b']"]


def test_a_wrong_gradient_in_a_dict():
    report = check_vjp(forward, lambda dy, c: gradients(dy, c, 2.0), [X, P])
    assert verdicts(report) == {"x": "pass", "p['W']": "fail", "p['b']": "pass"}
    assert "twice" in report.entries[1].hint


def test_a_list_of_tuples():
    report = check_vjp(layers_forward, layers_backward(), [X, LAYERS])
    assert report.verdict == "pass", str(report)
    assert names(report) == ["x", *(f"layers[{k}][{j}]" for k in (0, 1) for j in (0, 1))]
    wrong = check_vjp(layers_forward, layers_backward(0.99), [X, LAYERS])
    assert [name for name, v in verdicts(wrong).items() if v == "fail"] == ["layers[0][0]", "layers[1][0]"]


def test_wrt_names_the_dict():
    report = check_vjp(forward, lambda dy, c: gradients(dy, c)[1], [X, P], wrt="p")
    assert report.verdict == "pass"
    assert names(report) == ["p['W']", "p['b']"]


def test_a_dict_that_gets_no_gradient_is_passed_through():
    """Running averages, a configuration."""

    def scaled(x, w, state):
        return x * w / state["std"], (x, w, state["std"])

    def backward(dy, cache):
        x, w, std = cache
        return dy * w / std, np.sum(dy * x / std, axis=0)

    args = [X, draw(4), {"std": np.full(4, 2.0), "mode": "test"}]
    report = check_vjp(scaled, backward, args, wrt=["x", "w"])
    assert report.verdict == "pass", str(report)
    assert names(report) == ["x", "w"]
    report = check_vjp(scaled, backward, args)
    assert report.verdict == "inconclusive"
    assert any("state['std']" in check.detail for check in report.failures)


def test_a_missing_key_is_noted():
    report = check_vjp(forward, lambda dy, c: (gradients(dy, c)[0], {"W": c[0].T @ dy}), [X, P])
    assert names(report) == ["x", "p['W']"]
    assert report.verdict == "inconclusive"
    assert any("found for p['b'], though y depends on it" in check.detail for check in report.failures)


def test_a_dict_by_the_names_of_the_arguments():
    def affine(a_prev, W, b):
        return a_prev @ W + b, (a_prev, W)

    def backward(dy, cache):
        a_prev, W = cache
        return {"dW": a_prev.T @ dy, "db": dy.sum(axis=0), "da_prev": dy @ W.T}

    assert check_vjp(affine, backward, [X, P["W"], P["b"]]).verdict == "pass"
    with pytest.raises(ValueError, match=r"'dZ', which names no argument: forward takes a_prev, W, b"):
        check_vjp(affine, lambda dy, c: {"dZ": dy}, [X, P["W"], P["b"]])


def test_a_scalar_function_of_a_dict():
    def loss(p):
        return np.sum(p["W"] ** 2) + np.sum(p["b"] ** 3)

    right = check_gradient(loss, lambda p: {"W": 2 * p["W"], "b": 3 * p["b"] ** 2}, P)
    assert right.verdict == "pass", str(right)
    wrong = check_gradient(loss, lambda p: {"W": p["W"], "b": 3 * p["b"] ** 2}, P)
    assert verdicts(wrong) == {"p['W']": "fail", "p['b']": "pass"}


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda dy, c: (dy @ c[1]["W"].T, {"V": 0}), r"\['V'\]"),
        (lambda dy, c: (dy @ c[1]["W"].T, dy), "p is a dict .* ndarray"),
        (lambda dy, c: (dy, dy, dy), "3 gradients for 2 arguments"),
    ],
)
def test_gradients_of_another_form(returned, message):
    with pytest.raises(ValueError, match=message):
        check_vjp(forward, returned, [X, P])


def test_lists_of_another_length():
    with pytest.raises(ValueError, match="a list of 2"):
        check_vjp(layers_forward, lambda dy, c: (X, [1]), [X, LAYERS])
