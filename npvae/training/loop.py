"""The loop over epochs: history, validation, early stopping, callbacks, progress, Ctrl-C."""

import copy
import math
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from npvae.core.parameters import Parameters
from npvae.core.vae import VAENetwork
from npvae.data import binarize
from npvae.data.file_rows import DataChangedError, row_numbers
from npvae.data.hashing import content_hash
from npvae.data.scaling import as_floats
from npvae.kernels import Team, current_team
from npvae.printable import Unfailing
from npvae.training.batches import minibatches
from npvae.training.interrupt import InterruptRequest
from npvae.training.parallel import ParallelError, Ranks
from npvae.training.progress import progress_bar
from npvae.training.schedules import LearningRate, kl_weight, learning_rate_at
from npvae.training.state import CheckpointSchedule, Position, TrainingState
from npvae.training.step import Network, Stepper, TrainingDivergedError, draw_noise
from npvae.training.threads import StepThreads, step_threads

_VALIDATION_BLOCK = 512  # rows evaluated at once
_SETTLING_STEPS = 200  # the convergence test averages the loss over at least this many
_VALIDATION_SEED = 0  # the same noise in every epoch, so validation losses are comparable


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How to train; see `npvae.VAE` for what each setting means.

    `max_epochs` counts the epochs of this training, without those of earlier trainings that it continues.

    Raises
    ------
    ValueError
        The learning rate of the first epoch is none. (The estimators check their parameters.)
    """

    learning_rate: LearningRate = 1e-3
    batch_size: int = 128
    max_epochs: int = 10
    tol: float | None = None
    kl_warmup_epochs: int = 0
    early_stopping: bool = False
    n_iter_no_change: int = 10
    dynamic_binarization: bool = False
    n_threads: int | None = None

    def __post_init__(self) -> None:
        learning_rate_at(self.learning_rate, 0)


class EpochEnd(NamedTuple):
    """What a callback is given after every epoch."""

    epoch: int  # counted from 0, including epochs of earlier trainings of these parameters
    network: Network
    params: Parameters  # in the data's units; copy what you want to keep
    history: dict[str, list[float]]


Callback = Callable[[EpochEnd], Any]


@dataclass
class Training:
    """What `train` did.

    Attributes
    ----------
    history : dict of list
        One entry for each complete epoch: loss, reconstruction, kl (VAE only), validation_loss (with
        validation data only), in nats per sample; beta (VAE only), learning_rate; seconds. Training that
        continues earlier epochs appends to their entries.
    stop_reason : {"max_epochs", "converged", "early_stopping", "interrupted", "callback", "error"}
        "error" until one of the others is known.
    best_epoch : int or None
        The epoch, counted from 0, whose parameters were restored by early stopping.
    """

    history: dict[str, list[float]] = field(default_factory=dict)
    stop_reason: str = "error"
    best_epoch: int | None = None


def train(
    stepper: Stepper,
    X: np.ndarray,
    settings: TrainingSettings,
    rng: np.random.Generator,
    *,
    rows: np.ndarray | None = None,
    X_val: np.ndarray | None = None,
    rows_val: np.ndarray | None = None,
    callbacks: Sequence[Callback] = (),
    verbose: bool = False,
    training: Training | None = None,
    checkpoints: CheckpointSchedule | None = None,
    resumed: TrainingState | None = None,
) -> Training:
    """Train the stepper's parameters in place.

    Parameters
    ----------
    stepper : Stepper
    X : (N, D) array, float or uint8
    settings : TrainingSettings
    rng : Generator
        Shuffles and binarises.
    rows : (n,) array of int, optional
        Rows of X to train on; all by default.
    X_val : (M, D) array, optional
        Its loss is recorded after every epoch; early stopping watches it.
    rows_val : (m,) array of int, optional
        Rows of X_val to use; all by default.
    callbacks : sequence of callable
        Called with an `EpochEnd` after every epoch; one that returns True ends the training.
    verbose : bool
        Show a progress bar on stderr.
    training : Training, optional
        Updated during training, so that it holds the progress so far if an error ends the training.
        Training continues after the epochs already in its history, and so do the schedules.
    checkpoints : CheckpointSchedule, optional
        Given the state of training after every so many epochs and their callbacks, when training is
        interrupted, and when it ends. If it cannot be written, a warning says so and training continues.
    resumed : TrainingState, optional
        Continue from this state, which may be in the middle of an epoch, with results bit-identical to those
        of uninterrupted training. `stepper`, `rng` and `training` are set to it; all other arguments must be
        the same as before.

    Returns
    -------
    Training

    Raises
    ------
    TrainingDivergedError
        A loss or a gradient was not finite; the message names the epoch and batch.
    ValueError
        Early stopping was asked for without validation data.
    DataChangedError
        A file of data was changed. `checkpoints` was given the state before the next step.
    ParallelError
        mpirun started this process with others, which were given other data or settings.

    Notes
    -----
    Under mpirun all ranks take each step together: see `npvae.training.parallel`. Rank 0 shows progress,
    calls the callbacks and keeps the state. An error that only one of them meets ends all of them.
    """
    training = training if training is not None else Training()
    if settings.early_stopping and X_val is None:
        raise ValueError("early_stopping needs validation data; pass X_val")
    position = Position.after(training.history)
    best_loss, best_params = np.inf, None
    if resumed is not None:
        position, best_loss = resumed.position, resumed.best_loss
        best_params = resumed.restore(stepper, rng)
        training.history.update(copy.deepcopy(resumed.history))
        training.best_epoch = resumed.best_epoch
    rows = row_numbers(len(X)) if rows is None else rows
    n_batches = -(-len(rows) // settings.batch_size)
    n_steps = (position.first_epoch + settings.max_epochs - position.epoch) * n_batches - position.n_steps
    interrupt = InterruptRequest()
    ranks = Ranks(interrupt)
    bar = progress_bar(n_steps, shown=verbose and ranks.is_first)
    own_rows = -(-min(settings.batch_size, len(rows)) // ranks.size)
    threads_for_steps = step_threads(
        stepper.network, stepper.params.flat.size, own_rows, ranks.n_threads(settings.n_threads)
    )
    with ranks.signals(), interrupt, bar, threads_for_steps as threads:
        run = _Run(
            stepper, X, rows, X_val, rows_val, settings, rng, callbacks, training, position, bar, threads,
            ranks, checkpoints, best_loss, best_params,
        )  # fmt: skip
        try:
            training.stop_reason = run.all_epochs()
        except (TrainingDivergedError, ParallelError):  # all ranks raise it
            raise
        except BaseException as error:
            ranks.end_all(error)
            raise
        finally:
            stepper.release()
            if run.best_params is not None:
                stepper.params.flat[:] = run.best_params.flat
    if ranks.interrupted:  # perhaps after the last epoch
        training.stop_reason = "interrupted"
    return training


@dataclass
class _Run:
    """What all epochs of a training share."""

    stepper: Stepper
    X: np.ndarray
    rows: np.ndarray
    X_val: np.ndarray | None
    rows_val: np.ndarray | None
    settings: TrainingSettings
    rng: np.random.Generator
    callbacks: Sequence[Callback]
    training: Training
    position: Position
    bar: tqdm
    threads: StepThreads
    ranks: Ranks
    checkpoints: CheckpointSchedule | None
    best_loss: float
    best_params: Parameters | None
    saved_at: float = -math.inf  # when
    seconds_of_saving: float = 0.0  # the last time

    def all_epochs(self) -> str:
        """Train, and return why training ended."""
        if self.ranks.size > 1:
            self.check_ranks()
        self.load_kernels()
        while (reason := self.ranks.decided(self.reason_to_end())) is None:
            epoch = self.position.epoch
            try:
                complete = self.steps()
                if complete:
                    self.finish_epoch()
            except DataChangedError:
                self.save()
                raise
            if not complete:
                self.save()
                return "interrupted"
            history = self.training.history
            self.bar.set_postfix_str(_summary(epoch, history), refresh=False)
            answers = []
            if self.callbacks and self.ranks.is_first:
                stepper = self.stepper
                state = EpochEnd(epoch, stepper.data_network, stepper.data_params(), history)
                answers = [callback(state) for callback in self.callbacks]
            ended = any(isinstance(answer, bool | np.bool) and answer for answer in answers)
            self.position.ended = self.ranks.decided(ended)
            interrupted = self.ranks.agree_on_interrupt()
            if interrupted or self.is_checkpoint_due() or self.reason_to_end() is not None:
                self.save()
            if interrupted:
                return "interrupted"
        return reason

    def is_checkpoint_due(self) -> bool:
        """Say whether the state of training is to be kept before the next epoch."""
        if self.checkpoints is None:
            return False
        if self.checkpoints.every is None:
            return time.perf_counter() - self.saved_at >= 100 * self.seconds_of_saving
        return (self.position.epoch - self.position.first_epoch) % self.checkpoints.every == 0

    def reason_to_end(self) -> str | None:
        """Return why training ends before the next epoch, or None."""
        if self.position.ended:
            return "callback"
        last, best = self.position.epoch - 1, self.training.best_epoch
        if best is not None and last - best >= self.settings.n_iter_no_change:
            return "early_stopping"
        if self.has_settled():
            return "converged"
        if last - self.position.first_epoch + 1 >= self.settings.max_epochs:
            return "max_epochs"
        return None

    def save(self) -> None:
        """Have the state of training written, by the first rank, if there is a place for it."""
        if self.checkpoints is None or not self.ranks.is_first:
            return
        started = time.perf_counter()
        state = TrainingState.of(
            self.stepper,
            self.rng,
            self.position,
            self.training.history,
            self.training.best_epoch,
            self.best_loss,
            self.best_params,
        )
        try:
            self.checkpoints.write(state)
        except OSError as error:
            warnings.warn(
                f"the checkpoint could not be written ({error}); training continues, the last one is kept",
                RuntimeWarning,
                stacklevel=2,
            )
        self.saved_at = time.perf_counter()
        self.seconds_of_saving = self.saved_at - started

    def has_settled(self) -> bool:
        """Say whether the loss has stopped falling, by `tol`."""
        settings = self.settings
        if settings.tol is None or settings.early_stopping:
            return False
        # Losses during KL warm-up are not comparable, because the weight of the KL term changes.
        losses = self.training.history.get("loss", [])
        losses = losses[max(self.position.first_epoch, settings.kl_warmup_epochs - 1) :]
        window = settling_window(settings, len(self.rows))
        return fall_of(losses, window) < settings.tol * self.X.shape[1]

    def check_ranks(self) -> None:
        """Raise a ParallelError unless all ranks are about to do the same training."""
        stepper, settings = self.stepper, self.settings
        validation = None if self.X_val is None or self.X_val is self.X else content_hash(self.X_val)
        names = {field.name for field in fields(settings)} - {"learning_rate", "n_threads"}
        self.ranks.check_same(
            {
                "data": content_hash(self.X),
                "rows": content_hash(self.rows, self.rows_val),
                "validation data": validation,
                "settings": {name: getattr(settings, name) for name in names},
                "learning rate": learning_rate_at(settings.learning_rate, self.position.epoch),
                "network": (stepper.network, stepper.max_grad_norm, type(stepper.optimizer).__name__),
                "parameters": content_hash(stepper.params.flat, *stepper.state.vectors),
                "random state": copy.deepcopy(self.rng).random(),
                "position": (self.position.epoch, self.position.n_steps, self.position.first_epoch),
            }
        )

    def load_kernels(self) -> None:
        """Load the step's compiled function; where it had to be compiled first, say how long that took."""
        fused = self.stepper.fused()
        if fused is None:
            return
        self.bar.set_postfix_str("loading compiled code, or compiling it")
        started = time.perf_counter()
        if fused.load(self.stepper.params) and not self.bar.disable:
            seconds = time.perf_counter() - started
            self.bar.write(f"compiled the training step in {seconds:.0f} s", file=Unfailing(sys.stderr))
        self.bar.set_postfix_str("")

    def steps(self) -> bool:
        """Take the remaining steps of the epoch; return False if interrupted."""
        started, at = time.perf_counter(), self.position
        rate = learning_rate_at(self.settings.learning_rate, at.epoch)
        weight = kl_weight(at.epoch, self.settings.kl_warmup_epochs)
        size, params = self.settings.batch_size, self.stepper.params
        binarized = self.settings.dynamic_binarization
        order = at.order(self.rows, self.rng)[at.n_steps * size :]
        try:
            for x in minibatches(
                self.X,
                order,
                size,
                self.rng,
                dtype=params.flat.dtype,
                dynamic_binarization=binarized,
                part=self.ranks.rows,
            ):
                n = min(size, len(self.rows) - at.n_steps * size)
                try:
                    loss = self.threads.run(self.stepper.step, x, rate, weight, self.ranks, n)
                except TrainingDivergedError as error:
                    error.where = f" in epoch {at.epoch + 1}, batch {at.n_steps + 1}"
                    raise
                for name, value in zip(loss._fields, loss, strict=True):
                    at.sums[name] = at.sums.get(name, 0.0) + float(value) * n
                at.n_steps += 1
                self.bar.update()
                if self.ranks.interrupted and at.n_steps * size < len(self.rows):
                    return False
            return True
        finally:
            at.seconds += time.perf_counter() - started

    def finish_epoch(self) -> None:
        """Record the epoch and its validation loss; keep the best parameters for early stopping."""
        at, settings = self.position, self.settings
        validation = None if self.X_val is None else self.validation(self.X_val)
        means = {name: value / len(self.rows) for name, value in at.sums.items()}
        rate = learning_rate_at(settings.learning_rate, at.epoch)
        weight = kl_weight(at.epoch, settings.kl_warmup_epochs)
        record(self.training.history, self.stepper.network, means, rate, weight, at.seconds)
        self.position = at.next_epoch()
        if validation is None:
            return
        self.training.history.setdefault("validation_loss", []).append(validation)
        warm = at.epoch + 1 >= settings.kl_warmup_epochs  # before that, another loss is minimised
        if settings.early_stopping and warm and validation < self.best_loss:
            self.best_loss, self.training.best_epoch = validation, at.epoch
            self.best_params = self.stepper.params.copy()

    def validation(self, X_val: np.ndarray) -> float:
        """Return the validation loss."""
        network, params = self.stepper.data_network, self.stepper.data_params()
        binarized = self.settings.dynamic_binarization
        return validation_loss(network, params, X_val, binarized, self.rows_val, self.ranks)


