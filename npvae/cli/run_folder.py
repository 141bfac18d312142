"""The folder of a comparison: models, measurements, and run.json, which describes them."""

import json
import os
import platform
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npvae import kernels, version
from npvae.cli.saving import save_elsewhere
from npvae.locks import lock
from npvae.printable import printable
from npvae.reading import reading
from npvae.study.experiment.cache import Cell, StudyFolder
from npvae.writing import check_folder, check_writable, write_text_atomically

if TYPE_CHECKING:
    from npvae.data import Dataset
    from npvae.estimators import VAE, Autoencoder

_LIBRARIES = ("numpy", "numba", "scikit-learn", "matplotlib", "safetensors")


class RunFolder(StudyFolder):
    """A folder that holds the comparisons of one data set with one kind of model, and refuses others.

    run.json describes the files beside it; it is there before the first model is.

    Parameters
    ----------
    path : Path
        Need not exist; it is made when there is something to save.
    settings : dict
        Every setting that two runs in one folder must share, in JSON's types.
    extent : dict
        What a run may have more or less of: latent dimensions, seeds, samples.
    data : Dataset

    Raises
    ------
    ValueError
        The folder holds a run with other settings or data, or files of the same names that are not of a run.
    OSError
        The folder cannot be made or written to.
    """

    def __init__(self, path: Path, settings: dict[str, Any], extent: dict[str, Any], data: "Dataset") -> None:
        check_folder(path)
        super().__init__(path)
        self.record: dict[str, Any] = {
            "settings": settings,
            "extent": extent,
            "versions": {"npvae": version.__version__, "python": platform.python_version()}
            | {name: metadata.version(name) for name in _LIBRARIES},
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
        }
        self._pictures: list[str] = []
        self._check_earlier_run()

    def check_writable(self, names: Iterable[str]) -> None:
        """Raise an OSError unless files of these names, models and measurements can be written."""
        for name in ("run.json", *names):
            check_writable(self.path / name)
        for folder in ("models", "measured"):
            check_folder(self.path / folder)

    def save_model(self, cell: Cell, key: str, model: "VAE | Autoencoder") -> None:
        """Save a model; before the first, and before one that run.json describes is replaced, run.json."""
        place = self.place_of(cell, model)
        if (place == self.model_file(cell) and place.exists()) or not (self.path / "run.json").exists():
            # Until `finish`, earlier pictures stay, and a later run must know them to remove them.
            self._write(self.record | ({"pictures": self._pictures} if self._pictures else {}))
        try:
            super().save_model(cell, key, model)
        except OSError as error:
            save_elsewhere(model, place, error)
            raise

    def finish(self, results: dict[str, Any], pictures: list[str]) -> str:
        """Add what was measured and drawn to run.json, and return its text; remove earlier pictures."""
        text = self._write(self.record | results | {"pictures": pictures})
        for name in set(self._pictures) - set(pictures):
            (self.path / name).unlink(missing_ok=True)
        return text

    def _write(self, record: dict[str, Any]) -> str:
        text = json.dumps(record, indent=1) + "\n"
        write_text_atomically(self.path / "run.json", text)
        return text

    def _check_earlier_run(self) -> None:
        path = self.path / "run.json"
        if not path.exists():
            stray = next((self.path / "models").glob("*.safetensors"), None)
            if stray is not None:
                raise ValueError(
                    f"{stray} is there without a run.json that describes it; choose another --out"
                )
            return
        try:
            with reading(path):
                earlier = json.loads(path.read_text(encoding="utf-8"))
            same = earlier["settings"] == self.record["settings"]
            same = same and earlier["data"]["sha256"] == self.record["data"]["sha256"]
            self._pictures = [Path(name).name for name in earlier.get("pictures", [])]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is not a run.json that npvae wrote; choose another --out") from error
        if not same:
            raise ValueError(
                f"{self.path}/ holds a run with other settings or data; choose another --out, or delete it"
            )


@contextmanager
def held_folder(path: Path) -> Iterator[None]:
    """Hold a lock on a folder within a with statement; the folder is made where it is missing.

    The system releases the lock of a process that has died, so a lock file that it leaves is no obstacle.
    Where there are no locks, none is held.

    Raises
    ------
    ValueError
        Another process holds the lock.
    OSError
        The folder cannot be made or written to.
    """
    check_folder(path)
    path = Path(os.path.realpath(path))  # mkdir does not follow a link to a folder that is missing
    is_new = not path.exists()
    path.mkdir(parents=True, exist_ok=True)
    lock_file = path / ".npvae.lock"
    handle = _hold(lock_file)
    try:
        yield
    finally:
        if handle is not None:
            lock_file.unlink(missing_ok=True)
            os.close(handle)
        if is_new:
            with suppress(OSError):  # it holds something by now
                path.rmdir()


def _hold(path: Path) -> int | None:
    """Return a handle that holds the lock, or None if there are no locks."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        locked = lock(handle)
        if locked is False:
            holder = printable(os.read(handle, 100).decode(errors="replace") or "unknown")
            os.close(handle)
            raise ValueError(
                f"another run is writing into {path.parent}/ (process {holder}); wait for its end, or choose "
                "another --out"
            )
        if locked is None:
            os.close(handle)
            path.unlink(missing_ok=True)
            return None
        with suppress(FileNotFoundError):  # the process before removed it just now
            if os.path.samestat(os.fstat(handle), path.stat()):
                os.truncate(handle, 0)
                os.write(handle, f"{os.getpid()} on {platform.node()}".encode())
                return handle
        os.close(handle)
