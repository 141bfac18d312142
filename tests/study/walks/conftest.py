import numpy as np
import pytest

from npvae import VAE, Autoencoder


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(256, size=(200, 12), dtype=np.uint8)


@pytest.fixture(scope="module", params=[Autoencoder, VAE])
def model(request, pixels):
    return request.param(latent_dim=2, hidden=(8,), max_epochs=2, random_state=0).fit(pixels)
