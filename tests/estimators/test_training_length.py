"""How long `fit` trains: until the loss settles, or for max_epochs with a warning; and training on."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

import npvae
from npvae import VAE, Autoencoder
from npvae.training import Adam, CosineDecay, TrainingSettings
from npvae.training.loop import fall_of, settling_window

both = pytest.mark.parametrize("cls", [VAE, Autoencoder])
SMALL = {"hidden": (8,), "max_epochs": 3, "random_state": 0}


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(7)
    return (rng.random((90, 2)) @ rng.uniform(0, 0.5, (2, 5))).astype(np.float32)


@pytest.mark.parametrize(
    ("n_rows", "batch_size", "patience", "expected"),
    [(60_000, 128, 10, 10), (150, 128, 10, 100), (90, 128, 10, 200), (150, 128, 300, 300), (1, 1, 1, 200)],
)
def test_the_window_is_some_epochs_and_at_least_200_steps(n_rows, batch_size, patience, expected):
    settings = TrainingSettings(batch_size=batch_size, n_iter_no_change=patience)
    assert settling_window(settings, n_rows) == expected


def test_the_fall_is_between_the_means_of_two_windows():
    assert fall_of([9.0, 5.0, 3.0, 2.0, 2.0], 2) == 2.0
    assert fall_of([9.0, 5.0, 3.0], 2) == np.inf
    assert fall_of([], 1) == np.inf


@both
def test_training_ends_when_the_loss_has_settled(cls, X):
    model = cls(hidden=(8,), batch_size=10, tol=0.3, random_state=0).fit(X)
    assert model.stop_reason_ == "converged"
    window = settling_window(TrainingSettings(batch_size=10), len(X))
    losses = model.history_["loss"]
    assert fall_of(losses, window) < 0.3 * 5 <= fall_of(losses[:-1], window)
    longer = clone(model).set_params(tol=0.001).fit(X)
    assert longer.n_iter_ > model.n_iter_
    assert longer.history_["loss"][: model.n_iter_] == losses


@both
def test_a_loss_that_had_not_settled_is_told(cls, X):
    message = (
        r"training ended at max_epochs=50, before the loss had settled: it fell by [\d.]+ nats per sample"
    )
    with pytest.warns(ConvergenceWarning, match=message):
        cls(hidden=(8,), batch_size=10, max_epochs=50, tol=1e-5, random_state=0).fit(X)
    with pytest.warns(
        ConvergenceWarning, match=r"ended at max_epochs=3, too early to tell .* takes 400 epochs\. Raise"
    ):
        cls(**SMALL).fit(X)


@both
def test_without_tol_training_has_the_length_that_was_asked_for(cls, X):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = cls(hidden=(8,), max_epochs=700, tol=None, random_state=0).fit(X)
    assert (model.n_iter_, model.stop_reason_) == (700, "max_epochs")


@both
@pytest.mark.parametrize("tol", [-1, np.nan, np.inf, "0.1", True])
def test_tol_out_of_range(cls, tol, X):
    with pytest.raises(ValueError, match=r"'tol' parameter of .* must be a float in the range"):
        cls(**SMALL, tol=tol).fit(X)


@pytest.mark.parametrize(
    ("n_rows", "warmup", "expected"), [(150, 0, 10_000), (60_000, 0, 43), (10**6, 0, 40), (60_000, 30, 73)]
)
def test_the_longest_training_follows_the_size_of_the_data(n_rows, warmup, expected):
    assert VAE(kl_warmup_epochs=warmup)._settings(n_rows).max_epochs == expected


def test_the_loss_is_not_judged_before_the_warmup_is_over(X):
    model = VAE(hidden=(8,), batch_size=10, kl_warmup_epochs=60, random_state=0).fit(X)
    assert model.stop_reason_ == "converged"
    assert model.n_iter_ >= 59 + 2 * settling_window(TrainingSettings(batch_size=10), len(X))


def test_early_stopping_waits_for_the_warmup(X):
    model = VAE(
        hidden=(8,), early_stopping=True, n_iter_no_change=3, kl_warmup_epochs=40, random_state=0
    ).fit(X)
    assert model.best_epoch_ >= 39
    assert model.history_["beta"][model.best_epoch_] == 1
    best = np.argmin(model.history_["validation_loss"][39:]) + 39
    assert model.best_epoch_ == best


def test_early_stopping_that_never_leaves_the_warmup_keeps_the_last_parameters(X):
    with pytest.warns(UserWarning, match="kl_warmup_epochs=8 is longer than max_epochs=4"):
        model = VAE(hidden=(8,), early_stopping=True, max_epochs=4, kl_warmup_epochs=8, random_state=0).fit(X)
    assert model.best_epoch_ is None
    assert model.n_iter_ == 4


def test_a_warmup_as_long_as_the_training_is_not_told(X):
    assert VAE(hidden=(8,), max_epochs=4, kl_warmup_epochs=4, random_state=0).fit(X).history_["beta"][-1] == 1


@both
def test_a_warm_start_goes_on_as_one_longer_training(cls, X):
    """Bit for bit: parameters, the optimizer's state, the noise, the order of rows, schedules."""
    settings = {"hidden": (8,), "batch_size": 20, "tol": None, "learning_rate": CosineDecay(1e-2, 7)}
    settings |= {"kl_warmup_epochs": 5} if cls is VAE else {}
    whole = cls(**settings, max_epochs=7, random_state=0).fit(X)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "kl_warmup_epochs=5 is longer")
        parts = cls(**settings, max_epochs=3, warm_start=True, random_state=0).fit(X)
    parts.set_params(max_epochs=4).fit(X)
    assert parts.params_.flat.tobytes() == whole.params_.flat.tobytes()
    assert parts.n_iter_ == 7
    for name in whole.history_.keys() - {"seconds"}:
        assert parts.history_[name] == whole.history_[name], name


