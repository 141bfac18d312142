"""What the two fitted estimators share: inference in blocks, scores, files."""

import os
from abc import abstractmethod
from collections.abc import Callable
from contextlib import closing
from contextvars import copy_context
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted

from npvae.core.parameters import Parameters
from npvae.estimators.files import save
from npvae.estimators.inputs import (
    BLOCK,
    RandomState,
    check_finite,
    check_unit_range,
    make_generator,
    validate_rows,
    working_dtype,
)
from npvae.training.batches import as_floats
from npvae.training.optimizers import Optimizer
from npvae.training.schedules import LearningRate
from npvae.training.threads import team_for_blocks


class LatentVariableModel(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base of `VAE` and `Autoencoder`; the parameters are described there."""

    latent_dim: int
    hidden: tuple[int, ...]
    activation: str
    negative_slope: float
    likelihood: str
    noise_variance: float | Literal["learned"]
    init: str
    init_output_bias: bool
    optimizer: str | Optimizer
    learning_rate: LearningRate
    max_grad_norm: float | None
    batch_size: int
    max_epochs: int
    dynamic_binarization: bool
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    n_threads: int | None
    random_state: RandomState
    verbose: int

    network_: Any
    params_: Parameters
    history_: dict[str, list[float]]
    n_iter_: int
    stop_reason_: str
    data_range_: tuple[float, float]
    n_features_in_: int

    def transform(self, X: npt.ArrayLike) -> np.ndarray:
        """Encode X.

        Parameters
        ----------
        X : (N, D) array
            Here and in the methods below it may be a memory map larger than memory.

        Returns
        -------
        Z : (N, Z) array
            The codes; for a VAE the posterior means. float32 for float32 and uint8, float64 for all else.

        Raises
        ------
        NotFittedError, ValueError
            Not fitted; X is not finite or has another number of features.
        """
        return self._in_blocks(self._codes, self._validate_shape(X))

    def inverse_transform(self, Z: npt.ArrayLike) -> np.ndarray:
        """Decode latent points.

        Parameters
        ----------
        Z : (N, Z) array

        Returns
        -------
        X : (N, D) array
            E[x | z] in the units of the training data; for pixels, and for the Bernoulli likelihood, the
            unit interval.

        Raises
        ------
        NotFittedError, ValueError
            Not fitted; Z is not finite or has another width than `latent_dim`.
        """
        check_is_fitted(self, "params_")
        points = check_array(Z, dtype=[np.float64, np.float32])
        width = self.network_.latent_dim
        if points.shape[1] != width:
            raise ValueError(
                f"Z must have {width} columns, one for each latent dimension, got {points.shape[1]}"
            )
        return self._in_blocks(self.network_.decode, points)

    def reconstruct(self, X: npt.ArrayLike) -> np.ndarray:
        """Return ``inverse_transform(transform(X))``, (N, D), for X (N, D)."""
        return self._in_blocks(
            lambda params, x: self.network_.decode(params, np.ascontiguousarray(self._codes(params, x))),
            self._validate_shape(X),
        )

    def sample(self, n_samples: int = 1, random_state: RandomState = None) -> np.ndarray:
        """Draw z from N(0, I) and decode it.

        Parameters
        ----------
        n_samples : int
        random_state : int, Generator or RandomState, optional
            None draws anew in every call.

        Returns
        -------
        X : (n_samples, D) array, float32
            E[x | z] of each z.

        Raises
        ------
        NotFittedError, ValueError
            Not fitted; `n_samples` is not a positive integer.
        """
        check_is_fitted(self, "params_")
        if not isinstance(n_samples, int | np.integer) or n_samples < 1:
            raise ValueError(f"n_samples must be an integer of at least 1, got {n_samples!r}")
        shape = (n_samples, self.network_.latent_dim)
        return self.inverse_transform(make_generator(random_state).standard_normal(shape, dtype=np.float32))

    def score_samples(self, X: npt.ArrayLike) -> np.ndarray:
        """Score each sample; higher is better.

        Parameters
        ----------
        X : (N, D) array

        Returns
        -------
        scores : (N,) array
            In nats. VAE: the evidence lower bound (ELBO), with one draw of z for each sample that depends
            on the sample's values alone. Autoencoder: ln p(x | code(x)).

        Raises
        ------
        NotFittedError, ValueError
            Not fitted; X is unsuitable, as for `fit`.
        """
        return self._in_blocks(self._checked_scores, self._validate_shape(X))

    def score(self, X: npt.ArrayLike, y: None = None) -> float:
        """Return the mean of `score_samples`, in nats per sample; higher is better."""
        return float(np.mean(self.score_samples(X)))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to one safetensors file; `npvae.load` reads it.

        Parameters
        ----------
        path : path
            Replaced atomically if it exists.

        Raises
        ------
        NotFittedError
            Not fitted.
        OSError
            The file cannot be written.

        Warns
        -----
        UserWarning
            A parameter that is a function or an object of another library can't be stored; its default
            takes its place.
        """
        check_is_fitted(self, "params_")
        save(self, path)

    @abstractmethod
    def _codes(self, params: Parameters, x: np.ndarray) -> np.ndarray: ...

    @abstractmethod
    def _scores(self, params: Parameters, x: np.ndarray) -> np.ndarray: ...

    @property
    def _n_features_out(self) -> int:
        return self.network_.latent_dim

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _validate(self, X: npt.ArrayLike) -> np.ndarray:
        rows = self._validate_shape(X)
        check_finite(self, rows)
        return rows

    def _validate_shape(self, X: npt.ArrayLike) -> np.ndarray:
        check_is_fitted(self, "params_")
        return validate_rows(self, X)

    def _check_range(self, X: np.ndarray, likelihood: str) -> None:
        if likelihood == "bernoulli":
            check_unit_range(X)

    def _checked_scores(self, params: Parameters, x: np.ndarray) -> np.ndarray:
        self._check_range(x, self.network_.likelihood)
        return self._scores(params, x)

    def _in_blocks(
        self, function: Callable[[Parameters, np.ndarray], np.ndarray], X: np.ndarray
    ) -> np.ndarray:
        """Apply function(params, rows) to blocks of rows, in the rows' floating type.

        X may be a memory map larger than memory: it is read once, and each block is checked for being finite
        when its turn comes. Blocks are shared out to threads.
        """
        dtype = working_dtype(X)
        params = self.params_ if self.params_.flat.dtype == dtype else self.params_.astype(dtype)

        unchecked = get_config()["assume_finite"]  # which other threads do not see, nor np.errstate
        context = copy_context()

        def apply(x: np.ndarray) -> np.ndarray:
            if not unchecked:
                check_finite(self, x)
            return function(params, np.ascontiguousarray(as_floats(x, dtype)))

        first = apply(X[:BLOCK])
        results = np.empty((len(X), *first.shape[1:]), first.dtype)
        results[:BLOCK] = first
        del first  # or there would be one more block in memory all the while

        def fill(start: int) -> None:
            results[start : start + BLOCK] = apply(X[start : start + BLOCK])

        starts = range(BLOCK, len(X), BLOCK)
        with closing(team_for_blocks(len(starts), self.n_threads)) as team:
            team.run([partial(context.copy().run, fill, start) for start in starts])
        return results
