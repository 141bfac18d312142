"""Every line of every derivation holds, in full precision and with the numbers as printed."""

import re

import pytest

from npvae.checks.pairs import pair_cases
from npvae.core import gaussian
from npvae.course import derive_gaussian
from npvae.course.derive import (
    BY_DIFFERENCES,
    EXACT,
    derivation_text,
    notes_of,
    plain_function,
    remarks,
    words_of,
)
from npvae.course.derive_pairs import NAMES, derive

DERIVATIONS = {name: derive(name) for name in NAMES}
each = pytest.mark.parametrize("derivation", DERIVATIONS.values(), ids=list(DERIVATIONS))


def test_there_is_one_for_every_pair_that_is_checked():
    assert set(NAMES) == set(pair_cases())
    assert [derivation.name for derivation in DERIVATIONS.values()] == list(NAMES)


@each
def test_every_line_holds(derivation):
    for line in derivation.lines:
        assert line.holds(), f"{line.formula.text(filled=True)} = {line.formula.value()}, not {line.computed}"
        assert line.tolerance in (EXACT, BY_DIFFERENCES)


@each
def test_every_line_holds_with_the_numbers_as_printed(derivation):
    for line in derivation.lines:
        value = line.formula.value(rounded=True)
        error = 1e-3 if line.tolerance == BY_DIFFERENCES else 1e-5
        assert value == pytest.approx(line.computed, rel=error, abs=error), line.formula.text(filled=True)


@each
def test_gradients_are_checked_by_differences_too(derivation):
    assert any(line.tolerance == BY_DIFFERENCES for line in derivation.backward.lines)
    assert all(line.tolerance == EXACT for line in derivation.forward.lines)


@each
def test_the_functions_are_those_of_the_pair(derivation):
    case = pair_cases()[derivation.name]
    if derivation.name.startswith("mlp"):  # the pair that is checked takes a list of arrays
        assert [part.function.__name__ for part in (derivation.forward, derivation.backward)] == [
            "mlp_forward", "mlp_backward",
        ]  # fmt: skip
        return
    for part, function in [(derivation.forward, case.forward), (derivation.backward, case.backward)]:
        assert plain_function(part.function) is plain_function(function)


@each
def test_the_text(derivation):
    text = derivation_text(derivation)
    assert text.startswith(f"{derivation.name}: ")
    assert derivation.forward.given in text
    for part in (derivation.forward, derivation.backward):
        for line in words_of(derivation, part).splitlines():
            assert line.strip() in text
    assert max(map(len, text.splitlines())) <= 116  # a docstring's 110, and its indentation


def test_a_wrong_gradient_does_not_hold(monkeypatch):
    """The numbers are npvae's own: where its backward pass were wrong, lines would not hold."""

    def wrong(d_kl, cache):
        d_mu, d_log_var = gaussian.kl_backward(d_kl, cache)
        return d_mu, 2 * d_log_var  # the 1/2 is lost

    monkeypatch.setattr(derive_gaussian, "kl_backward", wrong)
    failed = [line for line in derive_gaussian.kl().lines if not line.holds()]
    assert [line.formula.text() for line in failed] == [
        "d · (exp(v) - 1) / 2", "d · expm1(v) / 2", "(L(v + 0.01) - L(v - 0.01)) / 0.02",
    ]  # fmt: skip


def test_a_remark_is_not_repeated():
    lines = DERIVATIONS["kl"].backward.lines
    assert [line.said for line in lines][-2:] == ["By differences, with L = d · KL:"] * 2
    assert remarks(lines)[-2:] == ["By differences, with L = d · KL:", ""]
    assert derivation_text(DERIVATIONS["kl"]).count("By differences") == 1


def test_notes_are_those_of_the_docstring():
    assert "KL = E[ln q(z) - ln p(z)]" in notes_of(gaussian.kl_forward)
    assert "References" not in notes_of(gaussian.kl_forward)
    assert "Kingma" not in notes_of(gaussian.kl_forward)
    assert notes_of(gaussian.kl_forward.__class__) == ""


def test_kl_by_hand():
    """With a pencil: mu = 1, sigma = 2."""
    text = derivation_text(DERIVATIONS["kl"])
    assert "= (μ² + (exp(v) - 1) - v) / 2 = (1² + (exp(1.38629) - 1) - 1.38629) / 2 = 1.30685" in text
    assert "= (μ² + expm1(v) - v) / 2 = (1² + expm1(1.38629) - 1.38629) / 2 = 1.30685" in text
    assert re.search(r"d_v = d · \(exp\(v\) - 1\) / 2 = 2 · \(exp\(1.38629\) - 1\) / 2 = 3\n", text)


def test_a_pair_that_there_is_not():
    with pytest.raises(ValueError, match="no pair called 'softmax'"):
        derive("softmax")
