"""Conventions of layers that strangers write: the right version passes, the wrong one does not."""

import pytest

from tests.gradcheck.strangers import books, courses, frameworks, habits, science

STRANGERS = [s for place in (books, courses, frameworks, science, habits) for s in place.STRANGERS]
RIGHT = "right"

# What the checker does not manage yet, by the stranger's name: why, and which versions.
EXPECTED_FAILURES = {
    "forward(x, training), dinputs in an attribute: nnfs": (
        "the gradient of x is looked for in attributes where x is the only input",
        ["dinputs doubled", "dinputs forgotten"],
    ),
    "dropout by np.random, dinputs: nnfs": (
        "the gradient of x is looked for in attributes where x is the only input",
        [RIGHT, "scale forgotten"],
    ),
    "backward(dout=1) ignores dout: Deep Learning from Scratch": (
        "the default of dy is not tried",
        [RIGHT],
    ),
    "forward_pass and backward_pass: ML-From-Scratch": (
        "other names of forward and backward are not known",
        [RIGHT, "derivative at the output"],
    ),
    "fprop and bprop: neon": (
        "other names of forward and backward are not known",
        [RIGHT, "dW's sign flipped"],
    ),
    "(h, c, cache) and backward(dh, dc, cache): cs231n's LSTM": (
        "several results must be one tuple",
        [RIGHT, "dc without the path through h"],
    ),
    "(loss, grad): cs231n's softmax loss": (
        "a function that returns its gradient too is not known",
        [RIGHT, "sum for mean"],
    ),
    "f -> (value, gradient): scipy's jac=True": (
        "a function that returns its gradient too is not known",
        [RIGHT, "penalty without a gradient"],
    ),
    "(value, gradient) through a Cholesky: scikit-learn's Gaussian process": (
        "a function that returns its gradient too is not known",
        [RIGHT, "the trace's sign"],
    ),
    "backward() returns f': MyTorch": (
        "a backward without dy must be that of a loss",
        [RIGHT, "A^2 for A - A^2"],
    ),
    "gamma made of ones: MyTorch's batch norm": (
        "what is found at another point is a note",
        ["gamma forgotten in dx"],
    ),
    "a bias made of zeros: MyTorch with weight decay": (
        "what is found at another point is a note",
        ["the bias decays too"],
    ),
    "weights made and inputs listed by forward: numpy-ml": (
        "the layer is copied after a forward, and not flushed",
        [RIGHT, "slope at the input of tanh"],
    ),
    "forward(ctx, x), a class of static methods: torch.autograd.Function": (
        "a ctx is not known",
        [RIGHT, "gradients swapped"],
    ),
    "(y, attention), of which y has a gradient: numpy-transformer": (
        "all results must have a gradient",
        [RIGHT, "scale forgotten"],
    ),
    "(max, argmax), of which one has a gradient": (
        "all results must have a gradient",
        [RIGHT, "all to the first column"],
    ),
    "residuals and a Jacobian: scipy's least_squares": (
        "a Jacobian is not known",
        [RIGHT, "inner derivative forgotten"],
    ),
    "compiled, targets of the batch's length: scikit-learn's losses": (
        "other batch sizes are tried where a closure holds targets",
        [RIGHT, "y - p"],
    ),
    "raises where a matrix is not positive definite: Cholesky": (
        "what a function raises away from the point comes out of the checker",
        ["symmetric, where one triangle is read"],
    ),
    "raises outside of a domain, close by": (
        "what a function raises away from the point comes out of the checker",
        [RIGHT, "doubled"],
    ),
    "float32 inside: JAX's default": ("the complex step underflows in complex64", [RIGHT]),
    "a float32 gradient of float64 arguments: JAX's grad": (
        "the complex step underflows in complex64",
        [RIGHT],
    ),
    "p.grad += ..., zeroed by the optimizer": ("gradients without zero_grad() are not set to zero", [RIGHT]),
    "dropout by a module's generator": (
        "only NumPy's global generator is reset",
        [RIGHT, "scale forgotten"],
    ),
    "dropout by Python's random": (
        "only NumPy's global generator is reset",
        [RIGHT, "scale forgotten"],
    ),
    "inputs in a list": ("a list of inputs is taken for several", [RIGHT, "gradients swapped"]),
    "inputs of different widths in a list": (
        "a list of inputs is taken for several",
        [RIGHT, "columns reversed"],
    ),
    "a mask of -inf": ("a warning of the checker's own", [RIGHT, "diagonal of the Jacobian alone"]),
    "log(p + 1e-7), accepted by rtol": ("there is no rtol", [RIGHT, "sum for mean"]),
}


def parameters(stranger):
    """Return the versions of a stranger as parameters of the test, the right one first."""
    reason, failing = EXPECTED_FAILURES.get(stranger.name, ("", ()))
    mark = pytest.mark.xfail(strict=True, reason=reason)
    return [
        pytest.param(
            stranger, version, id=f"{stranger.name} - {version}", marks=[mark] if version in failing else []
        )
        for version in (RIGHT, *stranger.wrong)
    ]


@pytest.mark.parametrize(("stranger", "version"), [p for s in STRANGERS for p in parameters(s)])
def test_the_right_version_passes_and_the_wrong_one_does_not(stranger, version):
    if version == RIGHT:
        report = stranger.check(stranger.right)
        assert report.passed, str(report)
    else:
        report = stranger.check(stranger.wrong[version])
        expected = ("fail", "inconclusive") if version in stranger.undecided else ("fail",)
        assert report.verdict in expected, str(report)


def test_the_table():
    names = [stranger.name for stranger in STRANGERS]
    assert len(set(names)) == len(names) >= 25
    assert all(stranger.wrong for stranger in STRANGERS)
    assert set(names) >= set(EXPECTED_FAILURES)
