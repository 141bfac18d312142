import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from npvae.data import DataChangedError, FileRows, binarize, read_npy
from npvae.data import file_rows as module
from npvae.data.binarization import binarize_rows

N, D = 1001, 13


@pytest.fixture(params=[np.uint8, np.float32, np.float64, np.bool, ">f4"])
def stored(request, tmp_path, monkeypatch):
    """Rows in a file, and the same as an array."""
    monkeypatch.setattr("npvae.data.files.LARGE_BYTES", 1)
    monkeypatch.setattr(module, "BLOCK_BYTES", 1003)
    grey = np.random.default_rng(0).integers(0, 256, (N, D), dtype=np.uint8)
    of_type = {np.uint8: grey, np.bool: grey > 127}
    array = of_type[request.param] if request.param in of_type else (grey / 255).astype(request.param)
    np.save(tmp_path / "x.npy", array)
    return read_npy(tmp_path / "x.npy").X, array if array.dtype == np.uint8 else array.astype(np.float32)


def test_they_are_the_rows_of_the_file_where_they_are_asked_for(stored):
    X, array = stored
    assert isinstance(X, FileRows)
    assert (X.shape, X.dtype, X.nbytes, len(X)) == (array.shape, array.dtype, array.nbytes, N)
    some = X.take(np.arange(0, N, 3)).take(np.array([2, 4, 5]))
    np.testing.assert_array_equal(some, array[[6, 12, 15]])
    np.testing.assert_array_equal(X[[3, 1], [5, 6]], array[[3, 1], [5, 6]])
    assert X[:2].base is None  # a copy: the file is read now, not later


def test_rows_in_a_file_are_binarised_block_by_block(stored):
    X, array = stored
    drawn = binarize_rows(X, np.random.default_rng(3))
    assert isinstance(drawn, FileRows)
    white = np.asarray(drawn) / drawn[:].max()
    assert set(np.unique(white)) == {0, 1}
    if array.dtype == np.float32:
        np.testing.assert_array_equal(drawn, binarize(array, np.random.default_rng(3)))
    scale = 255 if array.dtype == np.uint8 else 1
    np.testing.assert_allclose((white - array / scale).mean(), 0, atol=4 * 0.5 / np.sqrt(array.size))
    again = binarize_rows(X, np.random.default_rng(3))
    np.testing.assert_array_equal(drawn, again)


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="files without a name cannot be opened again")
def test_another_process_opens_the_file_again(stored):
    X, _ = stored
    some = X.take(np.arange(5, 500))
    drawn = binarize_rows(some, np.random.default_rng(0))
    program = "import pickle, sys; print([int(X[:].sum()) for X in pickle.load(sys.stdin.buffer)])"
    pickled = pickle.dumps([some, drawn])
    assert len(pickled) < 5000
    found = subprocess.run([sys.executable, "-c", program], input=pickled, capture_output=True, check=True)
    assert found.stdout.decode().strip() == str([int(some[:].sum()), int(drawn[:].sum())])


@pytest.mark.parametrize("change", ["truncate", "rewrite"])
def test_a_changed_file_is_an_error(change, tmp_path, monkeypatch):
    monkeypatch.setattr("npvae.data.files.LARGE_BYTES", 1)
    path = tmp_path / "x.npy"
    np.save(path, np.full((100, 10), 7, np.uint8))
    X = read_npy(path).X
    pickled = pickle.dumps(X)
    if change == "truncate":
        os.truncate(path, 200)
        message = "x.npy was changed while it was in use: it had 1128 bytes, now it has 200"
    else:
        np.save(path, np.full((100, 10), 8, np.uint8))
        os.utime(path, ns=(0, X._state[1] + 1))  # clocks of file systems are coarse
        message = "x.npy was changed while it was in use: it was written to"
    for use in (lambda: X[:5], lambda: X.take(np.arange(3)), lambda: X[[90]], lambda: pickle.loads(pickled)):
        with pytest.raises(DataChangedError, match=message):
            use()


def test_a_full_disk_is_an_error_that_names_the_folder(tmp_path, monkeypatch):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(OSError, match=str(tmp_path)):
            module.write_rows([np.zeros((100, 1000), np.uint8)], (100, 1000), np.dtype(np.uint8))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
