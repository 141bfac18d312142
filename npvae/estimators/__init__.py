"""VAE and Autoencoder as scikit-learn estimators, and a guide to their use.

    from npvae import VAE

    vae = VAE(latent_dim=10).fit(X)     # X (N, D)
    codes = vae.transform(X)            # (N, 10), posterior means
    new = vae.sample(100)               # (100, D)

Which likelihood
    ``likelihood="gaussian"``, the default, is for real numbers: measurements, tables, grey or colour
    images. Its noise variance is learned. ``likelihood="bernoulli"`` is for binary data, and by custom for
    images in [0, 1], where its loss is a cross-entropy rather than a likelihood; it refuses data outside
    [0, 1] (``MinMaxScaler(clip=True)``).

How to scale
    One number is subtracted from all columns and one divides them while a Gaussian model trains, so the
    unit of the data does not matter. Columns of very different scale should be brought to one scale before
    (``StandardScaler``): the noise has one variance for all columns, and columns of small variance would
    count as noise; `fit` warns. Pixels may stay uint8: they are scaled to [0, 1] batch by batch.

How large, and how long
    ``latent_dim`` beyond what the data need does no harm: units without use keep the prior.
    ``hidden=(400,)`` suits thousands of samples. Training ends when the loss falls by less than ``tol``
    nats per sample and feature; if ``max_epochs`` ends it earlier, a ConvergenceWarning says so.
    ``early_stopping=True`` watches a validation loss instead, and restores the best parameters.

What the loss means
    It is minus the ELBO, in nats per sample: reconstruction + beta * KL. `score` is the ELBO, higher is
    better. For a Gaussian likelihood, ln p(x) is a density: where the noise is small it is large, so the
    loss can be negative, and it changes with the unit of the data. Compare models on the same data in the
    same units.

What beta does
    It weighs the KL term. More than 1 usually gives smoother samples and fewer used dimensions, less than 1
    sharper reconstructions and codes farther from N(0, I), from which samples suffer. Only with 1 is the
    loss minus the ELBO.

Posterior collapse
    A latent unit with a KL near 0 says nothing about x: q(z | x) = p(z). If all units are such, all samples
    look alike. `fit` warns and names the cause: a noise variance that is fixed too large (let it be
    learned), a large ``beta`` (lower it, or raise it slowly with ``kl_warmup_epochs``), training that ended
    too early, or columns that have little in common. ``objective="iwae"`` tends to use more units than the
    ELBO (Burda et al. 2016).

Why samples differ from data
    `sample` decodes draws from N(0, I) and returns the mean of p(x | z), which looks smooth; with
    ``noise=True`` it draws from p(x | z). `npvae.study.evaluate` measures how far the codes are from N(0,
    I), and ``npvae compare`` what that does to samples. An Autoencoder's codes follow no known
    distribution: it has no meaningful N(0, I) to draw from.

Outliers
    They have low `score_samples` (the ELBO), or, better and slower, a low
    `npvae.study.log_marginal_likelihood`. Inference warns of values far outside the training data's range.

Continuing
    ``warm_start=True`` lets `fit` train on for ``max_epochs`` more, with the optimizer's state.
    `partial_fit` is one pass over the data that it is given. ``random_state`` makes a fit repeatable to the
    last bit on the same machine; None follows `np.random.seed`.

In other programs
    `save` writes a safetensors file; the docstring of `npvae.load` lists its tensors and opens it in
    PyTorch.
"""

from npvae.estimators.autoencoder import Autoencoder
from npvae.estimators.files import load
from npvae.estimators.vae import VAE

__all__ = ["VAE", "Autoencoder", "load"]
