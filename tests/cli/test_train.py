import json
import os
import re
import signal

import numpy as np
import pytest

import npvae
from npvae import VAE, Autoencoder
from npvae.data import load_dataset
from npvae.training import Stepper, TrainingDivergedError
from tests.cli.tools import assert_refused, invoke
from tests.model_files import content, rewrite

QUICK = ("--epochs", 2, "--hidden", 8)


@pytest.fixture(scope="module")
def data(images):
    return load_dataset(images)


@pytest.mark.parametrize(("kind", "cls"), [("vae", VAE), ("ae", Autoencoder)])
def test_it_trains_as_the_estimator_does(kind, cls, images, data, tmp_path):
    path = tmp_path / "new" / "m.safetensors"
    options = ("--latent-dim", 3, "--activation", "tanh", "--batch-size", 16, "--learning-rate", 0.01)
    result = invoke("train", kind, "--data", images, *QUICK, *options, "--seed", 5, "--out", path)
    assert result.code == 0, result.err
    model = cls(
        3,
        hidden=(8,),
        activation="tanh",
        likelihood="bernoulli",
        batch_size=16,
        learning_rate=0.01,
        max_epochs=2,
        random_state=5,
    ).fit(data.X_train)
    loaded = npvae.load(path)
    assert type(loaded) is cls
    assert loaded.params_.flat.tobytes() == model.params_.flat.tobytes()
    assert loaded.history_["validation_loss"][-1] < 25  # 30 ln 2 = 20.8 is a coin for each pixel
    loss = float(re.search(r"2 epochs, test loss ([\d.]+) nats per sample \(60 samples\)", result.out)[1])
    assert loss == pytest.approx(-model.score(data.X_test), abs=0.006)
    assert str(path) in result.out
    assert len(result.out.splitlines()) == 1


def test_the_preset_of_the_course(images, tmp_path):
    """The squared error, summed, up to a constant; and the sizes. Later options change it."""
    path = tmp_path / "m.safetensors"
    settings = ("--data", images, "--preset", "stat453", "--epochs", 2, "--hidden", 8, "--out", path)
    result = invoke("train", "vae", "--latent-dim", 7, *settings)
    assert result.code == 0, result.err
    vae, x = npvae.load(path), load_dataset(images).X_test[:3] / 255
    given = {"latent_dim": 2, "activation": "leaky_relu", "batch_size": 256, "learning_rate": 5e-4}
    assert {name: getattr(vae, name) for name in given} == given
    assert (vae.negative_slope, vae.optimizer, vae.max_epochs) == (0.01, "adam", 2)
    losses = []
    for eps in np.random.default_rng(0).standard_normal((2, 3, 2)):
        mu, log_var = vae.encode(x)
        z = mu + np.exp(log_var / 2) * eps
        squares = ((x - vae.inverse_transform(z)) ** 2).sum(axis=1).mean()
        losses.append(vae.network_.loss(vae.params_, x, eps).reconstruction - squares)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5), "not a constant"
    assert invoke("train", "ae", *settings[:-1], tmp_path / "a.safetensors").code == 0


def test_json(images, data, tmp_path):
    path = tmp_path / "m.safetensors"
    result = invoke("train", "vae", "--data", images, *QUICK, "--json", "--out", path)
    record = json.loads(result.out)
    assert record["model"] == str(path)
    assert (record["estimator"], record["epochs"], record["stop_reason"]) == ("VAE", 2, "max_epochs")
    assert record["n_test"] == 60
    assert record["best_epoch"] is None
    assert record["test_loss"] == pytest.approx(-npvae.load(path).score(data.X_test))


OPTIONS = {
    "--beta": (2.5, "beta", 2.5),
    "--kl-warmup-epochs": (2, "kl_warmup_epochs", 2),
    "--free-bits": (0.5, "free_bits", 0.5),
    "--objective": ("iwae", "objective", "iwae"),
    "--draws": (3, "n_draws", 3),
    "--optimizer": ("sgd", "optimizer", "sgd"),
    "--max-grad-norm": (0.5, "max_grad_norm", 0.5),
    "--binarize": ("dynamic", "dynamic_binarization", True),
    "--likelihood": ("gaussian", "likelihood", "gaussian"),
}


@pytest.mark.filterwarnings("default:Posterior collapse")
@pytest.mark.parametrize("option", OPTIONS)
def test_options_reach_the_estimator(option, images, tmp_path):
    given, name, expected = OPTIONS[option]
    default = npvae.load(_train(images, tmp_path / "default.safetensors"))
    model = npvae.load(_train(images, tmp_path / "m.safetensors", option, given))
    assert getattr(model, name) == expected != getattr(default, name)
    assert not np.array_equal(model.params_.flat, default.params_.flat), "the option changes nothing"


