"""A file of data that is cut off while it is in use: one line, exit code 2, and nothing learned is lost."""

import subprocess
import sys

import numpy as np
import pytest

import npvae
from npvae.estimators.checkpoints import Checkpoint
from tests.cli.tools import invoke

# Cuts the file off before the 60th step: with a memory map alone, the system kills the process.
PROGRAM = """
import os, sys
from npvae.cli import main
from npvae.data import files
from npvae.training import Stepper

files.LARGE_BYTES, step, steps = 1, Stepper.step, []

def counted(*arguments):
    steps.append(None)
    if len(steps) == 60:
        os.truncate(sys.argv[1], 4096)
    return step(*arguments)

Stepper.step = counted
sys.exit(main(sys.argv[2:]))
"""
QUICK = ("--epochs", 2, "--hidden", 8, "--batch-size", 32, "--threads", 1)


def run(path, *argv):
    command = [sys.executable, "-c", PROGRAM, path, *argv]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120)


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, (1600, 30), dtype=np.uint8))
    return path


@pytest.mark.usefixtures("models")  # its kernels are compiled then
@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not cut off a file that is mapped")
def test_training_keeps_what_was_learned_and_goes_on_when_the_file_is_back(data, tmp_path):
    out, whole = tmp_path / "m.safetensors", tmp_path / "whole.safetensors"
    complete = data.read_bytes()
    argv = ("train", "vae", "--data", data, *QUICK)
    ended = run(data, *argv, "--checkpoint-every", 1, "--out", out)
    assert ended.returncode == 2, ended.stderr
    last = f"{data} was changed while it was in use: it had {len(complete)} bytes, now it has 4096"
    assert ended.stderr.splitlines()[-1] == f"npvae train: {last}"
    assert npvae.load(out).stop_reason_ == "error"
    position = Checkpoint.load(out.with_suffix(".checkpoint")).state.position
    assert (position.epoch, position.n_steps) == (1, 20)
    data.write_bytes(complete)
    assert invoke(*argv, "--resume", "--out", out).code == 0
    assert invoke(*argv, "--out", whole).code == 0
    assert npvae.load(out).params_ == npvae.load(whole).params_
