import numpy as np
import pytest
from scipy import special

from npvae.core.autoencoder import AutoencoderNetwork
from npvae.core.init import SCHEMES, init_parameters, output_bias
from npvae.core.vae import VAENetwork

FAN_IN, FAN_OUT = 200, 300
LAYER = {"encoder.0.W": (FAN_IN, FAN_OUT), "encoder.0.b": (FAN_OUT,)}


def draw(scheme, seed=0, shapes=LAYER, **options):
    return init_parameters(shapes, np.random.default_rng(seed), scheme, **options)


@pytest.mark.parametrize(
    ("scheme", "std"),
    [
        ("uniform", 1 / np.sqrt(3 * FAN_IN)),
        ("he", np.sqrt(2 / FAN_IN)),
        ("glorot", np.sqrt(2 / (FAN_IN + FAN_OUT))),
    ],
)
def test_weights_have_the_schemes_standard_deviation_and_mean_zero(scheme, std):
    W = draw(scheme)["encoder.0.W"]
    # The relative error of a standard deviation is at most 1 / sqrt(2 n), a normal distribution's.
    assert abs(W.std() / std - 1) < 4.5 / np.sqrt(2 * W.size)
    assert abs(W.mean()) < 4.5 * std / np.sqrt(W.size)


@pytest.mark.parametrize(
    ("scheme", "bound"), [("uniform", 1 / np.sqrt(FAN_IN)), ("glorot", np.sqrt(6 / (FAN_IN + FAN_OUT)))]
)
def test_uniform_weights_fill_their_bounds(scheme, bound):
    W = draw(scheme)["encoder.0.W"]
    assert bound * (1 - 1e-3) < np.abs(W).max() <= bound * (1 + 1e-6)


def test_uniform_biases_have_the_layers_fan_in():
    b = draw("uniform")["encoder.0.b"] * np.sqrt(FAN_IN)
    assert 0.95 < np.abs(b).max() <= 1 + 1e-6
    assert abs(b.std() * np.sqrt(3) - 1) < 4.5 / np.sqrt(2 * b.size)


@pytest.mark.parametrize("scheme", ["he", "glorot"])
def test_other_biases_start_at_zero(scheme):
    assert not draw(scheme)["encoder.0.b"].any()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_heads_side_by_side_are_scaled_as_two_layers(scheme):
    network = VAENetwork(n_features=50, latent_dim=400, hidden=())
    params = draw(scheme, shapes=network.shapes())
    fans = {"uniform": 1 / np.sqrt(3 * 50), "he": np.sqrt(2 / 50), "glorot": np.sqrt(2 / 450)}
    for name in ("mu.W", "log_var.W"):
        assert abs(params[name].std() / fans[scheme] - 1) < 4.5 / np.sqrt(2 * params[name].size)
    assert not np.array_equal(params["mu.W"], params["log_var.W"])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_same_seed_same_bits(scheme):
    assert draw(scheme, seed=3) == draw(scheme, seed=3)
    assert draw(scheme, seed=3) != draw(scheme, seed=4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_data_type_is_as_asked(dtype):
    assert draw("he", dtype=dtype).flat.dtype == dtype


def test_data_types_differ_by_rounding_alone():
    single, double = draw("uniform", dtype=np.float32), draw("uniform", dtype=np.float64)
    np.testing.assert_allclose(single.flat, double.flat, rtol=1e-6)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_log_noise_variance_starts_at_zero(scheme):
    network = VAENetwork(n_features=3, latent_dim=2, noise_variance="learned")
    assert draw(scheme, shapes=network.shapes())["output.log_noise_var"] == 0


def test_he_keeps_the_second_moment_through_relu_layers(rng):
    """He et al.: each layer of relu(x W) halves it, and 2 / fan_in doubles it."""
    h = rng.standard_normal((200, 400))
    for seed in range(5):
        W = draw("he", seed, shapes={"encoder.0.W": (400, 400)}, dtype=np.float64)["encoder.0.W"]
        h = np.maximum(h @ W, 0)
    assert 0.7 < np.mean(h**2) < 1.4


def test_unknown_scheme_is_refused():
    with pytest.raises(ValueError, match="init must be one of uniform, he, glorot, got 'orthogonal'"):
        draw("orthogonal")


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("network_type", [AutoencoderNetwork, VAENetwork])
def test_decoder_with_the_output_bias_predicts_the_mean(network_type, likelihood, rng):
    data = rng.uniform(size=(100, 6)) * [0.1, 0.5, 1, 1, 1, 1]
    network = network_type(n_features=6, latent_dim=2, hidden=(4,), likelihood=likelihood)
    params = draw("he", shapes=network.shapes(), dtype=np.float64)
    params["output.W"][:] = 0
    params["output.b"] = output_bias(data.mean(axis=0), likelihood)
    decoded = network.decode(params, rng.standard_normal((3, 2)))
    np.testing.assert_allclose(decoded, np.tile(data.mean(axis=0), (3, 1)), rtol=1e-13)


def test_pixels_that_never_change_get_a_finite_logit():
    bias = output_bias(np.array([0.0, 1.0]), "bernoulli")
    np.testing.assert_allclose(bias, special.logit([0.001, 0.999]), rtol=1e-12)