@pytest.mark.parametrize(
    ("options", "objective", "n_draws"),
    [
        ((), "elbo", 1),
        (("--draws", 4), "elbo", 4),
        (("--objective", "iwae"), "iwae", 5),
        (("--objective", "iwae", "--draws", 2), "iwae", 2),
        (("--objective", "elbo", "--draws", 1), "elbo", 1),
    ],
)
def test_draws_have_a_default_for_each_objective(options, objective, n_draws, images, tmp_path):
    model = npvae.load(_train(images, tmp_path / "m.safetensors", *options))
    assert (model.objective, model.n_draws) == (objective, n_draws)


def test_one_draw_of_the_importance_weighted_bound_is_refused(images, tmp_path, monkeypatch):
    monkeypatch.setattr(VAE, "fit", lambda *args, **options: pytest.fail("it trains first"))
    argv = ("--objective", "iwae", "--draws", 1, "--out", tmp_path / "m.safetensors")
    assert_refused(invoke("train", "vae", "--data", images, *QUICK, *argv), "iwae", "more draws")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("options", [("--draws", 2), ("--objective", "iwae"), ("--draws", 5)])
def test_an_autoencoder_draws_nothing(options, images, tmp_path):
    argv = ("--data", images, *QUICK, "--out", tmp_path / "m.safetensors")
    assert_refused(invoke("train", "ae", *argv, *options), "--draws", "autoencoder")
    assert invoke("train", "ae", *argv, "--draws", 1).code == 0, "which it may be told"


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("vae", "--free-bits", -0.5), ["free_bits", "[0.0, inf)"]),
        (("vae", "--free-bits", "nan"), ["free_bits", "nan"]),
        (("vae", "--free-bits", 0.5, "--draws", 2), ["free_bits", "one draw"]),
        (("ae", "--free-bits", 0.5), ["--free-bits", "only a VAE has"]),
    ],
)
def test_bad_free_bits_are_refused_before_training(options, parts, images, tmp_path):
    out = tmp_path / "m.safetensors"
    assert_refused(invoke("train", *options, "--data", images, *QUICK, "--out", out), *parts)
    assert not out.exists()


def _train(images, path, *options):
    argv = ("--data", images, *QUICK, "--learning-rate", 0.05, "--out", path, *options)
    assert invoke("train", "vae", *argv).code == 0
    return path


STOPPING = ("--epochs", 40, "--learning-rate", 0.03, "--early-stopping", "--patience", 2)


@pytest.mark.parametrize("kind", ["vae", "ae"])
def test_early_stopping_keeps_the_best_epoch_of_data_set_aside(kind, images, data, tmp_path):
    """And never sees the test data: the same fit, given the training data alone, has the same bits."""
    path = tmp_path / "m.safetensors"
    argv = ("train", kind, "--data", images, *QUICK, *STOPPING, "--validation-fraction", 0.3, "--out", path)
    record, model = json.loads(invoke(*argv, "--json").out), npvae.load(path)
    losses = model.history_["validation_loss"]
    assert record["stop_reason"] == "early_stopping"
    assert record["epochs"] == len(losses) == record["best_epoch"] + 2 < 40
    assert losses[record["best_epoch"] - 1] == min(losses)
    assert model.get_params()["early_stopping"]
    again = type(model)(**(model.get_params() | {"verbose": 0})).fit(data.X_train)
    assert again.params_.flat.tobytes() == model.params_.flat.tobytes()
    assert record["test_loss"] == pytest.approx(-model.score(data.X_test))
    text = invoke(*argv).out
    assert f" {record['epochs']} epochs (kept: epoch {record['best_epoch']}), test loss " in text


def test_early_stopping_has_defaults(images, tmp_path):
    path = tmp_path / "m.safetensors"
    argv = ("train", "ae", "--data", images, *QUICK, "--early-stopping", "--json", "--out", path)
    assert json.loads(invoke(*argv).out)["best_epoch"] in (1, 2)
    defaults = Autoencoder().get_params()
    for name in ("n_iter_no_change", "validation_fraction"):
        assert getattr(npvae.load(path), name) == defaults[name]


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--patience", 5), ["--patience", "--early-stopping"]),
        (("--validation-fraction", 0.2), ["--validation-fraction", "--early-stopping"]),
        (("--early-stopping", "--patience", 0), ["--patience", "at least 1"]),
        (("--early-stopping", "--validation-fraction", 0), ["validation_fraction", "(0.0, 1.0)"]),
        (("--early-stopping", "--validation-fraction", 1), ["validation_fraction", "(0.0, 1.0)"]),
    ],
)
def test_bad_options_of_early_stopping(options, parts, images, tmp_path):
    path = tmp_path / "m.safetensors"
    assert_refused(invoke("train", "vae", "--data", images, *QUICK, "--out", path, *options), *parts)
    assert not path.exists()


