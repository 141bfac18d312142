# npvae exercise sigmoid
"""The sigmoid and the cross-entropy: two gradients, and what becomes of their product.

A decoder's last layer outputs one number l, the logit, for each pixel. The sigmoid makes a probability of it,
p = 1 / (1 + exp(-l)), and the cross-entropy compares p with the pixel x:

    loss = -sum over pixels of  x ln p + (1 - x) ln(1 - p).

There are three questions, each a function with dots to replace:

1. sigmoid_backward: from dp = dL/dp to dL/dl.
2. cross_entropy_backward: from the gradient of the loss to dL/dp.
3. both_backward: from the gradient of the loss to dL/dl at once. Multiply the results of 1 and 2 on paper and
   simplify before you program: the result is short, and it divides by nothing.

Leave the forward functions as they are. Then:

    npvae exercise check sigmoid.py         (with --hint for the next of three hints)

Shapes: N samples (rows), D pixels.
"""

import numpy as np


def sigmoid_forward(logits):
    """Compute p = 1 / (1 + exp(-logits)), entry by entry.

    Parameters
    ----------
    logits : (N, D) array

    Returns
    -------
    p : (N, D) array, between 0 and 1
    cache : p
    """
    p = 1 / (1 + np.exp(-logits))
    return p, p


def sigmoid_backward(dp, cache):
    """Compute the gradient of the logits.

    Parameters
    ----------
    dp : (N, D) array, dL/dp
    cache : p, as sigmoid_forward returned it

    Returns
    -------
    d_logits : (N, D) array, dL/dlogits
    """
    p = cache
    d_logits = ...
    return d_logits


def cross_entropy_forward(p, x):
    """Compute the cross-entropy of every sample.

    Parameters
    ----------
    p : (N, D) array, between 0 and 1: the predicted probabilities
    x : (N, D) array of pixels, from 0 to 1; data, so they need no gradient

    Returns
    -------
    loss : (N,) array, one number for each sample
    cache : p and x
    """
    loss = -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum(axis=1)
    return loss, (p, x)


def cross_entropy_backward(d_loss, cache):
    """Compute the gradient of p.

    Parameters
    ----------
    d_loss : (N,) array, dL/dloss: one number for each sample
    cache : p and x, as cross_entropy_forward returned them

    Returns
    -------
    dp : (N, D) array, dL/dp
    """
    p, x = cache
    dp = ...
    return dp


def both_forward(logits, x):
    """Compute the cross-entropy of every sample from the logits: the two functions above in a row.

    Parameters
    ----------
    logits : (N, D) array
    x : (N, D) array of pixels, from 0 to 1; data, so they need no gradient

    Returns
    -------
    loss : (N,) array
    cache : p = sigmoid(logits), and x
    """
    p, _ = sigmoid_forward(logits)
    loss, _ = cross_entropy_forward(p, x)
    return loss, (p, x)


def both_backward(d_loss, cache):
    """Compute the gradient of the logits in one step, simplified.

    Parameters
    ----------
    d_loss : (N,) array, dL/dloss: one number for each sample
    cache : p and x, as both_forward returned them

    Returns
    -------
    d_logits : (N, D) array, dL/dlogits
    """
    p, x = cache
    d_logits = ...
    return d_logits
