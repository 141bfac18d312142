"""The loop over epochs: history, validation, early stopping, callbacks, progress, Ctrl-C."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from npvae.core.architecture import is_number
from npvae.core.parameters import Parameters
from npvae.core.vae import VAENetwork
from npvae.data import binarize
from npvae.data.scaling import as_floats
from npvae.kernels import Team, current_team
from npvae.training.batches import minibatches
from npvae.training.interrupt import InterruptRequest
from npvae.training.progress import progress_bar
from npvae.training.schedules import LearningRate, kl_weight, learning_rate_at
from npvae.training.step import Network, Stepper, TrainingDivergedError, draw_noise
from npvae.training.threads import StepThreads, available_threads, step_threads

_VALIDATION_BLOCK = 512  # rows evaluated at once
_SETTLING_STEPS = 200  # of which a mean loss is taken, at least, to see whether it still falls
_VALIDATION_SEED = 0  # the same noise in every epoch: what changes from one to the next is the network


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How to train; see `npvae.VAE` for what each setting means.

    `max_epochs` are those of one training, also where others came before it.

    Raises
    ------
    ValueError
        A setting is out of its range.
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
        for name, least in [
            ("batch_size", 1), ("max_epochs", 1), ("n_iter_no_change", 1), ("kl_warmup_epochs", 0)
        ]:  # fmt: skip
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
                raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")
        if self.tol is not None and not (is_number(self.tol) and 0 <= self.tol < np.inf):
            raise ValueError(f"tol must be a number of at least 0, or None, got {self.tol!r}")
        learning_rate_at(self.learning_rate, 0)
        available_threads(self.n_threads)


class EpochEnd(NamedTuple):
    """What a callback is given after every epoch."""

    epoch: int  # counted from 0, on from earlier trainings of the same parameters
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
        goes on from earlier epochs is given their entries, and adds its own.
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
        Those of X to train on; all by default.
    X_val : (M, D) array, optional
        Its loss is recorded after every epoch; early stopping watches it.
    rows_val : (m,) array of int, optional
        Those of X_val to use; all by default.
    callbacks : sequence of callable
        Called with an `EpochEnd` after every epoch; one that returns True ends the training.
    verbose : bool
        Show a progress bar on stderr.
    training : Training, optional
        Filled while training goes on, so that it holds what was reached if an error ends it. The epochs in
        its history count as those before the first one here: schedules go on from there.

    Returns
    -------
    Training

    Raises
    ------
    TrainingDivergedError
        A loss or a gradient was not finite; says in which epoch and batch.
    ValueError
        Early stopping was asked for without validation data.
    """
    training = training if training is not None else Training()
    if settings.early_stopping and X_val is None:
        raise ValueError("early_stopping needs validation data")
    first_epoch = len(training.history.get("loss", []))
    rows = np.arange(len(X)) if rows is None else rows
    n_batches = -(-len(rows) // settings.batch_size)
    bar = progress_bar(settings.max_epochs * n_batches, shown=verbose)
    threads_for_steps = step_threads(
        stepper.network, stepper.params.flat.size, min(settings.batch_size, len(rows)), settings.n_threads
    )
    with bar, threads_for_steps as threads, InterruptRequest() as interrupt:
        run = _Run(
            stepper, X, rows, X_val, rows_val, settings, rng, callbacks, training, first_epoch, bar, threads,
            interrupt,
        )  # fmt: skip
        try:
            training.stop_reason = run.all_epochs()
        finally:
            stepper.release()
            if run.best_params is not None:
                stepper.params.flat[:] = run.best_params.flat
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
    first_epoch: int
    bar: tqdm
    threads: StepThreads
    interrupt: InterruptRequest
    best_loss: float = np.inf
    best_params: Parameters | None = None

    def all_epochs(self) -> str:
        """Train, and return why training ended."""
        self.load_kernels()
        for epoch in range(self.first_epoch, self.first_epoch + self.settings.max_epochs):
            if not self.steps_of(epoch):
                return "interrupted"
            if self.X_val is not None:
                self.validate(epoch, self.X_val)
            history = self.training.history
            self.bar.set_postfix_str(_summary(epoch, history), refresh=False)
            if self.callbacks:
                stepper = self.stepper
                state = EpochEnd(epoch, stepper.data_network, stepper.data_params(), history)
            answers = [callback(state) for callback in self.callbacks]
            if self.interrupt.requested:
                return "interrupted"
            if any(isinstance(answer, bool | np.bool) and answer for answer in answers):
                return "callback"
            best = self.training.best_epoch
            if best is not None and epoch - best >= self.settings.n_iter_no_change:
                return "early_stopping"
            if self.has_settled():
                return "converged"
        return "max_epochs"

    def has_settled(self) -> bool:
        """Say whether the loss has stopped falling, by `tol`."""
        settings = self.settings
        if settings.tol is None or settings.early_stopping:
            return False
        # Losses with another weight of the KL term, during warm-up, cannot be compared.
        losses = self.training.history["loss"][max(self.first_epoch, settings.kl_warmup_epochs - 1) :]
        window = settling_window(settings, len(self.rows))
        return fall_of(losses, window) < settings.tol * self.X.shape[1]

    def load_kernels(self) -> None:
        """Load the step's compiled function; where it had to be compiled first, say how long that took."""
        fused = self.stepper.fused()
        if fused is None:
            return
        self.bar.set_postfix_str("loading compiled code, or compiling it")
        started = time.perf_counter()
        if fused.load(self.stepper.params) and not self.bar.disable:
            seconds = time.perf_counter() - started
            self.bar.write(f"compiled the training step in {seconds:.0f} s", file=sys.stderr)
        self.bar.set_postfix_str("")

    def steps_of(self, epoch: int) -> bool:
        """Take one step for each batch and record the epoch; False if it was interrupted."""
        started = time.perf_counter()
        rate = learning_rate_at(self.settings.learning_rate, epoch)
        weight = kl_weight(epoch, self.settings.kl_warmup_epochs)
        size, params = self.settings.batch_size, self.stepper.params
        binarized = self.settings.dynamic_binarization
        batches = minibatches(
            self.X, self.rows, size, self.rng, dtype=params.flat.dtype, dynamic_binarization=binarized
        )
        sums: dict[str, float] = {}
        for i, x in enumerate(batches):
            try:
                loss = self.threads.run(self.stepper.step, x, rate, weight)
            except TrainingDivergedError as error:
                error.where = f" in epoch {epoch + 1}, batch {i + 1}"
                raise
            for name, value in zip(loss._fields, loss, strict=True):
                sums[name] = sums.get(name, 0.0) + float(value) * len(x)
            self.bar.update()
            if self.interrupt.requested and (i + 1) * size < len(self.rows):
                return False
        means = {name: value / len(self.rows) for name, value in sums.items()}
        seconds = time.perf_counter() - started
        record(self.training.history, self.stepper.network, means, rate, weight, seconds)
        return True

    def validate(self, epoch: int, X_val: np.ndarray) -> None:
        """Record the validation loss, and keep the best parameters for early stopping."""
        params = self.stepper.params
        network, data_params = self.stepper.data_network, self.stepper.data_params()
        loss = validation_loss(network, data_params, X_val, self.settings.dynamic_binarization, self.rows_val)
        self.training.history.setdefault("validation_loss", []).append(loss)
        warm = epoch + 1 >= self.settings.kl_warmup_epochs  # before that, another loss is minimised
        if self.settings.early_stopping and warm and loss < self.best_loss:
            self.best_loss, self.best_params, self.training.best_epoch = loss, params.copy(), epoch


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
        Those of X to use; all by default.
    """
    rows = np.arange(len(X)) if rows is None else rows
    starts = range(0, len(rows), _VALIDATION_BLOCK)
    sums = np.zeros(len(starts))

    def evaluate(block: int) -> None:
        rng = np.random.default_rng((_VALIDATION_SEED, block))
        x = as_floats(X[rows[starts[block] : starts[block] + _VALIDATION_BLOCK]], params.flat.dtype)
        x = binarize(x, rng) if dynamic_binarization else x
        with np.errstate(over="ignore", invalid="ignore"):  # the next step reports what is not finite
            if isinstance(network, VAENetwork):
                loss = network.loss(params, x, draw_noise(network, rng, len(x), params.flat.dtype)).total
            else:
                loss = network.loss(params, x).total
        sums[block] = float(loss) * len(x)

    team = current_team() or Team(1)
    team.run([partial(evaluate, block) for block in range(len(starts))])
    return float(sums.sum()) / len(rows)


def settling_window(settings: TrainingSettings, n_rows: int) -> int:
    """Return over how many epochs the loss is averaged to see whether it still falls.

    As many as `n_iter_no_change`, but at least 200 steps' worth: an epoch of a small table is one step or
    two.
    """
    n_steps = -(-n_rows // settings.batch_size)
    return max(settings.n_iter_no_change, -(-_SETTLING_STEPS // n_steps))


def fall_of(losses: Sequence[float], window: int) -> float:
    """Return by how much the mean of the last `window` losses lies below that of the `window` before.

    Infinity where there are not that many: the loss may still be falling.
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
