"""fit and partial_fit."""

import tracemalloc

import numpy as np
import pytest
from sklearn.base import clone

import npvae
from npvae import VAE, Autoencoder
from npvae.core.init import init_parameters
from npvae.training import Adam, CosineDecay
from npvae.training.loop import validation_loss

both = pytest.mark.parametrize("cls", [VAE, Autoencoder])
SMALL = {"hidden": (8,), "max_epochs": 3, "random_state": 0}


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(7)
    return (rng.random((90, 2)) @ rng.uniform(0, 0.5, (2, 5))).astype(np.float32)


@both
def test_the_same_seed_gives_the_same_bits(cls, X):
    flats = [cls(**{**SMALL, "random_state": seed}).fit(X).params_.flat.tobytes() for seed in (0, 0, 1)]
    assert flats[0] == flats[1]
    assert flats[0] != flats[2]


@both
@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_layout_and_width_of_the_data_do_not_change_the_bits(cls, likelihood, X):
    stored = X, np.asfortranarray(X), X.astype(np.float64), np.repeat(X, 2, axis=0)[::2]
    flats = [cls(**SMALL, likelihood=likelihood).fit(each).params_.flat.tobytes() for each in stored]
    assert set(flats) == {flats[0]}


@both
def test_a_generator_is_used_up_and_an_int_is_not(cls, X):
    generator = np.random.default_rng(0)
    first, second = (cls(**{**SMALL, "random_state": generator}).fit(X).params_ for _ in range(2))
    assert np.any(first.flat != second.flat)
    assert first == cls(**SMALL).fit(X).params_


@both
def test_a_second_fit_starts_anew(cls, X):
    model = cls(**SMALL).fit(X)
    flat, history = model.params_.flat.copy(), model.history_
    with pytest.warns(
        UserWarning, match=r"fit starts from scratch: the parameters of 4 earlier epochs.*warm_start=True"
    ):
        model.partial_fit(X).fit(X)
    np.testing.assert_array_equal(model.params_.flat, flat)
    assert model.n_iter_ == 3
    assert model.history_["loss"] == history["loss"][:3]


@both
def test_a_second_fit_may_have_another_width(cls, X):
    model = cls(**SMALL).fit(X)
    with pytest.warns(UserWarning, match="fit starts from scratch"):
        model.fit(X[:, :3])
    assert model.n_features_in_ == 3
    assert model.reconstruct(X[:, :3]).shape == (90, 3)


@both
@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_pixels_train_as_their_255th_parts_do(cls, likelihood, X):
    pixels = (255 * X).astype(np.uint8)
    models = [
        cls(**SMALL, likelihood=likelihood, early_stopping=True, init_output_bias=True).fit(data)
        for data in (pixels, pixels.astype(np.float32) / 255)
    ]
    np.testing.assert_array_equal(models[0].params_.flat, models[1].params_.flat)
    np.testing.assert_array_equal(models[0].data_range_, [[0] * 5, [1] * 5])
    assert models[0].pixels_
    assert not models[1].pixels_


@both
@pytest.mark.parametrize("hidden", [(), (7,), (9, 6)])
@pytest.mark.parametrize("noise_variance", [0.01, "learned"])
def test_depths(cls, hidden, noise_variance, X):
    model = cls(
        hidden=hidden, noise_variance=noise_variance, max_epochs=30, batch_size=16, learning_rate=3e-3,
        random_state=0,
    ).fit(X)  # fmt: skip
    assert model.history_["loss"][-1] < model.history_["loss"][0]
    assert model.reconstruct(X).shape == X.shape


def test_without_hidden_layers_decoding_is_affine(X):
    model = VAE(**{**SMALL, "hidden": ()}).fit(X)
    a, b = np.array([[1.0, 2.0]]), np.array([[-3.0, 0.5]])
    middle = model.inverse_transform((a + b) / 2)
    np.testing.assert_allclose(middle, (model.inverse_transform(a) + model.inverse_transform(b)) / 2)


@both
def test_validation_data_are_recorded(cls, X):
    model = cls(**SMALL).fit(X[:60], X_val=X[60:])
    assert len(model.history_["validation_loss"]) == 3
    assert model.history_["validation_loss"][-1] == validation_loss(model.network_, model.params_, X[60:])


@both
def test_early_stopping_sets_data_aside(cls, X):
    seen = []
    model = cls(**SMALL, early_stopping=True, validation_fraction=0.2)
    model.fit(X, callbacks=[lambda state: seen.append(state.history["validation_loss"][-1])])
    assert seen == model.history_["validation_loss"]
    assert model.best_epoch_ == np.argmin(seen)


