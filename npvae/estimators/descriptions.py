"""What model files and checkpoints say about data and training, validated: they may be a stranger's."""

from typing import Any

import numpy as np

from npvae.core.architecture import is_number
from npvae.training.units import Units


def is_history(value: Any) -> bool:
    """Say whether a value is a history: lists of numbers, by name."""
    return isinstance(value, dict) and all(
        isinstance(numbers, list) and all(is_number(x) for x in numbers) for numbers in value.values()
    )


def check_data_description(
    data_range: np.ndarray, pixels: object, feature_names: object, n_features: int
) -> None:
    """Raise a ValueError unless these describe data with `n_features` features."""
    if data_range.shape != (2, n_features):
        raise ValueError(f"data_range must have two numbers for each of {n_features} features")
    if not np.isfinite(data_range).all():
        raise ValueError("data_range must have finite numbers")
    if (data_range[0] > data_range[1]).any():
        raise ValueError("data_range must not have a lowest value above the highest")
    if not isinstance(pixels, bool):
        raise ValueError(f"pixels must be true or false, got {pixels!r}")
    if not isinstance(feature_names, list) or not all(isinstance(name, str) for name in feature_names):
        raise ValueError(f"feature_names must be a list of names, got {feature_names!r}")
    if len(feature_names) not in (0, n_features):
        raise ValueError(f"{len(feature_names)} feature names for {n_features} features")


def checked_units(mean: np.ndarray, scale: object, n_features: int) -> Units:
    """Return the units of this mean and scale; raise a ValueError if they are none for so many features."""
    if mean.shape != (n_features,) or mean.dtype.kind != "f":
        raise ValueError(f"mean must have {n_features} floats")
    if not (is_number(scale) and 0 < scale < np.inf):
        raise ValueError(f"scale must be a positive number, got {scale!r}")
    return Units(mean.astype(np.float64), float(scale))


def check_least_noise_variance(least: object) -> None:
    """Raise a ValueError unless this is one."""
    if not (is_number(least) and 0 < least < np.inf):
        raise ValueError(f"least_noise_variance must be a positive number, got {least!r}")
