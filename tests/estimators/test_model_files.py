"""Estimators to files and back."""

import contextlib
import json
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from sklearn.base import clone

import npvae
from npvae import VAE, Autoencoder
from npvae.persistence import ModelFileError
from npvae.training import SGD, Adagrad, Adam, CosineDecay
from tests.model_files import content, rewrite

both = pytest.mark.parametrize("cls", [VAE, Autoencoder])
SMALL = {"hidden": (8,), "max_epochs": 2, "random_state": 0}


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(6).random((40, 4)).astype(np.float32)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def there_and_back(model, path):
    model.save(path)
    return npvae.load(path)


@both
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"hidden": (), "noise_variance": 0.1},
        {"hidden": (9, 5), "likelihood": "bernoulli", "activation": "leaky_relu", "negative_slope": 0.25},
        {
            "early_stopping": True,
            "validation_fraction": 0.3,
            "max_grad_norm": 5,
            "init": "he",
            "latent_dim": 3,
        },
    ],
    ids=["defaults", "linear", "deep", "stopping"],
)
def test_everything_comes_back(cls, settings, X, path):
    model = cls(**{**SMALL, **settings}).fit(X)
    loaded = there_and_back(model, path)
    assert type(loaded) is cls
    assert loaded.params_.flat.tobytes() == model.params_.flat.tobytes()
    assert loaded.params_.flat.dtype == np.float32
    assert loaded.network_ == model.network_
    assert loaded.get_params() == model.get_params()
    for name in ("history_", "n_iter_", "stop_reason_", "best_epoch_", "pixels_", "n_features_in_"):
        assert getattr(loaded, name) == getattr(model, name), name
    np.testing.assert_array_equal(loaded.data_range_, model.data_range_)


@both
def test_answers_are_the_same_bit_for_bit(cls, X, path):
    pixels = (255 * X).astype(np.uint8)
    model = cls(**SMALL, likelihood="bernoulli").fit(pixels)
    loaded = there_and_back(model, path)
    for method in ("transform", "reconstruct", "score_samples"):
        for data in (X, X.astype(np.float64), pixels):
            np.testing.assert_array_equal(getattr(loaded, method)(data), getattr(model, method)(data))
    np.testing.assert_array_equal(loaded.sample(5, random_state=1), model.sample(5, random_state=1))


def test_a_file_with_one_range_for_all_columns_is_read(X, path):
    """As files of before there was one for each."""
    VAE(**SMALL).fit(X).save(path)
    change(path, lambda m: (m.update(data_range=[0.25, 0.5]), m.pop("pixels")))
    np.testing.assert_array_equal(npvae.load(path).data_range_, [[0.25] * 4, [0.5] * 4])


@both
def test_a_loaded_model_can_be_saved_again(cls, X, path):
    first = there_and_back(cls(**SMALL).fit(X), path)
    again = there_and_back(first, path.with_name("again.safetensors"))
    assert again.get_params() == first.get_params()
    assert again.params_ == first.params_


@both
def test_feature_names_come_back(cls, X, path):
    frame = pd.DataFrame(X, columns=["a", "b", "c", "\u00e9"])
    loaded = there_and_back(cls(**SMALL).fit(frame), path)
    assert list(loaded.feature_names_in_) == list(frame.columns)
    with pytest.raises(ValueError, match="feature names should match"):
        loaded.transform(frame.rename(columns={"a": "A"}))


@both
def test_without_feature_names_there_are_none(cls, X, path):
    assert not hasattr(there_and_back(cls(**SMALL).fit(X), path), "feature_names_in_")


@pytest.mark.parametrize("optimizer", [SGD(0.5), Adagrad(1e-5), Adam(0.8, 0.9, 1e-4), "sgd"], ids=repr)
def test_optimizers_come_back(optimizer, X, path):
    loaded = there_and_back(VAE(**SMALL, optimizer=optimizer, learning_rate=1e-4).fit(X), path)
    assert loaded.optimizer == optimizer
    assert type(loaded.optimizer) is type(optimizer)


