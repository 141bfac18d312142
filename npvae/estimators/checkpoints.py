"""Checkpoints of `fit`: an interrupted training resumes from them with bit-identical results."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.utils._param_validation import InvalidParameterError

from npvae.core.architecture import is_count
from npvae.data.hashing import content_hash
from npvae.estimators.estimator_saving import HeldOut, decoded, encoded, is_history, validated_held_out
from npvae.persistence import ModelFileError, load_tensors, save_tensors
from npvae.training.state import Position, TrainingState, generator_with
from npvae.training.units import Units


@dataclass(frozen=True)
class DataIdentity:
    """Shape, dtype and content hash of an array, to check whether two arrays hold the same data."""

    shape: list[int]
    dtype: str
    sha256: str

    @classmethod
    def of(cls, data: np.ndarray) -> Self:
        """Compute it in one pass over the data."""
        return cls(list(data.shape), str(data.dtype), content_hash(data))

    def difference(self, other: "DataIdentity") -> str | None:
        """Describe how other data differ from these; None if they are the same."""
        for name in ("shape", "dtype"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                return f"it has {name} {theirs}, the training had {mine}"
        return None if self == other else "its values differ from those used in training"


@dataclass(frozen=True)
class Checkpoint:
    """Everything that `fit` needs to continue unfinished training.

    Attributes
    ----------
    estimator : str
        Name of its class.
    hyperparameters : dict
        Encoded as in model files. A generator as random_state is omitted, as its state is in `state`.
    feature_names : list of str
    data_range : (2, D) array
    pixels : bool
    data, validation : DataIdentity, the second or None
    every : int or None
        Epochs between checkpoints: see `npvae.training.state.CheckpointSchedule`.
    units : Units or None
    least_noise_variance : float
        In these units.
    held_out : HeldOut or None
    state : TrainingState
    """

    estimator: str
    hyperparameters: dict[str, Any]
    feature_names: list[str]
    data_range: np.ndarray
    pixels: bool
    data: DataIdentity
    validation: DataIdentity | None
    every: int | None
    units: Units | None
    least_noise_variance: float
    held_out: HeldOut | None
    state: TrainingState

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file; an existing one is replaced atomically."""
        state = self.state
        tensors = {"params": state.params}
        tensors |= {f"moments.{i}": moments for i, moments in enumerate(state.moments)}
        if state.best_params is not None:
            tensors["best_params"] = state.best_params
        if self.units is not None:
            tensors["mean"] = self.units.mean
        if self.held_out is not None:
            tensors["rows"], tensors["held_out"] = self.held_out[1]
        description = {
            "estimator": self.estimator,
            "hyperparameters": self.hyperparameters,
            "feature_names": self.feature_names,
            "data_range": self.data_range.tolist(),
            "pixels": self.pixels,
            "data": asdict(self.data),
            "validation": None if self.validation is None else asdict(self.validation),
            "every": self.every,
            "scale": None if self.units is None else self.units.scale,
            "least_noise_variance": self.least_noise_variance,
            "held_out_of": None if self.held_out is None else self.held_out[0],
            "position": asdict(state.position),
            "rng_state": state.rng_state,
            "n_updates": state.n_updates,
            "history": state.history,
            "best_epoch": state.best_epoch,
            "best_loss": state.best_loss,
        }
        save_tensors(path, tensors, "npvae_checkpoint", description)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a file.

        Raises
        ------
        ModelFileError
            It is truncated, of another kind or version, or its description is not valid.
        FileNotFoundError
            There is no such file.
        """
        tensors, found = load_tensors(path, "npvae_checkpoint")
        try:
            n_moments = sum(name.startswith("moments.") for name in tensors)
            state = TrainingState(
                position=Position(**found["position"]),
                rng_state=found["rng_state"],
                params=tensors["params"],
                moments=tuple(tensors[f"moments.{i}"] for i in range(n_moments)),
                n_updates=found["n_updates"],
                history=found["history"],
                best_epoch=found["best_epoch"],
                best_loss=found["best_loss"],
                best_params=tensors.get("best_params"),
            )
            generator_with(state.rng_state)
            if not isinstance(found["estimator"], str) or not (
                found["every"] is None or is_count(found["every"])
            ):
                raise ValueError("estimator must be a name, every an integer or null")
            if not is_history(state.history):
                raise ValueError("history must be lists of numbers")
            return cls(
                estimator=found["estimator"],
                hyperparameters=found["hyperparameters"],
                feature_names=found["feature_names"],
                data_range=np.array(found["data_range"], dtype=np.float64),
                pixels=found["pixels"],
                data=DataIdentity(**found["data"]),
                validation=DataIdentity(**found["validation"]) if found["validation"] else None,
                every=found["every"],
                units=Units(tensors["mean"], found["scale"]) if "mean" in tensors else None,
                least_noise_variance=found["least_noise_variance"],
                held_out=validated_held_out(found["held_out_of"], tensors["rows"], tensors["held_out"])
                if "rows" in tensors
                else None,
                state=state,
            )
        except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError) as error:
            raise ModelFileError(
                f"{path}: its description of the training is not valid ({error!r})"
            ) from error

    def settings(self) -> dict[str, Any]:
        """Return the hyperparameters, decoded."""
        return {name: decoded(value) for name, value in self.hyperparameters.items()}


def encoded_settings(estimator: Any) -> dict[str, Any]:
    """Return an estimator's hyperparameters for a checkpoint.

    Raises
    ------
    ValueError
        One cannot be stored, for example a user's function as the learning rate.
    """
    settings = {}
    for name, value in estimator.get_params(deep=False).items():
        if name == "random_state" and not isinstance(value, int | np.integer):
            continue
        try:
            settings[name] = encoded(value)
        except TypeError:
            raise InvalidParameterError(
                f"{name}={value!r} cannot be stored in a checkpoint, so training could not continue from it. "
                "Use numbers, names, and npvae's own optimizers and schedules, or fit without checkpoint="
            ) from None
    return settings


def is_checkpoint(path: Path) -> bool:
    """Say whether a file is a checkpoint that can be read."""
    try:
        Checkpoint.load(path)
    except (ModelFileError, OSError):
        return False
    return True
