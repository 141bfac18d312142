"""The folder of one comparison: models, and run.json, which tells of them."""

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import npvae
from npvae import kernels
from npvae.persistence import write_atomically

if TYPE_CHECKING:
    from npvae.data import Dataset
    from npvae.estimators import VAE, Autoencoder

_LIBRARIES = ("numpy", "numba", "scikit-learn", "matplotlib", "safetensors")


class RunFolder:
    """A folder that holds one run, and refuses another.

    run.json is written anew whenever a model is, so that it always tells of the models that lie beside it.

    Parameters
    ----------
    path : Path
        Need not exist; it is made when the first model is saved.
    settings : dict
        Every setting of the run, in JSON's types.
    data : Dataset

    Raises
    ------
    ValueError
        The folder holds a run with other settings or data, or files of the same names that are not of a run.
    OSError
        The folder cannot be made or written to.
    """

    def __init__(self, path: Path, settings: dict[str, Any], data: "Dataset") -> None:
        check_folder(path)
        self.path = path
        self._record: dict[str, Any] = {
            "settings": settings,
            "versions": {"npvae": npvae.__version__, "python": platform.python_version()}
            | {name: version(name) for name in _LIBRARIES},
            "machine": {
                "platform": platform.platform(),
                "cpus": os.cpu_count(),
                "kernels": kernels.choice(),
            },
            "data": {
                "name": data.name,
                "n_train": len(data.X_train),
                "n_test": len(data.X_test),
                "n_features": data.X_train.shape[1],
                "dtype": str(data.X_train.dtype),
                "sha256": data.sha256,
            },
            "training": self._earlier_training(settings, data),
        }

    def model_file(self, kind: str) -> Path:
        """Return the path of the "ae" or the "vae"."""
        return self.path / f"{kind}.safetensors"

    def save_model(self, kind: str, model: "VAE | Autoencoder") -> None:
        """Save a model and its history."""
        model.save(self.model_file(kind))
        self._record["training"][kind] = {
            "file": self.model_file(kind).name,
            "epochs": model.n_iter_,
            "stop_reason": model.stop_reason_,
            "history": model.history_,
        }
        self._write()

    def finish(self, results: dict[str, Any], pictures: list[str]) -> str:
        """Add what was measured and drawn, and return the text of run.json."""
        self._record |= {"results": results, "pictures": pictures}
        return self._write()

    def _write(self) -> str:
        text = json.dumps(self._record, indent=1) + "\n"

        def write(temporary: Path) -> None:
            temporary.write_text(text, encoding="utf-8")

        write_atomically(self.path / "run.json", write)
        return text

    def _earlier_training(self, settings: dict[str, Any], data: "Dataset") -> dict[str, Any]:
        path = self.path / "run.json"
        if not path.exists():
            for kind in ("ae", "vae"):
                if self.model_file(kind).exists():
                    raise ValueError(
                        f"{self.model_file(kind)} is there without a run.json that tells of it; "
                        "choose another --out"
                    )
            return {}
        try:
            earlier = json.loads(path.read_text(encoding="utf-8"))
            same = earlier["settings"] == settings and earlier["data"]["sha256"] == data.sha256
            training = earlier["training"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is not a run.json that npvae wrote; choose another --out") from error
        if not same:
            raise ValueError(
                f"{self.path}/ holds a run with other settings or data; choose another --out, or delete it"
            )
        return training


def check_folder(path: Path) -> None:
    """Raise an OSError unless `path` is a folder to write into, or one that can be made."""
    nearest = next(place for place in (path, *path.absolute().parents) if place.exists())
    if not nearest.is_dir():
        raise NotADirectoryError(f"{nearest} is a file, not a folder")
    if not os.access(nearest, os.W_OK):
        raise PermissionError(f"{nearest} cannot be written to")
