"""Ctrl-C: exit code 130, and nothing that was learned is lost."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import npvae
from npvae.estimators.checkpoints import Checkpoint
from npvae.training import Stepper
from tests.cli.tools import contents, invoke

# A process that was started in the background may have inherited that SIGINT is to be ignored.
PROGRAM = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "signal.signal(signal.SIGHUP, signal.SIG_DFL); from npvae.cli import main; sys.exit(main())"
)
FOREVER = ("--epochs", 10**6, "--hidden", 8)


def interrupted_process(*argv, by=signal.SIGINT, awaited=None):
    """Run a command, and send it a signal while it trains, once a file is there if one is awaited.

    Return its exit code, stdout and stderr.
    """
    command = [sys.executable, "-c", PROGRAM, *map(str, argv)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            err = b""
            while b"batch/s" not in err:  # the progress bar: training begins
                chunk = os.read(process.stderr.fileno(), 4096)
                assert chunk, err
                err += chunk
            while awaited is not None and not awaited.exists():
                assert process.poll() is None
                time.sleep(0.02)
            time.sleep(1 if awaited is None else 0.2)
            process.send_signal(by)
            out, rest = process.communicate(timeout=30)
        finally:
            process.kill()
    return process.returncode, out.decode(), (err + rest).decode()


@pytest.mark.usefixtures("models")  # its kernels are compiled then
def test_train(images, tmp_path):
    path = tmp_path / "m.safetensors"
    code, out, err = interrupted_process("train", "vae", "--data", images, *FOREVER, "--json", "--out", path)
    assert code == 130, err
    assert "Traceback" not in err
    assert "interrupted after" in err
    assert err.splitlines()[-2:] == [
        f"npvae train: the model as far as it was trained is in {path}",
        "npvae train: computing its test loss; Ctrl-C skips that",
    ]
    vae, record = npvae.load(path), json.loads(out)
    assert vae.stop_reason_ == record["stop_reason"] == "interrupted"
    assert vae.n_iter_ == record["epochs"] == len(vae.history_.get("loss", [])) < 10**6
    assert np.isfinite(vae.params_.flat).all()
    assert set(contents(tmp_path)) == {"m.safetensors"}


@pytest.mark.filterwarnings("default:training was interrupted")
@pytest.mark.parametrize("times", [1, 2])
def test_the_second_ctrl_c_ends_train_at_once_with_the_model(
    times, images, tmp_path, monkeypatch, interrupt_at_step
):
    """It comes within the step, or while the test loss is computed."""
    path = tmp_path / "m.safetensors"

    def score(*args):
        assert times == 1, "it does not get so far"
        assert path.exists()
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError

    monkeypatch.setattr(npvae.VAE, "score", score)
    interrupt_at_step(3, times)
    result = invoke("train", "vae", "--data", images, "--epochs", 2, "--hidden", 4, "--out", path)
    assert (result.code, result.out) == (130, "")
    assert result.err.splitlines()[-1] == "npvae train: interrupted"
    assert f"the model as far as it was trained is in {path}" in result.err
    model = npvae.load(path)
    assert model.stop_reason_ == "interrupted"
    assert np.isfinite(model.params_.flat).all()


IMPORTING = """
import builtins, os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from npvae.cli import main
real, sent = builtins.__import__, []
def importing(name, *args):
    if name == "sklearn.utils" and not sent:
        sent.append(name)
        os.kill(os.getpid(), signal.SIGINT)
    return real(name, *args)
