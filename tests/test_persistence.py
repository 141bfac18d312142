"""Model files: exact there and back, refused when anything is wrong, written whole or not at all."""

import json
import os
import pickle
import re
import stat

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from npvae import persistence
from npvae.core.autoencoder import AutoencoderNetwork
from npvae.core.init import init_parameters
from npvae.core.vae import VAENetwork
from npvae.persistence import ModelFileError, load_model, save_model

VAE = VAENetwork(n_features=4, latent_dim=2, hidden=(3,), noise_variance="learned", beta=0.1)
NETWORKS = [
    VAE,
    VAENetwork(n_features=5, latent_dim=3, hidden=(), likelihood="bernoulli"),
    AutoencoderNetwork(n_features=4, latent_dim=1, hidden=(6, 3), activation="leaky_relu"),
]
METADATA = {"text": 'z\u00fc\n"', "numbers": [1, 0.1, 1e-300, -0.0], "inside": {"nothing": None, "a": []}}


def make_params(network, dtype=np.float32):
    return init_parameters(network.blocks(), np.random.default_rng(0), dtype=dtype)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(path, VAE, make_params(VAE), METADATA)
    return path


def content(path):
    """The description and the tensors of a file, read with safetensors alone."""
    with safe_open(path, framework="np") as file:
        return json.loads(file.metadata()["npvae"]), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def rewrite(path, description, tensors):
    save_file(tensors, path, metadata={"npvae": json.dumps(description)})


def assert_refused(path, message=""):
    with pytest.raises(ModelFileError, match=re.escape(str(path)) + ".*" + message):
        load_model(path)


@pytest.mark.parametrize("network", NETWORKS, ids=["vae", "linear vae", "autoencoder"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_there_and_back(network, dtype, tmp_path):
    params = make_params(network, dtype)
    save_model(tmp_path / "model", network, params, METADATA)
    model = load_model(tmp_path / "model")
    assert model.network == network
    assert type(model.network) is type(network)
    assert model.params.flat.dtype == dtype
    assert model.params.flat.tobytes() == params.flat.tobytes()
    assert model.params.blocks == params.blocks
    assert model.metadata == METADATA


def test_every_bit_of_unusual_numbers_comes_back(tmp_path):
    params = make_params(VAE)
    info = np.finfo(np.float32)
    params.flat[:5] = [-0.0, info.smallest_subnormal, info.tiny, info.max, info.min]
    save_model(tmp_path / "model", VAE, params, {})
    assert load_model(tmp_path / "model").params.flat.tobytes() == params.flat.tobytes()


def test_tensors_that_lie_side_by_side_are_not_scrambled(path):
    """mu.W and log_var.W are columns of one block; safetensors alone would write its memory as it lies."""
    params = make_params(VAE)
    _, tensors = content(path)
    assert not params["mu.W"].flags.c_contiguous
    for name in ("mu.W", "log_var.W", "mu.b", "log_var.b"):
        np.testing.assert_array_equal(tensors[name], params[name])


def test_loaded_parameters_can_be_changed_and_their_views_are_alive(path):
    params = load_model(path).params
    params.flat[:] = 3
    assert all(np.all(view == 3) for view in params.values())
    assert load_model(path).params == make_params(VAE)


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
    assert_refused(path, "not one that npvae wrote")


@pytest.mark.parametrize(
    "header", ["", "{", "[]", "3", '"text"', "{}", "null", "[" * 100_000], ids=lambda h: h[:4]
)
def test_a_description_that_says_nothing_is_refused(path, header):
    _, tensors = content(path)
    save_file(tensors, path, metadata={"npvae": header})
    assert_refused(path, "its description cannot be read")


@pytest.mark.parametrize("version", [0, 2, 99, "1", None])
def test_another_version_is_refused(path, version):
    description, tensors = content(path)
    rewrite(path, {**description, "format_version": version}, tensors)
    assert_refused(path, f"written in version {version} of the format, this npvae reads version 1")


@pytest.mark.parametrize("metadata", [None, [], "text"])
def test_metadata_that_are_none_are_refused(path, metadata):
    description, tensors = content(path)
    rewrite(path, {**description, "metadata": metadata}, tensors)
    assert_refused(path, "no metadata")


IMPOSSIBLE = {
    "latent_dim": [0, "2"],
    "n_features": [-4, None],
    "hidden": [[0], 3, None, ["3"], [[3]]],
    "activation": ["eval", ["relu"], None],
    "negative_slope": ["steep", None],
    "likelihood": ["poisson", {}],
    "noise_variance": [-1.0, [1.0]],
    "beta": [-1.0, "1"],
    "depth": [3],
}


@pytest.mark.parametrize(
    "change", [{name: value} for name, values in IMPOSSIBLE.items() for value in values], ids=str
)
def test_a_network_that_cannot_be_is_refused(path, change):
    description, tensors = content(path)
    rewrite(path, {**description, "network": {**description["network"], **change}}, tensors)
    assert_refused(path, "its network description is not valid")


@pytest.mark.parametrize(
    "change",
    [{"network": value} for value in (None, [], "vae", {}, 3)]
    + [{"kind": value} for value in ("gan", None, ["vae"])],
    ids=str,
)
def test_a_description_without_a_network_is_refused(path, change):
    description, tensors = content(path)
    rewrite(path, {**description, **change}, tensors)
    assert_refused(path, "its network description is not valid")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden": [3, 3]}, r"missing: decoder\.1\.W, decoder\.1\.b, encoder\.1\.W, encoder\.1\.b"),
        ({"hidden": [10**9]}, "must have shape"),
        ({"n_features": 10**12}, "must have shape"),
        ({"latent_dim": 3}, "must have shape"),
        ({"noise_variance": 1.0}, r"unknown: output\.log_noise_var"),
    ],
    ids=str,
)
def test_the_network_of_other_tensors_is_refused(path, change, message):
    """Without taking the memory that it asks for."""
    description, tensors = content(path)
    rewrite(path, {**description, "network": {**description["network"], **change}}, tensors)
    assert_refused(path, message)


