"""What each parameter of the estimators may be, as scikit-learn's estimators declare it.

scikit-learn has no public name for these classes; it has kept them since version 1.2.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils._param_validation import HasMethods, Interval, InvalidParameterError, StrOptions

from npvae.core.activations import ACTIVATIONS
from npvae.core.architecture import LIKELIHOODS, is_count, is_number
from npvae.core.init import SCHEMES
from npvae.core.objectives import OBJECTIVES
from npvae.training.optimizers import OPTIMIZERS
from npvae.training.schedules import LARGEST_RATE
from npvae.training.threads import MOST_THREADS


class _Number(Interval):
    """An interval of what `is_number` counts as numbers, if a float can hold them."""

    def is_satisfied_by(self, val: Any) -> bool:
        """Say whether a value is allowed."""
        if not is_number(val) or not super().is_satisfied_by(val):
            return False
        try:
            return float(val) in self
        except OverflowError:
            return False


def _integer(least: int) -> _Number:
    return _Number(Integral, least, None, closed="left")


_NOT_NEGATIVE = _Number(Real, 0, None, closed="left")
_POSITIVE = _Number(Real, 0, None, closed="neither")

AUTOENCODER: dict[str, list[Any]] = {
    "latent_dim": [_integer(1)],
    "hidden": [tuple, list, np.ndarray],  # whose entries the network checks
    "activation": [StrOptions(set(ACTIVATIONS))],
    "negative_slope": [_POSITIVE],
    "likelihood": [StrOptions(set(LIKELIHOODS))],
    "noise_variance": [_POSITIVE, StrOptions({"learned"})],
    "init": [StrOptions(set(SCHEMES))],
    "init_output_bias": ["boolean"],
    "optimizer": [StrOptions(set(OPTIMIZERS)), HasMethods(["start", "update"])],
    "learning_rate": [_Number(Real, 0, LARGEST_RATE, closed="both"), callable],
    "max_grad_norm": [_Number(Real, 0, np.inf, closed="right"), None],
    "batch_size": [_integer(1)],
    "max_epochs": [_integer(1), None],
    "tol": [_NOT_NEGATIVE, None],
    "dynamic_binarization": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [_Number(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [_integer(1)],
    "warm_start": ["boolean"],
    "n_threads": [_Number(Integral, 1, MOST_THREADS, closed="both"), None],
    "random_state": [
        _Number(Integral, 0, 2**32 - 1, closed="both"),
        np.random.Generator,
        np.random.RandomState,
        None,
    ],
    "verbose": [_integer(0), "boolean"],
}
VAE = AUTOENCODER | {
    "beta": [_NOT_NEGATIVE],
    "free_bits": [_NOT_NEGATIVE],
    "objective": [StrOptions(set(OBJECTIVES))],
    "n_draws": [_integer(1)],
    "kl_warmup_epochs": [_integer(0)],
}


def check_training_arguments(
    callbacks: Sequence[Any], checkpoint: str | os.PathLike[str] | None, checkpoint_every: int | None
) -> None:
    """Raise an InvalidParameterError unless these arguments of `fit` are allowed."""
    if not isinstance(callbacks, Sequence) or not all(map(callable, callbacks)):
        raise InvalidParameterError(f"callbacks must be a list of functions, got {callbacks!r}")
    if checkpoint is not None:
        check_path("checkpoint", checkpoint)
    if checkpoint_every is not None and not is_count(checkpoint_every):
        raise InvalidParameterError(
            f"checkpoint_every must be an integer of at least 1 or None, got {checkpoint_every!r}"
        )


def check_path(name: str, path: str | os.PathLike[str]) -> None:
    """Raise an InvalidParameterError that names the argument unless it is a path, of a file or of none."""
    try:
        with suppress(OSError):
            Path(path).stat()
    except (TypeError, ValueError) as error:  # a ValueError is about its characters
        raise InvalidParameterError(f"{name} must be the path of a file, got {path!r} ({error})") from error
