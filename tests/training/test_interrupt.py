"""Ctrl-C, sent as a signal."""

import os
import signal
import threading

import numpy as np
import pytest

from npvae import VAE
from npvae.core.autoencoder import AutoencoderNetwork
from npvae.core.init import init_parameters
from npvae.training import SGD, Stepper, Training, TrainingSettings, train

NETWORK = AutoencoderNetwork(n_features=4, latent_dim=2, hidden=(5,))
X = np.random.default_rng(3).standard_normal((40, 4)).astype(np.float32)  # 5 batches of 8
N_BATCHES = 5


@pytest.fixture(autouse=True)
def python_handler():
    """Whatever started the tests may have had SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


class InterruptedStepper(Stepper):
    """Sends Ctrl-C, as often as `times` says, after its step number `at`, which it finishes first."""

    def __init__(self, at, times=1):
        rng = np.random.default_rng(0)
        super().__init__(NETWORK, init_parameters(NETWORK.shapes(), rng), SGD(), rng)
        self.at, self.times, self.n_steps = at, times, 0

    def step(self, *args):
        loss = super().step(*args)
        self.n_steps += 1
        if self.n_steps == self.at:
            for _ in range(self.times):
                os.kill(os.getpid(), signal.SIGINT)
        return loss


def run(stepper, callbacks=(), training=None):
    settings = TrainingSettings(batch_size=8, max_epochs=4)
    return train(stepper, X, settings, stepper.rng, callbacks=callbacks, training=training)


def test_training_ends_after_the_step_and_keeps_what_was_learned():
    stepper, undisturbed = InterruptedStepper(at=N_BATCHES + 3), InterruptedStepper(at=-1)
    training = run(stepper)
    assert training.stop_reason == "interrupted"
    assert stepper.n_steps == N_BATCHES + 3
    assert len(training.history["loss"]) == 1  # of complete epochs
    expected = run(undisturbed)
    assert training.history["loss"] == expected.history["loss"][:1]
    assert np.any(stepper.params.flat != InterruptedStepper(at=-1).params.flat)


def test_an_interrupt_in_a_callback_ends_training():
    stepper = InterruptedStepper(at=-1)

    def callback(state):
        if state.epoch == 1:
            os.kill(os.getpid(), signal.SIGINT)

    training = run(stepper, callbacks=[callback])
    assert training.stop_reason == "interrupted"
    assert len(training.history["loss"]) == 2
    assert stepper.n_steps <= 2 * N_BATCHES + 1


def test_an_interrupt_after_the_last_epoch_is_not_lost():
    """Else a program that trains another model next would go on as if nothing had happened."""

    def callback(state):
        if state.epoch == 3:
            os.kill(os.getpid(), signal.SIGINT)

    assert run(InterruptedStepper(at=-1), callbacks=[callback]).stop_reason == "interrupted"


def test_an_interrupt_while_the_threads_are_ended_is_not_lost():
    class InterruptedAtTheEnd(InterruptedStepper):
        def release(self):
            super().release()
            os.kill(os.getpid(), signal.SIGINT)

    training = run(InterruptedAtTheEnd(at=-1))
    assert training.stop_reason == "interrupted"
    assert len(training.history["loss"]) == 4


def test_an_epoch_is_recorded_if_its_last_step_was_taken():
    training = run(InterruptedStepper(at=2 * N_BATCHES))
    assert training.stop_reason == "interrupted"
    assert len(training.history["loss"]) == 2


def test_the_second_interrupt_is_a_keyboard_interrupt():
    training = Training()
    with pytest.raises(KeyboardInterrupt):
        run(InterruptedStepper(at=N_BATCHES + 1, times=2), training=training)
    assert len(training.history["loss"]) == 1


def test_the_handler_is_in_place_only_during_training():
    seen = []
    run(InterruptedStepper(at=-1), callbacks=[lambda state: seen.append(signal.getsignal(signal.SIGINT))])
    assert signal.default_int_handler not in seen
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_handler_is_put_back_after_an_error():
    with pytest.raises(ZeroDivisionError):
        run(InterruptedStepper(at=-1), callbacks=[lambda state: 1 / 0])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_the_programs_own_is_left_in_charge():
    calls = []
    signal.signal(signal.SIGINT, lambda number, frame: calls.append(number))
    try:
        training = run(InterruptedStepper(at=3))
        assert calls == [signal.SIGINT]
        assert training.stop_reason == "max_epochs"
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_another_thread_trains_without_touching_signals():
    results, handlers = [], []

    def work():
        callback = [lambda state: handlers.append(signal.getsignal(signal.SIGINT))]
        results.append(run(InterruptedStepper(at=-1), callbacks=callback))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert results[0].stop_reason == "max_epochs"
    assert set(handlers) == {signal.default_int_handler}


def test_a_fit_of_many_epochs_ends_at_ctrl_c():
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    vae = VAE(hidden=(8,), batch_size=8, max_epochs=10**6, tol=None, random_state=0)
    timer.start()
    try:
        with pytest.warns(UserWarning, match="training was interrupted after .* what was learned is kept"):
            vae.fit(X)
    finally:
        timer.cancel()
    assert vae.stop_reason_ == "interrupted"
    assert vae.n_iter_ == len(vae.history_["loss"]) > 0
    assert np.all(np.isfinite(vae.transform(X)))


def test_a_fit_ended_by_the_second_ctrl_c_says_so():
    def callback(state):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)

    vae = VAE(hidden=(8,), random_state=0)
    with pytest.raises(KeyboardInterrupt):
        vae.fit(X, callbacks=[callback])
    assert vae.n_iter_ == 1
    assert vae.stop_reason_ == "interrupted"
