"""Base class of both estimators: inference in blocks, sampling and saving."""

import os
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextvars import copy_context
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted

from npvae.core.architecture import is_count
from npvae.core.parameters import Parameters
from npvae.data import binarize
from npvae.data.scaling import as_floats
from npvae.estimators.columns import FarRows
from npvae.estimators.constraints import check_path
from npvae.estimators.estimator_saving import save
from npvae.estimators.inputs import (
    BLOCK,
    RandomState,
    check_finite,
    check_unit_range,
    make_generator,
    validate_rows,
    working_dtype,
)
from npvae.memory import check_fits
from npvae.training.optimizers import Optimizer
from npvae.training.schedules import LearningRate
from npvae.training.threads import run_blocks

RUN = 64 * BLOCK  # rows of results at a time, where there may be too many for memory


class LatentVariableModel(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base of `VAE` and `Autoencoder`; the parameters are described there."""

    network_: Any
    params_: Parameters
    history_: dict[str, list[float]]
    n_iter_: int
    stop_reason_: str
    data_range_: np.ndarray
    pixels_: bool
    n_features_in_: int

    def __init__(
        self,
        latent_dim: int = 2,
        *,
        hidden: tuple[int, ...] = (400,),
        activation: str = "relu",
        negative_slope: float = 0.01,
        likelihood: str = "gaussian",
        noise_variance: float | Literal["learned"] = "learned",
        init: str = "uniform",
        init_output_bias: bool = False,
        optimizer: str | Optimizer = "adam",
        learning_rate: LearningRate = 1e-3,
        max_grad_norm: float | None = None,
        batch_size: int = 128,
        max_epochs: int | None = None,
        tol: float | None = 1e-2,
        dynamic_binarization: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        warm_start: bool = False,
        n_threads: int | None = None,
        random_state: RandomState = None,
        verbose: int = 0,
    ) -> None:
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.activation = activation
        self.negative_slope = negative_slope
        self.likelihood = likelihood
        self.noise_variance = noise_variance
        self.init = init
        self.init_output_bias = init_output_bias
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.max_grad_norm = max_grad_norm
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.tol = tol
        self.dynamic_binarization = dynamic_binarization
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.n_threads = n_threads
        self.random_state = random_state
        self.verbose = verbose

    def transform(self, X: npt.ArrayLike) -> np.ndarray:
        """Encode X.

        Parameters
        ----------
        X : (N, D) array
            Here and in the methods below it may be a memory map larger than memory.

        Returns
        -------
        Z : (N, Z) array
            The codes; for a VAE the posterior means. float32 for float32 and uint8, otherwise float64.

        Raises
        ------
        NotFittedError, ValueError
            Not fitted; X is not finite, has other features, or is uint8 but the training data were not.

        Warns
        -----
        UserWarning
            Some rows are far outside the training data (`data_range_`). `reconstruct`, `encode` and
            `score_samples` warn too.
        """
        return self._in_blocks(self._codes, self._validate_shape(X))

    def transform_in_runs(self, X: npt.ArrayLike) -> Iterator[np.ndarray]:
        """Yield the rows of ``transform(X)``, some thousands at a time."""
        return self._in_runs(self._codes, self._validate_shape(X), RUN)

    def inverse_transform(self, Z: npt.ArrayLike) -> np.ndarray:
        """Decode latent points.

        Parameters
        ----------
        Z : (N, Z) array

        Returns
        -------
        X : (N, D) array
            E[x | z] in the units of the training data; in [0, 1] for pixels and for the Bernoulli likelihood.

        Raises
        ------
        NotFittedError, ValueError
            Not fitted; Z is not finite or does not have `latent_dim` columns.
        """
        check_is_fitted(self, "params_")
        points = check_array(Z, dtype=[np.float64, np.float32])
        width = self.network_.latent_dim
        if points.shape[1] != width:
            raise ValueError(
                f"Z must have {width} columns, one for each latent dimension, got {points.shape[1]}"
            )
        return self._in_blocks(self.network_.decode, points, data=False)

    def reconstruct(self, X: npt.ArrayLike) -> np.ndarray:
        """Return ``inverse_transform(transform(X))``, (N, D), for X (N, D)."""
        return self._in_blocks(
            lambda params, x: self.network_.decode(params, np.ascontiguousarray(self._codes(params, x))),
            self._validate_shape(X),
        )

    def sample(
        self, n_samples: int = 1, random_state: RandomState = None, *, noise: bool = False
    ) -> np.ndarray:
        """Draw z from N(0, I) and decode it.

        Parameters
        ----------
        n_samples : int
        random_state : int, Generator or RandomState, optional
            None: different in every call, from NumPy's global RandomState.
        noise : bool, default=False
            True draws x from p(x | z): it adds Gaussian noise with the model's noise variance or, for the
            Bernoulli likelihood, draws pixels of 0 and 1. False returns the mean E[x | z], as is usual for
            images.

        Returns
        -------
        X : (n_samples, D) array, float32

        Raises
        ------
        NotFittedError, ValueError
            Not fitted; `n_samples` is not a positive integer.
        """
        check_is_fitted(self, "params_")
        if not is_count(n_samples):
            raise ValueError(f"n_samples must be an integer of at least 1, got {n_samples!r}")
        rng, latent_dim = make_generator(random_state), self.network_.latent_dim
        check_fits(4 * int(n_samples) * (latent_dim + self.n_features_in_), f"n_samples={n_samples}")
        z = rng.standard_normal((n_samples, latent_dim), dtype=np.float32)
        x = self.inverse_transform(z)
        if not noise:
            return x
        if self.network_.likelihood == "bernoulli":
            return binarize(x, rng)
        std = np.float32(np.sqrt(self.network_.noise_var(self.params_)))
        return x + std * rng.standard_normal(x.shape, dtype=np.float32)

    def score(self, X: npt.ArrayLike, y: None = None) -> float:
        """Return the mean of `score_samples`, in nats per sample; higher is better."""
        return float(np.mean(self.score_samples(X)))

    @abstractmethod
    def score_samples(self, X: npt.ArrayLike) -> np.ndarray:
        """Score each sample, in nats; higher is better."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to one safetensors file; `npvae.load` reads it.

        The file holds the state of the optimizer and of the random generator too, and which rows were held
        out for early stopping. In a callback of `fit`, it holds the state of that moment.

        Parameters
        ----------
        path : path
            An existing file is replaced atomically.

        Raises
        ------
        NotFittedError
            Not fitted.
        OSError
            The file cannot be written, for example because the disk is full.
        ValueError
            A parameter is not finite, or `path` is no path (that error is a TypeError, too).

        Warns
        -----
        UserWarning
            A parameter cannot be stored, as it is a function or an object of another library. The loaded
            model has the default instead.
        """
        check_is_fitted(self, "params_")
        check_path("path", path)
        save(self, path)

    @abstractmethod
    def _codes(self, params: Parameters, x: np.ndarray) -> np.ndarray: ...

    @property
    def _n_features_out(self) -> int:
        return self.network_.latent_dim

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _validate_shape(self, X: npt.ArrayLike) -> np.ndarray:
        check_is_fitted(self, "params_")
        return validate_rows(self, X)

    def _validate_range(self, X: npt.ArrayLike) -> np.ndarray:
        rows = self._validate_shape(X)
        if self.network_.likelihood == "bernoulli":
            check_unit_range(rows)
        return rows

    def _in_blocks(
        self, function: Callable[[Parameters, np.ndarray], np.ndarray], X: np.ndarray, *, data: bool = True
    ) -> np.ndarray:
        """Return the results of `_in_runs` for all rows."""
        (results,) = self._in_runs(function, X, len(X), data=data)
        return results

    def _in_runs(
        self,
        function: Callable[[Parameters, np.ndarray], np.ndarray],
        X: np.ndarray,
        n_rows: int,
        *,
        data: bool = True,
    ) -> Iterator[np.ndarray]:
        """Apply function(params, rows) to blocks of rows, in the rows' floating type.

        Yields the results of `n_rows` rows at a time, a multiple of `BLOCK` unless it is all.

        X may be a memory map larger than memory: each block is checked just before it is used, for values
        that are not finite and, if `data`, for rows far outside the training data. Threads share the blocks.
        """
        dtype = working_dtype(X)
        params = self.params_ if self.params_.flat.dtype == dtype else self.params_.astype(dtype)
        far = FarRows(self.data_range_) if data and X.dtype != np.uint8 else None
        unchecked = get_config()["assume_finite"]  # other threads do not see it
        context = copy_context()  # passes np.errstate on to the threads

        def apply(start: int) -> np.ndarray:
            x = np.ascontiguousarray(as_floats(X[start : start + BLOCK], dtype))
            if not unchecked:
                check_finite(x, "X" if data else "Z", start)
            if far is not None:
                far.look(x, start)
            return function(params, x)

        def fill(results: np.ndarray, first: int, start: int) -> None:
            results[start - first : start - first + BLOCK] = apply(start)

        for first in range(0, len(X), n_rows):
            stop, of_block = min(first + n_rows, len(X)), apply(first)
            results = np.empty((stop - first, *of_block.shape[1:]), of_block.dtype)
            results[:BLOCK] = of_block
            del of_block  # it is in results now; this frees its memory
            starts = range(first + BLOCK, stop, BLOCK)
            work = [partial(context.copy().run, fill, results, first, start) for start in starts]
            run_blocks(work, self.n_threads)
            if stop == len(X) and far is not None and far.n:
                names = getattr(self, "feature_names_in_", None)
                message = far.describe(len(X), type(self).__name__, names, self.pixels_)
                warnings.warn(message, UserWarning, stacklevel=4)
            yield results
