"""An interrupted training that is resumed ends with the bits of one that was not interrupted."""

import copy
import json
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

import npvae
from npvae import VAE, Autoencoder
from npvae.estimators.checkpoints import Checkpoint
from npvae.kernels import has_compiled_products
from npvae.persistence import ModelFileError
from npvae.training import SGD, CosineDecay, Stepper, loop
from tests.model_files import content, rewrite

X = np.random.default_rng(0).random((90, 6)).astype(np.float32)
PIXELS = (255 * X).astype(np.uint8)
SMALL = {"hidden": (8,), "batch_size": 16, "max_epochs": 6, "tol": None, "random_state": 0}
N_STEPS = 6  # of an epoch

CASES = {
    "gaussian, standardised": (VAE(2, **SMALL), X),
    "fixed noise": (VAE(2, noise_variance=0.1, **SMALL), X.astype(np.float64)),
    "pixels, binarised": (VAE(2, likelihood="bernoulli", dynamic_binarization=True, **SMALL), PIXELS),
    "iwae, warm-up": (VAE(2, objective="iwae", n_draws=3, kl_warmup_epochs=4, **SMALL), X),
    "autoencoder": (Autoencoder(2, optimizer=SGD(0.5), learning_rate=CosineDecay(1e-2, 6), **SMALL), X),
    "early stopping": (
        VAE(
            2, early_stopping=True, validation_fraction=0.25, n_iter_no_change=2, learning_rate=0.05, **SMALL
        ),
        X,
    ),
    "until it settles": (Autoencoder(2, **SMALL | {"max_epochs": 80, "tol": 1.0, "n_iter_no_change": 2}), X),
}
cases = pytest.mark.parametrize("case", CASES)


class CrashError(Exception):
    """What a process that is killed leaves behind is what this exception leaves behind: the checkpoint."""


def crash(after_epoch):
    """Raise in the callback of the epoch after that one, whose checkpoint is there then."""

    def callback(end):
        if end.epoch == after_epoch + 1:
            raise CrashError

    return callback


@pytest.fixture(autouse=True)
def python_handler():
    """Whatever started the tests may have had SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def interrupt(monkeypatch):
    """Return a function that makes Ctrl-C come after so many steps from now."""
    step = Stepper.step

    def after(n_steps):
        left = [n_steps]

        def counted(self, *args):
            loss = step(self, *args)
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGINT)
            return loss

        monkeypatch.setattr(Stepper, "step", counted)

    return after


def quietly(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)


def fresh(case):
    model, data = CASES[case]
    return type(model)(**model.get_params()), data


def assert_same(resumed, unbroken, data):
    np.testing.assert_array_equal(resumed.params_.flat, unbroken.params_.flat)
    for name in unbroken.history_.keys() - {"seconds"}:
        assert resumed.history_[name] == unbroken.history_[name], name
    for name in ("n_iter_", "stop_reason_", "best_epoch_", "pixels_", "network_"):
        assert getattr(resumed, name) == getattr(unbroken, name), name
    np.testing.assert_array_equal(resumed.data_range_, unbroken.data_range_)
    np.testing.assert_array_equal(resumed.transform(data), unbroken.transform(data))


@cases
@pytest.mark.parametrize("after_epoch", [0, 2])
def test_after_a_crash_between_two_epochs(case, after_epoch, tmp_path):
    (unbroken, data), path = fresh(case), tmp_path / "checkpoint"
    quietly(unbroken.fit, data)
    broken, _ = fresh(case)
    with pytest.raises(CrashError):
        broken.fit(data, callbacks=[crash(after_epoch)], checkpoint=path)
    assert_same(quietly(type(broken).resume, path, data), unbroken, data)


@cases
@pytest.mark.parametrize("after_steps", [N_STEPS - 2, 2 * N_STEPS])
def test_after_ctrl_c_in_the_middle_of_an_epoch(case, after_steps, tmp_path, interrupt):
    (unbroken, data), path = fresh(case), tmp_path / "checkpoint"
    quietly(unbroken.fit, data)
    broken, _ = fresh(case)
    interrupt(after_steps)
    quietly(broken.fit, data, checkpoint=path)
    assert broken.stop_reason_ == "interrupted"
    interrupt(2)  # and once more
    again = quietly(type(broken).resume, path, data)
    assert again.stop_reason_ == "interrupted"
    interrupt(-1)
    assert_same(quietly(type(broken).resume, path, data), unbroken, data)


def test_what_follows_has_the_same_bits_too(tmp_path):
    """The generator and the optimizer's state are those of the unbroken training, not new ones."""
    (unbroken, data), path = fresh("early stopping"), tmp_path / "checkpoint"
    quietly(unbroken.fit, data)
    broken, _ = fresh("early stopping")
    with pytest.raises(CrashError):
        broken.fit(data, callbacks=[crash(1)], checkpoint=path)
    resumed = quietly(VAE.resume, path, data)
    for model in (unbroken, resumed):
        model.partial_fit(data[:40])
        quietly(model.set_params(warm_start=True).fit, data)
    assert_same(resumed, unbroken, data)


