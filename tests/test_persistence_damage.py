"""Files that are missing, damaged, or no model files are refused, and nothing in them is executed."""

import os
import pickle

import numpy as np
import pytest
from safetensors.numpy import save_file

from npvae.persistence import ModelFileError, load_model
from tests.model_files import VAE, assert_refused, make_params


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"missing\.safetensors: there is no such model file"):
        load_model(tmp_path / "missing.safetensors")


def test_every_truncation_is_refused(path):
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert_refused(path)


def test_bytes_left_over_are_refused(path):
    path.write_bytes(path.read_bytes() + b"\0\0\0\0")
    assert_refused(path)


@pytest.mark.parametrize("flip", [0x01, 0x20, 0xFF])
def test_a_flipped_byte_of_the_header_is_refused_or_harmless(path, flip):
    """It may only fall into the value of a number or text; the parameters are never others."""
    whole = path.read_bytes()
    params = make_params(VAE).flat.tobytes()
    n_refused, end = 0, 8 + int.from_bytes(whole[:8], "little")
    for i in range(end):
        path.write_bytes(whole[:i] + bytes([whole[i] ^ flip]) + whole[i + 1 :])
        try:
            model = load_model(path)
        except ModelFileError:
            n_refused += 1
        else:
            assert model.params.flat.tobytes() == params
    assert n_refused > 0.7 * end


class Evil:
    def __init__(self, witness):
        self.witness = witness

    def __reduce__(self):
        return os.mkdir, (self.witness,)


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_pickle_is_refused_and_not_executed(path, tmp_path, protocol):
    witness = tmp_path / "executed"
    path.write_bytes(pickle.dumps(Evil(str(witness)), protocol=protocol) + path.read_bytes())
    assert_refused(path)
    assert not witness.exists()


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 8, b"\0" * 100, b"This is a text.\n" * 20, b"\xff" * 64, b"PK\x03\x04"]
)
def test_files_of_other_kinds_are_refused(path, data):
    path.write_bytes(data)
    assert_refused(path, "truncated, or not a model file")


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_a_safetensors_file_of_another_program_is_refused(path, metadata):
    save_file({"weight": np.zeros((2, 3), np.float32)}, path, metadata=metadata)
    assert_refused(path, "npvae did not write")
