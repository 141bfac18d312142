import pytest
from threadpoolctl import threadpool_info

from npvae.core.autoencoder import AutoencoderNetwork
from npvae.training.threads import limit_threads


def blas_threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


@pytest.mark.parametrize(
    ("n_features", "batch_size", "small"), [(64, 32, True), (784, 128, False), (784, 16, True)]
)
def test_small_products_get_one_thread(n_features, batch_size, small):
    network = AutoencoderNetwork(n_features=n_features, latent_dim=2, hidden=(400,))
    before = blas_threads()
    with limit_threads(network, batch_size):
        assert blas_threads() == ([1] * len(before) if small else before)
    assert blas_threads() == before


def test_a_network_without_hidden_layers():
    with limit_threads(AutoencoderNetwork(n_features=3, latent_dim=2, hidden=()), 10):
        assert set(blas_threads()) == {1}
