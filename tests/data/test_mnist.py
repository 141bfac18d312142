"""MNIST against what is published about it, where NPVAE_DATA names the folder that holds mnist/."""

import os
from pathlib import Path

import numpy as np
import pytest

from npvae.data import load_dataset

pytestmark = pytest.mark.skipif(
    "NPVAE_DATA" not in os.environ,
    reason="NPVAE_DATA is unset: it names a folder whose sub-folder mnist holds MNIST's IDX files",
)


@pytest.fixture(scope="module")
def mnist():
    return load_dataset(Path(os.environ["NPVAE_DATA"]) / "mnist")


def test_sizes(mnist):
    assert mnist.X_train.shape == (60000, 784)
    assert mnist.X_test.shape == (10000, 784)
    assert mnist.image_shape == (28, 28)
    assert mnist.X_train.dtype == mnist.X_test.dtype == np.uint8


def test_labels(mnist):
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    np.testing.assert_array_equal(np.bincount(mnist.y_train), counts)
    np.testing.assert_array_equal(mnist.y_train[:5], [5, 0, 4, 1, 9])
    np.testing.assert_array_equal(mnist.y_test[:5], [7, 2, 1, 0, 4])


def test_pixels(mnist):
    assert mnist.X_train.mean() == pytest.approx(33.318, abs=1e-3)
    assert mnist.X_train.std(dtype=np.float64) == pytest.approx(78.567, abs=1e-3)
