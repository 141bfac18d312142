"""What all derivations are made of: numbers of arrays as symbols, and gradients by differences."""

from collections.abc import Callable
from typing import Any

import numpy as np

from npvae.course.derive import BY_DIFFERENCES, Line
from npvae.course.derive_formulas import Formula, Function, Measured, Symbol

STEP = 0.01  # of differences


def entries(letter: str, array: np.ndarray) -> Any:
    """Return the entries of a vector or a matrix as symbols with indices counted from 1, nested as they are.

    Examples
    --------
    >>> x = entries("x", np.array([[1.0, 2.0]]))
    >>> x[0][1].text(), x[0][1].text(filled=True)
    ('x_12', '2')
    """
    if array.ndim == 1:
        return [Symbol(letter, float(a), str(i + 1)) for i, a in enumerate(array)]
    return [
        [Symbol(letter, float(a), f"{i + 1}{j + 1}") for j, a in enumerate(row)]
        for i, row in enumerate(array)
    ]


def one(value: float) -> np.ndarray:
    """Return a number as an array of one sample and one feature, (1, 1)."""
    return np.array([[value]])


def difference(
    gradient: Formula, loss: Callable[[float], Any], letter: str, at: float, computed: float, of: str
) -> Line:
    """Return the line that checks a gradient by a central difference quotient.

    Parameters
    ----------
    gradient : Formula
        Its name.
    loss : callable
        L as a function of what is differentiated by; npvae's forward function, called twice.
    letter : str
        What is differentiated by.
    at : float
    computed : float
        The gradient by npvae's backward function.
    of : str
        What L is.

    Returns
    -------
    Line
        Its error is the third derivative's share, of order `STEP`².
    """
    a = Symbol(letter, at)
    high, low = (
        Measured(Function("L", (moved,), loss), float(loss(at + step)))
        for moved, step in ((a + STEP, STEP), (a - STEP, -STEP))
    )
    quotient = (high - low) / (2 * STEP)
    return Line(gradient, quotient, computed, f"By differences, with L = {of}:", BY_DIFFERENCES)
