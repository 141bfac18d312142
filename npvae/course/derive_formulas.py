"""Formulas that can be written in letters, filled in with numbers, and computed.

A formula is built of symbols with Python's operators; every symbol has a value::

    >>> mu, v = Symbol("μ", 1.5), Symbol("v", -0.5)
    >>> kl = (mu**2 + (exp(v) - 1) - v) / 2
    >>> kl.text()
    '(μ² + (exp(v) - 1) - v) / 2'
    >>> kl.text(filled=True)
    '(1.5² + (exp(-0.5) - 1) - (-0.5)) / 2'
    >>> round(kl.value(), 4)
    1.1783
"""

import html
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_SUM, _PRODUCT, _POWER, _ATOM = range(4)  # how tightly a formula holds together


class Formula(ABC):
    """A formula; see the module.

    Methods take `filled`: numbers in the place of symbols. `value` takes `rounded`: compute with the
    numbers as they are printed, as one does with a pencil.
    """

    binding = _ATOM
    binding_on_page = _ATOM  # a fraction bar needs no brackets

    @abstractmethod
    def text(self, filled: bool = False) -> str:
        """Return the formula as a line of text."""

    @abstractmethod
    def mathml(self, filled: bool = False) -> str:
        """Return the formula as MathML, without the math element."""

    @abstractmethod
    def value(self, rounded: bool = False) -> float:
        """Return the number."""

    def __add__(self, other: "Formula | float") -> "Formula":
        return Binary("+", self, as_formula(other))

    def __radd__(self, other: float) -> "Formula":
        return Binary("+", as_formula(other), self)

    def __sub__(self, other: "Formula | float") -> "Formula":
        return Binary("-", self, as_formula(other))

    def __rsub__(self, other: float) -> "Formula":
        return Binary("-", as_formula(other), self)

    def __mul__(self, other: "Formula | float") -> "Formula":
        return Binary("·", self, as_formula(other))

    def __rmul__(self, other: float) -> "Formula":
        return Binary("·", as_formula(other), self)

    def __truediv__(self, other: "Formula | float") -> "Formula":
        return Binary("/", self, as_formula(other))

    def __rtruediv__(self, other: float) -> "Formula":
        return Binary("/", as_formula(other), self)

    def __pow__(self, exponent: int) -> "Formula":
        return Power(self, exponent)

    def __neg__(self) -> "Formula":
        return Negative(self)


def as_formula(value: "Formula | float") -> Formula:
    """Return a number as a formula."""
    return value if isinstance(value, Formula) else Number(value)


def written(value: float) -> str:
    """Write a number with six significant digits at most, without an exponent where it is not tiny.

    Examples
    --------
    >>> written(1.38629436), written(-2.0), written(0.1 + 0.2)
    ('1.38629', '-2', '0.3')
    """
    return f"{value + 0.0:.6g}"


def _rounded(value: float, rounded: bool) -> float:
    return float(written(value)) if rounded else value


def _bracketed(inside: str, tight: bool) -> str:
    return inside if tight else f"({inside})"


def alone(formula: "Formula", filled: bool = False) -> str:
    """Return a formula's text without the brackets that a negative number needs within another formula."""
    text = formula.text(filled)
    return text[1:-1] if isinstance(formula, Number | Symbol) and text.startswith("(") else text


def _row(inside: str, tight: bool = True) -> str:
    return f"<mrow>{inside}</mrow>" if tight else f"<mrow><mo>(</mo>{inside}<mo>)</mo></mrow>"


@dataclass(frozen=True)
class Number(Formula):
    """A number that is the same in letters and filled in."""

    number: float

    def text(self, filled: bool = False) -> str:
        """Return the number; a negative one in brackets."""
        return _bracketed(written(self.number), self.number >= 0)

    def mathml(self, filled: bool = False) -> str:
        """Return the number; a negative one in brackets."""
        digits = f"<mn>{written(self.number).replace('-', '&#x2212;')}</mn>"
        return digits if self.number >= 0 else _row(digits, tight=False)

    def value(self, rounded: bool = False) -> float:
        """Return the number."""
        return _rounded(self.number, rounded)


@dataclass(frozen=True)
class Symbol(Formula):
    """A letter, perhaps with an index, and its number."""

    letter: str
    number: float
    index: str = ""

    def text(self, filled: bool = False) -> str:
        """Return the letter, or the number."""
        if filled:
            return Number(self.number).text()
        return f"{self.letter}_{self.index}" if self.index else self.letter

    def mathml(self, filled: bool = False) -> str:
        """Return the letter, or the number."""
        if filled:
            return Number(self.number).mathml()
        letter, _, below = self.letter.partition("_")
        index = "".join(f"<mi>{html.escape(part)}</mi>" for part in (below, self.index) if part)
        letter = f"<mi>{html.escape(letter)}</mi>"
        return f"<msub>{letter}<mrow>{index}</mrow></msub>" if index else letter

    def value(self, rounded: bool = False) -> float:
        """Return the number."""
        return _rounded(self.number, rounded)


