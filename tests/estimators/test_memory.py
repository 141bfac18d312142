"""Memory: inference and training work on a few rows at a time; the data may be larger than memory."""

import tracemalloc

import numpy as np
import pytest
from sklearn.base import clone

from npvae import VAE, Autoencoder
from npvae.data import FileRows, file_rows, files, load_dataset, load_samples
from npvae.estimators.inputs import BLOCK

both = pytest.mark.parametrize("cls", [VAE, Autoencoder])


def peak_memory(function):
    """Most bytes that NumPy held at once for a call, its result included."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Read-only memory maps of the same (12000, 200) grey values, by their type."""
    folder = tmp_path_factory.mktemp("images")
    pixels = np.random.default_rng(0).integers(0, 256, (12_000, 200), dtype=np.uint8)
    of_type = {np.uint8: pixels, np.float32: pixels / np.float32(255), np.float64: pixels / 255}
    of_type |= {np.float16: of_type[np.float32].astype(np.float16), np.bool: pixels > 127}
    for dtype, values in of_type.items():
        np.save(folder / f"{dtype.__name__}.npy", values)
    return {dtype: np.load(folder / f"{dtype.__name__}.npy", mmap_mode="r") for dtype in of_type}


@pytest.fixture(scope="module")
def models_of_images(images):
    """Trained on pixels, so that they answer to uint8 and to floats."""
    settings = {"likelihood": "bernoulli", "hidden": (16,), "max_epochs": 1}
    X = images[np.uint8][:200]
    return {cls: cls(**settings, random_state=0).fit(X) for cls in (VAE, Autoencoder)}


A_FEW_BLOCKS = 14 * BLOCK * 200 * 8  # bytes; 12,000 rows are twice that in float32, 4 times in float64


@both
@pytest.mark.parametrize("method", ["transform", "reconstruct", "score_samples", "score"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64, np.bool])
def test_a_memory_map_is_neither_read_whole_nor_copied(cls, method, dtype, models_of_images, images):
    X, answer = images[dtype], getattr(models_of_images[cls], method)
    output = 12_000 * 200 * (4 if dtype in (np.uint8, np.float32) else 8) if method == "reconstruct" else 0
    answer(X[:10])  # kernels are loaded
    assert peak_memory(lambda: answer(X)) < output + A_FEW_BLOCKS


@both
def test_decoding_needs_little_more_than_its_result(cls, models_of_images, rng):
    model, Z = models_of_images[cls], rng.standard_normal((30_000, 2), dtype=np.float32)
    model.sample(10)
    assert peak_memory(lambda: model.inverse_transform(Z)) < 30_000 * 200 * 4 + A_FEW_BLOCKS
    assert peak_memory(lambda: model.sample(30_000)) < 30_000 * 200 * 4 + A_FEW_BLOCKS


def test_encode_keeps_nothing_but_the_posterior(models_of_images, images):
    assert peak_memory(lambda: models_of_images[VAE].encode(images[np.float32])) < A_FEW_BLOCKS


@both
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_training_reads_a_memory_map_batch_by_batch(cls, dtype, early_stopping, images):
    X = images[dtype]
    model = cls(
        hidden=(16,), likelihood="bernoulli", init_output_bias=True, max_epochs=1, batch_size=500,
        early_stopping=early_stopping, random_state=0,
    )  # fmt: skip
    clone(model).fit(X[:600])
    assert peak_memory(lambda: model.fit(X, X_val=None if early_stopping else X)) < A_FEW_BLOCKS


@pytest.fixture
def large_file(tmp_path, monkeypatch):
    """A .npy file of 12,000 rows, treated as one that is too large to be copied."""
    monkeypatch.setattr(files, "LARGE_BYTES", 10**6)
    monkeypatch.setattr(file_rows, "BLOCK_BYTES", 10**5)
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).integers(0, 256, (12_000, 200), dtype=np.uint8))
    return tmp_path / "rows.npy"


def test_a_large_file_is_split_without_a_copy_and_trains_to_the_same_bits(large_file, monkeypatch):
    model = VAE(2, hidden=(8,), max_epochs=1, tol=None, random_state=0)
    found = []
    assert peak_memory(lambda: found.append(load_dataset(large_file))) < 12_000 * 200 / 2
    (mapped,) = found
    mapped_model = clone(model).fit(mapped.X_train, X_val=mapped.X_test)
    monkeypatch.setattr(files, "LARGE_BYTES", np.inf)
    copied = load_dataset(large_file)
    assert isinstance(copied.X_train, np.ndarray)
    assert copied.sha256 == mapped.sha256
    copied_model = clone(model).fit(copied.X_train, X_val=copied.X_test)
    assert mapped_model.params_ == copied_model.params_
    np.testing.assert_array_equal(
        mapped_model.transform(mapped.X_test), copied_model.transform(copied.X_test)
    )
    assert mapped_model.score(mapped.X_test) == copied_model.score(copied.X_test)


def test_static_binarisation_of_a_large_file_needs_a_block_and_repeats(large_file):
    found = []
    assert peak_memory(lambda: found.append(load_dataset(large_file, binarize="static"))) < 12_000 * 200 / 2
    (data,) = found
    assert isinstance(data.X_train, FileRows)
    assert load_dataset(large_file, binarize="static").sha256 == data.sha256


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.bool])
def test_a_large_file_of_another_type_is_converted_where_it_is_read(dtype, large_file):
    values = np.load(large_file) > 127
    np.save(large_file, values.astype(dtype))
    found = []
    assert peak_memory(lambda: found.append(load_dataset(large_file))) < 12_000 * 200
    assert found[0].X_train.dtype == np.float32
    np.testing.assert_array_equal(found[0].X_train[3:5], values[found[0].X_train.rows[3:5]])


def test_both_parts_of_a_large_folder_are_joined_in_a_file(large_file):
    X = np.load(large_file)
    np.save(large_file.with_name("X_train.npy"), X[:7000])
    np.save(large_file.with_name("X_test.npy"), X[7000:])
    found = []
    assert peak_memory(lambda: found.append(load_samples(large_file.parent, "all"))) < 12_000 * 200 / 2
    np.testing.assert_array_equal(found[0].X, X)
