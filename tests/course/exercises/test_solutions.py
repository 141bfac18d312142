"""The right solution of each exercise passes; typical wrong ones and empty ones are told what to do."""

import sys

import numpy as np
import pytest

from npvae.course.exercises.catalogue import EXERCISES
from npvae.course.exercises.check import check_file
from npvae.course.exercises.network import shapes_of
from npvae.course.exercises.templates.vae import vae_forward
from npvae.course.exercises.way_back import RIGHT, wrong_gradients
from tests.course.exercises.solutions import SOLUTIONS, solution

BY_CHECKER = [name for name in EXERCISES if name != "digits"]


@pytest.fixture
def check(tmp_path):
    def check(name, text):
        path = tmp_path / f"{name}.py"
        path.write_text(text, encoding="utf-8")
        return check_file(path, EXERCISES[name])

    return check


def said(answer):
    """What is said of each subject."""
    return {remark.subject: remark.words for remark in answer.remarks}


def outcomes(answer):
    return {remark.subject: remark.outcome for remark in answer.remarks}


@pytest.mark.parametrize("name", BY_CHECKER)
def test_the_right_solution_passes(name, check):
    answer = check(name, solution(name))
    assert answer.passed, answer
    assert {remark.outcome for remark in answer.remarks} == {"passed"}


@pytest.mark.parametrize("name", BY_CHECKER)
def test_the_empty_template_is_no_error(name, check):
    answer = check(name, EXERCISES[name].template())
    assert answer.outcome == "unfilled"
    assert {remark.outcome for remark in answer.remarks} == {"unfilled"}


@pytest.mark.parametrize("name", EXERCISES)
def test_the_template_holds_no_solution(name):
    text = EXERCISES[name].template()
    for line in SOLUTIONS[name].values():
        assert line.splitlines()[-1].strip() not in text


@pytest.mark.parametrize("name", EXERCISES)
def test_there_are_three_hints_without_the_solution(name):
    exercise = EXERCISES[name]
    assert len(set(exercise.hints)) == 3
    for line in SOLUTIONS[name].values():
        _, _, expression = line.splitlines()[-1].partition(" = ")
        assert not any(len(expression) > 5 and expression in hint for hint in exercise.hints)