def test_a_cosine_comes_back(X, path):
    rate = CosineDecay(0.01, 7, final=1e-4)
    loaded = there_and_back(VAE(**SMALL, learning_rate=rate).fit(X), path)
    assert loaded.learning_rate == rate
    assert isinstance(loaded.learning_rate, CosineDecay)


def test_numbers_of_numpy_come_back_as_numbers(X, path):
    settings = {"latent_dim": np.int64(3), "beta": np.float64(0.1), "learning_rate": np.float32(1e-3)}
    loaded = there_and_back(VAE(**SMALL, **settings).fit(X), path)
    assert {name: loaded.get_params()[name] for name in settings} == settings


def test_an_infinite_setting_comes_back(X, path):
    loaded = there_and_back(VAE(**SMALL, max_grad_norm=np.inf).fit(X), path)
    assert loaded.max_grad_norm == np.inf


@pytest.mark.filterwarnings("ignore:5 of 5 rows of X_val are far outside")
def test_a_model_with_an_infinite_validation_loss_can_be_saved(X, path):
    model = VAE(**SMALL).fit(X, X_val=np.full((5, 4), 1e30))
    assert not np.isfinite(model.history_["validation_loss"]).any()
    assert there_and_back(model, path).params_ == model.params_


@pytest.mark.parametrize(
    ("name", "value"),
    [("learning_rate", lambda epoch: 1e-3), ("random_state", np.random.default_rng(0))],
    ids=["function", "generator"],
)
def test_what_cannot_be_stored_warns_and_gets_its_default(name, value, X, path):
    model = VAE(**{**SMALL, name: value}).fit(X)
    with pytest.warns(UserWarning, match=f"{name}=.* can't be stored in a model file") as caught:
        model.save(path)
    assert caught[0].filename == __file__  # it points at the caller's line
    loaded = npvae.load(path)
    assert getattr(loaded, name) == VAE().get_params()[name]
    np.testing.assert_array_equal(loaded.transform(X), model.transform(X))


def test_a_path_may_be_text(X, path):
    model = VAE(**SMALL).fit(X)
    model.save(str(path))
    assert npvae.load(str(path)).params_ == model.params_


def test_a_model_after_partial_fit_comes_back(X, path):
    model = VAE(hidden=(8,), random_state=0).partial_fit(X).partial_fit(X)
    loaded = there_and_back(model, path)
    assert (loaded.n_iter_, loaded.stop_reason_) == (2, "partial_fit")


def test_a_missing_file():
    with pytest.raises(FileNotFoundError, match="nowhere"):
        npvae.load("nowhere.safetensors")


