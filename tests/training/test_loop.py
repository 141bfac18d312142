"""The loop over epochs: history, validation, early stopping, callbacks, progress, seeds."""

import numpy as np
import pytest

from npvae.core.autoencoder import AutoencoderNetwork
from npvae.core.init import init_parameters
from npvae.core.vae import VAENetwork
from npvae.training import Adam, Stepper, Training, TrainingDivergedError, TrainingSettings, train
from npvae.training.loop import validation_loss

VAE = VAENetwork(n_features=6, latent_dim=2, hidden=(8,))
AE = AutoencoderNetwork(n_features=6, latent_dim=2, hidden=(8,))
both_networks = pytest.mark.parametrize("network", [VAE, AE], ids=["vae", "autoencoder"])


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(5)
    return (rng.standard_normal((70, 2)) @ rng.standard_normal((2, 6))).astype(np.float32)


class CountingStepper(Stepper):
    """Keeps the parameters from before every step."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.before = []

    def step(self, *args):
        self.before.append(self.params.flat.copy())
        return super().step(*args)


def make_stepper(network, seed=0, **options):
    rng = np.random.default_rng(seed)
    return CountingStepper(network, init_parameters(network.shapes(), rng), Adam(), rng, **options)


def run(network, X, *, seed=0, X_val=None, callbacks=(), verbose=False, **settings):
    stepper = make_stepper(network, seed)
    settings = TrainingSettings(**{"batch_size": 16, "max_epochs": 3, **settings})
    training = train(stepper, X, settings, stepper.rng, X_val=X_val, callbacks=callbacks, verbose=verbose)
    return stepper, training


@both_networks
def test_the_same_seed_gives_the_same_bits(network, X):
    flats = [run(network, X, seed=seed)[0].params.flat.tobytes() for seed in (0, 0, 1)]
    assert flats[0] == flats[1]
    assert flats[0] != flats[2]


@both_networks
def test_one_step_for_each_batch(network, X):
    assert len(run(network, X, batch_size=16, max_epochs=3)[0].before) == 3 * 5  # 70 rows: 4 x 16 and 6


@both_networks
@pytest.mark.parametrize("validated", [True, False])
def test_history_has_an_entry_an_epoch_for_what_there_is(network, validated, X):
    _, training = run(network, X, X_val=X if validated else None, max_epochs=4)
    expected = {"loss", "reconstruction", "learning_rate", "seconds"}
    expected |= {"kl", "beta"} if network is VAE else set()
    expected |= {"validation_loss"} if validated else set()
    assert training.history.keys() == expected
    for values in training.history.values():
        assert len(values) == 4
        assert all(type(value) is float for value in values)
    assert all(seconds > 0 for seconds in training.history["seconds"])
    assert training.stop_reason == "max_epochs"


def test_the_loss_of_an_epoch_is_the_mean_over_samples(X):
    """Also where the last batch is a smaller one. Nothing moves at learning rate 0."""
    stepper, training = run(AE, X, batch_size=16, max_epochs=1, learning_rate=0)
    expected = AE.loss(stepper.params.astype(np.float64), X.astype(np.float64)).total
    assert training.history["loss"][0] == pytest.approx(float(expected), rel=1e-5)


def test_the_total_is_reconstruction_plus_beta_times_kl(X):
    _, training = run(VAENetwork(n_features=6, latent_dim=2, beta=3.0, hidden=(8,)), X, kl_warmup_epochs=2)
    history = {name: np.array(values) for name, values in training.history.items()}
    np.testing.assert_allclose(history["beta"], [1.5, 3, 3])
    np.testing.assert_allclose(
        history["loss"], history["reconstruction"] + history["beta"] * history["kl"], rtol=1e-5
    )


@both_networks
def test_training_lowers_the_loss(network, X):
    _, training = run(network, X, max_epochs=20, learning_rate=1e-2)
    assert training.history["loss"][-1] < 0.9 * training.history["loss"][0]


def test_the_learning_rate_is_asked_for_each_epoch(X):
    _, training = run(VAE, X, max_epochs=4, learning_rate=lambda epoch: 1e-3 / (1 + epoch))
    assert training.history["learning_rate"] == [1e-3, 1e-3 / 2, 1e-3 / 3, 1e-3 / 4]


@both_networks
def test_the_validation_loss_is_the_same_in_every_call(network, X):
    params = make_stepper(network).params
    assert validation_loss(network, params, X) == validation_loss(network, params, X)


def test_the_validation_loss_is_the_mean_over_all_rows(X):
    X = np.tile(X, (31, 1))[:2100] * np.linspace(0, 2, 2100, dtype=np.float32)[:, None]  # several blocks
    params = make_stepper(AE).params
    expected = float(AE.loss(params.astype(np.float64), X.astype(np.float64)).total)
    assert validation_loss(AE, params, X) == pytest.approx(expected, rel=1e-5)


def test_the_validation_loss_of_a_vae_is_near_its_mean_over_the_noise(X):
    params = make_stepper(VAE).params.astype(np.float64)
    rows = np.tile(X.astype(np.float64), (20, 1))
    noise = np.random.default_rng(9).standard_normal((200, len(rows), 2))
    losses = [VAE.loss(params, rows, eps).total for eps in noise]
    assert abs(validation_loss(VAE, params, rows) - np.mean(losses)) < 5 * np.std(losses)


def test_the_validation_loss_has_the_full_beta_during_warmup(X):
    """At learning rate 0 it stays where it is, whatever the weight of the KL term."""
    _, training = run(VAE, X, X_val=X, learning_rate=0, kl_warmup_epochs=3)
    assert len(set(training.history["validation_loss"])) == 1


def test_validation_pixels_are_scaled_and_drawn_once_for_all(rng):
    network = AutoencoderNetwork(n_features=6, latent_dim=2, hidden=(8,), likelihood="bernoulli")
    params = make_stepper(network).params
    pixels = rng.integers(0, 256, (50, 6)).astype(np.uint8)
    grey = (pixels / 255).astype(np.float32)
    assert validation_loss(network, params, pixels) == validation_loss(network, params, grey)
    drawn = [validation_loss(network, params, pixels, dynamic_binarization=True) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert drawn[0] != validation_loss(network, params, pixels)


def spoil_after_epoch_4(epoch):
    return 1e-2 if epoch < 5 else 0.5


@both_networks
def test_early_stopping_restores_the_best_parameters(network, X):
    stepper, training = run(
        network, X[:50], X_val=X[50:], early_stopping=True, n_iter_no_change=3, max_epochs=30,
        learning_rate=spoil_after_epoch_4,
    )  # fmt: skip
    losses = training.history["validation_loss"]
    assert training.stop_reason == "early_stopping"
    assert training.best_epoch == np.argmin(losses)
    assert len(losses) == training.best_epoch + 1 + 3
    assert validation_loss(network, stepper.params, X[50:]) == min(losses) < losses[-1]


@pytest.mark.parametrize("ended_by", ["max_epochs", "callback"])
def test_the_best_parameters_are_restored_however_training_ends(ended_by, X):
    stepper, training = run(
        AE, X[:50], X_val=X[50:], early_stopping=True, n_iter_no_change=100, max_epochs=8,
        learning_rate=spoil_after_epoch_4,
        callbacks=[lambda state: ended_by == "callback" and state.epoch == 6],
    )  # fmt: skip
    losses = training.history["validation_loss"]
    assert training.stop_reason == ended_by
    assert validation_loss(AE, stepper.params, X[50:]) == min(losses) < losses[-1]


def test_without_early_stopping_the_last_parameters_stay(X):
    stepper, training = run(AE, X[:50], X_val=X[50:], max_epochs=8, learning_rate=spoil_after_epoch_4)
    losses = training.history["validation_loss"]
    assert validation_loss(AE, stepper.params, X[50:]) == losses[-1] > min(losses)
    assert training.best_epoch is None


def test_early_stopping_needs_validation_data(X):
    with pytest.raises(ValueError, match="early_stopping needs validation data"):
        run(AE, X, early_stopping=True)


def test_callbacks_are_given_the_live_state_after_every_epoch(X):
    seen = []

    def callback(state):
        seen.append(
            (state.epoch, state.network, len(state.history["loss"]), len(state.history["validation_loss"]))
        )
        state.params["output.b"] = np.zeros(6)

    stepper, _ = run(AE, X, X_val=X, callbacks=[callback], max_epochs=3)
    assert seen == [(0, AE, 1, 1), (1, AE, 2, 2), (2, AE, 3, 3)]
    np.testing.assert_array_equal(stepper.params["output.b"], np.zeros(6))


@pytest.mark.parametrize("answer", [True, np.True_], ids=["bool", "numpy"])
def test_a_callback_ends_training_by_returning_true(answer, X):
    others = []
    callbacks = [
        lambda state: answer if state.epoch == 1 else False,
        lambda state: others.append(state.epoch),
    ]
    _, training = run(AE, X, callbacks=callbacks, max_epochs=5)
    assert training.stop_reason == "callback"
    assert len(training.history["loss"]) == 2
    assert others == [0, 1]  # every callback is called before the training ends


@pytest.mark.parametrize("answer", [None, False, 0.5, "text", np.False_])
def test_other_answers_do_not_end_training(answer, X):
    _, training = run(AE, X, callbacks=[lambda state: answer])
    assert training.stop_reason == "max_epochs"


def test_progress_goes_to_stderr_when_asked_for(X, capsys):
    run(VAE, X, verbose=True)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "15/15" in printed.err
    assert "epoch 3" in printed.err
    assert "kl" in printed.err


def test_nothing_is_printed_otherwise(X, capsys):
    run(VAE, X, X_val=X)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "")


def test_divergence_names_epoch_and_batch_and_keeps_the_parameters(X):
    """A step of size 1e6 in epoch 2 is fatal to the next batch."""
    stepper = make_stepper(AE)
    training = Training()
    settings = TrainingSettings(
        batch_size=16, max_epochs=5, learning_rate=lambda epoch: 1e-3 if epoch == 0 else 1e6
    )
    with pytest.raises(TrainingDivergedError, match="is not finite in epoch 2, batch 2"):
        train(stepper, X, settings, stepper.rng, training=training)
    assert len(stepper.before) == 5 + 2
    np.testing.assert_array_equal(stepper.params.flat, stepper.before[-1])
    assert np.all(np.isfinite(stepper.params.flat))
    assert len(training.history["loss"]) == 1


def test_an_infinite_number_in_the_data_is_found_in_its_batch(X):
    X = X.copy()
    X[33, 2] = np.inf
    stepper = make_stepper(VAE)
    with pytest.raises(TrainingDivergedError) as caught:
        train(stepper, X, TrainingSettings(batch_size=16), stepper.rng)
    assert f"in epoch 1, batch {len(stepper.before)}." in str(caught.value)
    np.testing.assert_array_equal(stepper.params.flat, stepper.before[-1])
