"""Every forward/backward pair against two numeric derivatives, with random upstream gradients."""

import numpy as np
import pytest

from npvae.checks.pairs import pair_cases
from npvae.core.activations import Activation, get_activation
from npvae.core.autoencoder import AutoencoderNetwork
from npvae.core.parameters import Parameters
from npvae.core.vae import VAENetwork
from npvae.gradcheck import check_network, check_vjp
from tests.core.points import EVERY_KIND, label, random_parameters

PAIRS = pair_cases()

points = pytest.mark.parametrize(("seed", "scale"), [(0, 0.3), (1, 1.0), (2, 2.5)])


def assert_agrees(report):
    """Both numeric derivatives, of every argument, to more digits than a verdict asks for."""
    assert report.passed, str(report)
    for entry in report.entries:
        assert entry.errors["central differences"] < 1e-7, str(report)
        assert entry.errors["complex step"] < 1e-12, str(report)


def normal(seed, scale, *shapes):
    rng = np.random.default_rng(seed)
    return [scale * rng.standard_normal(shape) for shape in shapes]


@points
@pytest.mark.parametrize("name", PAIRS)
def test_pair(name, seed, scale):
    pair = PAIRS[name]
    args = pair.make_args(np.random.default_rng(seed), scale)
    assert_agrees(check_vjp(pair.forward, pair.backward, args, wrt=pair.wrt, seed=seed))


@points
def test_bernoulli_of_binary_data(seed, scale):
    pair = PAIRS["bernoulli"]
    x, logits = pair.make_args(np.random.default_rng(seed), 3 * scale)
    assert_agrees(check_vjp(pair.forward, pair.backward, [np.round(x), logits], wrt=pair.wrt, seed=seed))


# The parts of a network write their gradients into Parameters. Seen from outside, a part is a
# function of one vector, and of what flows in.


def on_vector(network, function):
    """Let `function`, which takes Parameters, take their vector."""
    return lambda flat, *inputs: function(Parameters(network.shapes(), flat), *inputs)


def vector_of(grads, part):
    """Check that only the part's own gradients were written; the others are zero by then."""
    assert all(name.startswith(part) for name, gradient in grads.items() if gradient.any())
    return grads.flat


@points
def test_encoder(seed, scale):
    network = VAENetwork(n_features=4, latent_dim=2, hidden=(5, 3), activation="tanh")
    params = random_parameters(network, np.random.default_rng(seed), scale)

    def backward(dy, cache):
        grads = params.zeros_like()
        network.encoder_backward(*dy, cache, grads)
        return vector_of(grads, ("encoder", "mu", "log_var"))

    forward = on_vector(network, network.encoder_forward)
    args = [params.flat, *normal(seed, 1, (5, 4))]
    assert_agrees(check_vjp(forward, backward, args, wrt=[0], names=["params", "x"], seed=seed))


@points
@pytest.mark.parametrize("hidden", [(), (3, 5)])
def test_decoder(hidden, seed, scale):
    network = VAENetwork(n_features=4, latent_dim=2, hidden=hidden, activation="softplus")
    params = random_parameters(network, np.random.default_rng(seed), scale)

    def backward(d_output, cache):
        grads = params.zeros_like()
        dz = network.decoder_backward(d_output, cache, grads)
        return vector_of(grads, ("decoder", "output")), dz

    forward = on_vector(network, network.decoder_forward)
    args = [params.flat, *normal(seed, 1, (5, 2))]
    assert_agrees(check_vjp(forward, backward, args, names=["params", "z"], seed=seed))


@points
@pytest.mark.parametrize("likelihood", [{"likelihood": "bernoulli"}, {}, {"noise_variance": "learned"}])
def test_reconstruction(likelihood, seed, scale):
    network = VAENetwork(n_features=4, latent_dim=2, hidden=(), **likelihood)
    params = random_parameters(network, np.random.default_rng(seed), scale)

    def backward(dy, cache):
        grads = params.zeros_like()
        d_output = network.reconstruction_backward(dy, cache, grads)
        return vector_of(grads, "output.log_noise_var"), d_output

    forward = on_vector(network, network.reconstruction_forward)
    x = np.random.default_rng(seed).uniform(size=(5, 4))
    args, names = [params.flat, x, *normal(seed, scale, (5, 4))], ["params", "x", "output"]
    assert_agrees(check_vjp(forward, backward, args, wrt=["params", "output"], names=names, seed=seed))


# Whole networks, each at two points. With weights much smaller than these the gradient that reaches the first
# of five sigmoid layers is so small beside the loss that no difference of losses has seven digits of it.


@pytest.mark.parametrize("settings", EVERY_KIND, ids=label)
def test_vae(settings):
    rng = np.random.default_rng(0)
    network = VAENetwork(beta=[0, 1, 4][EVERY_KIND.index(settings) % 3], **settings)
    x, eps = rng.uniform(size=(3, 3)), rng.standard_normal((3, 2))
    assert_agrees(check_network(network, random_parameters(network, rng, 0.5), x, eps))


@pytest.mark.parametrize("settings", EVERY_KIND, ids=label)
def test_vae_with_random_upstream_gradients_of_both_terms(settings):
    network, rng = VAENetwork(**settings), np.random.default_rng(1)
    x, eps = rng.uniform(size=(3, 3)), rng.standard_normal((3, 2))

    def backward(dy, cache):
        return network.backward(*dy, cache).flat

    forward = on_vector(network, network.forward)
    args, names = [random_parameters(network, rng, 1.2).flat, x, eps], ["params", "x", "eps"]
    assert_agrees(check_vjp(forward, backward, args, wrt=["params"], names=names))


@pytest.mark.parametrize("beta", [0, 1, 4])
@pytest.mark.parametrize("settings", [EVERY_KIND[2], EVERY_KIND[-6]], ids=label)
def test_vae_with_any_beta(settings, beta):
    rng, network = np.random.default_rng(7), VAENetwork(beta=beta, **settings)
    x, eps = rng.uniform(size=(3, 3)), rng.standard_normal((3, 2))
    assert_agrees(check_network(network, random_parameters(network, rng), x, eps))


@pytest.mark.parametrize("settings", EVERY_KIND, ids=label)
def test_autoencoder(settings):
    rng, network = np.random.default_rng(0), AutoencoderNetwork(**settings)
    x = rng.uniform(size=(3, 3))
    assert_agrees(check_network(network, random_parameters(network, rng, 0.5), x))


@pytest.mark.parametrize("settings", EVERY_KIND, ids=label)
def test_autoencoder_with_random_upstream_gradients(settings):
    network, rng = AutoencoderNetwork(**settings), np.random.default_rng(1)
    x = rng.uniform(size=(3, 3))

    def backward(dy, cache):
        return network.backward(dy, cache).flat

    forward = on_vector(network, network.forward)
    args, names = [random_parameters(network, rng, 1.2).flat, x], ["params", "x"]
    assert_agrees(check_vjp(forward, backward, args, wrt=["params"], names=names))


def test_a_wrong_gradient_does_not_pass():
    """The check above can fail: a factor of 1.0001, which no eye would see."""
    pair = get_activation("tanh")
    wrong = Activation(pair.forward, lambda dy, cache: 1.0001 * pair.backward(dy, cache))
    report = check_vjp(wrong.forward, wrong.backward, normal(0, 1, (3, 2)))
    with pytest.raises(AssertionError):
        assert_agrees(report)