def test_no_hidden_layer(images, tmp_path):
    model = npvae.load(_train(images, tmp_path / "m.safetensors", "--hidden"))
    assert model.network_.hidden == ()


def test_static_binarisation_is_that_of_the_data_set(images, tmp_path):
    model = npvae.load(_train(images, tmp_path / "m.safetensors", "--binarize", "static"))
    X = load_dataset(images, binarize="static").X_train
    settings = model.get_params() | {"verbose": 0}
    assert VAE(**settings).fit(X).params_.flat.tobytes() == model.params_.flat.tobytes()


def test_of_binarised_data_the_loss_is_on_binarised_data(images, tmp_path):
    """The loss printed and the last validation loss are two estimates of one number."""
    path = tmp_path / "m.safetensors"
    argv = ("--data", images, *QUICK, "--epochs", 30, "--learning-rate", 0.01, "--binarize", "dynamic")
    record = json.loads(invoke("train", "vae", *argv, "--json", "--out", path).out)
    rng, vae = np.random.default_rng(0), npvae.load(path)
    X = np.tile(load_dataset(images).X_test / 255, (50, 1))
    losses = -vae.score_samples((rng.random(X.shape) < X).astype(np.float64)).reshape(50, -1).mean(axis=1)
    assert abs(record["test_loss"] - losses.mean()) < 4 * losses.std()  # itself of pixels drawn once


@pytest.mark.filterwarnings("default:kl_warmup_epochs")
def test_a_warning_is_one_line_on_stderr(images, tmp_path):
    result = invoke(
        "train", "vae", "--data", images, *QUICK, "--kl-warmup-epochs", 9, "--out", tmp_path / "m.safetensors"
    )
    assert result.code == 0
    assert "npvae: kl_warmup_epochs=9 is longer than max_epochs=2" in result.err.splitlines()[0]
    assert ".py:" not in result.err


def test_a_log_file_is_not_filled_with_bars(images, tmp_path):
    argv = ("--data", images, "--epochs", 200, "--hidden", "--out", tmp_path / "m.safetensors")
    assert invoke("train", "ae", *argv).err.count("batch/s") < 20


@pytest.mark.parametrize("rate", ["1e4", "1e6"])
def test_divergence_says_where_and_what_to_do(rate, images, tmp_path):
    path = tmp_path / "m.safetensors"
    result = invoke("train", "vae", "--data", images, *QUICK, "--learning-rate", rate, "--out", path)
    assert result.code == 2
    assert result.out == ""
    where, message = result.err.splitlines()[-2:]
    assert str(path) in where
    assert re.search(r"not finite in epoch 1, batch \d+\. Lower learning_rate", message)
    model = npvae.load(path)
    assert model.stop_reason_ == "diverged"
    assert np.isfinite(model.params_.flat).all()
    assert invoke("info", path).code == 0
    assert invoke("sample", path, "--out", tmp_path / "s.npy").code == 0


def test_divergence_saves_the_parameters_from_before_that_step(images, tmp_path, monkeypatch):
    step, before = Stepper.step, []

    def spoiled(self, *args):
        before.append(self.params.flat.copy())
        if len(before) == 8:  # five batches an epoch
            raise TrainingDivergedError("the loss")
        return step(self, *args)

    monkeypatch.setattr(Stepper, "step", spoiled)
    path = tmp_path / "m.safetensors"
    result = invoke("train", "ae", "--data", images, *QUICK, "--epochs", 4, "--out", path)
    assert "in epoch 2, batch 3" in result.err.splitlines()[-1]
    model = npvae.load(path)
    np.testing.assert_array_equal(model.params_.flat, before[-1])
    assert np.any(model.params_.flat != before[-2])
    assert model.n_iter_ == 1


