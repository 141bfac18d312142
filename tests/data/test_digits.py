import numpy as np
import pytest
import sklearn.datasets

from npvae.data import load_digits


def test_nothing_is_lost_or_added():
    digits = load_digits()
    reference = sklearn.datasets.load_digits()
    X = np.concatenate([digits.X_train, digits.X_test])
    y = np.concatenate([digits.y_train, digits.y_test])
    assert X.shape == (1797, 64)
    np.testing.assert_array_equal(np.bincount(y), np.bincount(reference.target))
    np.testing.assert_array_equal(np.bincount(y), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180])
    assert {(*row, label) for row, label in zip((X * 16).tolist(), y.tolist(), strict=True)} == {
        (*row, label) for row, label in zip(reference.data.tolist(), reference.target.tolist(), strict=True)
    }


def test_form():
    digits = load_digits()
    assert digits.name == "digits"
    assert digits.X_train.dtype == digits.X_test.dtype == np.float32
    assert digits.y_train.dtype == np.int64
    assert digits.image_shape == (8, 8)
    assert digits.value_range == (0.0, 1.0)
    np.testing.assert_array_equal(np.unique(digits.X_train), np.arange(17) / 16)


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.5])
def test_split_is_stratified(fraction):
    digits = load_digits(test_fraction=fraction)
    total = np.bincount(np.concatenate([digits.y_train, digits.y_test]))
    assert np.all(np.abs(np.bincount(digits.y_test) - fraction * total) <= 0.5)


def test_seed_decides_the_split():
    assert load_digits(seed=1).sha256 == load_digits(seed=1).sha256
    assert load_digits(seed=1).sha256 != load_digits(seed=2).sha256
