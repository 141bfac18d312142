"""One step: what it computes, clipping, and the refusal of numbers that are not finite."""

import contextlib

import numpy as np
import pytest

from npvae.core.autoencoder import AutoencoderNetwork
from npvae.core.init import init_parameters
from npvae.core.parameters import Parameters
from npvae.core.vae import VAENetwork
from npvae.training import SGD, Adam, Stepper, TrainingDivergedError
from npvae.training.optimizers import OptimizerState
from npvae.training.schedules import LARGEST_RATE

VAE = VAENetwork(n_features=6, latent_dim=2, hidden=(5,), beta=2.0)
AE = AutoencoderNetwork(n_features=6, latent_dim=2, hidden=(5,))
LINEAR = AutoencoderNetwork(n_features=3, latent_dim=1, hidden=())


class Recorder:
    """An optimizer that writes down what it is given and moves nothing."""

    def __init__(self):
        self.gradients = []

    def start(self, theta):
        return OptimizerState(())

    def update(self, theta, gradient, state, learning_rate):
        self.gradients.append(gradient.copy())


def make_params(network, seed=0):
    return init_parameters(network.shapes(), np.random.default_rng(seed))


def recorded_gradient(network, x, *, kl_weight=1.0, **options):
    recorder = Recorder()
    stepper = Stepper(network, make_params(network), recorder, np.random.default_rng(1), **options)
    stepper.step(x, 0.1, kl_weight)
    return recorder.gradients[0]


@pytest.fixture
def x(rng):
    return rng.standard_normal((4, 6)).astype(np.float32)


@pytest.mark.parametrize("kl_weight", [1.0, 0.25])
def test_the_gradient_is_that_of_the_loss_with_the_weighted_beta(x, kl_weight):
    eps = np.random.default_rng(1).standard_normal((4, 2), dtype=np.float32)
    params = make_params(VAE).astype(np.float64)
    _, expected = VAE.loss_and_grad(params, x.astype(np.float64), eps.astype(np.float64), beta=2 * kl_weight)
    gradient = recorded_gradient(VAE, x, kl_weight=kl_weight)
    np.testing.assert_allclose(gradient, expected.flat, rtol=1e-4, atol=1e-5)


def test_noise_is_new_in_every_step(x):
    recorder = Recorder()
    stepper = Stepper(VAE, make_params(VAE), recorder, np.random.default_rng(1))
    losses = [stepper.step(x, 0.1).reconstruction for _ in range(2)]
    assert losses[0] != losses[1]  # with the same parameters


def test_the_loss_returned_is_that_before_the_step(x):
    stepper = Stepper(AE, make_params(AE), SGD(0.0), np.random.default_rng(1))
    before = AE.loss(stepper.params, x).total
    assert stepper.step(x, 0.1).total == before
    assert AE.loss(stepper.params, x).total < before


@pytest.mark.parametrize("network", [VAE, AE], ids=["vae", "autoencoder"])
def test_clipping_scales_a_gradient_down_to_the_norm(network, x):
    whole = recorded_gradient(network, x)
    norm = np.linalg.norm(whole.astype(np.float64))
    clipped = recorded_gradient(network, x, max_grad_norm=norm / 10)
    np.testing.assert_allclose(np.linalg.norm(clipped.astype(np.float64)), norm / 10, rtol=1e-6)
    np.testing.assert_allclose(clipped * 10, whole, rtol=1e-5)


def test_clipping_leaves_a_smaller_gradient_as_it_is(x):
    whole = recorded_gradient(VAE, x)
    norm = np.linalg.norm(whole.astype(np.float64))
    np.testing.assert_array_equal(recorded_gradient(VAE, x, max_grad_norm=1.01 * norm), whole)


def test_clipping_a_gradient_whose_squares_overflow():
    params = Parameters(LINEAR.shapes())
    params["output.W"] = np.ones((1, 3))  # the gradient of code.W is -x * 3 x, that of output.b -x
    recorder = Recorder()
    stepper = Stepper(LINEAR, params, recorder, np.random.default_rng(0), max_grad_norm=1.0)
    stepper.step(np.full((1, 3), 1e18, np.float32), 0.1)
    assert np.linalg.norm(recorder.gradients[0]) == pytest.approx(1.0)