@pytest.mark.parametrize("name", ["folder", "folder/file/m.safetensors"])
def test_a_place_that_cannot_be_written_is_found_before_training(name, images, tmp_path, monkeypatch):
    """Not after hours of it."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").touch()
    monkeypatch.setattr(Autoencoder, "fit", lambda *args, **options: pytest.fail("it trains first"))
    assert_refused(invoke("train", "ae", "--data", images, *QUICK, "--out", tmp_path / name), "folder")


@pytest.mark.parametrize("name", ["m.png", "m.npy", "run.json"])
def test_an_ending_of_something_else_is_refused(name, images, tmp_path):
    result = invoke("train", "ae", "--data", images, *QUICK, "--out", tmp_path / name)
    assert_refused(result, name, ".safetensors")


def test_a_failed_training_leaves_an_earlier_model(features, tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"earlier")
    assert (
        invoke("train", "vae", "--data", features, "--likelihood", "bernoulli", *QUICK, "--out", path).code
        == 2
    )
    assert path.read_bytes() == b"earlier"


@pytest.mark.filterwarnings("default:training was interrupted")
@pytest.mark.parametrize("failure", ["Ctrl-C", "divergence"])
def test_a_model_that_is_there_is_not_replaced_by_part_of_one(failure, images, tmp_path, monkeypatch):
    path = tmp_path / "m.safetensors"
    argv = ("train", "vae", "--data", images, *QUICK, "--out", path)
    assert invoke(*argv).code == 0
    before = path.read_bytes()
    step = Stepper.step

    def fail(self, *args):
        if failure == "divergence":
            raise TrainingDivergedError("the loss")
        loss = step(self, *args)
        os.kill(os.getpid(), signal.SIGINT)
        return loss

    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("m.partial.safetensors", "m.partial-2.safetensors"):  # the second does not replace the first
        with monkeypatch.context() as patch:
            patch.setattr(Stepper, "step", fail)
            result = invoke(*argv)
        assert result.code == (130 if failure == "Ctrl-C" else 2)
        assert path.read_bytes() == before
        assert str(tmp_path / name) in result.err
        assert npvae.load(tmp_path / name).n_iter_ == 0
    signal.signal(signal.SIGINT, handler)


def test_resuming_without_a_checkpoint_starts_anew(images, tmp_path):
    paths = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    for path, options in zip(paths, [(), ("--resume",)], strict=True):
        result = invoke("train", "ae", "--data", images, *QUICK, *options, "--out", path)
        assert result.code == 0, result.err
    first, second = map(npvae.load, paths)
    assert first.params_ == second.params_
    assert {path.name for path in tmp_path.glob("*")} == {"a.safetensors", "b.safetensors"}


def test_a_checkpoint_of_other_settings_or_data_is_refused(images, data, tmp_path):
    path = tmp_path / "m.safetensors"
    argv = ("train", "vae", "--data", images, *QUICK, "--out", path, "--resume")
    model = VAE(hidden=(8,), likelihood="bernoulli", batch_size=32, max_epochs=2, tol=None, random_state=0)
    model.fit(data.X_train, X_val=data.X_test, checkpoint=path.with_suffix(".checkpoint"))
    refused = invoke(*argv, "--latent-dim", 7, "--beta", 2)
    assert refused.code == 2
    assert "beta=1.0 (now 2.0), latent_dim=2 (now 7)" in refused.err
    assert not path.exists()
    assert "random_state=0 (now 5)" in invoke(*argv, "--seed", 5).err
    again = invoke("train", "vae", "--data", images, *QUICK, "--out", path, "--checkpoint-every", 1)
    assert (again.code, "add --resume" in again.err) == (2, True)
    other = invoke("train", "vae", *QUICK, "--batch-size", 32, "--out", path, "--resume")
    assert other.code == 2
    assert "X has 64 features" in other.err
    assert invoke(*argv).code == 0


def test_a_resumed_training_that_diverges_is_saved(images, data, tmp_path, monkeypatch):
    path = tmp_path / "m.safetensors"
    model = VAE(hidden=(8,), likelihood="bernoulli", batch_size=32, max_epochs=2, tol=None, random_state=0)

    def crash(end):
        if end.epoch == 1:
            raise KeyError

    with pytest.raises(KeyError):
        model.fit(
            data.X_train, X_val=data.X_test, callbacks=[crash], checkpoint=path.with_suffix(".checkpoint")
        )

    def diverge(self, *args):
        raise TrainingDivergedError("the loss")

    monkeypatch.setattr(Stepper, "step", diverge)
    result = invoke("train", "vae", "--data", images, *QUICK, "--out", path, "--resume")
    assert result.code == 2
    assert npvae.load(path).n_iter_ == 1
    assert path.with_suffix(".checkpoint").exists()


@pytest.mark.parametrize(
    ("name", "value"), [("n_updates", 10**400), ("hyperparameters", []), ("best_loss", "x")], ids=str
)
def test_a_forged_checkpoint_is_refused_in_one_line(name, value, images, data, tmp_path):
    path, checkpoint = tmp_path / "m.safetensors", tmp_path / "m.checkpoint"
    model = VAE(hidden=(8,), likelihood="bernoulli", batch_size=32, max_epochs=2, tol=None, random_state=0)
    model.fit(data.X_train, X_val=data.X_test, checkpoint=checkpoint)
    description, tensors = content(checkpoint, "npvae_checkpoint")
    rewrite(checkpoint, description | {name: value}, tensors, "npvae_checkpoint")
    result = invoke("train", "vae", "--data", images, *QUICK, "--out", path, "--resume")
    assert_refused(result, str(checkpoint), name)
    assert not path.exists()
