"""Memory: inference and training work on a few rows at a time; the data may be larger than memory."""

import tracemalloc

import numpy as np
import pytest
from sklearn.base import clone

from npvae import VAE, Autoencoder
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
