"""Model files are written whole or not at all."""

import os
import stat

import numpy as np
import pytest
from safetensors.numpy import save_file

from npvae import persistence
from npvae.persistence import save_model
from tests.model_files import VAE, make_params


def assert_nothing_happened(path, before):
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_metadata_that_json_cannot_say_are_refused_and_the_old_file_stays(path):
    before = path.read_bytes()
    with pytest.raises(TypeError, match="cannot be stored in a model file"):
        save_model(path, VAE, make_params(VAE), {"loss": object()})
    assert_nothing_happened(path, before)


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
