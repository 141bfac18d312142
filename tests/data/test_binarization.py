import tracemalloc

import numpy as np
import pytest

from npvae.data import binarize, load_dataset


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_mean_of_draws_approaches_the_grey_value(dtype):
    x = np.linspace(0.05, 0.95, 19, dtype=dtype)
    rng = np.random.default_rng(0)
    n = 20_000
    mean = np.mean([binarize(x, rng) for _ in range(n)], axis=0, dtype=np.float64)
    standard_error = np.sqrt(x * (1.0 - x) / n)
    assert np.all(np.abs(mean - x) < 4 * standard_error)


def test_mean_of_draws_approaches_the_grey_value_for_pixels():
    x = np.arange(1, 255, 11, dtype=np.uint8)
    p = x / 255
    rng = np.random.default_rng(1)
    n = 20_000
    mean = np.mean([binarize(x, rng) / 255 for _ in range(n)], axis=0)
    assert np.all(np.abs(mean - p) < 4 * np.sqrt(p * (1 - p) / n))


@pytest.mark.parametrize(("dtype", "white"), [(np.float32, 1), (np.float64, 1), (np.uint8, 255)])
def test_two_values_same_shape_and_dtype_ends_exact(dtype, white):
    x = np.array([[0, white / 2, white]], dtype=np.float64).astype(dtype).repeat(5000, axis=0)
    before = x.copy()
    drawn = binarize(x, np.random.default_rng(0))
    assert drawn.shape == x.shape
    assert drawn.dtype == dtype
    np.testing.assert_array_equal(np.unique(drawn), [0, white])
    assert np.all(drawn[:, 0] == 0)
    assert np.all(drawn[:, 2] == white)
    np.testing.assert_array_equal(x, before)


def test_every_call_draws_anew():
    rng = np.random.default_rng(0)
    x = np.full((10, 10), 0.5, dtype=np.float32)
    assert np.any(binarize(x, rng) != binarize(x, rng))


@pytest.mark.parametrize("bad", [[-0.1, 0.5], [0.5, 1.5], [0.5, np.nan]])
def test_values_that_are_no_probabilities_are_refused(bad):
    with pytest.raises(ValueError, match=r"outside \[0, 1\]|NaN"):
        binarize(np.array(bad), np.random.default_rng(0))


def test_static_is_the_same_for_the_same_seed_and_another_for_another():
    first = load_dataset("digits", binarize="static", seed=3)
    again = load_dataset("digits", binarize="static", seed=3)
    other = load_dataset("digits", binarize="static", seed=4)
    assert first.sha256 == again.sha256
    assert first.sha256 != other.sha256
    np.testing.assert_array_equal(np.unique(first.X_train), [0, 1])


def test_static_splits_as_grey_does():
    grey = load_dataset("digits", seed=3)
    static = load_dataset("digits", seed=3, binarize="static")
    np.testing.assert_array_equal(grey.y_test, static.y_test)
    assert np.all(static.X_test[grey.X_test == 0] == 0)
    assert np.all(static.X_test[grey.X_test == 1] == 1)


def test_the_global_random_state_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    load_dataset("digits", binarize="static")
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_pixel_is_white_where_a_uniform_draw_is_below_it(dtype):
    x = np.random.default_rng(1).random((40, 30), dtype=dtype)
    uniform = np.random.default_rng(2).random((40, 30), dtype=dtype)
    np.testing.assert_array_equal(binarize(x, np.random.default_rng(2)), uniform < x)


def test_a_pixel_of_255_is_white_where_a_draw_of_0_to_254_is_below_it():
    x = np.random.default_rng(1).integers(0, 256, (40, 30), dtype=np.uint8)
    uniform = np.random.default_rng(2).integers(0, 255, (40, 30), dtype=np.uint8)
    np.testing.assert_array_equal(binarize(x, np.random.default_rng(2)), 255 * (uniform < x))


@pytest.mark.parametrize("x", [np.float32(0.5), np.float16([[0, 0.5, 1]]), np.zeros((0, 3))])
def test_any_shape_and_floating_type(x):
    x = np.asarray(x)
    drawn = binarize(x, np.random.default_rng(0))
    assert (drawn.shape, drawn.dtype) == (x.shape, x.dtype)
    assert np.isin(drawn, [0, 1]).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_memory_is_that_of_the_result(dtype):
    x = np.ones((1000, 1000), dtype=dtype)
    tracemalloc.start()
    binarize(x, np.random.default_rng(0))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.2 * x.nbytes
