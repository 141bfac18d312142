"""What an exercise is: functions to complete, arguments to check them at, hints, and known mistakes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from npvae.checks.faults import FAULTS, pair_of

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Mistake:
    """A wrong gradient that is recognised when a student returns it.

    Attributes
    ----------
    argument : str
        Of the forward: the one whose gradient this is.
    words : str
        What the gradient looks like, in a sentence, without the right one.
    gradient : callable
        ``gradient(dy, *args) -> array``: the wrong gradient for the upstream gradient dy.
    """

    argument: str
    words: str
    gradient: Callable[..., Array]


def from_catalogue(name: str, argument: str, position: int, words: str) -> Mistake:
    """Return a mistake of the catalogue of faults.

    Parameters
    ----------
    name : str
        A key of `npvae.checks.faults.FAULTS`.
    argument : str
    position : int
        Of its gradient among those that the fault's backward returns.
    words : str
    """
    forward, backward = pair_of(FAULTS[name].wrong)

    def gradient(dy: Array, *args: Array) -> Array:
        gradients = backward(dy, forward(*args)[1])
        return gradients[position] if isinstance(gradients, tuple) else gradients

    return Mistake(argument, words, gradient)


@dataclass(frozen=True)
class Task:
    """A forward and a backward in a student's file.

    Attributes
    ----------
    name : str
        The file has ``<name>_forward(*args) -> (y, cache)`` and ``<name>_backward(dy, cache) -> gradients``.
    arguments : sequence of str
        The names of the forward's arguments.
    make_args : callable
        ``make_args(rng)`` draws them. No two axes have the same length, so that shapes cannot be mixed up.
    wrt : sequence of str
        The arguments that backward returns gradients for, in this order.
    mistakes : sequence of Mistake
    reference : pair of callables or None
        The right forward and backward, for a forward that the student writes; None where it is given.
    extremes : callable or None
        ``extremes()`` returns arguments at which both functions must agree with the reference.
    """

    name: str
    arguments: Sequence[str]
    make_args: Callable[[np.random.Generator], list[Array]]
    wrt: Sequence[str]
    mistakes: Sequence[Mistake] = ()
    reference: tuple[Callable[..., Any], Callable[..., Any]] | None = None
    extremes: Callable[[], list[Array]] | None = None


@dataclass(frozen=True)
class Exercise:
    """An exercise.

    Attributes
    ----------
    name : str
        On the command line, and of its file.
    title : str
    hints : tuple of three str
        Each says more than the one before, none the result.
    tasks : sequence of Task
        Empty for the whole network and for training, which are checked in ways of their own.
    needs : tuple of str
        The exercises whose files are imported by this one's.
    hint_for : mapping of str to int
        The hint, from 1, at which to begin when something that begins with these letters is wrong.
    derivation : str
        What `npvae derive` calls its derivation; empty if there is none.
    example : str
        What it is checked on, where `tasks` does not say it.
    """

    name: str
    title: str
    hints: tuple[str, str, str]
    tasks: Sequence[Task] = field(default=())
    needs: tuple[str, ...] = ()
    hint_for: Mapping[str, int] = field(default_factory=dict)
    derivation: str = ""
    example: str = ""

    @property
    def file_name(self) -> str:
        """The name of the file that a student starts from."""
        return f"{self.name}.py"

    def checked_on(self) -> str:
        """Say which arguments it is checked on; empty where they are not arrays to look at."""
        said = []
        for task in self.tasks:
            shapes = [np.shape(arg) for arg in task.make_args(np.random.default_rng(0))]
            said += [f"{name} of shape {shape}" for name, shape in zip(task.arguments, shapes, strict=True)]
        return ", ".join(dict.fromkeys(said)) or self.example

    def template(self) -> str:
        """Return the text of that file."""
        folder = files("npvae.course.exercises.templates")
        return folder.joinpath(self.file_name).read_text(encoding="utf-8")


def gradient_name(argument: str) -> str:
    """Return the name of an argument's gradient.

    Examples
    --------
    >>> gradient_name("W"), gradient_name("log_var"), gradient_name("mu.W")
    ('dW', 'd_log_var', 'mu.W')
    """
    if "." in argument:  # a parameter of a network, whose gradient has the same name
        return argument
    return f"d{argument}" if len(argument) == 1 else f"d_{argument}"