ROWS = "d_kl[:, None]"
WRONG = [
    ("dense", "dy.sum(axis=0)", "dy.mean(axis=0)", "db", "1/5 of the right value"),
    ("dense", "dy.sum(axis=0)", "dy", "db", "has to be added up"),
    ("dense", "dy.sum(axis=0)", "dy[-1].copy()", "db", "last sample's share"),
    ("dense", "dW = x.T @ dy", "dW = x.T @ dy / len(x)", "dW", "number of samples"),
    ("dense", "dW = x.T @ dy", "dW = dy.T @ x", "dW",
     "has shape (3, 4), and must have the shape of W, (4, 3)"),
    ("dense", "dx = dy @ W.T", "dx = dy @ W", "dense_backward", "compare with those in the docstring"),
    ("dense", "dx = dy @ W.T", "dx = -dy @ W.T", "dx", "the sign is flipped"),
    ("relu", "dy * (x > 0)", "dy * (dy > 0)", "dx", "sign of another array"),
    ("relu", "dy * (x > 0)", "dy * x", "dx", "the value of x where the slope of y belongs"),
    ("relu", "dy * (x > 0)", "dy * np.sign(x)", "dx", "it is minus dy"),
    ("relu", "dy * (x > 0)", "dy * x**2", "dx", "at ["),
    ("relu", "dy * (x > 0)", "dy", "dx", "also where x is negative"),
    ("relu", "dy * (x > 0)", "1.0 * (x > 0)", "dx", "does not depend on dy"),
    ("relu", "dy * (x > 0)", "x > 0", "dx", "True and False, and numbers are expected: dy is missing"),
    ("relu", "dy * (x > 0)", "dy * np.maximum(x, 0)", "dx", "the value of y where its slope belongs"),
    ("sigmoid", "dp * p * (1 - p)", "dp * p", "sigmoid_backward, d_logits", "a factor is missing"),
    ("sigmoid", "dp * p * (1 - p)", "dp * (1 / (1 + np.exp(-p))) * (1 - 1 / (1 + np.exp(-p)))",
     "sigmoid_backward, d_logits",
     "the sigmoid has been applied to p"),
    ("sigmoid", "(p - x) / (p * (1 - p))", "(-x / p)", "cross_entropy_backward, dp", "only the first term"),
    ("sigmoid", "(p - x) / (p * (1 - p))", "(-x / p - (1 - x) / (1 - p))", "cross_entropy_backward, dp",
     "inner derivative of 1 - p"),
    ("sigmoid", "p, x = cache\n    d_logits = d_loss[:, None] * (p - x)",
     "p, x = cache\n    d_logits = d_loss[:, None] * (p - x) * p * (1 - p)", "both_backward, d_logits",
     "has cancelled already"),
    ("sigmoid", "p, x = cache\n    d_logits = d_loss[:, None] * (p - x)",
     "p, x = cache\n    d_logits = d_loss[:, None] * (x - p)", "both_backward, d_logits",
     "the sign is flipped"),
    ("reparameterize", " / 2\n    return", "\n    return", "d_log_var", "inner derivative"),
    ("reparameterize", "np.exp(log_var / 2) / 2", "np.exp(log_var) / 2", "d_log_var",
     "the variance exp(log_var)"),
    ("reparameterize", "dz * eps * np.exp", "dz * np.exp", "d_log_var", "eps is missing"),
    ("reparameterize", "dz * eps * np.exp(log_var / 2) / 2", "dz * eps / 2", "d_log_var",
     "standard deviation is missing"),
    ("reparameterize", "dz * eps * np.exp(log_var / 2) / 2", "eps * np.exp(log_var / 2) / 2", "d_log_var",
     "does not depend on dz"),
    ("reparameterize", "d_mu = dz", "d_mu = dz * eps", "d_mu", "mu is only added"),
    ("reparameterize", "dz * eps * np.exp(log_var / 2) / 2", "dz * eps", "d_log_var",
     "the chain rule's second step, from sigma = exp(log_var / 2) to log_var, is missing"),
    ("reparameterize", "dz * eps * np.exp(log_var / 2) / 2", "dz * np.exp(log_var / 2)", "d_log_var",
     "eps is missing"),
    ("reparameterize", "dz * eps * np.exp(log_var / 2) / 2", "dz * eps * np.exp(log_var)", "d_log_var",
     "and the inner derivative of log_var / 2 is missing"),
    ("reparameterize", "dz * eps * np.exp(log_var / 2) / 2", "dz.copy()", "d_log_var", "it is dz unchanged"),
    ("reparameterize", "dz * eps * np.exp(log_var / 2) / 2", "dz * eps * log_var / 2", "d_log_var",
     "log_var stands where the standard deviation"),
    ("reparameterize", "dz * eps * np.exp(log_var / 2) / 2", "dz * np.exp(log_var) / 2", "d_log_var",
     "eps is missing"),
    ("reparameterize", "d_mu = dz", "d_mu = 1", "d_mu",
     "it has shape (), and must have the shape of mu, (5, 3)"),
    ("kl", "(np.exp(log_var) - 1) / 2", "(np.exp(log_var / 2) - 1)", "d_log_var",
     "the standard deviation exp(log_var / 2) stands where"),
    ("kl", "(np.exp(log_var) - 1) / 2", "(np.exp(log_var / 2) - 1) / 2", "d_log_var",
     "the standard deviation exp(log_var / 2) stands where"),
    ("kl", "d_log_var = d_kl[:, None] * (np.exp(log_var) - 1) / 2",
     "d_log_var = np.exp(log_var) / 2 - 1 * d_kl[:, None]", "d_log_var", "d_kl multiplies one of the terms"),
    ("kl", "(np.exp(log_var) - 1) / 2", "np.exp(log_var) / 2 - 1 / 2", "d_log_var",
     "d_kl multiplies one of the terms"),
    ("kl", "(np.exp(log_var) - 1) / 2", "(np.exp(log_var) / 2 - 1)", "d_log_var", "applies to every term"),
    ("kl", "(np.exp(log_var) - 1) / 2", "np.exp(log_var)", "d_log_var", "and so is the 1/2"),
    ("kl", "(np.exp(log_var) - 1)", "(np.exp(log_var) - 1 - log_var)", "d_log_var",
     "not been differentiated"),
    ("kl", "(np.exp(log_var) - 1)", "(log_var * np.exp(log_var) - 1)", "d_log_var", "multiplied by log_var"),
    ("kl", "(np.exp(log_var) - 1)", "(np.exp(log_var) + 1)", "d_log_var", "the sign of one term is flipped"),
    ("kl", "(np.exp(log_var) - 1) / 2", "log_var / 2", "d_log_var", "log_var stands where"),
    ("kl", f"{ROWS} * mu", "d_kl.sum() * mu", "d_mu", "added up or averaged over the batch"),
    ("kl", f"{ROWS} * mu", "d_kl.mean() * mu", "d_mu", "added up or averaged over the batch"),
    ("kl", "- 1) / 2", "- 1)", "d_log_var", "the 1/2 in front of the sum is missing"),
    ("kl", "(np.exp(log_var) - 1)", "np.exp(log_var)", "d_log_var", "a term is missing"),
    ("kl", "(np.exp(log_var) - 1)", "(log_var - 1)", "d_log_var", "the variance exp(log_var) belongs"),
    ("kl", "(np.exp(log_var) - 1)", "(1 - np.exp(log_var))", "d_log_var", "the sign is flipped"),
    ("kl", "(np.exp(log_var) - 1)", "(1 - 1 / np.exp(log_var))", "d_log_var",
     "to the variance, not to its logarithm"),
    ("kl", f"{ROWS} * mu", f"{ROWS} * mu / 2", "d_mu", "what does the square bring down"),
    ("kl", f"{ROWS} * mu", "mu.copy()", "d_mu", "does not depend on d_kl"),
    ("kl", f"{ROWS} * mu", "d_kl * mu", "kl_backward", "compare with those in the docstring"),
    ("bernoulli", "np.logaddexp(0, logits)", "np.log(1 + np.exp(logits))", "bernoulli_forward",
     "of size 1000, its result is wrong"),
    ("bernoulli", "(x * logits - np.logaddexp(0, logits))", "(np.logaddexp(0, logits) - x * logits)",
     "bernoulli_forward", "the sign of its result is flipped"),
    ("bernoulli", ".sum(axis=1)", ".sum()", "bernoulli_forward", "has shape (), and should have (5,)"),
    ("bernoulli", "(x - np.where(logits > 0, 1, e) / (1 + e))", "(x - np.exp(logits) / (1 + np.exp(logits)))",
     "bernoulli_backward", "should be 0"),
    ("bernoulli", "(x - np.where(logits > 0, 1, e) / (1 + e))", "(x - logits)", "d_logits",
     "the logit itself"),
    ("gaussian", "(x - mean) * np.exp(-log_noise_var)", "(x - mean)", "d_mean", "the variance is missing"),
    ("gaussian", "(x - mean) * np.exp(-log_noise_var)", "(mean - x) * np.exp(-log_noise_var)", "d_mean",
     "the sign is flipped"),
    ("gaussian", " - x.shape[1]", "", "d_log_noise_var", "D ln v depends on s too"),
    ("gaussian", " - x.shape[1]", " - 1", "d_log_noise_var", "every pixel contributes"),
    ("gaussian", "np.reshape((d_log_likelihood * terms).sum() / 2, (1,))", "d_log_likelihood * terms / 2",
     "d_log_noise_var", "has to be added up"),
    ("vae", "n = len(x)", "n = 1", "output.W", "the loss is a mean over them"),
    ("vae", "dz + mu / n", "dz", "mu.W", "comes from kl is missing"),
    ("vae", "dz + mu / n", "mu / n", "mu.W", "comes through z is missing"),
    ("vae", "dh = d_mu @", "dh = 0 * d_mu @", "encoder.W", "from the head mu is missing"),
    ("vae", ' + d_log_var @ params["log_var.W"].T', "", "encoder.W", "from the head log_var is missing"),
    ("vae", "dh * (a > 0)", "dh", "encoder.W", "the ReLU is missing on the way back"),
    ("vae", "* (c > 0)", "", "decoder.W", "the ReLU is missing on the way back"),
    ("vae", "dz + mu / n", "dz + mu", "mu.W", "comes from kl is not divided by N"),
    ("vae", "dz * eps *", "dz *", "log_var.W",
     "comes through z, as in the exercise reparameterize: eps is missing"),
    ("vae", "dz * eps *", "eps *", "log_var.W", "comes through z lacks dz as a factor"),
    ("vae", "np.exp(log_var / 2) / 2", "np.exp(log_var / 2)", "log_var.W", "inner derivative of log_var / 2"),
    ("vae", "- 1) / 2 / n", "- 1) / n", "log_var.W", "as in the exercise kl: it is twice the right value"),
    ("vae", "(1 / (1 + np.exp(-logits)) - x)", "(1 / (1 + np.exp(-logits)) + x)", "output.W",
     "sigmoid plus x"),
    ("vae", "(1 / (1 + np.exp(-logits)) - x)", "(logits - x)", "output.W", "the logits stand where"),
    ("vae", "(1 / (1 + np.exp(-logits)) - x)", "(x - 1 / (1 + np.exp(-logits)))", "output.W",
     "the sign of d_logits is flipped"),
    ("vae", "* (c > 0)", "* (c < 0)", "decoder.W",
     "the ReLU's mask is reversed: it keeps the gradient where c"),
    ("vae", "dh * (a > 0)", "dh * (a <= 0)", "encoder.W", "the ReLU's mask is reversed"),
    ("vae", "dh * (a > 0)", "dh * (dh > 0)", "encoder.W", "mask is made of the gradient itself"),
    ("vae", "n = len(x)", "n = 1", "encoder.b", "the same as output.W"),
    ("vae", "* (c > 0)", "* np.inf", "encoder.b", "the same as decoder.W"),
    ("vae", 'grads["mu.b"]', 'grads["mu_b"]', "mu.b", "grads has no 'mu.b', but it has 'mu_b'"),
    ("vae", '    grads["mu.b"] = d_mu.sum(axis=0)\n', "", "mu.b", "grads has no 'mu.b'"),
    ("iwae", "weights / weights.sum(axis=1, keepdims=True)", "weights", "d_log_weights",
     "do not add up to 1"),
    ("iwae", "weights / weights.sum(axis=1, keepdims=True)", "np.ones_like(log_weights) / 6", "d_log_weights",
     "the gradient of the ELBO"),
    ("iwae", "np.exp(log_weights - log_weights.max(axis=1, keepdims=True))", "np.exp(log_weights)",
     "iwae_backward",
     "of size 1002, its result is wrong"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "right", "other", "subject", "words"), WRONG)
