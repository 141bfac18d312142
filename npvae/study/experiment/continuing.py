"""Checkpoints of a comparison's trainings: an interrupted one goes on within a model."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from npvae.persistence import ModelFileError

if TYPE_CHECKING:
    from npvae.estimators.checkpoints import Checkpoint
    from npvae.estimators.fitting import TrainableModel


def checkpoint_options(path: Path, model: "TrainableModel") -> dict[str, Any]:
    """Return the arguments of `fit` that keep a checkpoint; none if a setting cannot be stored in one."""
    from npvae.estimators.checkpoints import encoded_settings

    path.unlink(missing_ok=True)  # `resume_point` could not read it
    try:
        encoded_settings(model)
    except ValueError:
        return {}
    return {"checkpoint": path, "checkpoint_every": None}


def resume_point(path: Path, model: "TrainableModel") -> "tuple[Any, Checkpoint] | None":
    """Return a model like `model` in the state of a checkpoint, and the checkpoint; None if there is none."""
    try:
        return type(model).prepare_resume(path, {"verbose": model.verbose, "n_threads": model.n_threads})
    except (ModelFileError, OSError, ValueError):
        return None
