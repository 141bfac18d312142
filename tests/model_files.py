"""A small model file: what is in it, taken apart, put together again, and refused."""

import json
import re

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from npvae.core.init import init_parameters
from npvae.core.vae import VAENetwork
from npvae.persistence import ModelFileError, load_model

VAE = VAENetwork(n_features=4, latent_dim=2, hidden=(3,), noise_variance="learned", beta=0.1)
METADATA = {"text": 'z\u00fc\n"', "numbers": [1, 0.1, 1e-300, -0.0], "inside": {"nothing": None, "a": []}}


def make_params(network, dtype=np.float32):
    return init_parameters(network.shapes(), np.random.default_rng(0), dtype=dtype)


def content(path, key="npvae"):
    """The description and the tensors of a file, read with safetensors alone."""
    with safe_open(path, framework="np") as file:
        return json.loads(file.metadata()[key]), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def rewrite(path, description, tensors, key="npvae"):
    save_file(tensors, path, metadata={key: json.dumps(description)})


def assert_refused(path, message=""):
    with pytest.raises(ModelFileError, match=re.escape(str(path)) + ".*" + message):
        load_model(path)
