"""Every claim of the quiz: what the checker says, of right and of wrong, and what training does."""

import ast
from dataclasses import replace

import numpy as np
import pytest

from npvae.checks.faults import Pair, pair_of
from npvae.checks.faults.composition import HEADS
from npvae.checks.faults.losses import BERNOULLI
from npvae.checks.faults.reparameterisation import DRAW
from npvae.core.gaussian import kl_forward
from npvae.core.init import init_parameters
from npvae.core.likelihoods import bernoulli_forward
from npvae.core.parameters import Parameters
from npvae.course.quiz.items import ITEMS
from npvae.course.quiz.measure import agrees, check, measure
from npvae.course.quiz.network import KL, OBJECTIVE, RIGHT, PiecewiseVAE, digits, negative_elbo
from npvae.course.quiz.words import caption, captions, curve_table, in_words
from npvae.gradcheck import check_network, check_vjp

every_item = pytest.mark.parametrize("item", ITEMS.values(), ids=ITEMS)


@pytest.fixture(scope="module")
def outcomes():
    return {name: measure(item) for name, item in ITEMS.items()}


@every_item
def test_the_checker_and_training_say_what_the_quiz_says(item, outcomes):
    outcome = outcomes[item.name]
    assert {report.verdict for report in outcome.reports} == {item.verdict}, outcome.reports
    assert item.holds(outcome.numbers), outcome.numbers
    assert agrees(item, outcome)


@pytest.mark.parametrize(
    ("pair", "shapes", "wrt"),
    [
        pytest.param(HEADS, [(5, 4), (4, 3), (4, 3)], None, id="heads"),
        pytest.param(DRAW, [(5, 3)] * 3, (0, 1), id="draw"),
        pytest.param(KL, [(5, 3)] * 2, None, id="kl"),
        pytest.param(BERNOULLI, [(5, 4)] * 2, (0,), id="bernoulli"),
        pytest.param(OBJECTIVE, [(5,)] * 2, None, id="objective"),
    ],
)
def test_the_right_pieces_pass(pair, shapes, wrt):
    rng = np.random.default_rng(3)
    assert check_vjp(*pair, [rng.random(shape) for shape in shapes], wrt=wrt).passed


def test_the_network_of_right_pieces_has_the_right_gradient():
    network = PiecewiseVAE(RIGHT, 6)
    rng = np.random.default_rng(0)
    params = {name: rng.standard_normal(shape) / 4 for name, shape in network.shapes().items()}
    theta = Parameters(network.shapes(), dtype=np.float64)
    for name, array in params.items():
        theta[name] = array
    assert check_network(network, theta, rng.random((3, 6)), rng.standard_normal((3, 8))).passed


def test_the_loss_that_is_measured_is_minus_the_elbo():
    """Beside the same from core's own formulas."""
    X = digits()[1][:20]
    network = PiecewiseVAE(RIGHT, 64)
    params = init_parameters(network.shapes(), np.random.default_rng(4), dtype=np.float64)
    eps = np.random.default_rng(1).standard_normal((20, 8))
    h = np.maximum(X @ params["encoder.W"] + params["encoder.b"], 0)
    mu, log_var = h @ params["mu.W"], h @ params["log_var.W"]
    z = mu + np.exp(log_var / 2) * eps
    g = np.maximum(z @ params["decoder.W"] + params["decoder.b"], 0)
    log_likelihood, _ = bernoulli_forward(X, g @ params["output.W"] + params["output.b"])
    expected = np.mean(kl_forward(mu, log_var)[0] - log_likelihood)
    assert negative_elbo(X, RIGHT)(params) == pytest.approx(expected, rel=1e-12)


def test_some_are_no_bugs_and_some_bugs_pass_the_checker():
    assert [item.name for item in ITEMS.values() if not item.is_bug] == [
        "sum", "negative", "log-sigma-everywhere",
    ]  # fmt: skip
    assert all(item.verdict == "pass" for item in ITEMS.values() if not item.is_bug)
    assert {item.name for item in ITEMS.values() if item.is_bug and item.verdict == "pass"} == {
        "log-sigma", "little-noise", "batch", "pixels",
    }  # fmt: skip


@every_item
def test_a_question_can_be_answered_and_does_not_answer_itself(item):
    assert item.options[item.right].startswith("Wrong" if item.is_bug else "Right")
    assert len(set(item.options)) == len(item.options) == 4
    assert any(option.startswith("Right") for option in item.options)
    tree = ast.parse(item.code())
    names = [node.name for node in tree.body]
    assert names == list(item.shown)
    for node in tree.body:
        assert ast.get_docstring(node) is None
        assert node.name.endswith(("_forward", "_backward"))
    assert max(map(len, item.code().splitlines())) <= 100


@every_item
def test_the_code_that_is_shown_is_the_code_that_is_checked(item):
    pairs = [pair_of(checked.implementation) for checked in item.checked()]
    checked = {getattr(f, "__func__", f).__code__ for pair in pairs for f in pair}
    assert checked == {function.__code__ for function in item.shown.values()}


@every_item
def test_words(item, outcomes):
    outcome = outcomes[item.name]
    text = caption(item, outcome)
    assert "{" not in text
    assert in_words(outcome.reports).startswith(f"The gradient checker {item.verdict}")
    assert len(curve_table(outcome, (1, 40)).splitlines()) == len(outcome.curves) + 2
    page = captions([item], outcomes)
    assert f"{item.name}-answer.png" in page
    assert text in page


def test_the_checker_knows_the_missing_half(outcomes):
    assert "log_var is wrong (twice the right value" in in_words(outcomes["half"].reports)
    noise = in_words(outcomes["noise-again"].reports)
    assert "draws fresh noise" in noise
    assert " in one call and " in noise
    assert " and should be " in noise
    assert "sign is flipped" in in_words(outcomes["sign"].reports)
    assert in_words(outcomes["log-sigma-everywhere"].reports) == "The gradient checker passes each pair."


def test_a_fault_is_told_from_its_right_twin():
    """The item on the KL's 1/2 with the right backward passes: it is the change that fails."""

    def right(d_kl, cache):
        mu, log_var = cache
        return d_kl[:, None] * mu, d_kl[:, None] * (np.exp(log_var) - 1) / 2

    pair = Pair(ITEMS["half"].implementation.forward, right)
    (report,) = check(replace(ITEMS["half"], implementation=pair))
    assert report.verdict == "pass"