def test_training_that_goes_on_from_another(tmp_path):
    path, models = tmp_path / "checkpoint", []
    for callbacks in ([], [crash(8)]):
        model = VAE(2, warm_start=True, **SMALL).fit(X)
        models.append(model)
        if not callbacks:
            model.fit(X)
            continue
        with pytest.raises(CrashError):
            model.fit(X, callbacks=callbacks, checkpoint=path)
    assert_same(VAE.resume(path, X), models[0], X)
    assert models[0].n_iter_ == 12


def test_validation_data(tmp_path):
    path, settings = tmp_path / "checkpoint", SMALL | {"early_stopping": True, "n_iter_no_change": 3}
    unbroken = quietly(VAE(2, **settings).fit, X, X_val=X[:20] / 2)
    with pytest.raises(CrashError):
        VAE(2, **settings).fit(X, X_val=X[:20] / 2, callbacks=[crash(2)], checkpoint=path)
    assert_same(quietly(VAE.resume, path, X, X_val=X[:20] / 2), unbroken, X)
    with pytest.raises(ValueError, match=r"X_val differs from the checkpoint's data: its values"):
        VAE.resume(path, X, X_val=X[:20] / 3)
    with pytest.raises(ValueError, match="the training had X_val"):
        VAE.resume(path, X)


@pytest.mark.skipif(not has_compiled_products(), reason="the bits of BLAS depend on its threads")
def test_any_number_of_threads(tmp_path):
    images = np.random.default_rng(1).random((300, 784)).astype(np.float32)
    settings = {"hidden": (100,), "batch_size": 128, "max_epochs": 2, "tol": None, "random_state": 0}
    unbroken = quietly(VAE(2, n_threads=1, **settings).fit, images)
    with pytest.raises(CrashError):
        VAE(2, n_threads=2, **settings).fit(images, callbacks=[crash(0)], checkpoint=tmp_path / "checkpoint")
    assert_same(quietly(VAE.resume, tmp_path / "checkpoint", images), unbroken, images)


def test_a_training_that_has_ended_is_returned_as_it_is(tmp_path, interrupt):
    path = tmp_path / "checkpoint"
    ended = VAE(2, **SMALL).fit(X, checkpoint=path)
    interrupt(1)  # a step would be interrupted
    assert_same(VAE.resume(path, X), ended, X)


def test_it_is_written_as_often_as_asked_for(tmp_path):
    path, seen = tmp_path / "checkpoint", []

    def look(end):
        seen.append(Checkpoint.load(path).state.position.epoch if path.exists() else None)

    VAE(2, **SMALL).fit(X, callbacks=[look], checkpoint=path, checkpoint_every=3)
    assert seen == [None, None, None, 3, 3, 3]
    assert Checkpoint.load(path).state.position.epoch == 6
    for every in (0, 1.5, True):
        with pytest.raises(ValueError, match="checkpoint_every must be an integer of at least 1"):
            VAE(2, **SMALL).fit(X, checkpoint=path, checkpoint_every=every)


