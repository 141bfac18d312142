"""VAE and Autoencoder as scikit-learn estimators, and a guide to their use.

    from npvae import VAE

    vae = VAE(latent_dim=10).fit(X)     # X (N, D)
    codes = vae.transform(X)            # (N, 10), posterior means
    new = vae.sample(100)               # (100, D)

Which likelihood
    ``likelihood="gaussian"``, the default, is for real numbers: measurements, tables, grey or colour
    images. Its noise variance is learned. ``likelihood="bernoulli"`` is for binary data and, by convention,
    for images in [0, 1], where its loss is a cross-entropy rather than a likelihood. It rejects data
    outside [0, 1]; scale them with ``MinMaxScaler(clip=True)``.

How to scale
    While a Gaussian model trains, it subtracts each column's mean and divides all columns by one number, so
    the unit of the data does not matter. Scale columns of very different variance first
    (``StandardScaler``): the noise has one variance for all columns, so the model would treat columns of
    small variance as noise; `fit` warns about this. Pixels may stay uint8: they are scaled to [0, 1] batch
    by batch.

How large, and how long
    A ``latent_dim`` larger than the data need does no harm: unused units stay at the prior.
    ``hidden=(400,)`` suits thousands of samples. Training ends when the loss falls by less than ``tol``
    nats per sample and feature; if ``max_epochs`` ends it earlier, a ConvergenceWarning says so.
    ``early_stopping=True`` watches a validation loss instead, and restores the best parameters.

What the loss means
    It is the negative ELBO, in nats per sample: reconstruction + beta * KL. `score` is the ELBO; higher is
    better. For a Gaussian likelihood, p(x) is a density and can be above 1 where the noise is small, so the
    loss can be negative; it also depends on the unit of the data. Compare models on the same data in the
    same units.

What beta does
    It is the weight of the KL term. A value above 1 usually gives smoother samples and fewer used
    dimensions. A value below 1 usually gives sharper reconstructions, but codes farther from N(0, I) and so
    worse samples. The loss is the negative ELBO only for beta = 1.

Posterior collapse
    A latent unit with a KL near 0 carries no information about x: q(z | x) = p(z). If all units have
    collapsed, all samples look alike. `fit` warns and names the cause: a noise variance fixed too large
    (let it be learned), a large ``beta`` (lower it, or raise it slowly with ``kl_warmup_epochs``), training
    that ended too early, or columns that have little in common. ``objective="iwae"`` tends to use more
    units than the ELBO (Burda et al. 2016), and ``free_bits`` makes some KL of every unit free of charge.
    ``npvae lab collapse`` shows causes and cures.

Why samples differ from data
    `sample` decodes draws from N(0, I) and returns the mean of p(x | z), which looks smooth; with
    ``noise=True`` it draws from p(x | z). `npvae.study.evaluate` measures how far the codes are from N(0,
    I), and ``npvae compare`` what that does to samples. An Autoencoder's codes follow no known
    distribution: it has no meaningful N(0, I) to draw from.

Outliers
    They have a low `score_samples` (the ELBO). `npvae.study.log_marginal_likelihood` separates them better,
    but is slower. Inference warns about values far outside the training data's range.

Continuing
    With ``warm_start=True``, `fit` continues for ``max_epochs`` more epochs, with the optimizer's state.
    `partial_fit` makes one pass over its data. ``fit(X, checkpoint=PATH)`` keeps the state of training in a
    file, from which ``VAE.resume(PATH, X)`` continues after an interruption, to the same bits.
    ``random_state`` makes a fit bit-reproducible on the same machine; None uses NumPy's global random state
    (`np.random.seed`).

On several machines
    ``mpirun -n 4 python train.py`` (or ``npvae train``) trains one model on four processes, with the extra
    ``npvae[mpi]``: all call `fit` with the same data and settings, each takes its part of every batch, and
    all get the same model, that of one process up to rounding. Raise ``batch_size`` with their number; rank
    0 calls the callbacks. Write files where ``npvae.training.parallel.is_first_rank()``. An error that only
    one process meets ends all of them; a checkpoint stays. Independent trainings, as in GridSearchCV or
    `npvae.study.compare`, go to dask's workers within ``joblib.parallel_config("dask")``, where a
    `distributed.Client` is open.

In other programs
    `save` writes a safetensors file; the docstring of `npvae.load` lists its tensors and opens it in
    PyTorch.
"""

from npvae.estimators.autoencoder import Autoencoder
from npvae.estimators.estimator_loading import load
from npvae.estimators.vae import VAE

__all__ = ["VAE", "Autoencoder", "load"]
