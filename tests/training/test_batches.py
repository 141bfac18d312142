import tracemalloc

import numpy as np
import pytest

from npvae.training.batches import minibatches

F32 = np.dtype(np.float32)


def batches(X, batch_size, seed=0, **options):
    rng = np.random.default_rng(seed)
    return list(minibatches(X, rng.permutation(len(X)), batch_size, rng, dtype=F32, **options))


@pytest.mark.parametrize(("n", "batch_size"), [(10, 3), (10, 5), (10, 10), (10, 100), (1, 1), (10, 1)])
def test_every_row_comes_once_an_epoch(n, batch_size):
    X = np.arange(2 * n, dtype=np.float32).reshape(n, 2)
    parts = batches(X, batch_size)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts), axis=0), X)
    assert [len(part) for part in parts[:-1]] == [batch_size] * (len(parts) - 1)
    assert 1 <= len(parts[-1]) <= batch_size


def test_rows_come_in_the_order_given(rng):
    X = np.arange(10, dtype=np.float32)[:, None]
    drawn = np.concatenate(list(minibatches(X, np.array([7, 2, 5]), 2, rng, dtype=F32)))
    np.testing.assert_array_equal(drawn, [[7], [2], [5]])


def test_the_data_is_left_alone():
    X = np.arange(20, dtype=np.float32).reshape(10, 2)
    for x in batches(X, 3):
        x += 1
    np.testing.assert_array_equal(X, np.arange(20).reshape(10, 2))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_memory_map_is_not_loaded_whole(tmp_path, dtype, rng):
    X = np.lib.format.open_memmap(tmp_path / "X.npy", mode="w+", dtype=dtype, shape=(4000, 1000))
    X[:] = 1
    batches(X[:10], 10)  # what is compiled is compiled now
    tracemalloc.start()
    try:
        n_rows = sum(len(x) for x in minibatches(X, np.arange(4000), 100, rng, dtype=F32))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert n_rows == 4000
    assert peak < X.nbytes / 2  # a batch has 0.1 MB of pixels, 0.4 MB of floats


@pytest.mark.parametrize("layout", [np.asfortranarray, lambda X: np.tile(X, (1, 2))[:, ::2]])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_of_any_memory_layout_a_batch_alone_is_copied(layout, dtype, rng):
    X = layout(rng.integers(0, 2, (4000, 1000)).astype(dtype))
    first = minibatches(X, np.arange(4000), 100, rng, dtype=F32)
    tracemalloc.start()
    try:
        x = next(first)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert x.shape == (100, 1000)
    assert peak < 4 * x.nbytes


def test_dynamic_binarization_draws_anew_in_every_epoch(rng):
    X = np.full((50, 20), 0.5, np.float32)
    first, second = (
        next(minibatches(X, np.arange(50), 50, rng, dtype=F32, dynamic_binarization=True)) for _ in range(2)
    )
    assert set(np.unique(first)) == {0, 1}
    assert 0.4 < np.mean(first != second) < 0.6


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_dynamic_binarization_has_the_grey_values_as_its_mean(dtype, rng):
    grey = np.array([0, 51, 102, 204, 255])
    X = np.tile(grey, (20000, 1)).astype(np.uint8)
    X = X if dtype == np.uint8 else (X / 255).astype(dtype)
    drawn = np.concatenate(batches(X, 1000, dynamic_binarization=True))
    p = grey / 255
    standard_error = np.sqrt(p * (1 - p) / len(X))
    assert np.all(np.abs(drawn.mean(axis=0) - p) <= 4.5 * standard_error)
