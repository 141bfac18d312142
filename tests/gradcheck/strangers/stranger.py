"""A layer as other people write it: a right version, and versions with common bugs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from npvae.gradcheck import Report, check_gradient, check_layer, check_vjp


@dataclass(frozen=True)
class Stranger:
    """One convention, and what the checker must say of it.

    Attributes
    ----------
    name : str
        The convention, and who writes so.
    check : callable
        ``check(version) -> Report``.
    right : object
        The version that has to pass.
    wrong : mapping of str to object
        Versions that must fail, by their bug.
    undecided : sequence of str
        Bugs for which "inconclusive" is enough.
    """

    name: str
    check: Callable[[Any], Report]
    right: Any
    wrong: Mapping[str, Any]
    undecided: Sequence[str] = ()


def draw(*shape, seed=0):
    """Draw from N(0, 1)."""
    return np.random.default_rng(seed).standard_normal(shape)


def as_layer(x, **options):
    """Check instances of a class, made without arguments, at x."""
    return lambda kind: check_layer(kind(), x, **options)


def as_pair(*args, **options):
    """Check a tuple (forward, backward) at these arguments."""
    return lambda pair: check_vjp(*pair, args, **options)


def as_gradient(x, **options):
    """Check a tuple (function, gradient) at x."""
    return lambda pair: check_gradient(*pair, x, **options)


def one_hot(labels, n):
    """Return rows with a one at each label."""
    return np.eye(n)[labels]


def softmax(x):
    """Return exp(x) over its sum, along the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
