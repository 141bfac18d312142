# npvae exercise dense
"""The dense layer y = x W + b, and its gradients.

The forward pass below is complete. L is some loss that is computed from y later on, and the backward pass is
told dy = dL/dy, the gradient of L with respect to every entry of y. The question: what are dL/dx, dL/dW and
dL/db?

Replace the dots in dense_backward; leave dense_forward as it is. Then:

    npvae exercise check dense.py           (with --hint for the next of three hints)

Shapes: N samples (rows), I inputs, O outputs. A gradient has the shape of what it is the gradient of.
"""

import numpy as np


def dense_forward(x, W, b):
    """Compute y = x W + b.

    Parameters
    ----------
    x : (N, I) array, one row for each sample
    W : (I, O) array, the weights
    b : (O,) array, the bias, which is added to every row

    Returns
    -------
    y : (N, O) array
    cache : what the backward pass needs
    """
    y = x @ W + b
    return y, (x, W)


def dense_backward(dy, cache):
    """Compute the gradients of x, W and b.

    Parameters
    ----------
    dy : (N, O) array, dL/dy
    cache : what dense_forward returned beside y

    Returns
    -------
    dx : (N, I) array, dL/dx
    dW : (I, O) array, dL/dW
    db : (O,) array, dL/db
    """
    x, W = cache
    dx = ...
    dW = ...
    db = ...
    return dx, dW, db
