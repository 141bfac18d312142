"""`fit`, `partial_fit` and `resume` of the estimators, built on `npvae.training`."""

import dataclasses
import math
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import InvalidParameterError

from npvae.core.autoencoder import AutoencoderLoss
from npvae.core.parameters import Parameters
from npvae.core.vae import VAELoss, VAENetwork
from npvae.counted import counted
from npvae.data.file_rows import row_numbers
from npvae.estimators.checkpoints import Checkpoint, DataIdentity, encoded_settings, is_checkpoint
from npvae.estimators.columns import check_pixel_units, examine, far_validation_warning
from npvae.estimators.constraints import check_path, check_training_arguments
from npvae.estimators.inputs import check_pixels, check_rows, check_validation_rows
from npvae.estimators.steppers import SteppedModel, check_noise_fits
from npvae.persistence import ModelFileError
from npvae.printable import printable
from npvae.training import Training, TrainingDivergedError, TrainingSettings, train
from npvae.training.loop import Callback, EpochEnd, fall_of, settling_window
from npvae.training.optimizers import get_optimizer
from npvae.training.parallel import is_first_rank
from npvae.training.schedules import kl_weight
from npvae.training.state import CheckpointSchedule, TrainingState, generator_with
from npvae.training.step import Network
from npvae.writing import check_writable

_DIAGNOSED_TOL = 1e-2  # tolerance of the diagnosis if `tol` is None or 0


