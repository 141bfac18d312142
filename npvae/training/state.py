"""The state of training: all that later steps depend on, so that training can be resumed."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import numpy as np

from npvae.core.architecture import is_number
from npvae.core.parameters import Parameters
from npvae.training.step import Stepper

_MOST_UPDATES = 2**53  # the kernels count in int64
_BUFFERED = {"MT19937": 624, "Philox": 4}  # numbers that these bit generators draw at once


@dataclass
class Position:
    """Progress of a training: the epoch, and the steps taken in it.

    Attributes
    ----------
    first_epoch : int
        The first epoch of this training; earlier epochs belong to trainings that it continues.
    epoch : int
        The one being trained, counted from 0.
    n_steps : int
        How many of its steps have been taken.
    sums : dict
        The sums of their losses over samples, by the names of a loss's fields.
    seconds : float
        The time that these steps took.
    order_state : dict or None
        State of the generator before it drew the order of the rows; None if not drawn yet.
    ended : bool
        Whether a callback has ended the training.
    """

    first_epoch: int
    epoch: int
    n_steps: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    order_state: dict[str, Any] | None = None
    ended: bool = False

    @classmethod
    def after(cls, history: dict[str, list[float]]) -> Self:
        """Return the position at the beginning of a training with these epochs before it."""
        n_epochs = len(history.get("loss", []))
        return cls(n_epochs, n_epochs)

    def validate(self) -> None:
        """Raise an error unless the fields have their types and fit each other.

        Raises
        ------
        TypeError, ValueError
        """
        for name in ("first_epoch", "epoch", "n_steps"):
            if not is_index(value := getattr(self, name)):
                raise ValueError(f"{name} must be an integer of at least 0, got {value!r}")
        if self.first_epoch > self.epoch:
            raise ValueError(f"first_epoch {self.first_epoch} is after epoch {self.epoch}")
        if not _is_finite(self.seconds) or self.seconds < 0:
            raise ValueError(f"seconds must be a number of at least 0, got {self.seconds!r}")
        if not isinstance(self.ended, bool):
            raise ValueError(f"ended must be true or false, got {self.ended!r}")
        if not isinstance(self.sums, dict) or not all(_is_finite(value) for value in self.sums.values()):
            raise ValueError("sums must be finite numbers, by name")
        if self.order_state is not None:
            generator_with(self.order_state)
        elif self.n_steps:
            raise ValueError(f"order_state is missing after {self.n_steps} steps of the epoch")

    def next_epoch(self) -> "Position":
        """Return the position at the beginning of the next epoch."""
        return Position(self.first_epoch, self.epoch + 1)

    def order(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the rows in the epoch's order: newly drawn, or drawn again when an epoch is resumed."""
        if self.order_state is None:
            self.order_state = dict(rng.bit_generator.state)
            return rng.permutation(rows)
        return generator_with(self.order_state).permutation(rows)


