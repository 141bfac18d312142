"""Save fitted estimators to model files."""

import dataclasses
import os
import warnings
from typing import Any

import numpy as np

from npvae.persistence import save_model
from npvae.training.optimizers import SGD, Adagrad, Adam
from npvae.training.schedules import CosineDecay
from npvae.version import __version__

_OBJECTS = {cls.__name__: cls for cls in (SGD, Adagrad, Adam, CosineDecay)}


def save(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator to a model file; see its method `save`."""
    metadata = {
        "npvae_version": __version__,
        "estimator": type(estimator).__name__,
        "hyperparameters": _hyperparameters(estimator),
        "feature_names": list(getattr(estimator, "feature_names_in_", [])),
        "data_range": estimator.data_range_.tolist(),
        "pixels": estimator.pixels_,
        "training": {
            "n_iter": estimator.n_iter_,
            "stop_reason": estimator.stop_reason_,
            "best_epoch": estimator.best_epoch_,
            "history": estimator.history_,
        },
    }
    save_model(path, estimator.network_, estimator.params_, metadata)


def _hyperparameters(estimator: Any) -> dict[str, Any]:
    stored = {}
    for name, value in estimator.get_params(deep=False).items():
        value = getattr(estimator.network_, name, value)  # as trained, even if set_params changed it since
        try:
            stored[name] = encoded(value)
        except TypeError:
            warnings.warn(
                f"{name}={value!r} can't be stored in a model file; the loaded model will have the default",
                UserWarning,
                stacklevel=4,
            )
    return stored


def encoded(value: Any) -> Any:
    """Convert a hyperparameter to JSON's types; raise a TypeError if that is not possible."""
    if type(value).__name__ in _OBJECTS and type(value) is _OBJECTS[type(value).__name__]:
        return {"object": type(value).__name__, "fields": dataclasses.asdict(value)}
    if isinstance(value, tuple | list):
        return [encoded(entry) for entry in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError


def decoded(value: Any) -> Any:
    """Return the hyperparameter that `encoded` converted to this value."""
    if isinstance(value, dict):
        return _OBJECTS[value["object"]](**value["fields"])
    return tuple(value) if isinstance(value, list) else value
