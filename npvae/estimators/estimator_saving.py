"""Save fitted estimators to model files."""

import dataclasses
import os
import warnings
from typing import Any

import numpy as np

from npvae.core.architecture import is_count, is_number
from npvae.core.parameters import Parameters
from npvae.estimators.descriptions import check_least_noise_variance, checked_units
from npvae.persistence import save_model
from npvae.training import Stepper
from npvae.training.optimizers import SGD, Adagrad, Adam, get_optimizer
from npvae.training.schedules import CosineDecay
from npvae.training.state import Position, TrainingState, generator_with
from npvae.training.step import Network
from npvae.version import __version__

# The split for early stopping: of how many rows, which fraction; the training rows and the held-out rows.
HeldOut = tuple[tuple[int, float], tuple[np.ndarray, np.ndarray]]

_OBJECTS = {cls.__name__: cls for cls in (SGD, Adagrad, Adam, CosineDecay)}


def save(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator to a model file; see its method `save`."""
    arrays, state = training_state(estimator)
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
            "state": state,
        },
    }
    save_model(path, estimator.network_, estimator.params_, metadata, arrays)


def training_state(estimator: Any) -> tuple[dict[str, np.ndarray], dict[str, Any] | None]:
    """Return what `partial_fit` needs to continue, beside the parameters: arrays, and the rest for JSON.

    The rest is None for an optimizer of another library, and for a model from a file without such a state.
    """
    stepper = getattr(estimator, "_stepper", None)
    if stepper is None:
        return {}, None
    try:
        optimizer = encoded(stepper.optimizer)
    except TypeError:
        return {}, None
    arrays = {f"moments.{i}": moments for i, moments in enumerate(stepper.state.vectors)}
    if stepper.units is not None:
        arrays |= {"params": stepper.params.flat, "mean": stepper.units.mean}
    held_out_of, split = getattr(estimator, "_held_out", (None, None))
    if split is not None:
        arrays |= {"rows": split[0], "held_out": split[1]}
    return arrays, {
        "optimizer": optimizer,
        "max_grad_norm": encoded(stepper.max_grad_norm),
        "least_noise_variance": stepper.least_noise_variance,
        "n_updates": stepper.state.t,
        "rng_state": stepper.rng.bit_generator.state,
        "scale": None if stepper.units is None else stepper.units.scale,
        "held_out_of": encoded(held_out_of),
    }


def restored_split(arrays: dict[str, np.ndarray], state: dict[str, Any]) -> HeldOut | None:
    """Take the split for early stopping, if there is one, out of the arrays of `training_state`.

    Raises
    ------
    KeyError, TypeError, ValueError
        It is none.
    """
    of = state.get("held_out_of")  # older files do not have it
    return None if of is None else validated_held_out(of, arrays.pop("rows"), arrays.pop("held_out"))


def validated_held_out(of: Any, rows: np.ndarray, held_out: np.ndarray) -> HeldOut:
    """Return a split for early stopping that was read from a file.

    Raises
    ------
    TypeError, ValueError
        It is none: some of the N rows are missing, there twice, or in neither part.
    """
    n, fraction = of
    if not (is_count(n) and is_number(fraction)):
        raise ValueError(f"held_out_of must be a number of rows and a fraction, got {of!r}")
    if not all(part.ndim == 1 and len(part) and part.dtype.kind in "iu" for part in (rows, held_out)):
        raise ValueError("rows and held_out must be lists of row numbers, and not empty")
    both = np.sort(np.concatenate([rows, held_out]))
    if len(both) != n or not np.array_equal(both, np.arange(n)):
        raise ValueError(f"rows and held_out must together have each of {n} row numbers once")
    return (n, fraction), (rows, held_out)


def restored_stepper(
    network: Network, params: Parameters, arrays: dict[str, np.ndarray], state: dict[str, Any]
) -> Stepper:
    """Return a stepper in a state of `training_state`.

    Raises
    ------
    KeyError, TypeError, ValueError, AttributeError
        It is none, or of another network.
    """
    scale, max_norm = state["scale"], state["max_grad_norm"]
    n_moments = len(arrays) - (0 if scale is None else 2)
    units = None if scale is None else checked_units(arrays["mean"], scale, network.n_features)
    check_least_noise_variance(state["least_noise_variance"])
    if max_norm is not None and not is_number(max_norm):
        raise ValueError(f"max_grad_norm must be a number or None, got {max_norm!r}")
    optimizer, rng = get_optimizer(decoded(state["optimizer"])), generator_with(state["rng_state"])
    stepper = Stepper(network, params, optimizer, rng, max_norm, 1.0, units)
    stepper.least_noise_variance = state["least_noise_variance"]
    TrainingState(
        position=Position(0, 0),
        rng_state=state["rng_state"],
        params=params.flat if units is None else arrays["params"],
        moments=tuple(arrays[f"moments.{i}"] for i in range(n_moments)),
        n_updates=state["n_updates"],
        history={},
        best_epoch=None,
        best_loss=np.inf,
        best_params=None,
    ).restore(stepper, rng)
    return stepper


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
    value = as_python(value)
    if isinstance(value, tuple):
        return [encoded(entry) for entry in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError


def as_python(value: Any) -> Any:
    """Return a hyperparameter with NumPy's numbers as Python's, and a list or array as a tuple."""
    if isinstance(value, np.floating):
        return float(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple | list) or (isinstance(value, np.ndarray) and value.ndim):
        return tuple(map(as_python, value))
    return value


def decoded(value: Any) -> Any:
    """Return the hyperparameter that `encoded` converted to this value."""
    if isinstance(value, dict):
        return _OBJECTS[value["object"]](**value["fields"])
    return tuple(value) if isinstance(value, list) else value