def change(path, edit):
    """Let `edit` change the description in a file; the numbers stay."""
    with safe_open(path, framework="np") as file:
        description = json.loads(file.metadata()["npvae"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    edit(description["metadata"])
    save_file(tensors, path, metadata={"npvae": json.dumps(description)})


EDITS = {
    "no estimator": lambda m: m.pop("estimator"),
    "unknown estimator": lambda m: m.update(estimator="PCA"),
    "estimator that is a list": lambda m: m.update(estimator=["VAE"]),
    "the other estimator": lambda m: m.update(estimator="Autoencoder"),
    "no hyperparameters": lambda m: m.pop("hyperparameters"),
    "hyperparameters that are a list": lambda m: m.update(hyperparameters=[1]),
    "unknown hyperparameter": lambda m: m["hyperparameters"].update(depth=3),
    "another width": lambda m: m["hyperparameters"].update(hidden=[9]),
    "another latent dimension": lambda m: m["hyperparameters"].update(latent_dim=3),
    "another likelihood": lambda m: m["hyperparameters"].update(likelihood="bernoulli"),
    "another beta": lambda m: m["hyperparameters"].update(beta=2.0),
    "impossible activation": lambda m: m["hyperparameters"].update(activation=["relu"]),
    "unknown object": lambda m: m["hyperparameters"].update(
        optimizer={"object": "system", "fields": {"command": "true"}}
    ),
    "object without fields": lambda m: m["hyperparameters"].update(optimizer={"object": "Adam"}),
    "object with impossible fields": lambda m: m["hyperparameters"].update(
        optimizer={"object": "Adam", "fields": {"beta1": 7}}
    ),
    "no training": lambda m: m.pop("training"),
    "no history": lambda m: m["training"].pop("history"),
    "history that is text": lambda m: m["training"].update(history="long"),
    "number of epochs that is text": lambda m: m["training"].update(n_iter="many"),
    "no data range": lambda m: m.pop("data_range"),
    "half a data range": lambda m: m.update(data_range=[0]),
    "a data range with its ends crossed": lambda m: m.update(data_range=[[1.0] * 4, [0.0] * 4]),
    "too few data ranges": lambda m: m.update(data_range=[[0], [1]]),
    "a data range of NaN": lambda m: m.update(data_range=[[float("nan")] * 4, [1.0] * 4]),
    "an infinite data range": lambda m: m.update(data_range=[[0.0] * 4, [float("inf")] * 4]),
    "one infinite data range": lambda m: m.update(data_range=[0.0, float("inf")]),
    "a history too large for floats": lambda m: m["training"]["history"].update(loss=[10**400]),
    "number of epochs that is negative": lambda m: m["training"].update(n_iter=-1),
    "another number of epochs": lambda m: m["training"].update(n_iter=3),
    "best epoch that is text": lambda m: m["training"].update(best_epoch="x"),
    "best epoch beyond the last": lambda m: m["training"].update(best_epoch=2),
    "stop reason that is a list": lambda m: m["training"].update(stop_reason=[]),
    "pixels that are text": lambda m: m.update(pixels="yes"),
    "data range that is text": lambda m: m.update(data_range="wide"),
    "no feature names": lambda m: m.pop("feature_names"),
    "too few feature names": lambda m: m.update(feature_names=["a"]),
    "feature names that are text": lambda m: m.update(feature_names="abcd"),
}


@pytest.mark.parametrize("case", EDITS)
def test_a_description_of_something_else_is_refused(case, X, path):
    VAE(**SMALL).fit(X).save(path)
    change(path, EDITS[case])
    with pytest.raises(ModelFileError, match=re.escape(str(path))):
        npvae.load(path)


@pytest.mark.filterwarnings("ignore:.* lie far outside")
def test_flipped_header_bytes_are_refused_or_harmless(X, path):
    model = VAE(**SMALL).fit(X)
    model.save(path)
    whole, codes = path.read_bytes(), model.transform(X)
    for i in range(8 + int.from_bytes(whole[:8], "little")):
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 0x01]) + whole[i + 1 :])
        with contextlib.suppress(ModelFileError), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # rows outside a damaged data range
            np.testing.assert_array_equal(npvae.load(path).transform(X), codes)


def test_settings_changed_after_the_fit_do_not_spoil_the_file(tmp_path):
    """What is stored describes the network that was trained."""
    X = np.random.default_rng(0).random((30, 4))
    vae = VAE(hidden=np.array([5]), max_epochs=1, random_state=0).fit(X)
    vae.set_params(beta=4.0, hidden=(8,), latent_dim=3)
    vae.save(tmp_path / "m.safetensors")
    loaded = npvae.load(tmp_path / "m.safetensors")
    assert (loaded.beta, loaded.hidden, loaded.latent_dim) == (1.0, (5,), 2)
    np.testing.assert_array_equal(loaded.transform(X), vae.transform(X))


