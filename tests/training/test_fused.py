"""The compiled loss and gradient of whole networks, against the core in float64."""

import os
import pickle
import subprocess
import sys
import threading
from itertools import product

import numpy as np
import pytest

from npvae import kernels
from npvae.core.activations import ACTIVATIONS
from npvae.core.autoencoder import AutoencoderNetwork
from npvae.core.vae import VAENetwork
from npvae.training import SGD, Stepper
from npvae.training.fused import FusedGradient, fused_gradient
from tests.training.fused_cases import (
    LIKELIHOODS,
    Z,
    check_against_core,
    check_extreme,
    compute,
    draw,
    make,
)

pytestmark = pytest.mark.skipif(
    not kernels.has_compiled_products() or kernels.choice() != "compiled",
    reason="there are no compiled products",
)

BOTH = pytest.mark.parametrize("cls", [VAENetwork, AutoencoderNetwork])


@BOTH
@pytest.mark.parametrize(("likelihood", "noise_variance"), LIKELIHOODS)
@pytest.mark.parametrize("hidden", [(), (7,), (40, 33)], ids=str)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_it_is_what_the_core_computes(cls, activation, hidden, likelihood, noise_variance, rng):
    settings = {"activation": activation, "likelihood": likelihood, "noise_variance": noise_variance}
    network, params = make(cls, rng, hidden, **settings)
    gradient = FusedGradient(network)
    for n in (37, 1, 5):  # a smaller batch after a larger one
        x, eps = draw(rng, n)
        check_against_core(network, gradient, params, x, eps, 0.7)


@BOTH
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_same_bits_with_any_number_of_threads(cls, activation, likelihood, rng):
    # More than one piece of the norm, and widths that are no multiples of a vector's.
    network, params = make(cls, rng, (301, 217), likelihood=likelihood, activation=activation)
    gradient, (x, eps) = FusedGradient(network), draw(rng, 131)
    alone = compute(gradient, params, x, eps)
    # Threads that share a core wait for each other for long: many of them once.
    for n_threads in (2, 3, 5, 12) if (activation, likelihood) == ("relu", "bernoulli") else (3,):
        loss, squared_norm, found = compute(gradient, params, x, eps, n_threads=n_threads)
        np.testing.assert_array_equal(found.flat, alone[2].flat)
        assert (loss, squared_norm) == alone[:2]


@BOTH
def test_extreme_numbers(cls, rng):
    """Where the core's loss is infinite or not a number, so is this one."""
    for value, name in product(
        (np.nan, np.inf, 1e30, -80.0, 80.0), ("output.b", "decoder.0.b", "encoder.0.W")
    ):
        network, params = make(cls, rng, (7,))
        params[name][-1] = value  # of a weight: of a pixel that is not black everywhere
        check_extreme(network, params, *draw(rng, 9))
    if cls is VAENetwork:
        for value in (-200.0, -80.0, 80.0, 88.0, 89.0, 178.0):
            network, params = make(cls, rng, (7,))
            params["log_var.b"] = np.full(Z, value)
            check_extreme(network, params, *draw(rng, 9))


@pytest.mark.parametrize("layout", ["read-only", "fortran", "float64"])
def test_data_of_any_layout(layout, rng):
    network, params = make(VAENetwork, rng, (7,))
    gradient, (x, eps) = FusedGradient(network), draw(rng, 9)
    expected = compute(gradient, params, x, eps)[2]
    changed = {"read-only": x.copy(), "fortran": np.asfortranarray(x), "float64": x.astype(np.float64)}[
        layout
    ]
    changed.flags.writeable = layout != "read-only"
    np.testing.assert_array_equal(compute(gradient, params, changed, eps)[2].flat, expected.flat)


def test_what_does_not_fit_is_refused(rng):
    network, params = make(VAENetwork, rng)
    gradient, (x, eps) = FusedGradient(network), draw(rng, 9)
    others = make(VAENetwork, rng, (7,))[1]
    for bad in (
        (params, x[:, :-1], eps), (params, x[:0], eps[:0]), (params, x, eps[:-1]), (params, x, None),
        (others, x, eps),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"must be|needs noise|params and out need"):
            compute(gradient, *bad)


def test_arguments_are_left_alone(rng):
    network, params = make(VAENetwork, rng)
    x, eps = draw(rng, 9)
    before = params.copy(), x.copy(), eps.copy()
    compute(FusedGradient(network), params, x, eps, n_threads=2)
    assert params == before[0]
    np.testing.assert_array_equal(x, before[1])
    np.testing.assert_array_equal(eps, before[2])


def test_a_stepper_that_was_pickled_takes_the_same_step(rng):
    network, params = make(VAENetwork, rng)
    stepper, (x, _) = Stepper(network, params, SGD(0.0), np.random.default_rng(0)), draw(rng, 60)
    stepper.step(x, 0.01)
    other = pickle.loads(pickle.dumps(stepper))
    assert len(pickle.dumps(stepper)) < 5 * params.flat.nbytes + 20_000
    assert other.step(x, 0.01) == stepper.step(x, 0.01)
    assert other.params == stepper.params


def test_the_core_where_it_does_not_fit(rng):
    network, params = make(VAENetwork, rng)
    assert fused_gradient(network, params) is not None
    assert fused_gradient(network, params.astype(np.float64)) is None
    with kernels.using("reference"):
        assert fused_gradient(network, params) is None

    class Other(VAENetwork):
        pass

    assert fused_gradient(make(Other, rng)[0], params) is None


@BOTH
def test_a_step_takes_it_and_the_core_takes_the_same_step(cls, rng):
    network, params = make(cls, rng)
    x, _ = draw(rng, 16)
    steppers = [Stepper(network, params.copy(), SGD(0.0), np.random.default_rng(0)) for _ in range(2)]
    losses = [steppers[0].step(x, 0.01)]
    with kernels.using("reference"):
        losses.append(steppers[1].step(x, 0.01))
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    moved = [stepper.params.flat - params.flat for stepper in steppers]
    np.testing.assert_allclose(moved[0], moved[1], atol=1e-4 * np.abs(moved[1]).max())
    assert np.any(moved[0])


def test_threads_that_are_missing_do_not_leave_the_others_waiting(rng, monkeypatch):
    """Ctrl-C, or an error, before a thread's part has begun."""
    network, params = make(VAENetwork, rng, (300, 200))
    gradient, (x, eps) = FusedGradient(network), draw(rng, 131)
    expected = compute(gradient, params, x, eps, n_threads=2)[2]
    part, main = gradient._compiled.loss_and_gradient, threading.current_thread()

    def interrupted(*arguments):
        if threading.current_thread() is main:
            raise KeyboardInterrupt
        return part(*arguments)

    monkeypatch.setattr(gradient._compiled, "loss_and_gradient", interrupted)
    with pytest.raises(KeyboardInterrupt):
        compute(gradient, params, x, eps, n_threads=2)
    monkeypatch.undo()
    assert compute(gradient, params, x, eps, n_threads=2)[2] == expected


CODE = """
import numpy as np
from npvae import VAE
VAE(hidden=(4,), max_epochs=1, random_state=0, verbose=1).fit(np.zeros((8, 3)))
"""


def test_compiling_is_said_once_and_kept_on_disk(tmp_path):
    outputs = []
    for _ in range(2):
        command = [sys.executable, "-c", CODE]
        environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=300, check=True
        )
        outputs.append(done.stderr)
    assert "compiled the training step in" in outputs[0]
    assert "compiled" not in outputs[1].replace("loading compiled code", "")
