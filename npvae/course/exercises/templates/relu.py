# npvae exercise relu
"""The rectified linear unit y = max(x, 0), and its gradient.

L is some loss that is computed from y later on, and the backward pass is told dy = dL/dy. The question: what
is dL/dx? At x = 0 there is no derivative; any number from 0 to 1 times dy is accepted there.

Replace the dots in relu_backward; leave relu_forward as it is. Then:

    npvae exercise check relu.py            (with --hint for the next of three hints)
"""

import numpy as np


def relu_forward(x):
    """Compute y = max(x, 0), entry by entry.

    Parameters
    ----------
    x : array of any shape

    Returns
    -------
    y : array of the same shape
    cache : x
    """
    y = np.maximum(x, 0)
    return y, x


def relu_backward(dy, cache):
    """Compute the gradient of x.

    Parameters
    ----------
    dy : array, dL/dy
    cache : x, as relu_forward returned it beside y

    Returns
    -------
    dx : array of the same shape, dL/dx
    """
    x = cache
    dx = ...
    return dx