@pytest.mark.parametrize(
    ("model", "shapes"),
    [
        (
            VAE(2, hidden=(8, 5), noise_variance="learned", likelihood="gaussian", max_epochs=1),
            {"mu": (5, 2), "log_var": (5, 2), "output.log_noise_var": (1,)},
        ),
        (Autoencoder(2, hidden=(8, 5), likelihood="bernoulli", max_epochs=1), {"code": (5, 2)}),
    ],
    ids=["VAE", "Autoencoder"],
)
def test_the_tensors_have_the_names_and_shapes_that_load_describes(model, shapes, X, path):
    model.fit(X).save(path)
    expected = {"output.log_noise_var": shapes.pop("output.log_noise_var", None)}
    layers = {
        "encoder.0": (4, 8),
        "encoder.1": (8, 5),
        "decoder.0": (2, 5),
        "decoder.1": (5, 8),
        "output": (8, 4),
    }
    for name, (n_in, n_out) in (layers | shapes).items():
        expected |= {f"{name}.W": (n_in, n_out), f"{name}.b": (n_out,)}
    tensors = {name: tensor for name, tensor in load_file(path).items() if not name.startswith("training.")}
    assert {name: tensor.shape for name, tensor in tensors.items()} == {
        name: shape for name, shape in expected.items() if shape is not None
    }
    assert {tensor.dtype.name for tensor in tensors.values()} == {"float32"}
    for name in tensors:
        assert re.sub(r"\d", "i", name) in npvae.load.__doc__


