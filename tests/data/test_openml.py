from http.client import IncompleteRead
from urllib.error import URLError

import numpy as np
import pytest
import sklearn.datasets

from npvae.data import load_dataset


def test_division_and_types(monkeypatch):
    values = np.zeros((70000, 784))
    values[59999], values[60000] = 254, 255
    labels = (np.arange(70000) % 10).astype(str).astype(object)
    asked = {}

    def fetch_openml(name, **options):
        asked.update(options, name=name)
        return values, labels

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch_openml)
    mnist = load_dataset("openml:mnist")
    assert (asked["name"], asked["version"], asked["as_frame"]) == ("mnist_784", 1, False)
    assert mnist.name == "mnist"
    assert mnist.X_train.shape == (60000, 784)
    assert mnist.X_test.shape == (10000, 784)
    assert mnist.X_train.dtype == np.uint8
    assert mnist.image_shape == (28, 28)
    assert mnist.X_train[-1, 0] == 254
    assert mnist.X_test[0, 0] == 255
    assert mnist.y_train.dtype == np.int64
    np.testing.assert_array_equal(mnist.y_test[:11], [*range(10), 0])


@pytest.mark.parametrize("error", [URLError("no route"), TimeoutError("slow"), IncompleteRead(b"")])
def test_without_network_the_error_names_alternatives(monkeypatch, error):
    def fetch_openml(*args, **options):
        raise error

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch_openml)
    with pytest.raises(ConnectionError, match=r"openml.org .*'digits'.*IDX files.*\.npy"):
        load_dataset("openml:mnist")


@pytest.mark.parametrize(("installed", "parser"), [(True, "pandas"), (False, "liac-arff")])
def test_pandas_is_used_but_not_needed(monkeypatch, installed, parser):
    asked = {}

    def fetch_openml(name, **options):
        asked.update(options)
        raise URLError("enough")

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch_openml)
    monkeypatch.setattr("npvae.data.openml.find_spec", lambda name: object() if installed else None)
    with pytest.raises(ConnectionError):
        load_dataset("openml:mnist")
    assert asked["parser"] == parser
