"""The variational autoencoder as a scikit-learn estimator."""

from collections.abc import Iterator
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt

from npvae.core.architecture import is_count
from npvae.core.gaussian import kl_forward, reparameterize_forward
from npvae.core.objectives import FreeBitsVAENetwork, MultiSampleVAENetwork
from npvae.core.parameters import Parameters
from npvae.core.vae import VAENetwork
from npvae.data.scaling import as_floats
from npvae.estimators import base, constraints
from npvae.estimators.diagnosis import PosteriorCollapseWarning, collapse_warning, log_var_warning
from npvae.estimators.fitting import TrainableModel
from npvae.estimators.inputs import BLOCK, RandomState
from npvae.estimators.score_draws import default_n_draws, shared_noise
from npvae.training.optimizers import Optimizer
from npvae.training.schedules import LearningRate

_DIAGNOSED = 1000  # training rows whose posteriors `fit` looks at in the end


class VAE(TrainableModel):
    """Variational autoencoder with dense layers.

    Parameters
    ----------
    latent_dim : int, default=2
        Z.
    hidden : tuple of int, default=(400,)
        Widths of the encoder's hidden layers; the decoder mirrors them. ``()`` is a linear model.
    activation : {"relu", "leaky_relu", "tanh", "sigmoid", "softplus", "identity"}
    negative_slope : float, default=0.01
        Slope of "leaky_relu" for negative inputs.
    likelihood : {"gaussian", "bernoulli"}
        "bernoulli" is for data in [0, 1].
    noise_variance : "learned" or float, default="learned"
        Of the Gaussian likelihood. "learned" makes it one more parameter, which starts at the mean variance
        of the columns and follows the residuals: see `npvae.training.noise_variance`. 0.5 makes the
        reconstruction term the summed squared error, up to a constant.
    beta : float, default=1.0
        Weight of the KL term.
    objective : {"elbo", "iwae"}
        What is maximised. "iwae" is the importance-weighted bound on ln p(x): see
        `npvae.core.objectives`.
    n_draws : int, default=1
        Number of draws of z per sample in every step: k of "iwae"; for "elbo", the reconstruction term is
        averaged over them. The encoder runs once per sample, the decoder once per draw.
    kl_warmup_epochs : int, default=0
        Number of epochs over which the weight of the KL term rises linearly to beta.
    free_bits : float, default=0.0
        Nats of every latent dimension's KL, averaged over the batch, that cost nothing: against posterior
        collapse, see `npvae.core.objectives`. Only for the ELBO with one draw. Core itself trains, without
        the compiled step.
    init : {"uniform", "he", "glorot"}
        Initial weights: see `npvae.core.init.init_parameters`.
    init_output_bias : bool, default=False
        Start the output bias at the data's mean.
    optimizer : {"adam", "adagrad", "sgd"} or object, default="adam"
        An object such as ``npvae.training.Adam(epsilon=1e-4)``.
    learning_rate : float or callable, default=1e-3
        A function of the epoch, counted from 0, such as ``npvae.training.CosineDecay(1e-3, 10)``.
    max_grad_norm : float, optional
        Gradients with a larger norm, taken over all parameters, are scaled down to this norm.
    batch_size : int, default=128
    max_epochs : int, optional
        None: until the loss settles, at most 20,000 steps or 40 epochs, whichever is more.
    tol : float or None, default=0.01
        Training ends when the loss falls by less than this, in nats per sample and feature, from one stretch
        of epochs to the next; a stretch is `n_iter_no_change` epochs, and at least 200 steps. Where
        `max_epochs` ends training earlier, a ConvergenceWarning says so. None: train for `max_epochs`,
        without a warning. With `early_stopping`, the validation loss ends training instead.
    dynamic_binarization : bool, default=False
        Draw the pixels of every batch anew from Bernoulli(x).
    early_stopping : bool, default=False
        Stop when the validation loss has not fallen for `n_iter_no_change` epochs; the best parameters
        are restored. Epochs of KL warm-up, in which another loss is minimised, do not count.
    validation_fraction : float, default=0.1
        Part of X that early stopping sets aside, if `fit` is given no validation data.
    n_iter_no_change : int, default=10
    warm_start : bool, default=False
        Let `fit` continue from the present parameters, optimizer state and history, for `max_epochs` more.
    n_threads : int, optional
        None: one thread per core; training uses one thread only if the network is small or if other
        processes occupy the cores. The results do not depend on the number of threads, to the last bit,
        except on processors without AVX2 and with NPVAE_KERNELS=reference, where the threads are BLAS's:
        set 1 there.
    random_state : int, Generator, RandomState or None
        With an int, all fits on the same machine give bit-identical results. None follows `np.random.seed`.
    verbose : int, default=0
        Other than 0 shows a progress bar on stderr.

    Attributes
    ----------
    network_ : VAENetwork
        The core's description; ``network_.loss_and_grad(params_, X, eps)`` is the loss and its gradient.
    params_ : Parameters
        float32.
    history_ : dict of list
        One entry an epoch: loss, reconstruction, kl, validation_loss, in nats per sample; beta,
        learning_rate, seconds.
    n_iter_ : int
        Epochs completed.
    stop_reason_ : str
        "converged", "max_epochs", "early_stopping", "interrupted", "callback", "diverged", "error" or
        "partial_fit"; in a callback, "unfinished".
    best_epoch_ : int or None
        The epoch restored by early stopping.
    data_range_ : (2, D) array
        Smallest and largest value of each column of the training data ([0, 1] for pixels). Inference warns
        about rows outside this range by more than its width.
    pixels_ : bool
        Whether the training data were uint8.
    n_features_in_ : int
        D.

    References
    ----------
    Kingma & Welling (2014), Auto-encoding variational Bayes.
    Burda, Grosse & Salakhutdinov (2016), Importance weighted autoencoders.

    Examples
    --------
    >>> import numpy as np
    >>> from npvae import VAE
    >>> X = np.random.default_rng(0).random((200, 16))
    >>> vae = VAE(latent_dim=2, hidden=(32,), max_epochs=2, random_state=0).fit(X)
    >>> vae.transform(X).shape, vae.sample(5, random_state=0).shape
    ((200, 2), (5, 16))
    """

    _parameter_constraints = constraints.VAE

    def __init__(
        self,
        latent_dim: int = 2,
        *,
        hidden: tuple[int, ...] = (400,),
        activation: str = "relu",
        negative_slope: float = 0.01,
        likelihood: str = "gaussian",
        noise_variance: float | Literal["learned"] = "learned",
        beta: float = 1.0,
        objective: str = "elbo",
        n_draws: int = 1,
        kl_warmup_epochs: int = 0,
        free_bits: float = 0.0,
        init: str = "uniform",
        init_output_bias: bool = False,
        optimizer: str | Optimizer = "adam",
        learning_rate: LearningRate = 1e-3,
        max_grad_norm: float | None = None,
        batch_size: int = 128,
        max_epochs: int | None = None,
        tol: float | None = 1e-2,
        dynamic_binarization: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        warm_start: bool = False,
        n_threads: int | None = None,
        random_state: RandomState = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            latent_dim,
            hidden=hidden,
            activation=activation,
            negative_slope=negative_slope,
            likelihood=likelihood,
            noise_variance=noise_variance,
            init=init,
            init_output_bias=init_output_bias,
            optimizer=optimizer,
            learning_rate=learning_rate,
            max_grad_norm=max_grad_norm,
            batch_size=batch_size,
            max_epochs=max_epochs,
            tol=tol,
            dynamic_binarization=dynamic_binarization,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            warm_start=warm_start,
            n_threads=n_threads,
            random_state=random_state,
            verbose=verbose,
        )
        self.beta = beta
        self.objective = objective
        self.n_draws = n_draws
        self.kl_warmup_epochs = kl_warmup_epochs
        self.free_bits = free_bits

    def encode(self, X: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Return the parameters of q(z | x) for every sample.

        Parameters
        ----------
        X : (N, D) array

        Returns
        -------
        mu, log_var : (N, Z) arrays
            Means and log-variances.

        Raises
        ------
        NotFittedError, ValueError
            As for `transform`.
        """
        both = self._in_blocks(self._posteriors, self._validate_shape(X))
        return both[:, 0], both[:, 1]

    def encode_in_runs(self, X: npt.ArrayLike) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the rows of ``encode(X)``, some thousands at a time."""
        for both in self._in_runs(self._posteriors, self._validate_shape(X), base.RUN):
            yield both[:, 0], both[:, 1]

    def _posteriors(self, params: Parameters, x: np.ndarray) -> np.ndarray:
        return np.stack(self.network_.encode(params, x), axis=1)

    def _make_network(self, n_features: int) -> VAENetwork:
        values = self._python_values()
        settings, free_bits = self._network_settings(n_features), float(self.free_bits)
        settings["beta"] = values["beta"]
        if self.objective == "elbo" and self.n_draws == 1:
            if free_bits != 0:
                return FreeBitsVAENetwork(**settings, free_bits=free_bits)
            return VAENetwork(**settings)
        if free_bits != 0:
            raise ValueError(
                f"free_bits={self.free_bits!r} is for the ELBO with one draw of z; leave it at 0, or set "
                'objective="elbo" and n_draws=1'
            )
        if self.objective == "iwae" and self.n_draws == 1:
            raise ValueError(
                'objective="iwae" with n_draws=1 is the ELBO with a sampled instead of the exact KL term; '
                'use more draws, for example n_draws=5, or objective="elbo"'
            )
        return MultiSampleVAENetwork(**settings, objective=self.objective, n_draws=values["n_draws"])

    def _codes(self, params: Parameters, x: np.ndarray) -> np.ndarray:
        return self.network_.encode(params, x)[0]

    def score_samples(self, X: npt.ArrayLike, *, n_draws: int | None = None) -> np.ndarray:
        """Return the evidence lower bound (ELBO) of each sample, in nats; higher is better.

        Parameters
        ----------
        X : (N, D) array
        n_draws : int, optional
            Draws of z that the reconstruction term is averaged over. They are the same for all samples
            (`npvae.estimators.score_draws.shared_noise`), so the score is continuous in the sample.
            None: 16 for up to 3 latent dimensions, else 64. Each costs a pass through the decoder.

        Returns
        -------
        scores : (N,) array
            Lower bounds of ln p(x), whatever `beta` and `objective` the model was trained with.

        Raises
        ------
        NotFittedError, ValueError
            Not fitted; X is unsuitable, as for `fit`; `n_draws` is not a positive integer.

        See Also
        --------
        npvae.study.log_marginal_likelihood : ln p(x) itself. Both serve to find outliers, which have low
        scores.
        """
        rows = self._validate_range(X)
        if n_draws is None:
            n_draws = default_n_draws(self.network_.latent_dim)
        if not is_count(n_draws):
            raise ValueError(f"n_draws must be an integer of at least 1, got {n_draws!r}")
        noise = shared_noise(int(n_draws), self.network_.latent_dim)
        return self._in_blocks(partial(self._scores, noise), rows)

    def _scores(self, noise: np.ndarray, params: Parameters, x: np.ndarray) -> np.ndarray:
        network = self.network_
        mu, log_var = network.encode(params, x)
        kl, _ = kl_forward(mu, log_var)
        total, n = np.zeros(len(x), x.dtype), len(x)
        at_once = max(1, BLOCK // n)  # draws decoded in one product; more than one if there are few samples
        for eps in np.split(noise.astype(x.dtype), range(at_once, len(noise), at_once)):
            k = len(eps)
            mu_k, log_var_k, x_k = (np.tile(a, (k, 1)) for a in (mu, log_var, x))
            z, _ = reparameterize_forward(mu_k, log_var_k, np.repeat(eps, n, axis=0))
            output, _ = network.decoder_forward(params, z)
            total += network.reconstruction_forward(params, x_k, output)[0].reshape(k, n).sum(axis=0)
        return -(total / x.dtype.type(len(noise)) + kl)

    def _diagnose(self, data: np.ndarray, rows: np.ndarray, unsettled: bool) -> list[Warning]:
        if not self.n_iter_:
            return []
        some = rows[np.linspace(0, len(rows) - 1, min(len(rows), _DIAGNOSED)).astype(np.int64)]
        x = as_floats(data[some], self.params_.flat.dtype)
        with np.errstate(over="ignore", invalid="ignore"):  # the warnings below report it
            mu, log_var = self.network_.encode(self.params_, x)
            collapse = collapse_warning(self.network_, self.params_, x, mu, log_var, unsettled=unsettled)
        found: list[Warning] = []
        if collapse is not None:
            found.append(PosteriorCollapseWarning(collapse))
        if (extreme := log_var_warning(np.abs(log_var).max(axis=1))) is not None:
            found.append(UserWarning(extreme))
        return found