@dataclass(frozen=True)
class Binary(Formula):
    """Two formulas with +, -, · or / between them."""

    sign: str
    left: Formula
    right: Formula

    @property
    def binding(self) -> int:  # type: ignore[override]
        """How tightly it holds together, as text."""
        return _SUM if self.sign in "+-" else _PRODUCT

    @property
    def binding_on_page(self) -> int:  # type: ignore[override]
        """How tightly it holds together, on a page."""
        return _POWER if self.sign == "/" else self.binding

    def text(self, filled: bool = False) -> str:
        """Return both, in brackets where they need them."""
        least = self.binding
        left = _bracketed(self.left.text(filled), self.left.binding >= least)
        loose = self.right.binding > least or (self.sign in "+·" and self._chains(self.right))
        return f"{left} {self.sign} {_bracketed(self.right.text(filled), loose)}"

    def _chains(self, other: Formula) -> bool:
        return isinstance(other, Binary) and other.sign == self.sign

    def mathml(self, filled: bool = False) -> str:
        """Return both; a quotient as a fraction."""
        left, right = self.left.mathml(filled), self.right.mathml(filled)
        if self.sign == "/":
            return f"<mfrac>{_row(left)}{_row(right)}</mfrac>"
        least = self.binding_on_page
        tight = self.right.binding_on_page > least or (self.sign in "+·" and self._chains(self.right))
        sign = {"-": "&#x2212;"}.get(self.sign, self.sign)
        return f"{_row(left, self.left.binding_on_page >= least)}<mo>{sign}</mo>{_row(right, tight)}"

    def value(self, rounded: bool = False) -> float:
        """Return the number."""
        a, b = self.left.value(rounded), self.right.value(rounded)
        return {"+": lambda: a + b, "-": lambda: a - b, "·": lambda: a * b, "/": lambda: a / b}[self.sign]()


@dataclass(frozen=True)
class Negative(Formula):
    """Minus a formula."""

    inside: Formula
    binding = _SUM
    binding_on_page = _SUM

    def text(self, filled: bool = False) -> str:
        """Return it with a minus sign."""
        return "-" + _bracketed(self.inside.text(filled), self.inside.binding > _SUM)

    def mathml(self, filled: bool = False) -> str:
        """Return it with a minus sign."""
        return f"<mo>&#x2212;</mo>{_row(self.inside.mathml(filled), self.inside.binding_on_page > _SUM)}"

    def value(self, rounded: bool = False) -> float:
        """Return the number."""
        return -self.inside.value(rounded)


@dataclass(frozen=True)
class Power(Formula):
    """A formula to a whole power."""

    base: Formula
    exponent: int
    binding = _POWER
    binding_on_page = _POWER

    def text(self, filled: bool = False) -> str:
        """Return it with the exponent raised."""
        base = _bracketed(self.base.text(filled), self.base.binding == _ATOM)
        return base + str(self.exponent).translate(_SUPERSCRIPTS)

    def mathml(self, filled: bool = False) -> str:
        """Return it with the exponent raised."""
        base = _row(self.base.mathml(filled), self.base.binding_on_page == _ATOM)
        return f"<msup>{base}<mn>{self.exponent}</mn></msup>"

    def value(self, rounded: bool = False) -> float:
        """Return the number."""
        return self.base.value(rounded) ** self.exponent


@dataclass(frozen=True)
class Function(Formula):
    """A named function of one or two formulas."""

    name: str
    arguments: tuple[Formula, ...]
    compute: Callable[..., float]

    def text(self, filled: bool = False) -> str:
        """Return its name with the arguments; bars for an absolute value."""
        inside = ", ".join(alone(argument, filled) for argument in self.arguments)
        return f"|{inside}|" if self.name == "abs" else f"{self.name}({inside})"

    def mathml(self, filled: bool = False) -> str:
        """Return it as on a blackboard: e with an exponent, bars."""
        inside = "<mo>,</mo>".join(_row(argument.mathml(filled)) for argument in self.arguments)
        if self.name == "exp":
            return f"<msup><mi>e</mi>{_row(inside)}</msup>"
        if self.name == "abs":
            return f"<mrow><mo>|</mo>{inside}<mo>|</mo></mrow>"
        return f"<mrow><mi>{self.name}</mi><mo>(</mo>{inside}<mo>)</mo></mrow>"

    def value(self, rounded: bool = False) -> float:
        """Return the number."""
        return float(self.compute(*(argument.value(rounded) for argument in self.arguments)))


def exp(x: Formula) -> Formula:
    """Return e to the power of x."""
    return Function("exp", (x,), math.exp)


def expm1(x: Formula) -> Formula:
    """Return e to the power of x, minus 1."""
    return Function("expm1", (x,), math.expm1)


def ln(x: Formula) -> Formula:
    """Return the natural logarithm of x."""
    return Function("ln", (x,), math.log)


def tanh(x: Formula) -> Formula:
    """Return the hyperbolic tangent of x."""
    return Function("tanh", (x,), math.tanh)


def size(x: Formula) -> Formula:
    """Return |x|."""
    return Function("abs", (x,), abs)


