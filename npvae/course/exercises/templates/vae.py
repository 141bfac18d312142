# npvae exercise vae
"""The whole backward pass of a variational autoencoder.

The forward pass below is complete: encoder, draw, decoder, and the two terms of the loss. The question: what
is the gradient of the loss with respect to every weight and every bias?

Go through vae_forward from its last line to its first, and write down the gradient of each quantity when
those of everything that was computed from it are known. Two things need care. The loss is a mean over the
batch. And where a quantity is used twice, its gradient is the sum of what comes back from both uses; that
happens at mu, at log_var and at h.

Replace the dots in vae_backward; leave the rest as it is. You may write helper functions, or import those of
your earlier exercises from the same folder, for example

    from kl import kl_backward

Then:

    npvae exercise check vae.py             (with --hint for the next of three hints)

Shapes: N samples (rows), D pixels, H hidden units, Z latent dimensions. params maps names to arrays:

    encoder.W (D, H), encoder.b (H,)    mu.W (H, Z), mu.b (Z,)    log_var.W (H, Z), log_var.b (Z,)
    decoder.W (Z, H), decoder.b (H,)    output.W (H, D), output.b (D,)
"""

import numpy as np


def vae_forward(params, x, eps):
    """Compute the loss: minus the evidence lower bound (ELBO), the mean over the batch.

    Parameters
    ----------
    params : dict of arrays, with the names and shapes above
    x : (N, D) array of pixels, from 0 to 1
    eps : (N, Z) array of noise from N(0, 1); a constant

    Returns
    -------
    loss : a number
    cache : all that the backward pass needs
    """
    # Encoder: one hidden layer, and two heads that both read h.
    a = x @ params["encoder.W"] + params["encoder.b"]  # (N, H)
    h = np.maximum(a, 0)  # (N, H)
    mu = h @ params["mu.W"] + params["mu.b"]  # (N, Z)
    log_var = h @ params["log_var.W"] + params["log_var.b"]  # (N, Z)
    # The draw.
    z = mu + np.exp(log_var / 2) * eps  # (N, Z)
    # Decoder: one hidden layer, and a logit for each pixel.
    c = z @ params["decoder.W"] + params["decoder.b"]  # (N, H)
    g = np.maximum(c, 0)  # (N, H)
    logits = g @ params["output.W"] + params["output.b"]  # (N, D)
    # The two terms of the loss, one number for each sample. The first is the cross-entropy -ln p(x | z), with
    # ln(1 + exp(logits)) written so that it does not overflow; the second is the divergence.
    softplus = np.maximum(logits, 0) + np.log1p(np.exp(np.where(logits > 0, -logits, logits)))  # (N, D)
    reconstruction = (softplus - x * logits).sum(axis=1)  # (N,)
    kl = (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=1) / 2  # (N,)
    loss = (reconstruction + kl).mean()
    return loss, (params, x, eps, a, h, mu, log_var, z, c, g, logits)


def vae_backward(cache):
    """Compute the gradient of the loss with respect to every parameter (dL/dloss is 1).

    Parameters
    ----------
    cache : as vae_forward returned it

    Returns
    -------
    grads : dict of arrays, with the names and shapes of params
    """
    params, x, eps, a, h, mu, log_var, z, c, g, logits = cache
    grads = {}
    # The way back, from the loss to the encoder.
    grads["output.W"] = ...
    grads["output.b"] = ...
    grads["decoder.W"] = ...
    grads["decoder.b"] = ...
    grads["mu.W"] = ...
    grads["mu.b"] = ...
    grads["log_var.W"] = ...
    grads["log_var.b"] = ...
    grads["encoder.W"] = ...
    grads["encoder.b"] = ...
    return grads
