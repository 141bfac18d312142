"""A file that can be opened and not be read is named in the error."""

import gzip
from pathlib import Path

import numpy as np
import pytest

import npvae
from npvae.cli import main
from npvae.course.exercises.notebook import NOTEBOOK
from npvae.data import load_dataset

UNREADABLE = Path("/proc/self/mem")  # a regular file whose first byte is an input/output error

pytestmark = pytest.mark.skipif(not UNREADABLE.is_file(), reason="there is no such file")


def assert_named(caught, path):
    assert str(path) in str(caught.value)
    assert "error" in str(caught.value) or "device" in str(caught.value)


@pytest.mark.parametrize("ending", ["npy", "csv"])
def test_data_in_one_file(ending, tmp_path):
    path = tmp_path / f"data.{ending}"
    path.symlink_to(UNREADABLE)
    with pytest.raises(OSError, match="Input/output error") as caught:
        load_dataset(path)
    assert_named(caught, path)


@pytest.mark.parametrize("name", ["X_train.npy", "train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"])
def test_data_in_a_folder(name, tmp_path):
    (tmp_path / name).symlink_to(UNREADABLE)
    with pytest.raises(OSError, match="Input/output error") as caught:
        load_dataset(tmp_path)
    assert_named(caught, tmp_path / name)


def test_a_damaged_gzip_file_is_named_once(tmp_path):
    whole = gzip.compress(bytes(100))
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(whole[:2] + b"\xff" + whole[3:])
    with pytest.raises(ValueError, match="damaged or incomplete gzip file") as caught:
        load_dataset(tmp_path)
    assert str(caught.value).count("train-images") == 1


@pytest.mark.parametrize("load", [npvae.load, lambda path: npvae.VAE.resume(path, np.eye(5))])
def test_models_and_checkpoints(load):
    with pytest.raises(OSError, match="/proc/self/mem: the file cannot be read"):
        load(UNREADABLE)


def test_what_commands_find_in_folders(tmp_path, capsys):
    for folder, name, command in [
        ("run", "run.json", "compare --epochs 1 --out {}"),
        ("notes", NOTEBOOK, "exercise status {}"),
    ]:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).symlink_to(UNREADABLE)
        assert main(command.format(tmp_path / folder).split()) == 2
        assert str(tmp_path / folder / name) in capsys.readouterr().err
