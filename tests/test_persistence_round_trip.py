"""Model files give back exactly what was saved."""

import numpy as np
import pytest

from npvae.core.autoencoder import AutoencoderNetwork
from npvae.core.vae import VAENetwork
from npvae.persistence import load_model, save_model
from tests.model_files import METADATA, VAE, make_params

NETWORKS = [
    VAE,
    VAENetwork(n_features=5, latent_dim=3, hidden=(), likelihood="bernoulli"),
    AutoencoderNetwork(n_features=4, latent_dim=1, hidden=(6, 3), activation="leaky_relu"),
]


@pytest.mark.parametrize("network", NETWORKS, ids=["vae", "linear vae", "autoencoder"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_there_and_back(network, dtype, tmp_path):
    params = make_params(network, dtype)
    save_model(tmp_path / "model", network, params, METADATA)
    model = load_model(tmp_path / "model")
    assert model.network == network
    assert type(model.network) is type(network)
    assert model.params.flat.dtype == dtype
    assert model.params.flat.tobytes() == params.flat.tobytes()
    assert model.params.shapes == params.shapes
    assert model.metadata == METADATA


def test_every_bit_of_unusual_numbers_comes_back(tmp_path):
    params = make_params(VAE)
    info = np.finfo(np.float32)
    params.flat[:5] = [-0.0, info.smallest_subnormal, info.tiny, info.max, info.min]
    save_model(tmp_path / "model", VAE, params, {})
    assert load_model(tmp_path / "model").params.flat.tobytes() == params.flat.tobytes()


def test_loaded_parameters_can_be_changed_and_their_views_are_alive(path):
    params = load_model(path).params
    params.flat[:] = 3
    assert all(np.all(view == 3) for view in params.values())
    assert load_model(path).params == make_params(VAE)


def test_numbers_that_are_not_finite_come_back(path):
    """An infinite validation loss is no reason to lose a model."""
    save_model(path, VAE, make_params(VAE), {"losses": [np.inf, -np.inf, np.nan]})
    assert str(load_model(path).metadata["losses"]) == "[inf, -inf, nan]"
