"""Checkpoints of `fit`: an interrupted training resumes from them with bit-identical results."""

import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.utils._param_validation import InvalidParameterError

from npvae.core.architecture import is_count
from npvae.data.hashing import content_hash
from npvae.estimators.descriptions import (
    check_data_description,
    check_least_noise_variance,
    checked_units,
    is_history,
)
from npvae.estimators.estimator_saving import HeldOut, decoded, encoded, validated_held_out
from npvae.persistence import ModelFileError, load_tensors, save_tensors
from npvae.training.state import Position, TrainingState
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

    def validate(self) -> None:
        """Raise a TypeError or ValueError unless this can be the identity of a matrix."""
        shape = self.shape
        if not (
            isinstance(shape, list) and len(shape) == 2 and all(is_count(n) and n < 2**63 for n in shape)
        ):
            raise ValueError(f"shape must be two integers of at least 1 and below 2^63, got {shape!r}")
        if not isinstance(self.dtype, str) or str(np.dtype(self.dtype)) != self.dtype:
            raise ValueError(f"dtype must be the name of a NumPy type, got {self.dtype!r}")
        if not isinstance(self.sha256, str) or not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise ValueError(f"sha256 must be 64 hexadecimal digits, got {self.sha256!r}")

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
            optional = {
                "best_params": found["best_epoch"],
                "mean": found["scale"],
                "rows": found["held_out_of"],
                "held_out": found["held_out_of"],
            }
            expected = {"params", *(f"moments.{i}" for i in range(n_moments))}
            expected |= {name for name, value in optional.items() if value is not None}
            if tensors.keys() != expected:
                raise ValueError(f"its tensors must be {sorted(expected)}, but are {sorted(tensors)}")
            data = DataIdentity(**found["data"])
            data.validate()
            saved = cls(
                estimator=found["estimator"],
                hyperparameters=found["hyperparameters"],
                feature_names=found["feature_names"],
                data_range=np.array(found["data_range"], dtype=np.float64),
                pixels=found["pixels"],
                data=data,
                validation=None if found["validation"] is None else DataIdentity(**found["validation"]),
                every=found["every"],
                units=checked_units(tensors["mean"], found["scale"], data.shape[1])
                if "mean" in tensors
                else None,
                least_noise_variance=found["least_noise_variance"],
                held_out=validated_held_out(found["held_out_of"], tensors["rows"], tensors["held_out"])
                if "rows" in tensors
                else None,
                state=state,
            )
            saved.validate()
            return saved
        except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError) as error:
            raise ModelFileError(
                f"{path}: its description of the training is not valid ({error!r})"
            ) from error

    def validate(self) -> None:
        """Raise an error unless the fields have their types and fit each other.

        Raises
        ------
        TypeError, ValueError
        """
        if not isinstance(self.estimator, str) or not isinstance(self.hyperparameters, dict):
            raise ValueError("estimator must be a name, hyperparameters must be values by name")
        if self.every is not None and not is_count(self.every):
            raise ValueError(f"every must be an integer of at least 1 or null, got {self.every!r}")
        check_data_description(self.data_range, self.pixels, self.feature_names, self.data.shape[1])
        if self.validation is not None:
            self.validation.validate()
        check_least_noise_variance(self.least_noise_variance)
        if not is_history(self.state.history):
            raise ValueError("history must be lists of numbers")
        self.state.validate()

    @property
    def splits_data(self) -> bool:
        """Whether early stopping watches rows that it holds out of the training data."""
        return bool(self.hyperparameters.get("early_stopping")) and self.validation is None

    def n_rows(self) -> int:
        """Return the number of rows to train on.

        Raises
        ------
        ValueError
            Some rows are to be held out, but there is no split of this data.
        """
        n = int(self.data.shape[0])
        if not self.splits_data:
            return n
        if self.held_out is None or self.held_out[0][0] != n:
            raise ValueError(f"early stopping needs a split of the {n} rows into rows and held_out")
        return len(self.held_out[1][0])

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
