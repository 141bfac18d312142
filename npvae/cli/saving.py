"""Saving what a training has learned, even where the file cannot be written."""

import contextlib
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from npvae.estimators import VAE, Autoencoder


def save_or_elsewhere(estimator: "VAE | Autoencoder", path: Path) -> Path:
    """Save a model; where that fails, save it as `save_elsewhere` does. Return where it is.

    Raises
    ------
    OSError
        As for `save_elsewhere`.
    """
    try:
        estimator.save(path)
        return path
    except OSError as error:
        return save_elsewhere(estimator, path, error)


def save_elsewhere(estimator: "VAE | Autoencoder", path: Path, error: OSError) -> Path:
    """Save a model that could not be saved at `path` in the folder for temporary files, and say where.

    Raises
    ------
    OSError
        That fails too; the message names both places.
    """
    elsewhere = path  # until there is a folder
    try:
        # In a folder of its own: what other programs keep there is not replaced.
        elsewhere = Path(tempfile.mkdtemp(prefix="npvae-")) / "model.safetensors"  # a short name
        estimator.save(elsewhere)
    except OSError as second:
        with contextlib.suppress(OSError):
            if elsewhere != path:
                elsewhere.parent.rmdir()
        raise OSError(f"the model could not be saved: {error}; nor elsewhere: {second}") from second
    print(f"npvae: the model could not be saved: {error}; it is in {elsewhere}", file=sys.stderr)
    return elsewhere
