"""What a question of the quiz is."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from npvae.checks.faults import FAULTS, Implementation
from npvae.checks.faults.fault import Array
from npvae.course.quiz.network import RIGHT, Pieces
from npvae.gradcheck import Report


@dataclass(frozen=True)
class Curve:
    """A loss, epoch by epoch.

    Attributes
    ----------
    label : str
        Of which code it is.
    values : (epochs,) array
        In nats per image.
    measured : bool
        Whether it was measured afterwards, with right code; otherwise it is what training itself reported.
    """

    label: str
    values: Array
    measured: bool = True


@dataclass(frozen=True)
class Outcome:
    """What was found out about an item.

    Attributes
    ----------
    reports : sequence of Report
        What the gradient checker says of each forward and backward.
    curves : sequence of Curve
        The right code's first.
    samples : mapping of str to (n, 64) array
        By the labels of the curves.
    numbers : mapping of str to float
        What the item's words and claim refer to.
    """

    reports: Sequence[Report]
    curves: Sequence[Curve]
    samples: Mapping[str, Array]
    numbers: Mapping[str, float]


@dataclass(frozen=True)
class Checked:
    """A forward and a backward that are checked.

    Attributes
    ----------
    implementation : Pair or class
    make_args : callable
        ``make_args(rng)`` returns the arguments at which it is checked.
    wrt : sequence of int or None
        Positions of those that backward returns gradients for.
    """

    implementation: Implementation
    make_args: Callable[[np.random.Generator], list[Array]]
    wrt: Sequence[int] | None = None


@dataclass(frozen=True)
class Item:
    """A question.

    Attributes
    ----------
    name : str
        On the command line.
    title : str
        What the code is about; it gives nothing away.
    setting : str
        What one has to know to answer.
    shown : mapping of str to callable
        The functions whose source is shown, under these names. They are what is checked and, as `pieces`,
        trained with.
    options : sequence of str
        Possible answers, each with its reason.
    right : int
        Which of them is right.
    is_bug : bool
        Whether the code is wrong.
    explanation : str
        What is right about it, and what wrong.
    implementation : Pair or class
        The code as a forward and a backward.
    make_args : callable
        ``make_args(rng)`` returns the arguments at which it is checked.
    wrt : sequence of int or None
        Positions of those that backward returns gradients for.
    others : sequence of Checked
        Other pairs among `shown`, which are checked too.
    verdict : {"pass", "fail"}
        What the gradient checker must say of each.
    told : str
        What training with it does, a format of the outcome's numbers.
    holds : callable
        ``holds(numbers) -> bool``: whether the measurement agrees with `told`.
    pieces : Pieces
        The VAE that is trained with it.
    yardstick : Pieces
        What its parameters are measured with.
    label : str
        Of its curve and samples.
    reported : bool
        Whether the loss that training itself reported is shown too.
    """

    name: str
    title: str
    setting: str
    shown: Mapping[str, Callable[..., Any]]
    options: Sequence[str]
    right: int
    is_bug: bool
    explanation: str
    implementation: Implementation
    make_args: Callable[[np.random.Generator], list[Array]]
    verdict: str
    told: str
    holds: Callable[[Mapping[str, float]], bool]
    pieces: Pieces = RIGHT
    yardstick: Pieces = RIGHT
    wrt: Sequence[int] | None = None
    others: Sequence[Checked] = ()
    label: str = "this code"
    reported: bool = False

    def checked(self) -> list[Checked]:
        """Return all pairs that are checked."""
        return [Checked(self.implementation, self.make_args, self.wrt), *self.others]

    def code(self) -> str:
        """Return the source that is shown."""
        return "\n\n".join(source_of(function, name) for name, function in self.shown.items())


def from_catalogue(name: str) -> dict[str, Any]:
    """Return the arguments of an `Item` that a fault of the catalogue gives: what is checked, and where."""
    fault = FAULTS[name]
    return {
        "implementation": fault.wrong,
        "make_args": lambda rng: fault.make_args(rng, 4),
        "wrt": fault.wrt,
    }


def source_of(function: Callable[..., Any], name: str) -> str:
    """Return a function's source, under another name and without what would say too much.

    Docstring, decorators and annotations are left out.

    Examples
    --------
    >>> from npvae.checks.faults.reparameterisation import draw_forward
    >>> print(source_of(draw_forward, "f"))
    def f(mu, log_var, eps):
        return mu + np.exp(log_var / 2) * eps, (log_var, eps)
    """
    source = textwrap.dedent(inspect.getsource(function))
    (node,) = ast.parse(source).body
    assert isinstance(node, ast.FunctionDef)
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    arguments = ", ".join(argument.arg for argument in node.args.args)
    return "\n".join([f"def {name}({arguments}):", *source.splitlines()[body[0].lineno - 1 :]])