def test_a_typical_mistake_is_told(name, right, other, subject, words, check):
    answer = check(name, solution(name, replaced={right: other}))
    assert answer.outcome in ("wrong", "error"), answer
    assert words in said(answer)[subject], answer
    assert answer.exercise == name


def test_where_to_begin_in_a_whole_network(check):
    """A mistake is told where it shows first, also where another one follows; what is one mistake, once."""
    one = {"* (c > 0)": ""}
    words = said(check("vae", solution("vae", replaced=one)))
    assert "the ReLU is missing on the way back" in words["decoder.W"]
    assert all("the same as decoder.W" in words[name] for name in ("mu.W", "log_var.b", "encoder.b"))
    assert not any("Begin here" in told for told in words.values())
    words = said(check("vae", solution("vae", replaced={**one, "- 1) / 2 / n": "- 1) / n"})))
    assert "Begin here" in words["decoder.W"]
    assert sum("Begin here" in told for told in words.values()) == 1


def test_a_file_that_is_imported_is_finished_first(tmp_path, monkeypatch):
    def answer(**files):
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        try:
            return check_file(tmp_path / "vae.py", EXERCISES["vae"])
        finally:
            sys.modules.pop("relu", None)

    vae = solution("vae", replaced={"dh * (a > 0)": "relu_backward(dh, a)"})
    vae = vae.replace("import numpy as np", "import numpy as np\nfrom relu import relu_backward")
    monkeypatch.delitem(sys.modules, "relu", raising=False)
    assert "it imports relu.py, which has to be in the same folder" in said(answer(vae=vae))["vae.py"]
    for relu in (EXERCISES["relu"].template(), solution("relu", replaced={"dy * (x > 0)": "dy"})):
        words = said(answer(relu=relu))
        assert list(words) == ["relu.py"]
        assert "finish it first: npvae exercise check relu.py" in words["relu.py"]
    assert answer(relu=solution("relu")).passed


