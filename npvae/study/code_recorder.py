"""Record the codes of some data after every epoch, to see a latent space form."""

from typing import Any

import numpy as np
import numpy.typing as npt

from npvae.core.vae import VAENetwork
from npvae.data.scaling import as_floats
from npvae.training.loop import EpochEnd


class CodeRecorder:
    """A callback for ``fit(callbacks=[...])`` that keeps the codes of X after every epoch.

    Parameters
    ----------
    X : (N, D) array
        uint8 for pixels.

    Attributes
    ----------
    codes : list of (N, Z) arrays, float32
        One for each epoch; for a VAE the posterior means.

    Examples
    --------
    >>> from npvae import Autoencoder
    >>> X = np.random.default_rng(0).random((50, 4))
    >>> recorder = CodeRecorder(X[:10])
    >>> model = Autoencoder(2, hidden=(), max_epochs=3, tol=None, random_state=0).fit(X, callbacks=[recorder])
    >>> [codes.shape for codes in recorder.codes]
    [(10, 2), (10, 2), (10, 2)]
    """

    def __init__(self, X: npt.ArrayLike) -> None:
        self._X = as_floats(np.asarray(X), np.dtype(np.float32))
        self.codes: list[np.ndarray] = []

    def __call__(self, end: EpochEnd) -> None:
        """Keep the codes of this epoch."""
        network: Any = end.network
        encoded = network.encode(end.params, self._X)
        codes = encoded[0] if isinstance(network, VAENetwork) else encoded
        self.codes.append(codes.astype(np.float32, copy=True))