@both
def test_early_stopping_ends_a_training_that_gets_worse(cls, X):
    model = cls(
        hidden=(8,), early_stopping=True, n_iter_no_change=2, max_epochs=50, batch_size=16,
        learning_rate=lambda epoch: 1e-3 if epoch < 3 else 1.0, random_state=0,
    ).fit(X)  # fmt: skip
    assert model.stop_reason_ == "early_stopping"
    assert model.n_iter_ == model.best_epoch_ + 3 < 50


@both
def test_a_callback_can_end_the_fit(cls, X):
    model = cls(**SMALL).fit(X, callbacks=[lambda state: state.epoch == 1])
    assert (model.stop_reason_, model.n_iter_) == ("callback", 2)


def test_the_kl_weight_and_the_learning_rate_are_recorded(X):
    model = VAE(**SMALL, beta=4.0, kl_warmup_epochs=2, learning_rate=CosineDecay(1e-3, 2)).fit(X)
    assert model.history_["beta"] == [2, 4, 4]
    assert model.history_["learning_rate"] == pytest.approx([1e-3, 5e-4, 0])


@both
def test_the_output_bias_can_start_at_the_datas_mean(cls, X):
    """At learning rate 0 it stays there."""
    model = cls(**SMALL, init_output_bias=True, learning_rate=0).fit(X)
    np.testing.assert_allclose(model.params_["output.b"], X.mean(axis=0, dtype=np.float64), rtol=1e-6)


def test_verbose_writes_to_stderr_alone(X, capsys):
    VAE(**SMALL, verbose=1).fit(X)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "epoch 3" in printed.err


@both
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_memory_map_is_read_batch_by_batch(cls, dtype, early_stopping, tmp_path):
    shape = (20_000_000 // 200 // np.dtype(dtype).itemsize, 200)
    X = np.lib.format.open_memmap(tmp_path / "X.npy", mode="w+", dtype=dtype, shape=shape)
    X[:] = np.arange(200) % 2 * (255 if dtype == np.uint8 else 1)
    X.flush()
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    model = cls(
        hidden=(4,), likelihood="bernoulli", max_epochs=1, early_stopping=early_stopping, random_state=0
    )
    clone(model).fit(X[:50])  # what is compiled then is not counted
    tracemalloc.start()
    try:
        model.fit(X)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < X.nbytes / 2


def test_partial_fit_is_one_step_of_the_optimizer(X):
    """Adam's first step is the learning rate times the gradient's sign, nearly."""
    model = Autoencoder(hidden=(8,), likelihood="bernoulli", random_state=0, optimizer=Adam(epsilon=1e-30))
    model.partial_fit(X)
    start = init_parameters(model.network_.shapes(), np.random.default_rng(0))
    _, grads = model.network_.loss_and_grad(start, X)
    moved = model.params_.flat.astype(np.float64) - start.flat
    np.testing.assert_allclose(moved, -1e-3 * np.sign(grads.flat), rtol=1e-3)


@both
def test_partial_fit_keeps_the_books(cls, X):
    model = cls(**SMALL, learning_rate=lambda epoch: 1e-3 / (1 + epoch))
    for _ in range(3):
        assert model.partial_fit(X) is model
    assert model.n_iter_ == 3
    assert model.history_["learning_rate"] == [1e-3, 1e-3 / 2, 1e-3 / 3]
    assert len(model.history_["loss"]) == len(model.history_["seconds"]) == 3
    assert model.stop_reason_ == "partial_fit"


@both
def test_partial_fit_learns(cls, X):
    model = cls(hidden=(8,), learning_rate=1e-2, random_state=0)
    for _ in range(100):
        model.partial_fit(X)
    assert model.history_["loss"][-1] < model.history_["loss"][0]


@both
def test_partial_fit_goes_on_after_fit(cls, X):
    model = cls(**SMALL).fit(X)
    before = model.params_.flat.copy()
    model.partial_fit(X[:10])
    assert 0 < np.abs(model.params_.flat - before)[:-1].max() < 0.05  # one step, not a new start
    assert model.n_iter_ == 4
    assert len(model.history_["loss"]) == 4


@both
def test_partial_fit_goes_on_after_fit_with_validation_data(cls, X):
    """The loss of what is not validated is recorded all the same."""
    model = cls(**SMALL).fit(X, X_val=X).partial_fit(X)
    assert len(model.history_["loss"]) == 4
    assert len(model.history_["validation_loss"]) == 3


@both
def test_partial_fit_goes_on_after_load(cls, X, tmp_path):
    model = cls(**SMALL).fit(X)
    model.save(tmp_path / "model.safetensors")
    loaded = npvae.load(tmp_path / "model.safetensors")
    for _ in range(2):
        loaded.partial_fit(X)
    assert loaded.n_iter_ == 5
    assert 0 < np.abs(loaded.params_.flat - model.params_.flat)[:-1].max() < 0.05
    assert np.any(loaded.transform(X) != model.transform(X))
