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
from npvae.training import Stepper
from tests.cli.tools import contents, invoke

# A process that was started in the background may have inherited that SIGINT is to be ignored.
PROGRAM = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from npvae.cli import main; sys.exit(main())"
)
FOREVER = ("--epochs", 10**6, "--hidden", 8)


def interrupted_process(*argv):
    """Run a command, and send Ctrl-C while it trains; return its exit code, stdout and stderr."""
    command = [sys.executable, "-c", PROGRAM, *map(str, argv)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            err = b""
            while b"batch/s" not in err:  # the progress bar: training begins
                chunk = os.read(process.stderr.fileno(), 4096)
                assert chunk, err
                err += chunk
            time.sleep(1)
            process.send_signal(signal.SIGINT)
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
    assert "interrupted after" in err.splitlines()[-1]
    vae, record = npvae.load(path), json.loads(out)
    assert vae.stop_reason_ == record["stop_reason"] == "interrupted"
    assert vae.n_iter_ == record["epochs"] == len(vae.history_.get("loss", [])) < 10**6
    assert np.isfinite(vae.params_.flat).all()
    assert set(contents(tmp_path)) == {"m.safetensors"}


@pytest.mark.usefixtures("models")
def test_compare(images, tmp_path):
    code, out, err = interrupted_process("compare", "--data", images, *FOREVER, "--out", tmp_path)
    assert (code, out) == (130, ""), err
    assert "Traceback" not in err
    assert str(tmp_path / "ae.safetensors") in err, "it does not say where the model is"
    assert set(contents(tmp_path)) == {"ae.safetensors", "run.json"}
    assert npvae.load(tmp_path / "ae.safetensors").stop_reason_ == "interrupted"
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["training"]["ae"]["stop_reason"] == "interrupted"
    assert "results" not in record


@pytest.fixture
def interrupt_at_step(monkeypatch):
    """Send Ctrl-C after the training step of that number, counted over all models."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    step, count = Stepper.step, []

    def arrange(number):
        def interrupted(self, *args):
            loss = step(self, *args)
            count.append(1)
            if len(count) == number:
                os.kill(os.getpid(), signal.SIGINT)
            return loss

        monkeypatch.setattr(Stepper, "step", interrupted)

    yield arrange
    signal.signal(signal.SIGINT, before)


@pytest.mark.filterwarnings("default:training was interrupted")
def test_compare_while_the_second_model_is_trained(images, tmp_path, interrupt_at_step):
    interrupt_at_step(13)  # five batches an epoch, two epochs
    result = invoke("compare", "--data", images, "--epochs", 2, "--hidden", "--out", tmp_path)
    assert (result.code, result.out) == (130, "")
    assert set(contents(tmp_path)) == {"ae.safetensors", "vae.safetensors", "run.json"}
    assert npvae.load(tmp_path / "ae.safetensors").stop_reason_ == "max_epochs"
    vae = npvae.load(tmp_path / "vae.safetensors")
    assert (vae.stop_reason_, vae.n_iter_) == ("interrupted", 0)


@pytest.mark.filterwarnings("default:training was interrupted")
@pytest.mark.usefixtures("no_pictures")
def test_an_interrupted_run_can_be_started_again(images, tmp_path, interrupt_at_step):
    interrupt_at_step(3)
    argv = ("compare", "--data", images, "--epochs", 2, "--hidden", "--out", tmp_path)
    assert invoke(*argv).code == 130
    assert invoke(*argv).code == 0
    assert (tmp_path / "run.json").is_file()


@pytest.mark.filterwarnings("default:training was interrupted")
@pytest.mark.usefixtures("no_pictures")
def test_run_json_never_tells_of_models_that_are_gone(images, tmp_path, interrupt_at_step):
    """A complete run is repeated in its folder, and interrupted."""
    argv = ("compare", "--data", images, "--epochs", 2, "--hidden", "--out", tmp_path)
    assert invoke(*argv).code == 0
    interrupt_at_step(3)
    assert invoke(*argv).code == 130
    record = json.loads((tmp_path / "run.json").read_text())
    assert "results" not in record, "those of the earlier models"
    for kind in ("ae", "vae"):
        model = npvae.load(tmp_path / f"{kind}.safetensors")
        assert model.history_ == record["training"][kind]["history"]
        assert model.stop_reason_ == record["training"][kind]["stop_reason"]


def test_ctrl_c_outside_of_training(images, tmp_path, monkeypatch, interrupt_at_step):
    """While samples are measured, say."""

    def interrupted(*args, **options):
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError

    monkeypatch.setattr("npvae.study.compare.compare", interrupted)
    result = invoke("compare", "--data", images, "--epochs", 1, "--hidden", "--out", tmp_path)
    assert (result.code, result.out) == (130, "")
    assert result.err.splitlines()[-1] == "npvae compare: interrupted"
