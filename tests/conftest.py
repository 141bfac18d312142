import numpy as np
import pytest
from hypothesis import settings

from npvae.persistence import save_model
from tests.model_files import METADATA, VAE, make_params

# A kernel is compiled within the first example that calls it, so examples have no deadline.
# The same examples every time: a test that fails now and then tells nobody what broke it.
settings.register_profile("npvae", deadline=None, derandomize=True)
settings.load_profile("npvae")


@pytest.fixture
def rng():
    return np.random.default_rng(20240229)


@pytest.fixture
def path(tmp_path):
    """A model file of a small VAE."""
    path = tmp_path / "model.safetensors"
    save_model(path, VAE, make_params(VAE), METADATA)
    return path