@both
def test_a_warm_start_sets_the_same_rows_aside(cls):
    """What was trained on is never validated on."""
    X = np.random.default_rng(0).random((100, 4))
    model = cls(**SMALL, early_stopping=True, warm_start=True).fit(X)
    _, (rows, held_out) = model._held_out
    model.fit(X)
    np.testing.assert_array_equal(model._held_out[1][1], held_out)
    assert len(rows) == 90
    assert len(model.fit(X[:50])._held_out[1][1]) == 5


@both
def test_a_loaded_model_goes_on(cls, X, tmp_path):
    model = cls(hidden=(8,), batch_size=20, tol=None, max_epochs=50, random_state=0).fit(X)
    model.save(tmp_path / "m.safetensors")
    loaded = npvae.load(tmp_path / "m.safetensors").set_params(warm_start=True, max_epochs=5).fit(X)
    assert loaded.n_iter_ == 55
    assert max(loaded.history_["loss"][50:]) < model.history_["loss"][10]
    again = npvae.load(tmp_path / "m.safetensors").set_params(max_epochs=5)
    with pytest.warns(
        UserWarning, match=r"fit starts from scratch: the parameters of 50 earlier epochs are replaced"
    ):
        again.fit(X)
    assert again.n_iter_ == 5


def test_a_warm_start_may_change_what_leaves_the_parameters_as_they_are(X):
    model = VAE(**SMALL, warm_start=True).fit(X)
    before = model.params_.flat.copy()
    model.set_params(beta=4.0, learning_rate=0.0).fit(X)
    assert model.network_.beta == 4
    assert model.history_["beta"] == [1, 1, 1, 4, 4, 4]
    np.testing.assert_array_equal(model.params_.flat[:-1], before[:-1])


@both
@pytest.mark.parametrize("change", [{"latent_dim": 3}, {"hidden": (9,)}, {"noise_variance": 0.1}])
def test_a_warm_start_with_other_parameters_is_refused(cls, change, X):
    model = cls(**SMALL, warm_start=True).fit(X)
    codes = model.transform(X)
    with pytest.raises(
        ValueError, match=r"warm_start=True continues with the present parameters.*Set warm_start=False"
    ):
        model.set_params(**change).fit(X)
    with pytest.raises(ValueError, match=r"X has 4 features, but .* is expecting 5"):
        model.fit(X[:, :4])
    np.testing.assert_array_equal(model.transform(X), codes)


@both
def test_another_optimizer_starts_with_a_new_state(cls, X):
    model = cls(**SMALL, warm_start=True).fit(X)
    assert model.set_params(optimizer=Adam(beta1=0.5)).fit(X)._stepper.state.t == 3
    assert model.fit(X)._stepper.state.t == 6


@both
def test_partial_fit_is_an_epoch(cls, X):
    """Bit for bit what an epoch of fit is; schedules count passes, not steps."""
    settings = {"hidden": (8,), "batch_size": 20, "learning_rate": lambda epoch: 1e-2 / (1 + epoch)}
    fitted = cls(**settings, max_epochs=3, random_state=0).fit(X)
    passes = cls(**settings, random_state=0)
    for _ in range(3):
        passes.partial_fit(X)
    assert passes.params_.flat.tobytes() == fitted.params_.flat.tobytes()
    assert passes.n_iter_ == 3
    assert passes.history_["learning_rate"] == fitted.history_["learning_rate"]
