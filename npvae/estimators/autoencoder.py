"""The autoencoder as a scikit-learn estimator."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from npvae.core.autoencoder import AutoencoderNetwork
from npvae.core.parameters import Parameters
from npvae.estimators.fitting import TrainableModel
from npvae.estimators.inputs import RandomState
from npvae.training.optimizers import Optimizer
from npvae.training.schedules import LearningRate


class Autoencoder(TrainableModel):
    """Autoencoder with dense layers.

    The parameters and attributes are those of `VAE`, without `beta`, `objective`, `n_draws` and
    `kl_warmup_epochs`. `transform` returns the codes, and `score_samples` returns ln p(x | code(x)).
    `sample` decodes draws from N(0, I), as `VAE.sample` does, although training does not make the codes
    follow that distribution. The result shows why an autoencoder is not a generative model.

    References
    ----------
    Hinton & Salakhutdinov (2006), Reducing the dimensionality of data with neural networks.

    Examples
    --------
    >>> import numpy as np
    >>> from npvae import Autoencoder
    >>> X = np.random.default_rng(0).random((200, 16))
    >>> ae = Autoencoder(latent_dim=2, hidden=(32,), max_epochs=2, random_state=0).fit(X)
    >>> ae.reconstruct(X).shape
    (200, 16)
    """

    def __init__(
        self,
        latent_dim: int = 2,
        *,
        hidden: tuple[int, ...] = (400,),
        activation: str = "relu",
        negative_slope: float = 0.01,
        likelihood: str = "gaussian",
        noise_variance: float | Literal["learned"] = "learned",
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
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.activation = activation
        self.negative_slope = negative_slope
        self.likelihood = likelihood
        self.noise_variance = noise_variance
        self.init = init
        self.init_output_bias = init_output_bias
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.max_grad_norm = max_grad_norm
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.tol = tol
        self.dynamic_binarization = dynamic_binarization
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.n_threads = n_threads
        self.random_state = random_state
        self.verbose = verbose

    def _make_network(self, n_features: int) -> AutoencoderNetwork:
        return AutoencoderNetwork(
            n_features=n_features,
            latent_dim=self.latent_dim,
            hidden=tuple(self.hidden) if isinstance(self.hidden, list | np.ndarray) else self.hidden,
            activation=self.activation,
            negative_slope=self.negative_slope,
            likelihood=self.likelihood,
            noise_variance=self.noise_variance,
        )

    def _codes(self, params: Parameters, x: np.ndarray) -> np.ndarray:
        return self.network_.encode(params, x)

    def score_samples(self, X: npt.ArrayLike) -> np.ndarray:
        """Return ln p(x | code(x)) of each sample, in nats; higher is better.

        Parameters
        ----------
        X : (N, D) array

        Returns
        -------
        scores : (N,) array

        Raises
        ------
        NotFittedError, ValueError
            Not fitted; X is unsuitable, as for `fit`.
        """
        return self._in_blocks(self._scores, self._validate_range(X))

    def _scores(self, params: Parameters, x: np.ndarray) -> np.ndarray:
        reconstruction, _ = self.network_.forward(params, x)
        return -reconstruction
