"""The definition of a planted fault: a wrong backward pass and the correct one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Cache = Any  # whatever a forward passes to its backward


class Pair(NamedTuple):
    """A forward and its backward."""

    forward: Callable[..., tuple[Any, Any]]  # forward(*args) -> (y, cache)
    backward: Callable[[Any, Any], Any]  # backward(dy, cache) -> gradients


Implementation = Pair | type  # a class is for functions with state: each check makes its own instance


@dataclass(frozen=True)
class Fault:
    """A wrong backward pass that differs slightly from the correct one.

    Attributes
    ----------
    name : str
        Unique in the catalogue.
    group : str
        What is differentiated, or what goes wrong.
    story : str
        How to make this mistake, in one sentence.
    correct, wrong : Pair or class
        The function as it should be, and with the fault. A class is called without arguments; its instance
        has the methods ``forward(*args)`` and ``backward(dy, cache)``.
    make_args : callable
        ``make_args(rng, n)`` returns the arguments of forward for layers about n units wide, with n >= 2.
    wrt : sequence of int or None
        Positions of the arguments that backward returns gradients for; None for all.
    decidable : bool
        Whether right and wrong can be told apart at the arguments. If not, "inconclusive" is the best
        possible verdict: the fault must not pass, and the correct function must not fail.
    """

    name: str
    group: str
    story: str
    correct: Implementation
    wrong: Implementation
    make_args: Callable[[np.random.Generator, int], list[Any]]
    wrt: Sequence[int] | None = None
    decidable: bool = True


def pair_of(implementation: Implementation) -> Pair:
    """Return forward and backward; for a class, the methods of a new instance.

    Parameters
    ----------
    implementation : Pair or class

    Returns
    -------
    Pair
    """
    if isinstance(implementation, Pair):
        return implementation
    layer = implementation()
    return Pair(layer.forward, layer.backward)


def fault(
    group: str,
    correct: Implementation,
    make_args: Callable[[np.random.Generator, int], list[Any]],
    *,
    forward: Callable[..., tuple[Any, Any]] | None = None,
    wrt: Sequence[int] | None = None,
    decidable: bool = True,
) -> Callable[[Callable[..., Any]], Fault]:
    """Turn a wrong backward, or a class with one, into a `Fault`; its docstring becomes the story.

    Parameters
    ----------
    group : str
    correct : Pair or class
        A class if the wrong implementation is a class too.
    make_args : callable
    forward : callable, optional
        The forward of the fault, if it differs from the correct one.
    wrt : sequence of int, optional
    decidable : bool

    Returns
    -------
    decorator
    """

    def plant(wrong: Callable[..., Any]) -> Fault:
        story = (wrong.__doc__ or "").strip()
        if isinstance(wrong, type):
            name = re.sub(r"(?<!^)(?=[A-Z])", "_", wrong.__name__).lower()
            return Fault(name, group, story, correct, wrong, make_args, wrt, decidable)
        pair = Pair(forward or pair_of(correct).forward, wrong)
        return Fault(wrong.__name__, group, story, correct, pair, make_args, wrt, decidable)

    return plant
