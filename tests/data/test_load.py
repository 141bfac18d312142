import subprocess
import sys

import numpy as np
import pytest
import sklearn.datasets

from npvae.data import load_dataset, load_samples


@pytest.mark.parametrize("spec", ["mnist", "openml:iris", "no/such/folder", "missing.npy"])
def test_an_unknown_name_lists_what_is_possible(spec):
    with pytest.raises(
        FileNotFoundError, match=f"{spec}.*'digits'.*'openml:mnist'.*IDX.*X_train.npy.*PNG.*\\.csv file"
    ):
        load_dataset(spec)


def test_an_unknown_kind_of_file_lists_what_is_possible(tmp_path):
    path = tmp_path / "data.parquet"
    path.write_text("1,2\n")
    with pytest.raises(ValueError, match=r"data\.parquet: unsupported file type.*'digits'"):
        load_dataset(path)


def test_a_folder_without_data_names_what_was_looked_for_and_what_is_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="the folder contains nothing"):
        load_dataset(tmp_path)
    for i in range(12):
        (tmp_path / f"{i:02}.gif").touch()
    with pytest.raises(
        FileNotFoundError,
        match=r"looked for X_train\.npy.*train-images-idx3-ubyte.*JPEG .*contains 00\.gif, 01.*and 2 more",
    ):
        load_dataset(tmp_path)


def test_binarize_is_checked():
    with pytest.raises(ValueError, match="must be 'grey' or 'static', but is 'dynamic'"):
        load_dataset("digits", binarize="dynamic")


def test_static_needs_the_unit_interval(tmp_path):
    np.save(tmp_path / "x.npy", np.linspace(0, 255, 60).reshape(10, 6))
    with pytest.raises(ValueError, match=r"outside \[0, 1\]; scale it first"):
        load_dataset(tmp_path / "x.npy", binarize="static")


@pytest.fixture
def numbers(tmp_path):
    """A file of rows from 0 to 1, in ascending order."""
    np.save(tmp_path / "x.npy", np.linspace(0, 1, 60, dtype=np.float32).reshape(20, 3))
    return tmp_path / "x.npy"


def test_a_single_file_is_whole_and_in_order_unless_a_part_is_asked_for(numbers):
    X = np.load(numbers)
    for part in (None, "all"):
        np.testing.assert_array_equal(load_samples(numbers, part, seed=4).X, X)
    data = load_dataset(numbers, seed=4)
    np.testing.assert_array_equal(load_samples(numbers, "train", seed=4).X, data.X_train)
    np.testing.assert_array_equal(load_samples(numbers, "test", seed=4).X, data.X_test)


def test_of_two_parts_it_is_the_test_part_unless_another_is_asked_for(tmp_path):
    arrays = {
        "X_train": np.eye(4),
        "y_train": np.arange(4),
        "X_test": np.eye(4)[:2] * 2,
        "y_test": np.ones(2),
    }
    arrays["y_test"] = arrays["y_test"].astype(int)
    np.savez(tmp_path / "a.npz", **arrays)
    for part, names in [
        (None, ["test"]),
        ("test", ["test"]),
        ("train", ["train"]),
        ("all", ["train", "test"]),
    ]:
        samples = load_samples(tmp_path / "a.npz", part)
        np.testing.assert_array_equal(samples.X, np.concatenate([arrays[f"X_{name}"] for name in names]))
        np.testing.assert_array_equal(samples.y, np.concatenate([arrays[f"y_{name}"] for name in names]))
    del arrays["y_test"]
    np.savez(tmp_path / "a.npz", **arrays)
    assert load_samples(tmp_path / "a.npz", "all").y is None


def test_of_digits_it_is_the_test_part_or_all_in_the_order_of_scikit_learn():
    np.testing.assert_array_equal(load_samples("digits", seed=2).X, load_dataset("digits", seed=2).X_test)
    X, y = sklearn.datasets.load_digits(return_X_y=True)
    samples = load_samples("digits", "all")
    np.testing.assert_array_equal(samples.X * 16, X)
    np.testing.assert_array_equal(samples.y, y)


@pytest.mark.parametrize("part", ["all", "train", "test"])
def test_samples_are_binarised_like_data_sets(numbers, part):
    drawn = load_samples(numbers, part, seed=1, binarize="static")
    grey = load_samples(numbers, part, seed=1)
    assert set(np.unique(drawn.X)) == {0, 1}
    assert abs(drawn.X.mean() - grey.X.mean()) < 0.25
    if part != "all":
        data = load_dataset(numbers, seed=1, binarize="static")
        np.testing.assert_array_equal(drawn.X, getattr(data, f"X_{part}"))
    again = load_samples(numbers, part, seed=1, binarize="static")
    np.testing.assert_array_equal(drawn.X, again.X)


def test_options_of_samples_are_checked(numbers):
    with pytest.raises(ValueError, match="part must be 'all', 'train' or 'test', but is 'validation'"):
        load_samples(numbers, "validation")
    with pytest.raises(ValueError, match="must be 'grey' or 'static', but is 'dynamic'"):
        load_samples(numbers, binarize="dynamic")


def test_importing_is_cheap():
    heavy = ("sklearn", "scipy", "pandas", "PIL")
    code = f"import sys, npvae.data; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