@dataclass(frozen=True)
class TrainingState:
    """All that the steps to come depend on, apart from data and settings; arrays are copies.

    Attributes
    ----------
    position : Position
    rng_state : dict
        Of the generator that shuffles, binarises and draws noise.
    params, best_params : (P,) arrays, or None for the best if there are none
        In the units of training.
    moments : tuple of (P,) arrays
        The optimizer's vectors.
    n_updates : int
        The optimizer's steps.
    history : dict of list
    best_epoch : int or None
    best_loss : float
        The lowest validation loss, which early stopping watches.
    """

    position: Position
    rng_state: dict[str, Any]
    params: np.ndarray
    moments: tuple[np.ndarray, ...]
    n_updates: int
    history: dict[str, list[float]]
    best_epoch: int | None
    best_loss: float
    best_params: np.ndarray | None

    @classmethod
    def of(
        cls,
        stepper: Stepper,
        rng: np.random.Generator,
        position: Position,
        history: dict[str, list[float]],
        best_epoch: int | None,
        best_loss: float,
        best_params: Parameters | None,
    ) -> Self:
        """Return the state of a training as it is now."""
        return cls(
            position=copy.deepcopy(position),
            rng_state=dict(rng.bit_generator.state),
            params=stepper.params.flat.copy(),
            moments=tuple(vector.copy() for vector in stepper.state.vectors),
            n_updates=stepper.state.t,
            history=copy.deepcopy(history),
            best_epoch=best_epoch,
            best_loss=best_loss,
            best_params=None if best_params is None else best_params.flat.copy(),
        )

    def validate(self) -> None:
        """Raise an error unless the fields have their types and fit each other; `restore` checks the arrays.

        Raises
        ------
        TypeError, ValueError
        """
        self.position.validate()
        generator_with(self.rng_state)
        epoch = self.position.epoch
        lengths = {name: len(values) for name, values in self.history.items()}
        n_validated = lengths.pop("validation_loss", 0)  # earlier trainings may have had no validation data
        if lengths.get("loss", 0) != epoch or set(lengths.values()) - {epoch} or n_validated > epoch:
            raise ValueError(f"history must have {epoch} entries in each list, as that is the epoch")
        first, best = self.position.first_epoch, self.best_epoch
        if best is not None and not (is_index(best) and first <= best < epoch):
            raise ValueError(f"best_epoch must be an epoch of this training, got {best!r}")
        if not is_number(self.best_loss) or math.isnan(self.best_loss):
            raise ValueError(f"best_loss must be a number, got {self.best_loss!r}")

    def restore(self, stepper: Stepper, rng: np.random.Generator) -> Parameters | None:
        """Set stepper and generator to this state; return the best parameters so far, if there are any.

        Raises
        ------
        ValueError
            It is the state of another network or optimizer.
        """
        vectors = [self.params, *self.moments, *([] if self.best_params is None else [self.best_params])]
        n_moments, shape, dtype = len(stepper.state.vectors), stepper.params.flat.shape, self.params.dtype
        if len(self.moments) != n_moments or any(vector.shape != shape for vector in vectors):
            raise ValueError(f"parameters and {n_moments} moments must have shape {shape}")
        if dtype not in (np.float32, np.float64) or any(vector.dtype != dtype for vector in vectors):
            raise ValueError("parameters and moments must all be float32 or all be float64")
        if not is_index(self.n_updates) or self.n_updates > _MOST_UPDATES:
            raise ValueError(f"n_updates must be an integer from 0 to 2^53, got {self.n_updates!r}")
        rng.bit_generator.state = self.rng_state
        stepper.params.flat[:] = self.params
        for vector, kept in zip(stepper.state.vectors, self.moments, strict=True):
            vector[:] = kept
        stepper.state.t = self.n_updates
        if self.best_params is None:
            return None
        return Parameters(stepper.params.shapes, self.best_params.copy())


class CheckpointSchedule(NamedTuple):
    """How often the state of training is kept, and what keeps it.

    Attributes
    ----------
    write : callable
        Takes a `TrainingState`; may raise OSError.
    every : int or None
        Epochs from one call to the next. None: after each epoch, unless that took more than 1 % of the time.
    """

    write: Callable[[TrainingState], None]
    every: int | None = 1


def generator_with(state: dict[str, Any]) -> np.random.Generator:
    """Return a generator in this state, as ``generator.bit_generator.state`` gives it.

    Raises
    ------
    ValueError
        NumPy has no bit generator of that name, or the state is not one of its.
    """
    if not isinstance(state, dict):
        raise ValueError(f"the state of a generator must be a dict, got {state!r}")
    name = state.get("bit_generator")
    if name not in ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"):
        raise ValueError(f"there is no bit generator {name!r}")
    bit_generator = getattr(np.random, name)()
    try:
        bit_generator.state = state
    except (TypeError, KeyError, ValueError, OverflowError) as error:
        raise ValueError(f"not a state of {name}: {error!r}") from error
    kept = bit_generator.state
    at = kept["buffer_pos"] if name == "Philox" else kept["state"].get("pos", 0)
    if not 0 <= at <= _BUFFERED.get(name, 0):  # NumPy does not check it, and reads there
        raise ValueError(f"not a state of {name}: position {at} in its buffer")
    return np.random.Generator(bit_generator)


def is_index(value: Any) -> bool:
    """Say whether a value is an integer of at least 0; False is not."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_finite(value: Any) -> bool:
    return is_number(value) and math.isfinite(value)
