"""Derivations with the numbers of a small example: what `npvae derive` prints.

The words are those of the docstrings in `npvae.core`. The numbers on the right of each line are computed by
npvae's own functions, and a line holds if its formula gives the same.
"""

import inspect
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

from npvae.course.derive_formulas import Formula, alone, written

WIDTH = 100  # columns of text
EXACT, BY_DIFFERENCES = 1e-12, 1e-4  # relative errors of a line


@dataclass(frozen=True)
class Line:
    """An equation of a derivation.

    Attributes
    ----------
    left : Formula or None
        What is computed; None continues the line before.
    formula : Formula
    computed : float
        The same by npvae's functions.
    said : str
        A remark.
    tolerance : float
        Relative error with which the two agree: rounding, except for difference quotients.
    """

    left: Formula | None
    formula: Formula
    computed: float
    said: str = ""
    tolerance: float = EXACT

    @property
    def error(self) -> float:
        """Distance of the two numbers, relative to their size where that is above 1."""
        return abs(self.formula.value() - self.computed) / max(1.0, abs(self.computed))

    def holds(self) -> bool:
        """Say whether the formula gives what npvae computes."""
        return self.error <= self.tolerance


@dataclass(frozen=True)
class Part:
    """One function of a pair: its words, and the lines.

    Attributes
    ----------
    function : callable
        Whose docstring has the derivation.
    given : str
        The numbers of the example.
    lines : tuple of Line
    """

    function: Callable[..., Any]
    given: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Derivation:
    """A pair of functions, derived.

    Attributes
    ----------
    name : str
        As in `npvae.checks.pairs`.
    forward, backward : Part
    """

    name: str
    forward: Part
    backward: Part

    @property
    def lines(self) -> tuple[Line, ...]:
        """All lines."""
        return self.forward.lines + self.backward.lines


def plain_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that a partial one was made of."""
    return plain_function(function.func) if isinstance(function, partial) else function


def place_of(function: Callable[..., Any]) -> str:
    """Return where a function is: ``npvae/core/gaussian.py, kl_forward``."""
    function = plain_function(function)
    return f"{function.__module__.replace('.', '/')}.py, {function.__name__}"


def summary_of(function: Callable[..., Any]) -> str:
    """Return the first paragraph of a docstring, as one line."""
    return " ".join((inspect.getdoc(plain_function(function)) or "").split("\n\n")[0].split())


def words_of(derivation: Derivation, part: Part) -> str:
    """Return the words above a part's numbers: Notes; without them, the summary, if it is not the heading."""
    notes = notes_of(part.function)
    return notes if notes or part is derivation.forward else summary_of(part.function)


def notes_of(function: Callable[..., Any]) -> str:
    """Return the Notes of a docstring, which hold the derivation; "" where there are none."""
    text = inspect.getdoc(plain_function(function)) or ""
    lines = text.splitlines()
    headings = [i for i in range(len(lines) - 1) if lines[i] and set(lines[i + 1]) == {"-"}]
    for here, after in pairwise([*headings, len(lines)]):
        if lines[here] == "Notes":
            return "\n".join(lines[here + 2 : after]).strip("\n")
    return ""


def remarks(lines: Sequence[Line]) -> list[str]:
    """Return the remark of each line, "" where it is that of the line before."""
    before = ["", *(line.said for line in lines)]
    return [
        "" if line.said == said else line.said for line, said in zip(lines, before[: len(lines)], strict=True)
    ]


def derivation_text(derivation: Derivation) -> str:
    """Return a derivation for the terminal."""
    shown = [f"{derivation.name}: {summary_of(derivation.forward.function)}"]
    for part in (derivation.forward, derivation.backward):
        words = [f"    {line}".rstrip() for line in words_of(derivation, part).splitlines()]
        shown += ["", place_of(part.function), *words, *([""] if words else [])]
        shown += [f"With {part.given}:", lines_text(part.lines)]
    return "\n".join(shown)


def lines_text(lines: Sequence[Line]) -> str:
    """Return equations one below the other: in letters, in numbers, and what comes out."""
    shown: list[str] = []
    for line, said in zip(lines, remarks(lines), strict=True):
        left = "" if line.left is None else line.left.text()
        letters, numbers = alone(line.formula), alone(line.formula, filled=True)
        sign = "≈" if line.tolerance > EXACT else "="
        shown += textwrap.wrap(said, WIDTH, initial_indent="  ", subsequent_indent="  ")
        start = f"  {left} = " if left else "    = "
        right = list(dict.fromkeys((letters, numbers, written(line.computed))))
        one = start + " = ".join(right[:-1]) + f" {sign} {right[-1]}" if right[1:] else start + right[0]
        if len(one) <= WIDTH:
            shown.append(one)
            continue
        signs = ["", *["= "] * (len(right) - 2), f"{sign} "]
        for part, before in zip(right, signs, strict=True):
            first = f"      {before}" if before else start
            shown += textwrap.wrap(part, WIDTH, initial_indent=first, subsequent_indent=" " * 10)
    return "\n".join(shown)


def derivation_numbers(derivation: Derivation) -> dict[str, Any]:
    """Return a derivation in JSON's types."""
    parts = {}
    for name, part in (("forward", derivation.forward), ("backward", derivation.backward)):
        parts[name] = {
            "function": place_of(part.function),
            "derivation": words_of(derivation, part),
            "given": part.given,
            "lines": [
                {
                    "left": None if line.left is None else line.left.text(),
                    "formula": line.formula.text(),
                    "filled": line.formula.text(filled=True),
                    "value": line.formula.value(),
                    "computed_by_npvae": line.computed,
                }
                for line in part.lines
            ],
        }
    return {"name": derivation.name, **parts}
