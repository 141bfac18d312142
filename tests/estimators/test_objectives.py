"""VAEs that are trained on other objectives than the ELBO with one draw."""

import numpy as np
import pytest

import npvae
from npvae import VAE
from npvae.core.objectives import MultiSampleVAENetwork
from npvae.core.vae import VAENetwork
from npvae.study.posterior.log_marginal import log_marginal_likelihood

SETTINGS = {
    "hidden": (16,),
    "likelihood": "bernoulli",
    "max_epochs": 40,
    "batch_size": 20,
    "tol": None,
    "random_state": 0,
}


@pytest.fixture(scope="module")
def X():
    """Binary rows with two causes, which is more than one latent dimension can tell apart."""
    rng = np.random.default_rng(0)
    causes = rng.random((400, 2)) < 0.5
    means = 0.1 + 0.8 * np.concatenate(
        [np.repeat(causes[:, :1], 6, 1), np.repeat(causes[:, 1:], 6, 1)], axis=1
    )
    return (rng.random((400, 12)) < means).astype(np.float32)


def test_one_draw_of_the_elbo_is_the_plain_network(X):
    assert type(VAE(2, **SETTINGS).fit(X[:20]).network_) is VAENetwork


@pytest.mark.parametrize("objective", ["elbo", "iwae"])
def test_training_raises_the_likelihood(X, objective):
    vae = VAE(2, objective=objective, n_draws=5, learning_rate=3e-3, **SETTINGS).fit(X)
    assert vae.network_ == MultiSampleVAENetwork(
        n_features=12, latent_dim=2, hidden=(16,), likelihood="bernoulli", noise_variance="learned",
        objective=objective, n_draws=5,
    )  # fmt: skip
    independent = X.mean(axis=0)  # the best that pixels without a cause can do
    entropy = -(independent * np.log(independent) + (1 - independent) * np.log(1 - independent)).sum()
    found = log_marginal_likelihood(vae, X, n_samples=200, random_state=0).log_likelihood.mean()
    assert found > -entropy + 1
    assert vae.history_["loss"][-1] < vae.history_["loss"][0]


def test_the_loss_is_the_bound_and_the_score_is_the_elbo(X):
    vae = VAE(2, objective="iwae", n_draws=50, learning_rate=3e-3, **SETTINGS).fit(X, X_val=X)
    bound = -vae.history_["validation_loss"][-1]
    assert vae.score(X) < bound
    likelihood = log_marginal_likelihood(vae, X, n_samples=1000, random_state=0)
    estimates = [
        log_marginal_likelihood(vae, X, n_samples=50, random_state=seed).log_likelihood.mean()
        for seed in range(5)
    ]
    assert abs(bound - np.mean(estimates)) < 5 * np.std(estimates, ddof=1)
    assert bound < likelihood.log_likelihood.mean() + 0.05


def test_elbo_of_many_draws_is_that_of_one_with_less_noise(X):
    """The same objective: trained on either, the ELBO comes out alike."""
    scores = {k: VAE(2, n_draws=k, learning_rate=3e-3, **SETTINGS).fit(X).score(X) for k in (1, 8)}
    assert abs(scores[1] - scores[8]) < 0.3


def test_a_saved_model_comes_back_with_its_objective(X, tmp_path):
    vae = VAE(2, objective="iwae", n_draws=3, **SETTINGS | {"max_epochs": 1}).fit(X)
    vae.save(tmp_path / "iwae.safetensors")
    loaded = npvae.load(tmp_path / "iwae.safetensors")
    assert (loaded.objective, loaded.n_draws, loaded.network_) == ("iwae", 3, vae.network_)
    np.testing.assert_array_equal(loaded.score_samples(X), vae.score_samples(X))


def test_settings_changed_after_the_fit_are_not_saved(X, tmp_path):
    vae = VAE(2, **SETTINGS | {"max_epochs": 1}).fit(X)
    vae.set_params(objective="iwae", n_draws=3).save(tmp_path / "vae.safetensors")
    loaded = npvae.load(tmp_path / "vae.safetensors")
    assert (loaded.objective, loaded.n_draws) == ("elbo", 1)


def test_same_seed_same_bits(X):
    first, second = (
        VAE(2, objective="iwae", n_draws=3, **SETTINGS | {"max_epochs": 3}).fit(X).params_.flat
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_warm_up_weighs_the_log_ratio(X):
    vae = VAE(2, objective="iwae", n_draws=3, kl_warmup_epochs=4, **SETTINGS | {"max_epochs": 5}).fit(X)
    assert vae.history_["beta"] == [0.25, 0.5, 0.75, 1, 1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"objective": "mmd"}, "'objective' parameter of VAE"),
        ({"n_draws": 0}, "'n_draws' parameter of VAE"),
        ({"objective": "iwae", "n_draws": 0}, "'n_draws' parameter of VAE"),
        ({"objective": "iwae", "n_draws": 1}, 'objective="iwae" with n_draws=1 is the ELBO with a sampled'),
        # one draw is the default
        ({"objective": "iwae"}, 'use more draws, for example n_draws=5, or objective="elbo"'),
    ],
)
def test_settings_out_of_range_are_refused(X, settings, message):
    with pytest.raises(ValueError, match=message):
        VAE(2, **SETTINGS, **settings).fit(X)