CONTINUED = {
    "gaussian": VAE(2, hidden=(8,), batch_size=8, random_state=0),
    "bernoulli, sgd": VAE(2, hidden=(8,), likelihood="bernoulli", optimizer=SGD(0.5), random_state=0),
    "autoencoder": Autoencoder(2, hidden=(8,), max_grad_norm=1.0, random_state=0),
    "early stopping": VAE(2, hidden=(8,), early_stopping=True, validation_fraction=0.25, random_state=0),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("complete", [False, True])
@pytest.mark.parametrize("name", CONTINUED)
def test_partial_fit_after_loading_has_the_bits_of_not_having_saved(name, complete, X, path):
    model = clone(CONTINUED[name])
    if complete:
        model.set_params(max_epochs=3).fit(X)
    for _ in range(0 if complete else 3):
        model.partial_fit(X)
    model.save(path)
    model.save(path.with_name("again"))
    assert path.read_bytes() == path.with_name("again").read_bytes()
    loaded = npvae.load(path)
    for _ in range(3):
        model.partial_fit(X)
        loaded.partial_fit(X)
    for continued in (model, loaded):
        continued.set_params(warm_start=True, max_epochs=3).fit(X)
    assert loaded.params_ == model.params_
    assert loaded.history_["loss"] == model.history_["loss"]


def test_a_file_without_the_held_out_rows_is_read(X, path):
    """As files of before they were kept."""
    model = VAE(**SMALL, early_stopping=True).fit(X)
    model.save(path)
    description, tensors = content(path)
    assert tensors["training.rows"].dtype == np.uint8
    del tensors["training.rows"], tensors["training.held_out"]
    del description["metadata"]["training"]["state"]["held_out_of"]
    rewrite(path, description, tensors)
    assert npvae.load(path).partial_fit(X).params_ == model.partial_fit(X).params_


@pytest.mark.parametrize(
    "change",
    [
        lambda of, rows, held_out: (of, rows, held_out[:-1]),
        lambda of, rows, held_out: (of, rows, held_out[:0]),
        lambda of, rows, held_out: (of, rows, rows[: len(held_out)]),
        lambda of, rows, held_out: (of, rows, held_out + np.uint8(100)),
        lambda of, rows, held_out: (of, rows.astype(np.float32), held_out),
        lambda of, rows, held_out: (of, rows[:, None], held_out[:, None]),
        lambda of, rows, held_out: ([41, of[1]], rows, held_out),
        lambda of, rows, held_out: (["40", of[1]], rows, held_out),
        lambda of, rows, held_out: ([of[0], "0.1"], rows, held_out),
        lambda of, rows, held_out: (40, rows, held_out),
        lambda of, rows, held_out: (None, rows, held_out),
    ],
)
def test_held_out_rows_that_cannot_be_are_refused(change, X, path):
    VAE(**SMALL, early_stopping=True).fit(X).save(path)
    description, tensors = content(path)
    state, names = description["metadata"]["training"]["state"], ("training.rows", "training.held_out")
    state["held_out_of"], *split = change(state["held_out_of"], *(tensors[name] for name in names))
    rewrite(path, description, tensors | {name: part.copy() for name, part in zip(names, split, strict=True)})
    with pytest.raises(ModelFileError, match="its description of the estimator is not valid"):
        npvae.load(path)


def test_save_in_a_callback_saves_the_state_of_that_moment(X, path):
    settings = {"hidden": (8,), "batch_size": 8, "tol": None, "random_state": 0}
    model, seen = VAE(2, max_epochs=4, **settings), []

    def save(end):
        model.save(path.with_name(f"{end.epoch}.safetensors"))
        seen.append(end.params.copy())

    model.fit(X, callbacks=[save])
    with pytest.warns(UserWarning, match="fit starts from scratch"):
        model.fit(X, callbacks=[save])
    for epoch in range(4):
        loaded = npvae.load(path.with_name(f"{epoch}.safetensors"))
        assert loaded.params_ == seen[epoch] == seen[epoch + 4]
        assert (loaded.n_iter_, loaded.stop_reason_) == (epoch + 1, "unfinished")
        for _ in range(3 - epoch):
            loaded.partial_fit(X)
        assert loaded.params_ == model.params_, "it continues as the training did"


def test_a_hand_changed_model_is_saved_as_it_is(X, path):
    model = VAE(2, hidden=(8,), random_state=0).partial_fit(X)
    model.params_["output.b"] += 1
    model.save(path)
    loaded = npvae.load(path)
    assert loaded.params_ == model.params_
    assert loaded.partial_fit(X).params_ == model.partial_fit(X).params_


@pytest.mark.parametrize(
    "change",
    [
        {"n_updates": 10**400}, {"n_updates": True},
        {"n_updates": -1}, {"n_updates": "3"}, {"rng_state": {}}, {"rng_state": None}, {"scale": 0.0},
        {"scale": "wide"}, {"scale": None}, {"optimizer": "eval"}, {"max_grad_norm": "1"},
        {"optimizer": {"object": "os", "fields": {}}},
        {"least_noise_variance": None}, {"max_grad_norm": [1]}, {"max_grad_norm": 10**400},
        {"scale": 10**400},
    ],
    ids=str,
)  # fmt: skip
def test_a_state_of_training_that_cannot_be_is_refused(change, X, path):
    VAE(2, hidden=(8,), random_state=0).partial_fit(X).save(path)
    description, tensors = content(path)
    description["metadata"]["training"]["state"] |= change
    rewrite(path, description, tensors)
    with pytest.raises(ModelFileError, match="its description of the estimator is not valid"):
        npvae.load(path)


@pytest.mark.parametrize("name", ["training.moments.0", "training.params", "training.mean"])
@pytest.mark.parametrize("change", ["missing", "shorter", "one", "extra"])
def test_arrays_of_the_state_of_training_that_do_not_fit_are_refused(name, change, X, path):
    VAE(2, hidden=(8,), random_state=0).partial_fit(X).save(path)
    description, tensors = content(path)
    array = tensors.pop(name)
    if change == "extra":
        tensors |= {name: array, "training.more": array}
    elif change != "missing":
        tensors[name] = array[:-1].copy() if change == "shorter" else array[:1].copy()
    rewrite(path, description, tensors)
    with pytest.raises(ModelFileError, match="its description of the estimator is not valid"):
        npvae.load(path)