builtins.__import__ = importing
code = main(sys.argv[1:])
assert sent
print("npvae.estimators.vae" in sys.modules)
sys.exit(code)
"""


def test_ctrl_c_waits_for_the_end_of_an_import(tmp_path):
    argv = ("train", "vae", "--out", str(tmp_path / "m.safetensors"))
    done = subprocess.run(
        [sys.executable, "-c", IMPORTING, *argv], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "True\n", "npvae train: interrupted\n")


def test_ctrl_c_before_a_command_runs(monkeypatch):
    def interrupted(name):
        raise KeyboardInterrupt

    monkeypatch.setattr("npvae.cli.importlib.import_module", interrupted)
    assert invoke("info", "m") == (130, "", "npvae: interrupted\n")


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_training_that_was_ended_from_outside_is_resumed_to_the_same_bits(by, images, tmp_path):
    path, options = tmp_path / "m.safetensors", ("--data", images, "--epochs", 2000, "--hidden", 8)
    argv = ("train", "vae", *options, "--checkpoint-every", 5, "--out", path)
    checkpoint = path.with_suffix(".checkpoint")
    code, out, err = interrupted_process(*argv, by=by, awaited=checkpoint)
    assert code == (-by if by == signal.SIGKILL else 130), err
    assert "Traceback" not in err
    if by != signal.SIGKILL:  # the step is finished, as after Ctrl-C
        assert "interrupted after" in err
        assert "test loss" in out
        assert npvae.load(path).stop_reason_ == "interrupted"
        path.unlink()
    assert 5 <= Checkpoint.load(checkpoint).state.position.epoch < 2000

    resumed = invoke(*argv, "--resume")
    assert resumed.code == 0, resumed.err
    unbroken = tmp_path / "unbroken.safetensors"
    assert invoke("train", "vae", *options, "--out", unbroken).code == 0
    model, expected = npvae.load(path), npvae.load(unbroken)
    assert model.params_ == expected.params_
    assert model.history_["loss"] == expected.history_["loss"]
    assert not checkpoint.exists(), "the training is complete"


@pytest.mark.usefixtures("models")
def test_compare(images, tmp_path):
    argv = ("compare", "--data", images, *FOREVER, "--latent-dim", 2, "--samples", 10, "--out", tmp_path)
    code, out, err = interrupted_process(*argv)
    assert (code, out) == (130, ""), err
    assert "Traceback" not in err
    path = tmp_path / "models" / "ae-d2-seed0.safetensors"
    assert str(path) in err, "it does not say where the model is"
    (checkpoint,) = path.parent.glob("ae-d2-seed0-*.checkpoint")
    assert set(contents(path.parent)) == {path.name, checkpoint.name}, "it is not complete, and has no mark"
    assert npvae.load(path).stop_reason_ == "interrupted"
    assert "models" not in json.loads((tmp_path / "run.json").read_text())


@pytest.fixture
def interrupt_at_step(monkeypatch):
    """Send Ctrl-C, once or more, after the training step of that number, counted over all models."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    step, count = Stepper.step, []

    def arrange(number, times=1):
        def interrupted(self, *args):
            loss = step(self, *args)
            count.append(1)
            if len(count) == number:
                for _ in range(times):
                    os.kill(os.getpid(), signal.SIGINT)
            return loss

        monkeypatch.setattr(Stepper, "step", interrupted)

    yield arrange
    signal.signal(signal.SIGINT, before)


ARGV = ("compare", "--latent-dim", 2, "--epochs", 2, "--hidden", "--importance-samples", 1)


