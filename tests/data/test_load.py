import subprocess
import sys

import numpy as np
import pytest

from npvae.data import load_dataset


@pytest.mark.parametrize("spec", ["mnist", "openml:iris", "no/such/folder", "missing.npy"])
def test_an_unknown_name_lists_what_is_possible(spec):
    with pytest.raises(
        FileNotFoundError, match=f"{spec}.*'digits'.*'openml:mnist'.*IDX.*X_train.npy.*npy file"
    ):
        load_dataset(spec)


def test_an_unknown_kind_of_file_lists_what_is_possible(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("1,2\n")
    with pytest.raises(ValueError, match=r"data\.csv: not a kind of file.*'digits'"):
        load_dataset(path)


def test_a_folder_without_data_names_what_was_looked_for_and_what_is_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="the folder contains nothing"):
        load_dataset(tmp_path)
    for i in range(12):
        (tmp_path / f"{i:02}.png").touch()
    with pytest.raises(
        FileNotFoundError,
        match=r"looked for X_train\.npy.*train-images-idx3-ubyte.*contains 00\.png, 01\.png.*and 2 more",
    ):
        load_dataset(tmp_path)


def test_binarize_is_checked():
    with pytest.raises(ValueError, match="must be 'grey' or 'static', but is 'dynamic'"):
        load_dataset("digits", binarize="dynamic")


def test_static_needs_the_unit_interval(tmp_path):
    np.save(tmp_path / "x.npy", np.linspace(0, 255, 60).reshape(10, 6))
    with pytest.raises(ValueError, match=r"outside \[0, 1\]; scale it first"):
        load_dataset(tmp_path / "x.npy", binarize="static")


def test_importing_is_cheap():
    code = "import sys, npvae.data; print([m for m in ('sklearn', 'scipy', 'pandas') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
