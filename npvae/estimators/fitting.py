"""Fitting the estimators: fit and partial_fit, over the training room's loop and step."""

import copy
import time
import warnings
from abc import abstractmethod
from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt

from npvae.core.architecture import is_number
from npvae.core.init import check_scheme, init_parameters, output_bias
from npvae.core.parameters import Parameters
from npvae.data import binarize
from npvae.estimators.base import LatentVariableModel
from npvae.estimators.inputs import (
    check_rows,
    inference_blocks,
    make_generator,
    remember_features,
    value_range,
)
from npvae.training import Stepper, Training, TrainingDivergedError, TrainingSettings, train
from npvae.training.batches import as_floats
from npvae.training.loop import Callback, record
from npvae.training.optimizers import get_optimizer
from npvae.training.schedules import kl_weight, learning_rate_at
from npvae.training.step import Network


class TrainableModel(LatentVariableModel):
    """Adds training to `LatentVariableModel`."""

    _stepper: Stepper

    @abstractmethod
    def _make_network(self, n_features: int) -> Network:
        """Return the core's description of the network."""

    def _warmup_epochs(self) -> int:
        return 0

    def check_settings(self, n_features: int) -> None:
        """Raise a ValueError unless `fit` could train on data with `n_features` features."""
        self._settings()
        self._make_network(n_features)
        get_optimizer(self.optimizer)
        check_scheme(self.init)

    def fit(
        self,
        X: npt.ArrayLike,
        y: None = None,
        *,
        X_val: npt.ArrayLike | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> Self:
        """Train on X.

        Parameters
        ----------
        X : (N, D) array
            Floats, or uint8 for pixels 0..255, which are scaled to [0, 1] batch by batch. A memory map is
            read batch by batch.
        y : None
            Ignored.
        X_val : (M, D) array, optional
            Validation data: its loss is recorded after every epoch, and early stopping watches it. Without
            it, early stopping sets `validation_fraction` of X aside.
        callbacks : sequence of callable
            Each is called with a `npvae.training.EpochEnd` after every epoch; returning True ends the
            training.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            A parameter is out of its range, or X is unsuitable: not finite, or outside of [0, 1] for the
            Bernoulli likelihood.
        TrainingDivergedError
            A loss or gradient was not finite; `params_` and `history_` hold what was reached before.

        Notes
        -----
        Ctrl-C ends the training after the current step, with a warning; what was learned is kept, and
        `stop_reason_` is "interrupted". A second Ctrl-C is a KeyboardInterrupt.
        """
        data = self._check(X)
        settings = self._settings()
        rng = make_generator(self.random_state)
        rows, validation, rows_val = np.arange(len(data)), None, None
        if X_val is not None:
            validation = self._check(X_val)
            if validation.shape[1] != data.shape[1]:
                raise ValueError(f"X has {data.shape[1]} features, but X_val has {validation.shape[1]}")
        elif self.early_stopping:
            rows, rows_val = split_rows(len(data), self.validation_fraction, rng)
            validation = data
        stepper = self._start(X, data, rng)
        training = Training()
        try:
            train(
                stepper,
                data,
                settings,
                rng,
                rows=rows,
                X_val=validation,
                rows_val=rows_val,
                callbacks=callbacks,
                verbose=bool(self.verbose),
                training=training,
            )
        except TrainingDivergedError:
            training.stop_reason = "diverged"
            raise
        except KeyboardInterrupt:
            training.stop_reason = "interrupted"
            raise
        finally:
            self.history_ = training.history
            self.n_iter_ = len(training.history.get("loss", []))
            self.stop_reason_ = training.stop_reason
            self.best_epoch_ = training.best_epoch
        if training.stop_reason == "interrupted":
            warnings.warn(
                f"training was interrupted after {self.n_iter_} complete epochs; what was learned is kept",
                UserWarning,
                stacklevel=2,
            )
        return self

    def partial_fit(self, X: npt.ArrayLike, y: None = None) -> Self:
        """Take one gradient step on X as a whole.

        Parameters
        ----------
        X : (N, D) array
            As for `fit`. The first call, unless `fit` came before it, draws the initial parameters.
        y : None
            Ignored.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TrainingDivergedError
            As for `fit`.

        Notes
        -----
        Each call adds an entry to `history_`. Learning-rate schedules and KL warm-up, which count epochs,
        count these entries. Changes of the network's or the optimizer's settings after the first call take
        effect in the next `fit`.
        """
        fitted = hasattr(self, "params_")
        started = time.perf_counter()
        self._settings()
        if fitted:
            data = self._validate(X)
            self._check_range(data, self.network_.likelihood)
        else:
            data = self._check(X)
            self._start(X, data, make_generator(self.random_state))
            self.history_, self.n_iter_, self.stop_reason_, self.best_epoch_ = {}, 0, "partial_fit", None
        if not hasattr(self, "_stepper"):  # a loaded model comes without the optimizer's state
            self._stepper = self._make_stepper(self.network_, self.params_, make_generator(self.random_state))
        elif not self.params_.flat.flags.writeable:  # joblib hands its workers read-only memory maps
            self._stepper = copy.deepcopy(self._stepper)
            self.params_ = self._stepper.params
        rate = learning_rate_at(self.learning_rate, self.n_iter_)
        weight = kl_weight(self.n_iter_, self._warmup_epochs())
        x = as_floats(data, self.params_.flat.dtype)
        if self.dynamic_binarization:
            x = binarize(x, self._stepper.rng)
        loss = self._stepper.step(x, rate, weight)
        self._stepper.release()
        record(self.history_, self.network_, loss._asdict(), rate, weight, time.perf_counter() - started)
        self.n_iter_ += 1
        return self

    def _settings(self) -> TrainingSettings:
        if self.max_grad_norm is not None and not (is_number(self.max_grad_norm) and self.max_grad_norm > 0):
            raise ValueError(f"max_grad_norm must be positive or None, got {self.max_grad_norm!r}")
        if self.dynamic_binarization and self.likelihood != "bernoulli":
            raise ValueError('dynamic_binarization makes binary data; it needs likelihood="bernoulli"')
        return TrainingSettings(
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            max_epochs=self.max_epochs,
            kl_warmup_epochs=self._warmup_epochs(),
            early_stopping=self.early_stopping,
            n_iter_no_change=self.n_iter_no_change,
            dynamic_binarization=self.dynamic_binarization,
            n_threads=self.n_threads,
        )

    def _start(self, X: npt.ArrayLike, data: np.ndarray, rng: np.random.Generator) -> Stepper:
        """Set the fitted attributes anew, once it is certain that all of them can be."""
        network = self._make_network(data.shape[1])
        params = init_parameters(network.blocks(), rng, self.init)
        if self.init_output_bias:
            total = sum(as_floats(x, np.dtype(np.float64)).sum(axis=0) for x in inference_blocks(data))
            params["output.b"] = output_bias(total / len(data), self.likelihood)
        stepper = self._make_stepper(network, params, rng)
        remember_features(self, X)
        self._stepper, self.network_, self.params_ = stepper, network, params
        self.data_range_ = (0.0, 1.0) if data.dtype == np.uint8 else value_range(data)
        return stepper

    def _make_stepper(self, network: Network, params: Parameters, rng: np.random.Generator) -> Stepper:
        return Stepper(network, params, get_optimizer(self.optimizer), rng, self.max_grad_norm)

    def _check(self, X: npt.ArrayLike) -> np.ndarray:
        data = check_rows(self, X)
        self._check_range(data, self.likelihood)
        return data


def split_rows(n: int, fraction: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Split the row numbers 0 .. n - 1 at random; the second part holds `fraction` of them."""
    if not is_number(fraction) or not 0 < fraction < 1 or round(n * (1 - fraction)) < 1 or n < 2:
        raise ValueError(
            f"validation_fraction must be between 0 and 1 and leave samples on both sides, got {fraction!r} "
            f"of {n} samples"
        )
    from sklearn.model_selection import train_test_split  # it loads much that is not needed elsewhere

    train_rows, held_out = train_test_split(
        np.arange(n), test_size=fraction, random_state=int(rng.integers(2**31))
    )
    return train_rows, held_out
