"""Eighty-five ways to get backpropagation wrong.

Each fault is a backward pass that differs slightly from a correct one, which is stored with it. Its docstring
says how to make the mistake, in the imperative. Faults of the first groups return wrong numbers, which any
sufficiently accurate numerical derivative detects. At the points of `kinks` and `rounding`, a checker easily
rejects the correct functions. Most faults in `state` and `strides` return the right gradient when they are
called once with an ordinary array, and a wrong one for a later call or another array.

Examples
--------
>>> from npvae.checks.faults import FAULTS
>>> from npvae.checks.planted import check
>>> fault = FAULTS["draw_half_forgotten"]
>>> print(fault.story)
Differentiate exp(log_var / 2) to itself and forget the factor 1/2 from the chain rule.
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