def test_an_autoencoders_name_on_a_vae_is_refused(path):
    description, tensors = content(path)
    del description["network"]["beta"]
    rewrite(path, {**description, "kind": "autoencoder"}, tensors)
    assert_refused(path, r"missing: code\.W, code\.b; unknown: log_var\.W, log_var\.b, mu\.W, mu\.b")


def test_a_missing_tensor_is_named(path):
    description, tensors = content(path)
    del tensors["mu.b"]
    rewrite(path, description, tensors)
    assert_refused(path, r"missing: mu\.b; unknown: none")


def test_no_tensors_at_all(path):
    description, _ = content(path)
    rewrite(path, description, {})
    assert_refused(path)


def test_an_extra_tensor_is_named(path):
    description, tensors = content(path)
    rewrite(path, description, {**tensors, "secret": np.zeros(1, np.float32)})
    assert_refused(path, "missing: none; unknown: secret")


@pytest.mark.parametrize("shape", [(3, 4), (12,), (4, 3, 1), (4, 2), (0,), ()])
def test_a_tensor_of_another_shape_is_named(path, shape):
    description, tensors = content(path)
    tensors["encoder.0.W"] = np.zeros(shape, np.float32)
    rewrite(path, description, tensors)
    assert_refused(path, re.escape(f"encoder.0.W must have shape (4, 3), but has {shape}"))


@pytest.mark.parametrize("dtype", [np.float16, np.int32, np.bool_])
@pytest.mark.parametrize("which", ["all", "one"])
def test_tensors_of_other_types_are_refused(path, dtype, which):
    description, tensors = content(path)
    changed = tensors if which == "all" else ["mu.W"]
    rewrite(path, description, {**tensors, **{name: tensors[name].astype(dtype) for name in changed}})
    assert_refused(path, "must all be float32 or all be float64")


def test_tensors_of_two_types_are_refused(path):
    description, tensors = content(path)
    rewrite(path, description, {**tensors, "mu.W": tensors["mu.W"].astype(np.float64)})
    assert_refused(path, "must all be float32 or all be float64")


def test_numbers_that_are_not_finite_come_back(path):
    """An infinite validation loss is no reason to lose a model."""
    save_model(path, VAE, make_params(VAE), {"losses": [np.inf, -np.inf, np.nan]})
    assert str(load_model(path).metadata["losses"]) == "[inf, -inf, nan]"


def test_metadata_that_json_cannot_say_are_refused_and_the_old_file_stays(path):
    before = path.read_bytes()
    with pytest.raises(TypeError, match="cannot be stored in a model file"):
        save_model(path, VAE, make_params(VAE), {"loss": object()})
    assert_nothing_happened(path, before)


def assert_nothing_happened(path, before):
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize(
    "error", [OSError("no space left"), KeyboardInterrupt()], ids=["full", "interrupted"]
)
def test_a_write_that_fails_half_way_leaves_the_old_file(path, error, monkeypatch):
    before = path.read_bytes()

    def fail(tensors, filename, metadata):
        with open(filename, "wb") as file:
            file.write(before[: len(before) // 2])
        raise error

    monkeypatch.setattr(persistence, "save_file", fail)
    with pytest.raises(type(error)):
        save_model(path, VAE, make_params(VAE), {})
    assert_nothing_happened(path, before)


def test_a_write_that_scrambles_is_noticed(path, monkeypatch):
    before = path.read_bytes()

    def scramble(tensors, filename, metadata):
        save_file({name: np.ascontiguousarray(t[::-1]) for name, t in tensors.items()}, filename, metadata)

    monkeypatch.setattr(persistence, "save_file", scramble)
    with pytest.raises(OSError, match="does not read back as the same numbers"):
        save_model(path, VAE, make_params(VAE), {})
    assert_nothing_happened(path, before)


def test_a_missing_folder_is_made(tmp_path):
    path = tmp_path / "new" / "folder" / "model.safetensors"
    save_model(path, VAE, make_params(VAE), {})
    assert os.listdir(path.parent) == ["model.safetensors"]


def test_a_file_in_the_place_of_the_folder(path):
    before = path.read_bytes()
    with pytest.raises(OSError, match=r"model\.safetensors"):
        save_model(path / "inside", VAE, make_params(VAE), {})
    assert_nothing_happened(path, before)


def test_a_folder_in_the_place_of_the_file(tmp_path):
    (tmp_path / "model").mkdir()
    with pytest.raises(OSError, match="model"):
        save_model(tmp_path / "model", VAE, make_params(VAE), {})
    assert os.listdir(tmp_path) == ["model"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to(path):
    path.parent.chmod(0o500)
    try:
        with pytest.raises(PermissionError):
            save_model(path, VAE, make_params(VAE), {})
    finally:
        path.parent.chmod(0o700)


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_a_model_file_has_the_permissions_of_any_other(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        save_model(tmp_path / "model", VAE, make_params(VAE), {})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "model").stat().st_mode) == mode
