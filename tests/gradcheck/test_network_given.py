"""Networks that draw noise, hold state, or take something other than a dict of arrays."""

import random
from types import SimpleNamespace

import numpy as np
import pytest

from npvae.gradcheck import check_network
from npvae.gradcheck.objects import GENERATORS, held_in

GLOBAL = np.random.default_rng(0)


class Dropout:
    """A layer and dropout, whose mask `draw(network, shape)` returns; `wrong` spoils the gradient of b."""

    def __init__(self, draw, wrong=1.0, **attributes):
        self.draw, self.wrong = draw, wrong
        vars(self).update(attributes)

    def loss_and_grad(self, params, x):
        a = np.tanh(x @ params["W"] + params["b"])
        mask = (self.draw(self, a.shape) > 0.5) * 2.0
        da = mask * (1 - a * a)
        return np.sum(mask * a), {"W": x.T @ da, "b": self.wrong * da.sum(axis=0)}


def problem(seed=0, shape=(6, 4, 3)):
    rng = np.random.default_rng(seed)
    n, d, h = shape
    return {"W": rng.normal(size=(d, h)), "b": rng.normal(size=h)}, rng.normal(size=(n, d))


def by_random_module(network, shape):
    return np.array([network.rng.random() for _ in range(int(np.prod(shape)))]).reshape(shape)


SOURCES = {
    "global": (lambda network, shape: np.random.rand(*shape), {}),  # noqa: NPY002
    "Generator": (
        lambda network, shape: network.rng.random(shape),
        lambda: {"rng": np.random.default_rng(3)},
    ),
    "RandomState": (
        lambda network, shape: network.rng.random_sample(shape),
        lambda: {"rng": np.random.RandomState(3)},
    ),
    "random.Random": (by_random_module, lambda: {"rng": random.Random(3)}),
    "of the module": (lambda network, shape: GLOBAL.random(shape), {}),
    "in a layer": (
        lambda network, shape: network.layers[0].rng.random(shape),
        lambda: {"layers": [SimpleNamespace(rng=np.random.default_rng(3))]},
    ),
}


@pytest.mark.parametrize("shape", [(6, 4, 3), (5, 150, 140)], ids=["small", "large"])
@pytest.mark.parametrize("source", SOURCES)
def test_dropout_is_checked_with_its_mask_held(source, shape):
    draw, attributes = SOURCES[source]
    attributes = attributes() if attributes else {}
    params, x = problem(shape=shape)
    report = check_network(Dropout(draw, **attributes), params, x)
    assert report.verdict == "pass", str(report)
    (note,) = report.notes
    assert note.name == "noise"
    assert source != "Generator" or "network.rng" in note.detail
    wrong = check_network(Dropout(draw, wrong=1.01, **attributes), params, x)
    assert {entry.name for entry in wrong.entries if entry.verdict == "fail"} == {"b"}


def test_generators_are_left_as_they_were():
    rng, (params, x) = np.random.default_rng(3), problem()
    states = rng.bit_generator.state, np.random.get_state()[1].copy()  # noqa: NPY002
    check_network(Dropout(lambda network, shape: network.rng.random(shape), rng=rng), params, x)
    check_network(Dropout(SOURCES["global"][0]), params, x)
    assert rng.bit_generator.state == states[0]
    assert np.array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002


@pytest.mark.parametrize(
    ("draw", "attributes"),
    [
        (lambda network, shape: np.random.default_rng().random(shape), {}),
        (by_random_module, {"rng": random.SystemRandom()}),
    ],
)
def test_noise_out_of_reach_is_inconclusive(draw, attributes):
    report = check_network(Dropout(draw, **attributes), *problem(shape=(20, 4, 5)))
    assert {entry.verdict for entry in report.entries} == {"inconclusive"}
    assert not any(entry.method for entry in report.entries)
    (check,) = report.failures
    assert (check.name, check.verdict) == ("repeatable", "inconclusive")
    assert "another loss" in check.detail
    assert "numpy.random.Generator" in check.detail


def test_a_network_without_noise_has_no_note():
    report = check_network(
        Dropout(lambda network, shape: np.ones(shape), rng=np.random.default_rng()), *problem()
    )
    assert report.passed
    assert not report.notes


def test_generators_are_found_by_path():
    class Layer:
        shared = np.random.default_rng(0)

        def __init__(self):
            self.own = random.Random(1)
            self.parent = self

    closed_over = np.random.default_rng(0)
    thing = SimpleNamespace(layers=[Layer()], draw=lambda: (closed_over.random(), GLOBAL.random()))
    paths = held_in(thing, GENERATORS)
    assert set(paths) == {".layers[0].shared", ".layers[0].own", ".draw.closed_over", ".draw.GLOBAL"}
    assert set(held_in(SimpleNamespace(loss=Dropout(len, rng=GLOBAL).loss_and_grad), GENERATORS)) == {
        ".loss.rng"
    }


class Evaluates(Dropout):
    """Its method loss leaves dropout away, as one does after training."""

    def loss(self, params, x):
        return np.sum(np.tanh(x @ params["W"] + params["b"]))


