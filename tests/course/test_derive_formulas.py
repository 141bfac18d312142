import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npvae.course.derive_formulas import (
    Choice,
    Expectation,
    Number,
    Symbol,
    Total,
    exp,
    larger,
    ln,
    size,
    tanh,
)

A, B, C = Symbol("a", 2.0), Symbol("b", -3.0), Symbol("c", 0.5, "12")
FORMULAS = [
    (A + B * C, "a + b · c_12", "2 + (-3) · 0.5", 0.5),
    ((A + B) * C, "(a + b) · c_12", "(2 + (-3)) · 0.5", -0.5),
    (A - (B - C), "a - (b - c_12)", "2 - ((-3) - 0.5)", 5.5),
    (A - B - C, "a - b - c_12", "2 - (-3) - 0.5", 4.5),
    (A / (B * C), "a / (b · c_12)", "2 / ((-3) · 0.5)", -4 / 3),
    (A / B / C, "a / b / c_12", "2 / (-3) / 0.5", -4 / 3),
    ((A * B) ** 2, "(a · b)²", "(2 · (-3))²", 36),
    (B**2, "b²", "(-3)²", 9),
    (-(A + B), "-(a + b)", "-(2 + (-3))", 1),
    (1 - exp(B), "1 - exp(b)", "1 - exp(-3)", 1 - 2.718281828459045**-3),
    (exp(-A), "exp(-a)", "exp(-2)", 2.718281828459045**-2),
    (larger(B, 0), "max(b, 0)", "max(-3, 0)", 0),
    (ln(size(B)), "ln(|b|)", "ln(|-3|)", 1.0986122886681098),
    (tanh(C), "tanh(c_12)", "tanh(0.5)", 0.46211715726000975),
    (Total("i", Symbol("x", 0, "i"), (A, B)) + C, "Σ_i x_i + c_12", "2 + (-3) + 0.5", -0.5),
    (Choice(B, Number(0), A, C), "(a if b > 0, else c_12)", "(2 if (-3) > 0, else 0.5)", 0.5),
]


@pytest.mark.parametrize(("formula", "letters", "numbers", "value"), FORMULAS)
def test_letters_numbers_and_value(formula, letters, numbers, value):
    assert formula.text() == letters
    assert formula.text(filled=True) == numbers
    assert formula.value() == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("formula", [formula for formula, *_ in FORMULAS])
def test_mathml_is_xml(formula):
    for filled in (False, True):
        ElementTree.fromstring(f"<math>{formula.mathml(filled)}</math>".replace("&nbsp;", " "))


def python_of(text):
    """A filled formula of numbers and + - · / as Python writes it."""
    return text.replace("·", "*").replace("²", "**2")


numbers = st.integers(-9, 9).filter(bool).map(lambda n: Symbol("n", float(n)))
formulas = st.recursive(
    numbers,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from("+-*/"), inner, inner).map(
            lambda t: {"+": t[1] + t[2], "-": t[1] - t[2], "*": t[1] * t[2], "/": t[1] / t[2]}[t[0]]
        ),
        inner.map(lambda formula: formula**2),
        inner.map(lambda formula: -formula),
    ),
    max_leaves=8,
)


@given(formulas)
def test_the_brackets_are_right(formula):
    """Whoever computes what is printed gets the value."""
    source = python_of(formula.text(filled=True))
    code = compile(source, "<formula>", "eval")
    assert set(code.co_names) == set()  # numbers only
    try:
        value = formula.value()
    except ZeroDivisionError:
        return
    assert value == pytest.approx(calculated(source), rel=1e-9, abs=1e-9)


def calculated(source):
    """Compute an arithmetic expression by walking its syntax."""
    import ast
    import operator

    binary = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
              ast.Pow: operator.pow}  # fmt: skip

    def walk(node):
        if isinstance(node, ast.BinOp):
            return binary[type(node.op)](walk(node.left), walk(node.right))
        if isinstance(node, ast.UnaryOp):
            return -walk(node.operand)
        return float(node.value)

    return walk(ast.parse(source, mode="eval").body)


def test_expectations_of_cubic_functions_are_exact():
    """E z³ = mu³ + 3 mu sigma² and E z² = mu² + sigma²."""
    mu, sigma = 1.5, 2.0
    assert Expectation("z", lambda z: z**3, mu, sigma).value() == pytest.approx(mu**3 + 3 * mu * sigma**2)
    assert Expectation("z", lambda z: z**2 / 2, mu, sigma).value() == pytest.approx((mu**2 + sigma**2) / 2)
    assert Expectation("z", lambda z: z**2, mu, sigma).text() == "E[z²]"


def test_rounded_numbers_are_those_that_are_printed():
    third = Symbol("t", 1 / 3)
    assert (third * 3).value() == 1
    assert (third * 3).value(rounded=True) == pytest.approx(0.999999, abs=1e-12)