@pytest.mark.parametrize(
    ("seconds", "epochs"),
    [(0, [1, 6]), (40, [1, 4, 6]), (100, [1, 2, 3, 4, 5, 6]), (1000, [1, 2, 3, 4, 5, 6])],
)
def test_the_time_of_writing_can_decide_how_often(seconds, epochs, tmp_path, monkeypatch):
    """After the first epoch, at the end, and between them where a second of writing is 1 % of the time."""
    written, clock = [], [0.0]

    def save(self, path):
        written.append(self.state.position.epoch)
        clock[0] += 1

    def take_time(end):
        clock[0] += seconds

    monkeypatch.setattr(Checkpoint, "save", save)
    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    VAE(2, **SMALL).fit(X, callbacks=[take_time], checkpoint=tmp_path / "kept", checkpoint_every=None)
    assert written == epochs


def test_a_training_without_a_fixed_number_of_epochs_between_checkpoints_is_resumed(tmp_path):
    path = tmp_path / "checkpoint"
    with pytest.raises(CrashError):
        VAE(2, **SMALL).fit(X, callbacks=[crash(0)], checkpoint=path, checkpoint_every=None)
    assert Checkpoint.load(path).every is None
    assert_same(VAE.resume(path, X), VAE(2, **SMALL).fit(X), X)


def test_data_frames_keep_their_names(tmp_path):
    pandas = pytest.importorskip("pandas")
    path, frame = tmp_path / "checkpoint", pandas.DataFrame(X, columns=list("abcdef"))
    VAE(2, **SMALL).fit(frame, checkpoint=path)
    assert list(VAE.resume(path, frame).feature_names_in_) == list("abcdef")
    with pytest.raises(ValueError, match="feature names"):
        VAE.resume(path, frame.rename(columns={"a": "z"}))


@pytest.mark.parametrize(
    ("other", "difference"),
    [(X[:-1], "shape"), (X.astype(np.float64), "dtype"), (X + np.float32(1e-3), "values")],
)
def test_other_data_are_refused(other, difference, tmp_path):
    VAE(2, **SMALL).fit(X, checkpoint=tmp_path / "checkpoint")
    with pytest.raises(ValueError, match=f"X differs from the checkpoint's data: .*{difference}"):
        VAE.resume(tmp_path / "checkpoint", other)


def test_files_of_another_kind_are_refused(tmp_path):
    path, model_path = tmp_path / "checkpoint", tmp_path / "model.safetensors"
    VAE(2, **SMALL).fit(X, checkpoint=path).save(model_path)
    with pytest.raises(ModelFileError, match="this is a checkpoint of an unfinished training, not a model"):
        npvae.load(path)
    with pytest.raises(ModelFileError, match="this is a model file, not a checkpoint"):
        VAE.resume(model_path, X)
    with pytest.raises(ValueError, match=r"is a checkpoint of VAE: call VAE\.resume, not"):
        Autoencoder.resume(path, X)
    with pytest.raises(FileNotFoundError, match="no such checkpoint"):
        VAE.resume(tmp_path / "nothing", X)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelFileError, match="truncated"):
        VAE.resume(path, X)


def test_settings_that_cannot_be_stored_are_refused_before_training(tmp_path):
    model = VAE(2, learning_rate=lambda epoch: 1e-3, **SMALL)
    with pytest.raises(ValueError, match=r"learning_rate=.* cannot be stored in a checkpoint"):
        model.fit(X, checkpoint=tmp_path / "checkpoint")
    assert not hasattr(model, "params_")


