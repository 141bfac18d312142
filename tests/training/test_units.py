"""Training in units of the data: the same network in either, and raw tables that train as scaled ones do."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from npvae import VAE, Autoencoder
from npvae.core.autoencoder import AutoencoderNetwork
from npvae.core.init import init_parameters
from npvae.core.vae import VAENetwork
from npvae.training import SGD, Stepper
from npvae.training.units import Units

UNITS = Units(np.array([3.0, -500.0, 0.01]), 40.0)
both = pytest.mark.parametrize("cls", [VAE, Autoencoder])


def networks():
    for hidden in ((), (5,), (5, 4)):
        for noise_variance in ("learned", 0.3):
            for cls in (VAENetwork, AutoencoderNetwork):
                yield cls(
                    n_features=3,
                    latent_dim=2,
                    hidden=hidden,
                    noise_variance=noise_variance,
                    activation="tanh",
                )


def loss_of(network, params, x, seed=0):
    if isinstance(network, VAENetwork):
        return network.loss(params, x, np.random.default_rng(seed).standard_normal((len(x), 2)))
    return network.loss(params, x)


@pytest.mark.parametrize(
    "network", list(networks()), ids=lambda n: f"{type(n).__name__} {n.hidden} {n.noise_variance}"
)
def test_it_is_the_same_network(network, rng):
    """Densities differ by the volume of the map, the KL and the codes do not."""
    inner = init_parameters(network.shapes(), rng, dtype=np.float64)
    x = 40 * rng.standard_normal((7, 3)) + UNITS.mean
    params = UNITS.params_out(inner)
    in_data, in_units = (
        loss_of(network, params, x),
        loss_of(UNITS.network_in(network), inner, UNITS.standardize(x)),
    )
    assert in_data.reconstruction == pytest.approx(in_units.reconstruction + 3 * np.log(40.0), rel=1e-10)
    assert in_data[2:] == pytest.approx(in_units[2:], rel=1e-9)
    np.testing.assert_allclose(UNITS.params_in(params).flat, inner.flat, rtol=1e-9, atol=1e-11)


def test_a_step_tells_the_loss_in_the_datas_units(rng):
    network = VAENetwork(n_features=3, latent_dim=2, hidden=(5,), noise_variance="learned")
    params = UNITS.params_out(init_parameters(network.shapes(), rng))
    stepper = Stepper(network, params, SGD(), np.random.default_rng(1), units=UNITS)
    x = (40 * rng.standard_normal((50, 3)) + UNITS.mean).astype(np.float32)
    eps = np.random.default_rng(1).standard_normal((50, 2), dtype=np.float32)
    expected = network.loss(params, x, eps)
    assert stepper.step(x, 1e-3) == pytest.approx(expected, rel=1e-4)
    assert stepper.data_network == network
    assert not np.array_equal(stepper.data_params().flat, params.flat)


def r_squared(X, reconstruction):
    return 1 - np.sum((X - reconstruction) ** 2) / np.sum((X - X.mean(axis=0)) ** 2)


RAW = {
    "diabetes as it comes, deviation 0.05": lambda: load_diabetes().data,
    "small": lambda: 1e-4 * StandardScaler().fit_transform(load_breast_cancer().data),
    "large": lambda: 1e4 * StandardScaler().fit_transform(load_breast_cancer().data),
    "far from zero": lambda: StandardScaler().fit_transform(load_breast_cancer().data) + 300,
}


@both
@pytest.mark.parametrize("name", RAW)
def test_data_of_any_scale_and_offset_train(cls, name):
    """The suite turns warnings into errors."""
    X = RAW[name]()
    pca = PCA(2).fit(X)
    best = r_squared(X, pca.inverse_transform(pca.transform(X)))
    model = cls(random_state=0).fit(X)
    assert r_squared(X, model.reconstruct(X)) > 0.9 * best


@both
def test_a_fit_does_not_depend_on_the_units(cls):
    """Up to rounding: reconstructions and codes are the same, scores differ by the volume."""
    X = StandardScaler().fit_transform(load_diabetes().data)
    settings = {"hidden": (16,), "max_epochs": 5, "tol": None, "random_state": 0}
    one, other = cls(**settings).fit(X), cls(**settings).fit(8 * X + 64)
    np.testing.assert_allclose(other.transform(8 * X + 64), one.transform(X), atol=2e-3)
    np.testing.assert_allclose(other.reconstruct(8 * X + 64), 8 * one.reconstruct(X) + 64, atol=2e-2)
    assert other.score(8 * X + 64) == pytest.approx(one.score(X) - 10 * np.log(8), abs=1e-2)
    assert other.history_["loss"][-1] == pytest.approx(one.history_["loss"][-1] + 10 * np.log(8), abs=1e-2)


@both
def test_callbacks_and_validation_see_the_datas_units(cls):
    X, seen = load_diabetes().data * 100 + 7, []
    model = cls(hidden=(16,), max_epochs=3, random_state=0).fit(
        X, X_val=X, callbacks=[lambda state: seen.append(state.params.copy())]
    )
    assert seen[-1] == model.params_
    assert model.history_["validation_loss"][-1] == pytest.approx(-model.score(X), abs=1.0)