def test_every_known_mistake_of_the_network_is_wrong_and_the_right_steps_are_right():
    params, x, eps = point()
    _, cache = vae_forward(params, x, eps)
    right = RIGHT.gradients(cache)
    namespace = {}
    exec(solution("vae"), namespace)
    for name, gradient in namespace["vae_backward"](cache).items():
        np.testing.assert_allclose(right[name], gradient, rtol=1e-12)
    for words, grads in wrong_gradients(cache):
        for name, gradient in grads.items():
            assert not np.allclose(gradient, right[name]), words
        assert grads or "averaged" in words  # an average of equal numbers changes nothing


def point():
    rng = np.random.default_rng(1)
    params = {name: rng.standard_normal(shape) for name, shape in shapes_of(6, 4, 2).items()}
    return params, rng.random((5, 6)), rng.standard_normal((5, 2))


@pytest.mark.parametrize("name", ["dense", "kl", "gaussian"])
def test_what_is_right_is_called_right_beside_what_is_wrong_or_missing(name, check):
    (first, *others), filled = SOLUTIONS[name], EXERCISES[name].template()
    filled = filled.replace(first, SOLUTIONS[name][first])
    assert [remark.outcome for remark in check(name, filled).remarks] == ["passed"] + ["unfilled"] * len(
        others
    )


