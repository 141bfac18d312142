"""The trainings of a comparison, and the cache of finished work, keyed by content hash."""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from npvae.persistence import ModelFileError
from npvae.writing import write_atomically, write_text_atomically

if TYPE_CHECKING:
    from npvae.estimators import VAE, Autoencoder

KINDS = ("AE", "VAE")


@dataclass(frozen=True, order=True)
class Cell:
    """Identifies one model of a comparison.

    Parameters
    ----------
    latent_dim : int
        Z.
    seed : int
        Seed of training and sampling.
    kind : {"AE", "VAE"}

    Examples
    --------
    >>> Cell(10, 0, "VAE").name
    'vae-d10-seed0'
    """

    latent_dim: int
    seed: int
    kind: str

    @property
    def name(self) -> str:
        """Stem of its file names."""
        return f"{self.kind.lower()}-d{self.latent_dim}-seed{self.seed}"


def content_key(content: Mapping[str, Any]) -> str:
    """Return a hash of JSON values, independent of key order; other values are hashed by their repr.

    Examples
    --------
    >>> content_key({"a": 1, "b": 2}) == content_key({"b": 2, "a": 1}) != content_key({"a": 1, "b": 3})
    True
    """
    text = json.dumps(content, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()


class StudyFolder:
    """Cache of models and measurements on disk, each stored with the hash of what it was made from.

    Parameters
    ----------
    path : Path
        Need not exist. Models are stored in ``models/``, measurements in ``measured/``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def model_file(self, cell: Cell) -> Path:
        """Return the path of a model file."""
        return self.path / "models" / f"{cell.name}.safetensors"

    def checkpoint_file(self, cell: Cell, key: str) -> Path:
        """Return the path of the checkpoint of a training with this key."""
        return self.path / "models" / f"{cell.name}-{key[:16]}.checkpoint"

    def load_model(self, cell: Cell, key: str) -> "VAE | Autoencoder | None":
        """Return a cell's model if it was stored with this key and its training was complete, else None."""
        from npvae.estimators import load

        path = self.model_file(cell)
        try:
            return load(path) if _read(path.with_suffix(".json")) == _mark(path, key) else None
        except (ModelFileError, OSError):
            return None

    def place_of(self, cell: Cell, model: "VAE | Autoencoder") -> Path:
        """Return where a model is saved: beside a complete one, if its own training was not complete."""
        path = self.model_file(cell)
        if _is_complete(model) or not (path.exists() and path.with_suffix(".json").exists()):
            return path
        return path.with_name(f"{cell.name}.partial.safetensors")

    def save_model(self, cell: Cell, key: str, model: "VAE | Autoencoder") -> None:
        """Save a model; `load_model` only finds it if its training was complete."""
        path = self.place_of(cell, model)
        if path == self.model_file(cell):
            path.with_suffix(".json").unlink(missing_ok=True)  # it describes the old model
        model.save(path)
        if _is_complete(model):
            _write(path.with_suffix(".json"), _mark(path, key))
            partial = path.with_name(f"{cell.name}.partial.safetensors")
            for earlier in [
                partial,
                *path.parent.glob(f"{cell.name}-*.checkpoint"),
            ]:  # all keys
                earlier.unlink(missing_ok=True)

    def load_measured(self, name: str, key: str) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
        """Return numbers and arrays saved under a name with this key, or None."""
        path = self._measured(name)
        record = _read(path)
        try:
            data = path.with_suffix(".npz").read_bytes()
        except OSError:
            return None
        if record.get("key") != key or record.get("checksum") != _checksum(record.get("numbers"), data):
            return None
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return record["numbers"], dict(arrays)

    def save_measured(
        self, name: str, key: str, numbers: dict[str, Any], arrays: dict[str, np.ndarray]
    ) -> None:
        """Save numbers, in JSON's types, and arrays."""
        path = self._measured(name)
        path.unlink(missing_ok=True)
        file = io.BytesIO()
        np.savez(file, allow_pickle=False, **arrays)
        data = file.getvalue()
        write_atomically(path.with_suffix(".npz"), lambda temporary: temporary.write_bytes(data))
        _write(path, {"key": key, "checksum": _checksum(numbers, data), "numbers": numbers})

    def _measured(self, name: str) -> Path:
        return self.path / "measured" / f"{name}.json"


def _is_complete(model: "VAE | Autoencoder") -> bool:
    return model.stop_reason_ not in ("interrupted", "diverged", "error")


def _mark(path: Path, key: str) -> dict[str, Any]:
    """Return the key and hash of a model file, which detect damage that leaves the file readable."""
    return {"key": key, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def _checksum(numbers: Any, arrays: bytes) -> str:
    """Return a hash of a measurement, which detects damage that leaves the files readable."""
    return content_key({"numbers": numbers, "arrays": hashlib.sha256(arrays).hexdigest()})


def _read(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file; an empty dict if it is missing or damaged."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _write(path: Path, record: dict[str, Any]) -> None:
    write_text_atomically(path, json.dumps(record) + "\n")
