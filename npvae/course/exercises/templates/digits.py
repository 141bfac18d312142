# npvae exercise digits
"""A VAE on handwritten digits, trained with your own gradients, and new digits drawn from it.

This file uses vae_forward and vae_backward of your vae.py, which has to be in the same folder. Two pieces
are missing; both are short:

1. update: one step of gradient descent with momentum. For every parameter,

       velocity = momentum * velocity + gradient
       parameter = parameter - learning_rate * velocity

   Change the arrays in params and velocity themselves (params[name] += ... or params[name][...] = ...).

2. sample: new digits. Draw a code z from the distribution to which the KL term has pulled the codes, decode
   it, and make probabilities of the logits. No image goes in.

Replace the dots in sample, and the line with NotImplementedError in update. Then:

    npvae exercise check digits.py          (with --hint for the next of three hints)

trains for some seconds on 1438 images of 8 x 8 pixels, with 10 latent dimensions, and writes digits.png, a
picture of the loss and of your samples. params has the names and shapes that vae.py describes.
"""

import numpy as np
from vae import vae_backward, vae_forward


def update(params, grads, velocity, learning_rate, momentum):
    """Take one step of gradient descent with momentum; change params and velocity in place.

    Parameters
    ----------
    params : dict of arrays
    grads : dict of arrays with the same names and shapes, as vae_backward returns it
    velocity : dict of arrays with the same names and shapes, zero before the first step
    learning_rate, momentum : numbers
    """
    raise NotImplementedError("update is not written yet")


def sample(params, n, rng):
    """Draw n new digits.

    Parameters
    ----------
    params : dict of arrays, trained
    n : int, how many
    rng : NumPy random generator; rng.standard_normal(shape), rng.random(shape) and so on draw numbers

    Returns
    -------
    p : (n, D) array, the probability of every pixel to be white, between 0 and 1
    """
    latent_dim = params["decoder.W"].shape[0]
    z = ...  # (n, Z)
    c = ...  # (n, H)
    logits = ...  # (n, D)
    p = ...  # (n, D)
    return p