def test_a_forward_that_was_changed_to_fit_the_backward(check):
    """Its gradient check passes: the backward agrees with the wrong forward."""
    wrong = {"(np.exp(log_var) - 1) / 2": "(np.exp(log_var) - 1)", ".sum(axis=1) / 2": ".sum(axis=1)"}
    answer = check("kl", solution("kl", replaced=wrong))
    assert "Put the original back" in said(answer)["kl_forward"]
    wrong = {"(reconstruction + kl).mean()": "(reconstruction + kl).sum()", "n = len(x)": "n = 1"}
    answer = check("vae", solution("vae", replaced=wrong))
    assert "Put the original back" in said(answer)["vae_forward"]


@pytest.mark.parametrize(
    ("change", "subject", "words"),
    [
        ({"return d_mu, d_log_var": "return d_mu"}, "kl_backward",
     "returns 1 array; it must return d_mu, d_log_var"),
        ({"    return d_mu, d_log_var": ""}, "kl_backward",
     "it returns nothing; it must end in: return d_mu, d_log_var"),
        ({"return d_mu, d_log_var": "return d_log_var, d_mu"}, "d_mu", "it is the gradient of log_var"),
        ({"def kl_backward": "def backward"}, "kl_backward", "no function of this name"),
        ({"d_mu = d_kl": "d_mu = d_klx"}, "kl_backward", "NameError: name 'd_klx' is not defined (kl.py:"),
        ({"mu, log_var = cache\n": "mu, log_var = cache\n    d_kl *= 2\n", "* mu": "* mu / 2",
          "(np.exp(log_var) - 1) / 2": "(np.exp(log_var) - 1) / 4"}, "kl_backward",
     "it changes d_kl in place"),
        ({"import numpy as np": "import nunpy as np"}, "kl.py", "No module named 'nunpy' (line 1"),
        ({"def kl_backward(": "def kl_backward"}, "kl.py", "SyntaxError"),
        ({"import numpy as np": "import numpy as np, sys; sys.exit(3)"}, "kl.py", "SystemExit: 3"),
        ({"return kl, (mu, log_var)": "return kl"}, "kl_forward", "it must return two things"),
        ({"d_mu = d_kl": "d_mu = None and d_kl"}, "d_mu", "it is None; an array of shape (5, 3) is expected"),
        ({"d_mu = d_kl[:, None] * mu": "d_mu = ... * mu"}, "kl_backward", "dots that are not replaced yet"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_checked(change, subject, words, check):
    answer = check("kl", solution("kl", replaced=change))
    assert not answer.passed
    assert words in said(answer)[subject], answer


def test_more_in_the_cache_and_other_helpers_are_fine(check):
    """The forward may keep more for the backward, as long as it computes the same."""
    change = {
        "return kl, (mu, log_var)": "return kl, (mu, np.exp(log_var))",
        "mu, log_var = cache": "mu, var = cache",
        "(np.exp(log_var) - 1)": "(var - 1)",
    }
    assert check("kl", solution("kl", replaced=change)).passed