def assert_refused(stepper, x, what, learning_rate=0.1):
    """The step raises, names `what`, and leaves parameters and the optimizer's state as they were."""
    flat, vectors = stepper.params.flat.copy(), [vector.copy() for vector in stepper.state.vectors]
    with pytest.raises(TrainingDivergedError, match=what):
        stepper.step(x, learning_rate)
    np.testing.assert_array_equal(stepper.params.flat, flat)
    assert np.all(np.isfinite(flat))
    for vector, before in zip(stepper.state.vectors, vectors, strict=True):
        np.testing.assert_array_equal(vector, before)
    assert stepper.state.t == 0


def test_infinite_data_stop_an_autoencoder(x):
    x[2, 3] = np.inf
    assert_refused(
        Stepper(AE, make_params(AE), SGD(), np.random.default_rng(0)),
        x,
        "the reconstruction term of the loss",
    )


def test_infinite_data_stop_a_vae(x):
    x[2, 3] = np.inf
    assert_refused(Stepper(VAE, make_params(VAE), SGD(), np.random.default_rng(0)), x, "is not finite")


@pytest.mark.parametrize("name", ["log_var.b", "mu.b"])
def test_a_posterior_that_runs_away_is_named(x, name):
    params = make_params(VAE)
    params[name] = np.full(2, 1e25, np.float32)
    assert_refused(
        Stepper(VAE, params, SGD(), np.random.default_rng(0)), x, "the KL term of the loss.*mu or log_var"
    )


def test_a_decoder_that_runs_away_is_named(x):
    params = make_params(VAE)
    params["output.b"] = np.full(6, 1e25, np.float32)
    assert_refused(
        Stepper(VAE, params, SGD(), np.random.default_rng(0)), x, "the reconstruction term of the loss"
    )


def test_a_gradient_that_overflows_alone_is_named():
    """loss = x^2 / 2 = 5e35 is finite; the gradient of code.W is -x^2 W_out = -1e39."""
    params = Parameters(LINEAR.shapes())
    params["output.W"] = np.full((1, 3), 1e3)
    stepper = Stepper(LINEAR, params, SGD(), np.random.default_rng(0))
    assert_refused(stepper, np.full((1, 3), 1e18, np.float32), r"the gradient of code\.W is not finite")


def test_the_error_names_the_fix(x):
    x[0, 0] = np.nan
    stepper = Stepper(AE, make_params(AE), SGD(), np.random.default_rng(0))
    with pytest.raises(TrainingDivergedError, match=r"Lower learning_rate.*max_grad_norm.*scale the data"):
        stepper.step(x, 0.1)


def test_training_goes_on_after_a_refused_step(x):
    stepper = Stepper(AE, make_params(AE), SGD(), np.random.default_rng(0))
    bad = np.full_like(x, np.inf)
    with pytest.raises(TrainingDivergedError):
        stepper.step(bad, 0.01)
    losses = [stepper.step(x, 0.01).total for _ in range(20)]
    assert losses[-1] < losses[0]


def test_the_largest_steps_leave_finite_parameters(x):
    stepper = Stepper(AE, make_params(AE), SGD(0.0), np.random.default_rng(0))
    for _ in range(2):
        with contextlib.suppress(TrainingDivergedError):
            stepper.step(100 * x, LARGEST_RATE)
    assert np.all(np.isfinite(stepper.params.flat))


def test_a_gradient_whose_square_overflows_does_not_freeze_adam():
    """Once a second moment is infinite, its parameter never moves again."""
    params = Parameters(LINEAR.shapes())
    params["output.W"] = np.ones((1, 3))
    stepper = Stepper(LINEAR, params, Adam(), np.random.default_rng(0))
    with contextlib.suppress(TrainingDivergedError):
        stepper.step(np.full((1, 3), 1e18, np.float32), 1e-3)  # the gradient of code.W is -3e36
    assert all(np.all(np.isfinite(vector)) for vector in stepper.state.vectors)
