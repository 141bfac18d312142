"""The autoencoder as a scikit-learn estimator."""

import numpy as np
import numpy.typing as npt

from npvae.core.autoencoder import AutoencoderNetwork
from npvae.core.parameters import Parameters
from npvae.estimators import constraints
from npvae.estimators.fitting import TrainableModel


class Autoencoder(TrainableModel):
    """Autoencoder with dense layers.

    The parameters and attributes are those of `VAE`, without `beta`, `free_bits`, `objective`, `n_draws` and
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

    _parameter_constraints = constraints.AUTOENCODER

    def _make_network(self, n_features: int) -> AutoencoderNetwork:
        return AutoencoderNetwork(**self._network_settings(n_features))

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
