"""Eighty-five ways to get backpropagation wrong.

Each fault is a backward pass that differs little from a right one, which stands beside it. Its docstring says
how to make the mistake, in the imperative. The first groups are wrong numbers, found by any derivative that
is exact enough. At the points of `kinks` and `rounding` a checker easily fails the correct functions. Most of
`state` and `strides` are right when they are called once with an ordinary array; it is somebody else who gets
the wrong gradient.

Examples
--------
>>> from npvae.checks.faults import FAULTS
>>> from npvae.checks.planted import check
>>> fault = FAULTS["draw_half_forgotten"]
>>> print(fault.story)
Differentiate exp(log_var / 2) to itself and forget the inner derivative.
>>> check(fault.wrong, fault, size=4, seed=0).passed, check(fault.correct, fault, size=4, seed=0).passed
(False, True)
"""

from npvae.checks.faults import (
    activations,
    composition,
    dense,
    kinks,
    kl,
    losses,
    reparameterisation,
    rounding,
    state,
    strides,
)
from npvae.checks.faults.fault import Fault, Implementation, Pair, pair_of

FAULTS = {
    fault.name: fault
    for group in (
        kl,
        reparameterisation,
        dense,
        activations,
        kinks,
        losses,
        composition,
        rounding,
        state,
        strides,
    )
    for fault in group.FAULTS
}

__all__ = ["FAULTS", "Fault", "Implementation", "Pair", "pair_of"]
