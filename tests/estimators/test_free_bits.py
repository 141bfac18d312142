import numpy as np
import pytest

from npvae import VAE, load
from npvae.core.vae import VAENetwork

SETTINGS = {
    "hidden": (16,), "noise_variance": 20.0, "learning_rate": 3e-3, "max_epochs": 60, "tol": None,
    "random_state": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(1)
    return rng.standard_normal((200, 2)) @ rng.standard_normal((2, 6))


def test_they_are_used_where_the_elbo_would_use_none(X):
    """The noise variance is above that of the data, so the ELBO's optimum is q(z | x) = p(z)."""
    kl = {bits: VAE(2, free_bits=bits, **SETTINGS).fit(X).history_["kl"][-1] for bits in (0.0, 0.5)}
    assert kl[0.0] < 0.05
    assert 0.8 < kl[0.5] < 1.2  # the batches' means fluctuate about 2 * 0.5


def test_the_file_of_a_model(X, tmp_path):
    vae = VAE(2, free_bits=0.5, **SETTINGS | {"max_epochs": 1}).fit(X)
    vae.save(tmp_path / "vae.safetensors")
    loaded = load(tmp_path / "vae.safetensors")
    assert (loaded.free_bits, loaded.network_) == (0.5, vae.network_)
    np.testing.assert_array_equal(loaded.score_samples(X), vae.score_samples(X))


def test_a_change_after_training_is_not_saved(X, tmp_path):
    vae = VAE(2, **SETTINGS | {"max_epochs": 1}).fit(X)
    assert type(vae.network_) is VAENetwork
    vae.set_params(free_bits=0.5).save(tmp_path / "vae.safetensors")
    assert load(tmp_path / "vae.safetensors").free_bits == 0.0


def test_only_the_elbo_with_one_draw(X):
    with pytest.raises(ValueError, match=r"free_bits=0\.5 is for the ELBO with one draw"):
        VAE(2, free_bits=0.5, objective="iwae", n_draws=5).fit(X)
    with pytest.raises(ValueError, match=r"free_bits.*\[0\.0, inf\)"):
        VAE(2, free_bits=-1).fit(X)


def test_an_integer_beyond_int64(X):
    assert np.isfinite(VAE(2, hidden=(4,), free_bits=10**30, max_epochs=1, tol=None).fit(X).history_["loss"])