def test_arrays_and_numbers_of_numpy_are_stored(tmp_path):
    path = tmp_path / "checkpoint"
    settings = SMALL | {"hidden": np.array([7, 5]), "batch_size": np.uint8(16), "beta": np.longdouble(0.5)}
    model = VAE(np.int16(2), **settings).fit(X, checkpoint=path)
    model.save(tmp_path / "model")
    for read in (VAE.resume(path, X), npvae.load(tmp_path / "model")):
        assert read.params_ == model.params_
        assert (read.latent_dim, read.hidden, read.batch_size, read.beta) == (2, (7, 5), 16, 0.5)
        assert {type(width) for width in read.hidden} == {int}


def test_a_checkpoint_that_cannot_be_written_does_not_end_training(tmp_path, monkeypatch):
    unbroken, path = VAE(2, **SMALL).fit(X), tmp_path / "checkpoint"

    def fail(self, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Checkpoint, "save", fail)
    with pytest.warns(RuntimeWarning, match="could not be written .*No space left"):
        model = VAE(2, **SMALL).fit(X, checkpoint=path)
    assert_same(model, unbroken, X)


def test_a_file_that_is_no_checkpoint_is_not_replaced(tmp_path):
    path = tmp_path / "model.safetensors"
    VAE(2, **SMALL).fit(X).save(path)
    before = path.read_bytes()
    for wrong in (path, tmp_path):
        with pytest.raises(ValueError, match="exists and is no checkpoint"):
            VAE(2, **SMALL).fit(X, checkpoint=wrong)
    assert path.read_bytes() == before


def test_ctrl_c_in_a_callback_is_kept(tmp_path):
    path, unbroken = tmp_path / "checkpoint", VAE(2, **SMALL).fit(X)

    def press(end):
        if end.epoch == 1:
            os.kill(os.getpid(), signal.SIGINT)

    broken = quietly(VAE(2, **SMALL).fit, X, callbacks=[press], checkpoint=path, checkpoint_every=4)
    assert broken.stop_reason_ == "interrupted"
    assert_same(VAE.resume(path, X), unbroken, X)


