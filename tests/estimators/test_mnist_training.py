"""A short training on MNIST, where NPVAE_DATA names the folder that holds mnist/."""

import os
from pathlib import Path

import numpy as np
import pytest

from npvae import VAE
from npvae.data import load_dataset

pytestmark = pytest.mark.skipif(
    "NPVAE_DATA" not in os.environ,
    reason="NPVAE_DATA is unset: it names a folder whose sub-folder mnist holds MNIST's IDX files",
)


@pytest.fixture(scope="module")
def mnist():
    return load_dataset(Path(os.environ["NPVAE_DATA"]) / "mnist")


@pytest.fixture(scope="module")
def vae(mnist):
    """The network of PyTorch's VAE example, and its settings: Adam, 1e-3, batches of 128."""
    return VAE(20, hidden=(400,), likelihood="bernoulli", max_epochs=1, random_state=0).fit(mnist.X_train)


def test_the_loss_after_one_epoch(vae, mnist):
    """It has been seen at 127.8 and 127.4 nats (two seeds) and goes to 106 in ten epochs."""
    assert 115 < -vae.score(mnist.X_test) < 132
    assert 150 < vae.history_["loss"][0] < 175


def test_reconstructions_are_like_their_images(vae, mnist):
    grey = mnist.X_test[:500].astype(np.float32) / 255
    error = np.mean((vae.reconstruct(mnist.X_test[:500]) - grey) ** 2)
    assert error < 0.5 * np.mean((grey.mean(axis=0) - grey) ** 2)
