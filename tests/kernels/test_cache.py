"""Where machine code cannot be kept on disk, the kernels still work, and say so once."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import npvae

CODE = """
import numpy as np
import npvae
from npvae.core.activations import sigmoid_forward
from npvae.core.layers import dense_forward
assert npvae.__file__.startswith({folder!r}), npvae.__file__
y, _ = sigmoid_forward(np.zeros((2, 3)))
assert np.all(y == 0.5)
print(dense_forward(*np.zeros((2, 1, 1), np.float32), np.zeros(1, np.float32))[0])
"""


def run(folder, **environment):
    return subprocess.run(
        [sys.executable, "-B", "-c", CODE.format(folder=str(folder))],
        cwd=folder,
        env={"PYTHONPATH": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def package(tmp_path):
    """A copy of npvae without any cache."""
    shutil.copytree(
        Path(npvae.__file__).parent, tmp_path / "npvae", ignore=shutil.ignore_patterns("__pycache__")
    )
    return tmp_path


def test_no_place_for_a_cache(package):
    (package / "npvae" / "kernels" / "__pycache__").touch()  # a file: not even root can make a folder of it
    nowhere = dict.fromkeys(["NUMBA_CACHE_DIR", "HOME", "XDG_CACHE_HOME", "TMPDIR"], "/dev/null/x")
    result = run(package, **nowhere)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[[0.]]"
    assert result.stderr.count("RuntimeWarning") == 1
    assert result.stderr.count("set NUMBA_CACHE_DIR to a folder that can be written to") == 1


def test_cache_in_a_folder_of_ones_choice(package, tmp_path):
    (package / "npvae" / "kernels" / "__pycache__").touch()
    result = run(package, NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    assert (result.returncode, result.stderr) == (0, "")
    assert list((tmp_path / "cache").rglob("*.nbi"))


def test_training_without_a_place_for_a_cache(package):
    (package / "npvae" / "kernels" / "__pycache__").touch()
    code = "import numpy as np; from npvae import VAE; "
    code += (
        "VAE(hidden=(200,), n_threads=2, max_epochs=1, random_state=0).fit(np.zeros((256, 500), np.float32))"
    )
    nowhere = dict.fromkeys(["NUMBA_CACHE_DIR", "HOME", "XDG_CACHE_HOME", "TMPDIR"], "/dev/null/x")
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=package, env={"PYTHONPATH": str(package), **nowhere},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("can't be kept on disk") == 1