TERMINATED = """
import signal
import sys

import numpy as np

from npvae import VAE

signal.signal(signal.SIGTERM, signal.default_int_handler)
model = VAE(2, hidden=(8,), max_epochs=10**9, tol=None, random_state=0)
X = np.random.default_rng(0).random((90, 6))
tell = lambda end: print(end.epoch, flush=True)
model.fit(X, callbacks=[tell], checkpoint=sys.argv[1], checkpoint_every=10**9)
print(model.stop_reason_)
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGTERM ends the process at once there")
def test_a_program_can_have_sigterm_end_training_with_a_checkpoint(tmp_path):
    """As the notes of `fit` say."""
    path = tmp_path / "checkpoint"
    command = [sys.executable, "-c", TERMINATED, path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()  # after the first epoch
        process.terminate()
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, output.split()[-1]) == (0, "interrupted"), errors
    assert Checkpoint.load(path).state.position.epoch >= 1


def test_a_training_that_a_callback_has_ended_stays_ended(tmp_path):
    path = tmp_path / "checkpoint"
    ended = VAE(2, **SMALL).fit(X, callbacks=[lambda end: end.epoch == 2], checkpoint=path)
    assert ended.stop_reason_ == "callback"
    assert_same(VAE.resume(path, X), ended, X)


def test_the_seed_and_the_floor_of_the_noise_are_kept(tmp_path):
    """The floor is that of the first data, whatever came later."""
    path, models = tmp_path / "checkpoint", []
    wide = X.copy()
    wide[0] = 1000
    for callbacks in ([], [crash(6)]):
        model = quietly(Autoencoder(2, warm_start=True, **SMALL).fit, X)
        models.append(model)
        if not callbacks:
            quietly(model.fit, wide)
            continue
        with pytest.raises(CrashError):
            quietly(model.fit, wide, callbacks=callbacks, checkpoint=path)
    resumed = quietly(Autoencoder.resume, path, wide)
    assert_same(resumed, models[0], wide)
    assert resumed.random_state == 0
    assert resumed._stepper.least_noise_variance == models[0]._stepper.least_noise_variance


@pytest.mark.parametrize("kind", [np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_any_generator(kind, tmp_path):
    def model():
        return VAE(2, **SMALL | {"random_state": np.random.Generator(kind(3))})

    unbroken = model().fit(X)
    with pytest.raises(CrashError):
        model().fit(X, callbacks=[crash(2)], checkpoint=tmp_path / "checkpoint")
    assert_same(VAE.resume(tmp_path / "checkpoint", X), unbroken, X)


@pytest.fixture(scope="module")
def half_trained(tmp_path_factory):
    """Description and tensors of a checkpoint in the middle of the third of six epochs."""
    path, step, n_steps = tmp_path_factory.mktemp("half") / "checkpoint", Stepper.step, [0]

    def interrupted(self, *args):
        n_steps[0] += 1
        if n_steps[0] == 12:  # an epoch has 5
            signal.raise_signal(signal.SIGINT)
        return step(self, *args)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stepper, "step", interrupted)
        quietly(VAE(2, **SPLIT).fit, X, checkpoint=path)
    signal.signal(signal.SIGINT, before)
    return content(path, "npvae_checkpoint")


SPLIT = SMALL | {"early_stopping": True, "validation_fraction": 0.25}
NAN, INF = float("nan"), float("inf")
# Where in the description, what is put there, part of the message.
FORGED_VALUES = [
    ("hyperparameters.hidden", [1] * 10**6, "1000000 hidden layers, but the file has"),
    ("hyperparameters.hidden", [5 * 10**7], "parameters, but the file has"),
    ("hyperparameters.hidden", [10**9], "parameters, but the file has"),
    ("hyperparameters.hidden", [-1], "hidden must be a tuple of positive integers"),
    ("hyperparameters.hidden", "abc", "'hidden' parameter"),
    ("hyperparameters.latent_dim", 10**12, "parameters, but the file has"),
    ("hyperparameters.latent_dim", 0, "'latent_dim' parameter"),
    ("hyperparameters.batch_size", 0, "'batch_size' parameter"),
    ("hyperparameters.max_epochs", -5, "'max_epochs' parameter"),
    ("hyperparameters.max_epochs", 2, "epoch 2 is beyond the 2 of max_epochs"),
    ("hyperparameters.n_threads", 10000, "'n_threads' parameter"),
    ("hyperparameters.beta", 10**400, "'beta' parameter"),
    ("hyperparameters.optimizer", "eval", "'optimizer' parameter"),
    ("hyperparameters.optimizer", {"object": "Adam", "fields": {"epsilon": 10**400}}, "epsilon must be"),
    ("hyperparameters.depth", 3, "depth"),
    ("hyperparameters", [], "hyperparameters must be values by name"),
    ("position.epoch", "1", "epoch must be an integer of at least 0, got '1'"),
    ("position.epoch", -3, "epoch must be an integer of at least 0, got -3"),
    ("position.epoch", True, "epoch must be an integer of at least 0, got True"),
    ("position.epoch", 1, "history must have 1 entries"),
    ("position.epoch", 10**9, "history must have 1000000000 entries"),
    ("position.first_epoch", 5, "first_epoch 5 is after epoch 2"),
    ("position.first_epoch", -1, "first_epoch must be an integer of at least 0"),
    ("position.n_steps", "x", "n_steps must be an integer of at least 0, got 'x'"),
    ("position.n_steps", -1, "n_steps must be an integer of at least 0, got -1"),
    ("position.n_steps", 6, "n_steps is 6, but an epoch has 5 steps"),
    ("position.n_steps", 0, "sums has"),
    ("position.sums", {}, "sums has"),
    ("position.sums", {"total": 1.0}, "sums has"),
    ("position.sums", {"total": "x", "reconstruction": 1, "kl": 1}, "sums must be finite numbers"),
    ("position.seconds", None, "seconds must be a number of at least 0, got None"),
    ("position.seconds", 10**400, "seconds must be a number of at least 0"),
    ("position.order_state", "abc", "the state of a generator must be a dict, got 'abc'"),
    ("position.order_state", None, "order_state is missing after 2 steps"),
    ("position.ended", "yes", "ended must be true or false"),
    ("rng_state", "abc", "the state of a generator must be a dict"),
    ("best_epoch", "x", "best_epoch must be an epoch of this training, got 'x'"),
    ("best_epoch", 2, "best_epoch must be an epoch of this training, got 2"),
    ("best_epoch", None, "its tensors must be"),
    ("best_loss", "x", "best_loss must be a number, got 'x'"),
    ("best_loss", NAN, "best_loss must be a number, got nan"),
    ("n_updates", 10**400, "n_updates must be an integer from 0 to 2^53"),
    ("n_updates", True, "n_updates must be an integer from 0 to 2^53"),
    ("data_range", 1, "data_range must have two numbers for each of 6 features"),
    ("data_range", [[0] * 5, [1] * 5], "data_range must have two numbers for each of 6 features"),
    ("data_range", [[NAN] * 6, [1] * 6], "data_range must have finite numbers"),
    ("data_range", [[0] * 6, [INF] * 6], "data_range must have finite numbers"),
    ("data_range", [[1] * 6, [0] * 6], "a lowest value above the highest"),
    ("pixels", "yes", "pixels must be true or false, got 'yes'"),
    ("least_noise_variance", "x", "least_noise_variance must be a positive number, got 'x'"),
    ("least_noise_variance", -1, "least_noise_variance must be a positive number, got -1"),
    ("scale", 0, "scale must be a positive number, got 0"),
    ("scale", None, "its tensors must be"),
    ("feature_names", ["a", "b"], "2 feature names for 6 features"),
    ("feature_names", "abcdef", "feature_names must be a list of names"),
    ("history", {}, "history must have 2 entries"),
    ("history.kl", [1.0], "history must have 2 entries"),
    ("history.validation_loss", [1.0] * 3, "history must have 2 entries"),
    ("history.seconds", [1.0, None], "history must be lists of numbers"),
    ("history.loss", [1.0, 10**400], "history must be lists of numbers"),
    ("held_out_of", [91, 0.25], "each of 91 row numbers once"),
    ("held_out_of", ["x", 0.25], "held_out_of must be a number of rows and a fraction"),
    ("held_out_of", None, "its tensors must be"),
    ("every", 0, "every must be an integer of at least 1 or null, got 0"),
    ("estimator", ["VAE"], "estimator must be a name"),
    ("data.shape", [90], "shape must be two integers"),
    ("data.shape", [90, 10**400], "shape must be two integers"),
    ("data.shape", [91, 6], "early stopping needs a split of the 91 rows"),
    ("data.dtype", "x" * 10**5, "data type"),
    ("data.sha256", "x" * 10**5, "sha256 must be 64 hexadecimal digits"),
    ("validation", {}, "missing"),
]
# Name, what becomes of it, part of the message.
FORGED_TENSORS = [
    ("params", lambda a: a.astype(np.int32), "must all be float32 or all be float64"),
    ("params", lambda a: a.astype(np.float16), "must all be float32 or all be float64"),
    ("params", lambda a: a[1:].copy(), "parameters, but the file has"),
    ("params", lambda a: a[None].copy(), "must have shape"),
    ("moments.0", lambda a: a.astype(np.float64), "must all be float32 or all be float64"),
    ("best_params", lambda a: a[1:].copy(), "must have shape"),
    ("mean", lambda a: a.astype(np.int64), "mean must have 6 floats"),
    ("mean", lambda a: a[1:].copy(), "mean must have 6 floats"),
    ("rows", lambda a: a.astype(np.float64), "rows and held_out must be lists of row numbers"),
    ("rows", lambda a: a[:0], "rows and held_out must be lists of row numbers, and not empty"),
    ("rows", lambda a: a.astype(np.int64) + 1000, "each of 90 row numbers once"),
    ("rows", lambda a: np.full_like(a, a[0]), "each of 90 row numbers once"),
    ("rows", None, "rows"),
    ("held_out", lambda a: a[:0], "rows and held_out must be lists of row numbers, and not empty"),
    ("moments.1", None, "parameters and 2 moments"),
]


def assert_refused_at_once(forged, path, message):
    rewrite(path, *forged, "npvae_checkpoint")
    started = time.perf_counter()
    with pytest.raises(ModelFileError, match=re.escape(message)) as caught:
        VAE.resume(path, X)
    assert time.perf_counter() - started < 5
    text = str(caught.value)
    assert text.startswith(str(path))
    assert text.isprintable()
    assert len(text) < 2000


@pytest.mark.parametrize(
    ("place", "value", "message"),
    FORGED_VALUES,
    ids=[f"{place}={str(value)[:20]}" for place, value, _ in FORGED_VALUES],
)
def test_a_forged_description_is_refused(place, value, message, half_trained, tmp_path):
    description, tensors = copy.deepcopy(half_trained)
    *outer, last = place.split(".")
    entry = description
    for key in outer:
        entry = entry[key]
    entry[last] = value
    assert_refused_at_once((description, tensors), tmp_path / "checkpoint", message)


@pytest.mark.parametrize(("name", "change", "message"), FORGED_TENSORS)
def test_forged_tensors_are_refused(name, change, message, half_trained, tmp_path):
    description, tensors = half_trained[0], dict(half_trained[1])
    tensor = tensors.pop(name)
    if change is not None:
        tensors[name] = change(tensor)
    assert_refused_at_once((description, tensors), tmp_path / "checkpoint", message)


def test_early_stopping_without_its_split_is_refused(half_trained, tmp_path):
    description, tensors = half_trained[0] | {"held_out_of": None}, dict(half_trained[1])
    del tensors["rows"], tensors["held_out"]
    message = "early stopping needs a split of the 90 rows"
    assert_refused_at_once((description, tensors), tmp_path / "checkpoint", message)


@pytest.mark.parametrize("at", [-(10**8), -1, 625, 10**8])
def test_a_generator_that_would_read_beyond_its_buffer_is_refused(at, half_trained, tmp_path):
    """NumPy sets such a state, and drawing from it can end the process."""
    twister, philox = np.random.MT19937(0).state, np.random.Philox(0).state
    twister["state"]["pos"] = philox["buffer_pos"] = at
    for state in (twister, philox):
        forged = half_trained[0] | {"rng_state": json.loads(json.dumps(state, default=np.ndarray.tolist))}
        message = f"position {at} in its buffer"
        assert_refused_at_once((forged, half_trained[1]), tmp_path / "checkpoint", message)


def test_the_file_is_resumed_without_a_forgery(half_trained, tmp_path):
    rewrite(tmp_path / "checkpoint", *half_trained, "npvae_checkpoint")
    unbroken = quietly(VAE(2, **SPLIT).fit, X)
    assert_same(quietly(VAE.resume, tmp_path / "checkpoint", X), unbroken, X)


def test_impossible_threads_of_the_caller_are_not_the_fault_of_the_file(tmp_path):
    VAE(2, **SMALL).fit(X, checkpoint=tmp_path / "checkpoint")
    with pytest.raises(ValueError, match="'n_threads' parameter") as caught:
        VAE.resume(tmp_path / "checkpoint", X, n_threads=0)
    assert not isinstance(caught.value, ModelFileError)


def test_noise_that_does_not_fit_into_memory_is_found_before_training(tmp_path):
    path = tmp_path / "checkpoint"
    VAE(2, n_draws=3, **SMALL).fit(X, checkpoint=path)
    description, tensors = content(path, "npvae_checkpoint")
    description["hyperparameters"]["n_draws"] = 10**15
    rewrite(path, description, tensors, "npvae_checkpoint")
    with pytest.raises(MemoryError, match=r"the noise of a step with .* needs at least"):
        VAE.resume(path, X)