class TrainableModel(SteppedModel):
    """Adds training to `SteppedModel`."""

    def fit(
        self,
        X: npt.ArrayLike,
        y: None = None,
        *,
        X_val: npt.ArrayLike | None = None,
        callbacks: Sequence[Callback] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = 1,
        **unknown: Any,
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
        checkpoint : path, optional
            A file that keeps the state of training, for `resume`: it is written after every
            `checkpoint_every` epochs, and when training is interrupted.
        checkpoint_every : int or None, default=1
            None: after every epoch, unless writing took more than 1 % of the time.
        **unknown
            Raises a TypeError: there are no other arguments, in particular no sample_weight.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            A parameter, `callbacks`, `checkpoint` or `checkpoint_every` is not allowed (the error names it,
            and is a TypeError, too), or X is unsuitable: not finite, uint8 without a value above 1, or
            outside of [0, 1] for the Bernoulli likelihood. X_val has other features than X. With
            `warm_start`, the parameters or X describe another network than the one trained so far.
        TypeError
            An unknown argument.
        TrainingDivergedError
            A loss or gradient was not finite; `params_` and `history_` are those before that step.
        DataChangedError
            X is `npvae.data.FileRows`, and their file was changed, or a memory map whose file was cut off.
            `params_` and `history_` are those before the next step, and so is the checkpoint.
        ParallelError
            mpirun started several processes, and mpi4py is missing or they were given different data.

        Warns
        -----
        ConvergenceWarning
            Training ended at `max_epochs`, before the loss had settled.
        UserWarning
            The model was trained before, and `warm_start` is False; rows of X_val lie far outside of X; a few
            columns hold nearly all of the variance; the latent units collapsed; log-variances are at the
            limits of float32.

        Notes
        -----
        Ctrl-C ends the training after the current step, with a warning; the model is kept as it is, and
        `stop_reason_` is "interrupted". A second Ctrl-C is a KeyboardInterrupt.

        SIGTERM and SIGHUP, which batch systems and closed terminals send, are treated as Ctrl-C by the
        command ``npvae`` only. Any other program they end at once, and what remains is the last checkpoint.
        To have a checkpoint written then, too, call
        ``signal.signal(signal.SIGTERM, signal.default_int_handler)`` before `fit`.

        Under mpirun all processes train one model together: see `npvae.training.parallel`.
        """
        if unknown:
            raise TypeError(
                f"{type(self).__name__}.fit() takes X, y, X_val, callbacks, checkpoint and "
                f"checkpoint_every, but not {', '.join(unknown)}"
            )
        self._validate_params()
        check_training_arguments(callbacks, checkpoint, checkpoint_every)
        goes_on = self.warm_start and hasattr(self, "params_")
        if goes_on:
            self._validate_shape(X)
            self._check_continues()
        data, validation = check_rows(self, X), None
        check_pixels(data)
        columns = examine(data, self.likelihood)
        if goes_on and self.pixels_ and columns is not None:
            check_pixel_units(columns)
        if X_val is not None:
            validation = check_validation_rows(self, X, data, X_val)
            examine(validation, self.likelihood, "X_val")
            far = columns and far_validation_warning(validation, columns, type(self).__name__)
            if far:
                warnings.warn(far, UserWarning, stacklevel=2)
        checkpoints = None
        if checkpoint is not None:
            of_validation = None if validation is None else DataIdentity.of(validation)
            checkpoints = self._checkpoints(
                checkpoint, checkpoint_every, DataIdentity.of(data), of_validation
            )
        rng = self._own_stepper(columns).rng if goes_on else self._new_generator()
        rows, rows_val, held_out = row_numbers(len(data)), None, None
        if validation is None and self.early_stopping:
            held_out = self._split(len(data), rng, again=goes_on)
            rows, rows_val = held_out[1]
        settings = self._settings(len(rows))
        if goes_on:
            self._continue(columns)
        else:
            self._start(X, data, rows, rng, columns)
        if held_out is not None:
            self._held_out = held_out
        training = Training(self.history_ if goes_on else {})
        self._warn_of_long_warmup(len(training.history.get("loss", [])), settings)
        return self._train(data, validation, rows, rows_val, settings, callbacks, training, checkpoints)

    @classmethod
    def resume(
        cls,
        checkpoint: str | os.PathLike[str],
        X: npt.ArrayLike,
        *,
        X_val: npt.ArrayLike | None = None,
        callbacks: Sequence[Callback] = (),
        verbose: int | None = None,
        n_threads: int | None = None,
    ) -> Self:
        """Continue training from a checkpoint of `fit`.

        On the same machine, with the same versions, the result has the bits of uninterrupted training.

        Parameters
        ----------
        checkpoint : path
            Its file; training continues to write checkpoints to it, as often as before.
        X, X_val : arrays
            The same data as in `fit`.
        callbacks : sequence of callable
            As for `fit`. They are not called again for earlier epochs, and their own state is not in the
            checkpoint.
        verbose, n_threads : int, optional
            Replace the checkpoint's.

        Returns
        -------
        estimator
            Fitted.

        Raises
        ------
        ModelFileError, FileNotFoundError
            The file cannot be read, or is no checkpoint.
        ValueError
            The data differ from those used before, the checkpoint is of another class, or another argument
            is not allowed (the error names it, and is a TypeError, too).
        """
        changes = {"verbose": verbose, "n_threads": n_threads}
        changes = {name: value for name, value in changes.items() if value is not None}
        estimator, saved = cls.prepare_resume(checkpoint, changes)
        return estimator.train_resumed(saved, checkpoint, X, X_val=X_val, callbacks=callbacks)

    @classmethod
    def prepare_resume(
        cls, checkpoint: str | os.PathLike[str], changes: dict[str, Any]
    ) -> tuple[Self, Checkpoint]:
        """Return an estimator as it was when the checkpoint was written: the first half of `resume`.

        Whoever has to save the estimator if training fails needs it before training.

        Parameters
        ----------
        checkpoint : path
        changes : dict
            Hyperparameters that do not change the results: verbose, n_threads.

        Returns
        -------
        estimator, saved
            For `train_resumed`.

        Raises
        ------
        ModelFileError, FileNotFoundError, ValueError
            As for `resume`.
        """
        cls(**changes)._validate_params()
        check_path("checkpoint", checkpoint)
        saved = Checkpoint.load(checkpoint)
        if saved.estimator != cls.__name__:
            of = printable(saved.estimator, 50)
            raise ValueError(
                f"{checkpoint} is a checkpoint of {of}: call {of}.resume, not {cls.__name__}.resume"
            )
        try:
            estimator = cls(**saved.settings())
            estimator._validate_params()
            network = estimator._network_of(saved)
            rng = generator_with(saved.state.rng_state)
            estimator.network_ = network
            estimator.params_ = Parameters(network.shapes(), dtype=saved.state.params.dtype)
            estimator.data_range_, estimator.pixels_ = saved.data_range, saved.pixels
            estimator.n_features_in_ = network.n_features
            if saved.feature_names:
                estimator.feature_names_in_ = np.array(saved.feature_names, dtype=object)
            stepper = estimator._make_stepper(network, get_optimizer(estimator.optimizer), rng, saved.units)
            stepper.least_noise_variance = saved.least_noise_variance
            saved.state.restore(stepper, rng)
        except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError) as error:
            raise ModelFileError(f"{checkpoint}: its description is not valid ({error!r})") from error
        estimator.set_params(**changes)
        check_noise_fits(network, min(estimator.batch_size, saved.n_rows()))
        estimator._stepper, estimator.params_ = stepper, stepper.data_params()
        estimator.history_, estimator.n_iter_ = saved.state.history, len(saved.state.history.get("loss", []))
        estimator.stop_reason_, estimator.best_epoch_ = "interrupted", saved.state.best_epoch
        if saved.held_out is not None:
            estimator._held_out = saved.held_out
        return estimator, saved

    def _network_of(self, saved: Checkpoint) -> Network:
        """Return the network of a checkpoint, whose parameters and position fit it and the settings.

        Raises
        ------
        ValueError
            They do not fit.
        """
        n_params, position = saved.state.params.size, saved.state.position
        if len(self.hidden) > n_params:  # before work that grows with their number
            raise ValueError(f"{len(self.hidden)} hidden layers, but the file has {n_params} parameters")
        network = self._make_network(saved.data.shape[1])
        expected = sum(map(math.prod, network.shapes().values()))
        if expected != n_params:
            raise ValueError(f"its network has {expected} parameters, but the file has {n_params}")
        n_rows = saved.n_rows()
        settings = self._settings(n_rows)
        n_epochs, n_steps = position.epoch - position.first_epoch, -(-n_rows // settings.batch_size)
        if n_epochs + (position.n_steps > 0) > settings.max_epochs:
            raise ValueError(f"epoch {position.epoch} is beyond the {settings.max_epochs} of max_epochs")
        if position.n_steps > n_steps:
            raise ValueError(f"n_steps is {position.n_steps}, but an epoch has {n_steps} steps")
        fields = VAELoss._fields if isinstance(network, VAENetwork) else AutoencoderLoss._fields
        if position.sums.keys() != (set(fields) if position.n_steps else set()):
            raise ValueError(f"sums has {sorted(position.sums)} after {position.n_steps} steps of the epoch")
        return network

    def train_resumed(
        self,
        saved: Checkpoint,
        checkpoint: str | os.PathLike[str],
        X: npt.ArrayLike,
        *,
        X_val: npt.ArrayLike | None = None,
        callbacks: Sequence[Callback] = (),
        checkpoint_every: int | None = None,
    ) -> Self:
        """Continue the training of `prepare_resume`'s estimator: the second half of `resume`.

        Parameters
        ----------
        saved : Checkpoint
        checkpoint : path
            Where later checkpoints are written.
        X, X_val, callbacks
            As for `resume`.
        checkpoint_every : int, optional
            As for `fit`; None: as often as before.

        Raises
        ------
        ValueError, TrainingDivergedError
            As for `resume` and `fit`.
        """
        check_training_arguments(callbacks, checkpoint, checkpoint_every)
        self._validate_shape(X)
        data = check_rows(self, X)
        _check_same("X", saved.data, DataIdentity.of(data))
        validation = None if X_val is None else check_validation_rows(self, X, data, X_val)
        if (validation is None) != (saved.validation is None):
            raise ValueError(f"the training had {'no ' if saved.validation is None else ''}X_val")
        if validation is not None and saved.validation is not None:
            _check_same("X_val", saved.validation, DataIdentity.of(validation))
        rows, rows_val = row_numbers(len(data)), None
        if saved.splits_data:
            rows, rows_val = self._held_out[1]
        every = saved.every if checkpoint_every is None else checkpoint_every
        checkpoints = self._checkpoints(checkpoint, every, saved.data, saved.validation)
        settings = self._settings(len(rows))
        return self._train(
            data, validation, rows, rows_val, settings, callbacks, Training(), checkpoints, saved.state
        )

    def _checkpoints(
        self,
        path: str | os.PathLike[str],
        every: int | None,
        data: DataIdentity,
        validation: DataIdentity | None,
    ) -> CheckpointSchedule:
        """Return the `CheckpointSchedule` that write states of this training to a file.

        Raises
        ------
        ValueError
            A hyperparameter cannot be stored, or there is a file at `path` that is no checkpoint.
        OSError
            No file can be written at `path`.
        """
        every = None if every is None else int(every)
        file = Path(path)
        if file.exists() and not is_checkpoint(file):
            raise InvalidParameterError(
                f"checkpoint={str(path)!r} exists and is no checkpoint; give another path"
            )
        if is_first_rank():
            check_writable(file)
        settings = encoded_settings(self)

        def write(state: TrainingState) -> None:
            Checkpoint(
                estimator=type(self).__name__,
                hyperparameters=settings,
                feature_names=list(getattr(self, "feature_names_in_", [])),
                data_range=self.data_range_,
                pixels=self.pixels_,
                data=data,
                validation=validation,
                every=every,
                units=self._stepper.units,
                least_noise_variance=self._stepper.least_noise_variance,
                held_out=getattr(self, "_held_out", None),
                state=state,
            ).save(file)

        return CheckpointSchedule(write, every)

    def _train(
        self,
        data: np.ndarray,
        validation: np.ndarray | None,
        rows: np.ndarray,
        rows_val: np.ndarray | None,
        settings: TrainingSettings,
        callbacks: Sequence[Callback],
        training: Training,
        checkpoints: CheckpointSchedule | None,
        resumed: TrainingState | None = None,
    ) -> Self:
        """Train `_stepper`, set the fitted attributes, and issue warnings about the result."""
        stepper = self._stepper
        first_epoch = len(training.history.get("loss", []))
        if resumed is not None:
            first_epoch = resumed.position.first_epoch

        def keep(end: EpochEnd | None = None) -> None:
            self.params_ = stepper.data_params()
            self.history_ = training.history
            self.n_iter_ = len(training.history.get("loss", []))
            self.stop_reason_ = "unfinished" if end is not None else training.stop_reason
            self.best_epoch_ = training.best_epoch

        try:
            train(
                stepper,
                data,
                settings,
                stepper.rng,
                rows=rows,
                X_val=data if rows_val is not None else validation,
                rows_val=rows_val,
                callbacks=[keep, *callbacks] if callbacks else (),
                verbose=bool(self.verbose),
                training=training,
                checkpoints=checkpoints,
                resumed=resumed,
            )
        except TrainingDivergedError:
            training.stop_reason = "diverged"
            raise
        except KeyboardInterrupt:
            training.stop_reason = "interrupted"
            raise
        finally:
            keep()
        if not is_first_rank():  # of equal results one warning is enough
            return self
        window = settling_window(settings, len(rows))
        fall = fall_of(self.history_["loss"][first_epoch:], window) if self.history_ else np.inf
        self._warn_of_the_end(settings, fall, window)
        if self.stop_reason_ == "interrupted":  # nobody waits for a diagnosis then
            return self
        unsettled = fall >= (settings.tol or _DIAGNOSED_TOL) * data.shape[1]
        unsettled = unsettled and self.stop_reason_ != "early_stopping"
        for warning in self._diagnose(data, rows, unsettled):
            warnings.warn(warning, stacklevel=3)
        return self

    def partial_fit(self, X: npt.ArrayLike, y: None = None) -> Self:
        """Train for one epoch: go once through X in minibatches of `batch_size`.

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
        Each call is an epoch: it adds an entry to `history_`, and learning-rate schedules and KL warm-up
        count it. Changes of the network's or the optimizer's settings after the first call take effect in the
        next `fit`.
        """
        self._validate_params()
        fitted = hasattr(self, "params_")
        if fitted:
            self._validate_shape(X)
        data = check_rows(self, X)
        if not fitted:
            check_pixels(data)
        columns = examine(data, self.network_.likelihood if fitted else self.likelihood)
        settings = dataclasses.replace(
            self._settings(len(data)), max_epochs=1, tol=None, early_stopping=False
        )
        if fitted:
            if self.pixels_ and columns is not None:
                check_pixel_units(columns)
            stepper = self._own_stepper(columns)
            self._widen_range(columns)
        else:
            rows, rng = row_numbers(len(data)), self._new_generator()
            stepper = self._start(X, data, rows, rng, columns)
            self.history_, self.n_iter_, self.stop_reason_, self.best_epoch_ = {}, 0, "partial_fit", None
        try:
            train(stepper, data, settings, stepper.rng, training=Training(self.history_))
        finally:
            self.params_ = stepper.data_params()
        self.n_iter_ = len(self.history_["loss"])
        return self

    def _warn_of_long_warmup(self, first_epoch: int, settings: TrainingSettings) -> None:
        last = kl_weight(first_epoch + settings.max_epochs - 1, settings.kl_warmup_epochs)
        if last < 1:
            warnings.warn(
                f"kl_warmup_epochs={settings.kl_warmup_epochs} is longer than "
                f"max_epochs={settings.max_epochs}{' and the epochs before' if first_epoch else ''}: the "
                f"weight of the KL term only reaches {last:.2g} of beta. Raise max_epochs or lower "
                "kl_warmup_epochs",
                UserWarning,
                stacklevel=3,
            )

    def _warn_of_the_end(self, settings: TrainingSettings, fall: float, window: int) -> None:
        if self.stop_reason_ == "interrupted":
            warnings.warn(
                f"training was interrupted after {counted(self.n_iter_, 'complete epoch')}; what was "
                "learned is kept",
                UserWarning,
                stacklevel=4,
            )
        if self.stop_reason_ != "max_epochs" or settings.tol is None:
            return
        if settings.early_stopping:
            what = "before the validation loss had stopped falling"
        elif np.isfinite(fall):
            what = (
                f"before the loss had settled: it fell by {fall:.3g} nats per sample over the last {window} "
                "epochs"
            )
        else:
            what = f"too early to tell whether the loss has settled, which takes {2 * window} epochs"
        warnings.warn(
            f"training ended at max_epochs={settings.max_epochs}, {what}. Raise max_epochs (None chooses a "
            "length from the size of the data), or set tol=None if this length is intended",
            ConvergenceWarning,
            stacklevel=4,
        )

    def _diagnose(self, data: np.ndarray, rows: np.ndarray, unsettled: bool) -> list[Warning]:
        """Return warnings about the fitted model."""
        return []


def _check_same(name: str, expected: DataIdentity, found: DataIdentity) -> None:
    difference = expected.difference(found)
    if difference is not None:
        raise ValueError(f"{name} differs from the checkpoint's data: {difference}; pass the same data")