@pytest.mark.filterwarnings("default:training was interrupted")
@pytest.mark.usefixtures("no_pictures", "quick_judges")
@pytest.mark.parametrize("first", [3, 13])
def test_compare_goes_on_where_it_was_interrupted(first, images, tmp_path, interrupt_at_step):
    """In the first training or the second: five batches an epoch, two epochs."""
    interrupt_at_step(first)
    argv = (*ARGV, "--data", images, "--out", tmp_path)
    result = invoke(*argv)
    assert (result.code, result.out) == (130, "")
    interrupted = ["ae", "vae"][first > 10]
    path = tmp_path / "models" / f"{interrupted}-d2-seed0.safetensors"
    model = npvae.load(path)
    assert (model.stop_reason_, model.n_iter_) == ("interrupted", 0)
    assert np.isfinite(model.params_.flat).all()
    assert {entry.name for entry in tmp_path.iterdir()} == {"models", "measured", "run.json"}
    assert not path.with_suffix(".json").exists()

    again = invoke(*argv)
    assert again.code == 0, again.err
    assert f"training {interrupted}-d2-seed0, continued after epoch 0 of 2" in again.err
    assert ("training ae" in again.err) == (interrupted == "ae"), "what is complete is not trained again"
    assert list(path.parent.glob("*.checkpoint")) == []
    assert npvae.load(path).stop_reason_ == "max_epochs"
    uninterrupted = tmp_path / "other"
    assert invoke(*ARGV, "--data", images, "--out", uninterrupted).out == again.out
    expected = npvae.load(uninterrupted / "models" / path.name)
    assert npvae.load(path).params_ == expected.params_, "it has the bits of an unbroken training"


@pytest.mark.filterwarnings("default:training was interrupted")
@pytest.mark.usefixtures("no_pictures", "quick_judges")
def test_a_complete_model_stays_until_a_complete_one_replaces_it(
    images, tmp_path, interrupt_at_step, monkeypatch
):
    """A complete run is made again by another version of npvae, and interrupted."""
    argv = (*ARGV, "--data", images, "--out", tmp_path)
    assert invoke(*argv).code == 0
    path, partial = (tmp_path / "models" / f"ae-d2-seed0{end}.safetensors" for end in ("", ".partial"))
    before, record = path.read_bytes(), (tmp_path / "run.json").read_bytes()
    monkeypatch.setattr("npvae.version.__version__", "99.0")
    with monkeypatch.context():
        interrupt_at_step(3)
        result = invoke(*argv)
    assert result.code == 130
    assert str(partial) in result.err
    assert npvae.load(partial).stop_reason_ == "interrupted"
    assert path.read_bytes() == before
    assert (tmp_path / "run.json").read_bytes() == record
    assert invoke(*argv).code == 0
    assert not partial.exists()
    assert json.loads((tmp_path / "run.json").read_text())["versions"]["npvae"] == "99.0"


@pytest.mark.filterwarnings("default:training was interrupted")
@pytest.mark.usefixtures("no_pictures", "quick_judges")
def test_run_json_still_tells_of_models_that_are_there(images, tmp_path, interrupt_at_step):
    """What was to be added is interrupted: the rest is as it was."""
    argv = (*ARGV, "--data", images, "--out", tmp_path)
    assert invoke(*argv).code == 0
    before = (tmp_path / "run.json").read_bytes()
    interrupt_at_step(3)
    assert invoke(*argv, "--seeds", 2, "--jobs", 1).code == 130
    assert (tmp_path / "run.json").read_bytes() == before
    assert (tmp_path / "models" / "ae-d2-seed1.safetensors").exists()


@pytest.mark.usefixtures("no_pictures", "quick_judges")
def test_ctrl_c_while_samples_are_measured(images, tmp_path, monkeypatch, interrupt_at_step):
    """The model is trained by then, and is not trained again."""

    def interrupted(*args, **options):
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError

    argv = (*ARGV, "--data", images, "--out", tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("npvae.study.comparison.study_model", interrupted)
        result = invoke(*argv)
    assert (result.code, result.out) == (130, "")
    assert result.err.splitlines()[-1] == "npvae compare: interrupted"
    again = invoke(*argv)
    assert again.code == 0, again.err
    assert "training ae" not in again.err
    assert "measuring ae" in again.err


def test_ctrl_c_outside_of_training(images, tmp_path, monkeypatch, interrupt_at_step):
    """While the data are looked at, say."""

    def interrupted(*args, **options):
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError

    monkeypatch.setattr("npvae.study.comparison.compare", interrupted)
    result = invoke(*ARGV, "--data", images, "--out", tmp_path)
    assert (result.code, result.out) == (130, "")
    assert result.err.splitlines()[-1] == "npvae compare: interrupted"