def test_a_loss_that_is_another_is_not_used():
    report = check_network(Evaluates(SOURCES["global"][0]), *problem())
    assert report.verdict == "pass", str(report)
    assert "the method loss is not used: it returns" in {n.name: n.detail for n in report.notes}["loss"]
    network = Dropout(SOURCES["global"][0], loss="mse")
    assert check_network(network, *problem()).passed
    network.loss = lambda prediction, target, weights: 0.0
    assert "TypeError" in {n.name: n.detail for n in check_network(network, *problem()).notes}["loss"]


def of(function):
    return SimpleNamespace(loss_and_grad=function)


def square(params, x):
    residual = params["w"] * x
    return np.sum(residual**2), {"w": 2 * residual * x}


X = np.array([1.0, -2.0, 3.0])
W = {"w": np.array([0.5, 1.5, -1.0])}


def test_none_for_a_gradient_fails_with_a_reason():
    report = check_network(of(lambda params, x: (square(params, x)[0], {"w": None})), W, X)
    assert report.entries[0].verdict == "fail"
    assert "None" in report.entries[0].hint
    assert not report.failures


@pytest.mark.parametrize("extra", [np.array(3), np.array([True, False]), 3, "adam", None])
@pytest.mark.parametrize("returned", [False, True])
def test_what_is_not_floating_is_left_as_it_is(extra, returned):
    seen = []

    def loss_and_grad(params, x):
        seen.append(params["step"])
        loss, grads = square(params, x)
        return loss, (grads | {"step": 0.0} if returned else grads)

    report = check_network(of(loss_and_grad), {**W, "step": extra}, X)
    assert [(entry.name, entry.verdict) for entry in report.entries] == [("w", "pass")]
    assert "step (" in {note.name: note.detail for note in report.notes}["left as they are"]
    assert all(np.array_equal(step, extra) for step in seen)


@pytest.mark.parametrize("kind", [list, tuple])
@pytest.mark.parametrize(("spoil", "verdict"), [(1, "pass"), (2, "fail")])
def test_params_may_be_a_list(kind, spoil, verdict):
    def loss_and_grad(params, x):
        assert type(params) is kind
        W, b = params
        y = x @ W + b
        return np.sum(y**2) / 2, [x.T @ y, spoil * y.sum(axis=0)]

    params, x = problem()
    report = check_network(of(loss_and_grad), kind(params.values()), x)
    assert [(entry.name, entry.verdict) for entry in report.entries] == [
        ("params[0]", "pass"),
        ("params[1]", verdict),
    ]


@pytest.mark.parametrize(
    ("function", "params", "words"),
    [
        (
            lambda p, x: ((square(p, x)[0], 0.9), square(p, x)[1]),
            W,
            ["loss must be a real number", "a tuple of 2"],
        ),
        (lambda p, x: (None, square(p, x)[1]), W, ["loss must be a real number", "None"]),
        (lambda p, x: (p["w"] * x, square(p, x)[1]), W, ["single number", "(3,)"]),
        (lambda p, x: (1j, square(p, x)[1]), W, ["complex"]),
        (lambda p, x: square(p, x)[0], W, ["pair (loss, grads)", "float64"]),
        (lambda p, x: (1.0, [x]), W, ["gradients must be a mapping", "a list of 1"]),
        (lambda p, x: (1.0, {"w": x}), [X], ["params is a list", "a dict of 1"]),
        (square, X, ["params must map names to arrays", "ndarray"]),
        (square, {"w": [1.0, 2.0, 3.0]}, ["params['w'] is a list of 3"]),
        (square, {"layer": W}, ["params['layer'] is a dict of 1"]),
        (square, [(X, X)], ["params[0] is a tuple of 2"]),
    ],
)
def test_wrong_kinds_are_named(function, params, words):
    with pytest.raises(TypeError) as caught:
        check_network(of(function), params, X)
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize("network", [square, None, SimpleNamespace(loss=square)])
def test_an_object_without_loss_and_grad_is_an_error(network):
    with pytest.raises(TypeError, match=r"loss_and_grad\(params, \*args\) -> \(loss, grads\)"):
        check_network(network, W, X)


def test_nothing_to_differentiate_is_an_error():
    for params in ({}, {"w": np.arange(3)}, []):
        with pytest.raises(ValueError, match="nothing to differentiate"):
            check_network(of(square), params, X)


def test_a_loss_of_one_entry_will_do():
    report = check_network(of(lambda p, x: (np.reshape(square(p, x)[0], (1, 1)), square(p, x)[1])), W, X)
    assert report.passed


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (lambda x: x.shape[-1], "missing 1/6?"),  # the batch may be the last axis
        (lambda x: 1 / x.shape[-1], "1/6 of the right value"),
        (lambda x: x.size, "missing 1/30?"),  # and a mean may be one over everything
        (lambda x: x.shape[1], "missing 1/6?"),
    ],
)
def test_factors_of_any_length_or_size_are_recognised(factor, words):
    def loss_and_grad(params, x):
        y = params["W"] @ x
        return np.sum(y**2) / 2, {"W": factor(x) * (y @ x.T)}

    rng = np.random.default_rng(0)
    (entry,) = check_network(
        of(loss_and_grad), {"W": rng.normal(size=(4, 5))}, rng.normal(size=(5, 6))
    ).entries
    assert words in entry.hint
