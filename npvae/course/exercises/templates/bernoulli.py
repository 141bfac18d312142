# npvae exercise bernoulli
"""The Bernoulli likelihood from logits: a forward pass that survives large numbers, and its gradient.

A pixel x is white (1) with probability p = 1 / (1 + exp(-l)), where l, the logit, is the decoder's output.
The logarithm of the likelihood of a sample is

    ln p(x | l) = sum over pixels of  x ln p + (1 - x) ln(1 - p).

Programmed like that, it fails: for l = 1000, p is rounded to 1 and ln(1 - p) is minus infinity; for
l = -1000, exp(-l) overflows. Put p = 1 / (1 + exp(-l)) into the formula on paper and simplify; you get

    x l - ln(1 + exp(l)),

and the second term has to be written so that nothing overflows. There are two questions:

1. bernoulli_forward: compute the log-likelihood for any logits, also 1000 and -1000.
2. bernoulli_backward: dL/dlogits, which must be finite there too.

Here you write the forward pass yourself, and you may choose what is in the cache. Then:

    npvae exercise check bernoulli.py       (with --hint for the next of three hints)

Shapes: N samples (rows), D pixels.
"""

import numpy as np


def bernoulli_forward(logits, x):
    """Compute the log-likelihood of every sample.

    Parameters
    ----------
    logits : (N, D) array of any real numbers
    x : (N, D) array of pixels, from 0 to 1; data, so they need no gradient

    Returns
    -------
    log_likelihood : (N,) array, one number for each sample
    cache : what your backward pass needs
    """
    log_likelihood = ...
    return log_likelihood, (logits, x)


def bernoulli_backward(d_log_likelihood, cache):
    """Compute the gradient of the logits.

    Parameters
    ----------
    d_log_likelihood : (N,) array, dL/dlog_likelihood: one number for each sample
    cache : what your bernoulli_forward returned beside the log-likelihood

    Returns
    -------
    d_logits : (N, D) array, dL/dlogits
    """
    logits, x = cache
    d_logits = ...
    return d_logits
