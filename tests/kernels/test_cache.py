"""Where machine code cannot be kept on disk, the kernels still work, and say so once."""

import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
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


def doubled(a):
    for i in range(a.size):
        a[i] *= 2


@pytest.fixture
def new_kernel(monkeypatch):
    """Return a function that makes a kernel as a new process would, and one that names its files on disk."""
    numba = pytest.importorskip("numba")
    if numba.config.DISABLE_JIT:
        pytest.skip("nothing is compiled")
    from npvae.kernels import code_cache
    from npvae.kernels.compiled import compile_kernel

    monkeypatch.setattr(code_cache, "_warned", [])
    kernel = compile_kernel(set())(doubled)

    def files():
        return sorted(Path(kernel.stats.cache_path).glob("test_cache.doubled-*.nb?"))

    yield lambda: compile_kernel(set())(doubled), files
    for file in files():
        file.unlink()


def run_kernel(kernel):
    a = np.ones(3, np.float32)
    kernel(a)
    assert (a == 2).all()
    return sum(kernel.stats.cache_misses.values())


DAMAGES = {
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "zeros": lambda content: bytes(len(content)),
    "one bit": lambda content: content[:-9] + bytes([content[-9] ^ 4]) + content[-8:],
}


@pytest.mark.parametrize("kind", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_is_rebuilt(damage, kind, new_kernel, recwarn):
    make, files = new_kernel
    run_kernel(make())
    assert run_kernel(make()) == 0, "it is loaded from disk"
    (file,) = [file for file in files() if file.suffix == f".{kind}"]
    file.write_bytes(DAMAGES[damage](file.read_bytes()))
    assert run_kernel(make()) == 1
    assert str(file) in str(recwarn.pop(RuntimeWarning).message)
    assert run_kernel(make()) == 0, "it is whole again"
    assert len(recwarn) == 0


def test_a_full_disk_is_said_once(new_kernel, recwarn):
    """Here: a limit on the size of files."""
    make, files = new_kernel
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        for _ in range(2):
            assert run_kernel(make()) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    message = str(recwarn.pop(RuntimeWarning).message)
    assert "File too large" in message
    assert "__pycache__" in message or "cache" in message.lower()
    assert len(recwarn) == 0
    assert files() == []
