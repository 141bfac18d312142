"""The classifier that fits into a page."""

import numpy as np
import pytest

from npvae.data import load_digits
from npvae.study.metrics.small_classifier import fit_small_classifier


@pytest.mark.parametrize(("classes", "least"), [(10, 0.93), (2, 0.99)])
def test_it_recognises_digits(classes, least):
    digits = load_digits()
    train, test = digits.y_train < classes, digits.y_test < classes
    found = fit_small_classifier(digits.X_train[train], digits.y_train[train], classes)
    assert found.W2.shape == (32, classes)
    assert np.mean(found.predict(digits.X_test[test]) == digits.y_test[test]) > least


def test_the_same_seed_gives_the_same_bits():
    digits = load_digits()
    first, again = (
        fit_small_classifier(digits.X_train[:200], digits.y_train[:200], 10, seed=3) for _ in range(2)
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