def record(
    history: dict[str, list[float]],
    network: Network,
    loss: dict[str, float],
    learning_rate: float,
    kl_weight: float,
    seconds: float,
) -> None:
    """Add an entry to every list of a history; `loss` has the fields of a loss, in nats per sample."""
    entry = {("loss" if name == "total" else name): float(value) for name, value in loss.items()}
    if isinstance(network, VAENetwork):
        entry["beta"] = network.beta * kl_weight
    entry |= {"learning_rate": learning_rate, "seconds": seconds}
    for name, value in entry.items():
        history.setdefault(name, []).append(value)


def validation_loss(
    network: Network,
    params: Parameters,
    X: np.ndarray,
    dynamic_binarization: bool = False,
    rows: np.ndarray | None = None,
    ranks: Ranks | None = None,
) -> float:
    """Return the mean loss over X (N, D), in nats per sample, at the network's full beta.

    Parameters
    ----------
    network : VAENetwork or AutoencoderNetwork
    params : Parameters
    X : (N, D) array, float or uint8
    dynamic_binarization : bool
        Draw the pixels from Bernoulli(x), the same in every call.
    rows : (n,) array of int, optional
        Rows of X to use; all by default.
    ranks : Ranks, optional
        Processes among which the blocks are divided; the result has the bits of one process's.
    """
    n_rows = len(X) if rows is None else len(rows)
    starts = range(0, n_rows, _VALIDATION_BLOCK)
    sums = np.zeros(len(starts))

    def evaluate(block: int) -> None:
        rng = np.random.default_rng((_VALIDATION_SEED, block))
        some = slice(starts[block], starts[block] + _VALIDATION_BLOCK)
        x = as_floats(X[some] if rows is None else X[rows[some]], params.flat.dtype)
        x = binarize(x, rng) if dynamic_binarization else x
        with np.errstate(over="ignore", invalid="ignore"):  # the next step reports what is not finite
            if isinstance(network, VAENetwork):
                loss = network.loss(params, x, draw_noise(network, rng, len(x), params.flat.dtype)).total
            else:
                loss = network.loss(params, x).total
        sums[block] = float(loss) * len(x)

    team = current_team() or Team(1)
    blocks = range(len(starts))
    if ranks is not None:
        blocks = blocks[ranks.rows(len(blocks))]
    team.run([partial(evaluate, block) for block in blocks])
    if ranks is not None:
        sums = ranks.gather(sums)
    return float(sums.sum()) / n_rows


def settling_window(settings: TrainingSettings, n_rows: int) -> int:
    """Return the number of epochs over which the convergence test averages the loss.

    This is `n_iter_no_change`, or as many epochs as make 200 steps if that is more, because an epoch of a
    small table has only one or two steps.
    """
    n_steps = -(-n_rows // settings.batch_size)
    return max(settings.n_iter_no_change, -(-_SETTLING_STEPS // n_steps))


def fall_of(losses: Sequence[float], window: int) -> float:
    """Return by how much the mean of the last `window` losses lies below that of the `window` before.

    Infinity if there are fewer than 2 * `window` losses, because the loss may still be falling.
    """
    if len(losses) < 2 * window:
        return np.inf
    return float(np.mean(losses[-2 * window : -window]) - np.mean(losses[-window:]))


def _summary(epoch: int, history: dict[str, list[float]]) -> str:
    parts = [f"epoch {epoch + 1}"]
    for name in ("loss", "reconstruction", "kl", "validation_loss"):
        if name in history:
            parts.append(f"{name.replace('_', ' ')} {history[name][-1]:.2f}")
    return ", ".join(parts)
