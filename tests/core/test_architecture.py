from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from scipy import special, stats

from npvae.core.architecture import Architecture, batch_mean
from npvae.core.autoencoder import AutoencoderNetwork
from npvae.core.parameters import Parameters
from npvae.core.vae import VAENetwork
from tests.core.points import random_parameters


def decoder(**settings):
    network = Architecture(n_features=4, latent_dim=2, **settings)
    return network, Parameters(network.decoder_shapes(), dtype=np.float64)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"n_features": 0}, "n_features must be an integer of at least 1, got 0"),
        ({"n_features": 3.0}, "n_features must be an integer"),
        ({"latent_dim": -1}, "latent_dim must be an integer of at least 1, got -1"),
        ({"latent_dim": True}, "latent_dim must be an integer"),
        ({"hidden": [5]}, "hidden must be a tuple"),
        ({"hidden": 5}, "hidden must be a tuple"),
        ({"hidden": (5, 0)}, "hidden must be a tuple of positive integers"),
        ({"hidden": (5.0,)}, "hidden must be a tuple of positive integers"),
        ({"activation": "swish"}, "activation must be one of"),
        ({"negative_slope": 0.0}, "negative_slope must be positive"),
        ({"negative_slope": float("nan")}, "negative_slope must be positive"),
        ({"likelihood": "poisson"}, "likelihood must be one of bernoulli, gaussian"),
        ({"noise_variance": 0.0}, "noise_variance must be a positive number"),
        ({"noise_variance": float("inf")}, "noise_variance must be a positive number"),
        ({"noise_variance": float("nan")}, "noise_variance must be a positive number"),
        ({"noise_variance": "given"}, "noise_variance must be a positive number"),
    ],
)
@pytest.mark.parametrize("network_type", [AutoencoderNetwork, VAENetwork])
def test_numbers_out_of_range_are_refused(network_type, settings, match):
    with pytest.raises(ValueError, match=match):
        network_type(**{"n_features": 4, "latent_dim": 2, **settings})


def test_description_is_frozen_and_compares_by_value():
    network = VAENetwork(n_features=4, latent_dim=2)
    with pytest.raises(FrozenInstanceError):
        network.latent_dim = 3
    assert network == VAENetwork(n_features=np.int64(4), latent_dim=2)
    assert len({network, VAENetwork(n_features=4, latent_dim=2), VAENetwork(n_features=5, latent_dim=2)}) == 2


def test_names_and_shapes_of_an_autoencoder():
    network = AutoencoderNetwork(n_features=7, latent_dim=2, hidden=(5, 4))
    shapes = {name: view.shape for name, view in Parameters(network.shapes()).items()}
    assert shapes == {
        "encoder.0.W": (7, 5),
        "encoder.0.b": (5,),
        "encoder.1.W": (5, 4),
        "encoder.1.b": (4,),
        "code.W": (4, 2),
        "code.b": (2,),
        "decoder.0.W": (2, 4),
        "decoder.0.b": (4,),
        "decoder.1.W": (4, 5),
        "decoder.1.b": (5,),
        "output.W": (5, 7),
        "output.b": (7,),
    }


def test_names_and_shapes_of_a_linear_vae_with_learned_noise():
    network = VAENetwork(n_features=7, latent_dim=2, hidden=(), noise_variance="learned")
    shapes = {name: view.shape for name, view in Parameters(network.shapes()).items()}
    assert shapes == {
        "mu.W": (7, 2),
        "log_var.W": (7, 2),
        "mu.b": (2,),
        "log_var.b": (2,),
        "output.W": (2, 7),
        "output.b": (7,),
        "output.log_noise_var": (1,),
    }


@pytest.mark.parametrize("settings", [{"noise_variance": 2.0}, {"likelihood": "bernoulli"}])
def test_noise_is_a_parameter_only_where_it_is_learned(settings):
    _, params = decoder(**settings)
    assert "output.log_noise_var" not in params


def test_noise_variance_given_and_learned():
    network, params = decoder(noise_variance=2.5)
    assert network.noise_var(params) == pytest.approx(2.5, rel=1e-15)
    network, params = decoder(noise_variance="learned")
    assert network.noise_var(params) == 1
    params["output.log_noise_var"] = [np.log(7)]
    assert network.noise_var(params) == pytest.approx(7, rel=1e-15)


def test_decode_gives_the_mean_of_the_distribution(rng):
    z = rng.standard_normal((5, 2))
    for likelihood, mean in [("bernoulli", special.expit), ("gaussian", lambda output: output)]:
        network, params = decoder(hidden=(), likelihood=likelihood)
        params.flat[:] = rng.standard_normal(params.flat.size)
        expected = mean(z @ params["output.W"] + params["output.b"])
        np.testing.assert_allclose(network.decode(params, z), expected, rtol=1e-13)


def test_reconstruction_term_is_minus_the_log_likelihood(rng):
    x, output = rng.uniform(size=(2, 5, 4))
    network, params = decoder(noise_variance=0.3)
    reconstruction, _ = network.reconstruction_forward(params, x, output)
    expected = -stats.norm.logpdf(x, output, np.sqrt(0.3)).sum(axis=1)
    np.testing.assert_allclose(reconstruction, expected, rtol=1e-13)


@pytest.mark.parametrize("network_type", [AutoencoderNetwork, VAENetwork])
def test_heads_see_the_data_where_nothing_is_hidden(network_type, rng):
    network = network_type(n_features=4, latent_dim=2, hidden=())
    params, x = random_parameters(network, rng), rng.standard_normal((5, 4))
    code = network.encode(params, x)
    mean, name = (code[0], "mu") if network_type is VAENetwork else (code, "code")
    np.testing.assert_allclose(mean, x @ params[f"{name}.W"] + params[f"{name}.b"], rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble, np.complex128])
def test_batch_mean_and_its_gradient(dtype):
    mean, gradient = batch_mean(np.array([1, 2, 6], dtype))
    assert mean == 3
    assert mean.dtype == gradient.dtype == dtype
    np.testing.assert_allclose(gradient, 1 / 3, rtol=1e-7)


def test_gradient_of_the_batch_mean_has_the_precision_of_its_type():
    """A batch of three in longdouble: 1/3 in float64 would leave its rounding in every gradient."""
    _, gradient = batch_mean(np.zeros(3, np.longdouble))
    assert abs(gradient[0] * 3 - 1) <= np.finfo(np.longdouble).eps