def larger(x: Formula, y: "Formula | float") -> Formula:
    """Return the larger of two."""
    return Function("max", (x, as_formula(y)), max)


@dataclass(frozen=True)
class Measured(Formula):
    """A formula whose number is given by other means.

    Parameters
    ----------
    letters : Formula
        A symbol or a function.
    number : float
    """

    letters: Formula
    number: float

    def text(self, filled: bool = False) -> str:
        """Return the letters, or the number."""
        return Number(self.number).text() if filled else self.letters.text()

    def mathml(self, filled: bool = False) -> str:
        """Return the letters, or the number."""
        return Number(self.number).mathml() if filled else self.letters.mathml()

    def value(self, rounded: bool = False) -> float:
        """Return the number."""
        return _rounded(self.number, rounded)


@dataclass(frozen=True)
class Total(Formula):
    """A sum over an index: Σ in letters, term by term filled in.

    Parameters
    ----------
    index : str
    body : Formula
        A term in letters; its value is not used.
    terms : tuple of Formula
    """

    index: str
    body: Formula
    terms: tuple[Formula, ...]
    binding = _SUM
    binding_on_page = _SUM

    def _filled(self) -> Formula:
        total = self.terms[0]
        for term in self.terms[1:]:
            total = total + term
        return total

    def text(self, filled: bool = False) -> str:
        """Return the sum sign with a term, or all terms."""
        if filled:
            return self._filled().text(True)
        return f"Σ_{self.index} " + _bracketed(self.body.text(), self.body.binding > _SUM)

    def mathml(self, filled: bool = False) -> str:
        """Return the sum sign with a term, or all terms."""
        if filled:
            return self._filled().mathml(True)
        body = _row(self.body.mathml(), self.body.binding_on_page > _SUM)
        return f"<munder><mo>∑</mo><mi>{self.index}</mi></munder>{body}"

    def value(self, rounded: bool = False) -> float:
        """Return the number."""
        return self._filled().value(rounded)


@dataclass(frozen=True)
class Brackets(Formula):
    """A formula in brackets, for the sake of legibility."""

    inside: Formula

    def text(self, filled: bool = False) -> str:
        """Return it in square brackets."""
        return f"[{self.inside.text(filled)}]"

    def mathml(self, filled: bool = False) -> str:
        """Return it in square brackets."""
        return f"<mrow><mo>[</mo>{self.inside.mathml(filled)}<mo>]</mo></mrow>"

    def value(self, rounded: bool = False) -> float:
        """Return the number."""
        return self.inside.value(rounded)


@dataclass(frozen=True)
class Expectation(Formula):
    """The mean of a function of degree 3 at most of a normal variable.

    Parameters
    ----------
    letter : str
        The variable.
    body : callable
        From the variable to the function.
    mean, std : float

    Notes
    -----
    E[1], E[t], E[t²], E[t³] of t ~ N(0, 1) are 1, 0, 1, 0, and so are the means over t = -1 and t = 1. So for
    polynomials of degree 3 at most, the mean of a normal variable is the mean of the values at mean - std and
    mean + std: the Gauss-Hermite quadrature with two points.
    """

    letter: str
    body: Callable[[Formula], Formula]
    mean: float
    std: float

    def _filled(self) -> Formula:
        low, high = (Brackets(self.body(Symbol(self.letter, self.mean + t * self.std))) for t in (-1, 1))
        return (low + high) / 2

    def text(self, filled: bool = False) -> str:
        """Return E[...], or the mean of two values."""
        return self._filled().text(True) if filled else f"E[{self.body(Symbol(self.letter, 0.0)).text()}]"

    def mathml(self, filled: bool = False) -> str:
        """Return E[...], or the mean of two values."""
        if filled:
            return self._filled().mathml(True)
        inside = self.body(Symbol(self.letter, 0.0)).mathml()
        return f"<mrow><mi>E</mi><mo>[</mo>{inside}<mo>]</mo></mrow>"

    def value(self, rounded: bool = False) -> float:
        """Return the number."""
        return self._filled().value(rounded)


@dataclass(frozen=True)
class Choice(Formula):
    """One formula where a symbol is above a limit, else another."""

    symbol: Formula
    limit: Formula
    above: Formula
    below: Formula

    def text(self, filled: bool = False) -> str:
        """Return both, and when each holds."""
        condition = f"{self.symbol.text(filled)} > {self.limit.text(filled)}"
        return f"({self.above.text(filled)} if {condition}, else {self.below.text(filled)})"

    def mathml(self, filled: bool = False) -> str:
        """Return both, and when each holds."""
        return (
            f"<mrow><mo>(</mo>{self.above.mathml(filled)}<mtext>&nbsp;if&nbsp;</mtext>"
            f"{self.symbol.mathml(filled)}<mo>&gt;</mo>{self.limit.mathml(filled)}"
            f"<mtext>, else&nbsp;</mtext>{self.below.mathml(filled)}<mo>)</mo></mrow>"
        )

    def value(self, rounded: bool = False) -> float:
        """Return the number."""
        above = self.symbol.value(rounded) > self.limit.value(rounded)
        return (self.above if above else self.below).value(rounded)
