import pickle

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from npvae.data import load_digits
from npvae.study import ClassifierFeatures


@pytest.fixture(scope="module")
def digits():
    return load_digits()


@pytest.fixture
def short(monkeypatch):
    """Train for a hundred steps, which is enough for toy data."""
    monkeypatch.setattr("npvae.study.metrics.classifier._STEPS", 100)


@pytest.fixture(scope="module")
def classifier(digits):
    return ClassifierFeatures.fit(digits.X_train, digits.y_train)


def test_it_recognises_unseen_images(classifier, digits):
    """scikit-learn's nearest neighbour reaches about .98 here."""
    predicted = classifier.classes[classifier.predict_proba(digits.X_test).argmax(axis=1)]
    assert classifier.accuracy(digits.X_test, digits.y_test) == np.mean(predicted == digits.y_test) > 0.95


def test_against_the_networks_own_probabilities(classifier, digits):
    X = digits.X_test[:50]
    theirs = classifier.network.predict_proba(X.astype(np.float32))
    np.testing.assert_allclose(classifier.predict_proba(X), theirs, atol=1e-6)
    features, probabilities = classifier.transform_and_predict(X)
    np.testing.assert_array_equal(features, classifier.transform(X))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_features_are_the_last_hidden_layer(classifier, digits):
    features = classifier.transform(digits.X_test)
    assert features.shape == (len(digits.X_test), 64)
    assert features.min() == 0
    scores = features @ classifier.network.coefs_[-1] + classifier.network.intercepts_[-1]
    np.testing.assert_array_equal(
        scores.argmax(axis=1), classifier.predict_proba(digits.X_test).argmax(axis=1)
    )


def test_same_seed_same_bits_on_any_number_of_threads(classifier, digits):
    with threadpool_limits(limits=1):
        again = ClassifierFeatures.fit(digits.X_train, digits.y_train, random_state=0)
    expected = classifier.transform(digits.X_test)
    np.testing.assert_array_equal(again.transform(digits.X_test), expected)
    copy = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(copy.transform(digits.X_test), expected)


@pytest.mark.usefixtures("short")
def test_two_classes_with_names(rng):
    y = np.array(["no", "yes"])[rng.integers(2, size=400)]
    X = rng.standard_normal((400, 3)) + 4 * (y == "yes")[:, None]
    classifier = ClassifierFeatures.fit(X, y)
    assert classifier.classes.tolist() == ["no", "yes"]
    probabilities = classifier.predict_proba(X)
    np.testing.assert_allclose(
        probabilities, classifier.network.predict_proba(X.astype(np.float32)), atol=1e-6
    )
    assert classifier.accuracy(X, y) > 0.98


@pytest.mark.usefixtures("short")
def test_bytes_are_pixels(rng):
    X = rng.integers(256, size=(100, 6), dtype=np.uint8)
    y = (X[:, 0] > 127).astype(int)
    classifier = ClassifierFeatures.fit(X, y)
    np.testing.assert_allclose(classifier.transform(X), classifier.transform(X / 255), atol=1e-5)


@pytest.mark.usefixtures("short")
def test_blocks_of_rows_are_no_end(rng, monkeypatch):
    """The last block may be smaller than a batch."""
    monkeypatch.setattr("npvae.study.metrics.classifier._BLOCK", 200)
    y = rng.integers(2, size=401)
    X = rng.standard_normal((401, 2)) + 5 * y[:, None]
    assert ClassifierFeatures.fit(X, y).accuracy(X, y) > 0.98


@pytest.mark.usefixtures("short")
def test_errors(rng):
    X, y = rng.random((10, 3)), np.arange(10) % 2
    with pytest.raises(ValueError, match="X must be a matrix with one sample a row"):
        ClassifierFeatures.fit(X[0], y)
    with pytest.raises(ValueError, match="y must have one label for each of the 10 rows of X"):
        ClassifierFeatures.fit(X, y[:9])
    with pytest.raises(ValueError, match="y must have at least two classes, but all labels are"):
        ClassifierFeatures.fit(X, np.ones(10))
    with pytest.raises(ValueError, match="X holds NaN"):
        ClassifierFeatures.fit(X * np.nan, y)
    classifier = ClassifierFeatures.fit(X, y)
    with pytest.raises(ValueError, match="X must have 3 columns, as the data trained on, got 2"):
        classifier.transform(X[:, :2])
    with pytest.raises(ValueError, match="y must have one label for each of the 10 rows"):
        classifier.accuracy(X, y[:9])
