"""What changes from epoch to epoch: the learning rate, and the weight of the KL term."""

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from npvae.core.architecture import is_count, is_number

LARGEST_RATE = 1e6

LearningRate = float | Callable[[int], float]


@dataclass(frozen=True)
class CosineDecay:
    """A learning rate that falls from `initial` to `final` along half a cosine.

    Parameters
    ----------
    initial : float
        In the first epoch, epoch 0.
    n_epochs : int
        Number of epochs after which `final` is reached.
    final : float, default=0.0

    References
    ----------
    Loshchilov & Hutter (2017), SGDR, equation 5, without restarts.

    Examples
    --------
    >>> rate = CosineDecay(1e-3, n_epochs=4)
    >>> [round(rate(epoch), 6) for epoch in range(5)]
    [0.001, 0.000854, 0.0005, 0.000146, 0.0]
    """

    initial: float
    n_epochs: int
    final: float = 0.0

    def __post_init__(self) -> None:
        for name, rate in (("initial", self.initial), ("final", self.final)):
            if not is_number(rate) or not 0 <= rate <= LARGEST_RATE:
                raise ValueError(f"{name} must be a number from 0 to {LARGEST_RATE:g}, got {rate!r}")
        if not is_count(self.n_epochs):
            raise ValueError(f"n_epochs must be an integer of at least 1, got {self.n_epochs!r}")

    def __call__(self, epoch: int) -> float:
        """Return the learning rate of that epoch, counted from 0."""
        progress = min(epoch / self.n_epochs, 1.0)
        return self.final + (self.initial - self.final) * (1 + math.cos(math.pi * progress)) / 2


def learning_rate_at(learning_rate: LearningRate, epoch: int) -> float:
    """Return the learning rate of an epoch, counted from 0.

    Raises
    ------
    ValueError
        It is not a number from 0 to 1e6, or the function raises an error. (A larger rate could overflow
        float32 in a single step.)
    """
    rate: object = learning_rate
    if callable(learning_rate):
        try:
            rate = learning_rate(epoch)
        except Exception as error:
            raise ValueError(f"learning_rate({epoch}), of epoch {epoch}, raised {error!r}") from error
    number = math.nan
    if hasattr(rate, "__float__") and not isinstance(rate, bool | np.bool):
        with suppress(TypeError, ValueError, OverflowError):  # an array has the method, too
            number = float(rate)
    if not 0 <= number <= LARGEST_RATE:
        raise ValueError(
            f"learning_rate must be a number from 0 to {LARGEST_RATE:g}, or a function of the epoch that "
            f"returns one; got {rate!r} in epoch {epoch}"
        )
    return number


def kl_weight(epoch: int, warmup_epochs: int) -> float:
    """Return the factor that multiplies beta in an epoch, counted from 0.

    It rises linearly: with 5 epochs of warm-up it is 0.2, 0.4, ..., and 1 from the fifth epoch on.

    References
    ----------
    Bowman et al. (2016), Generating sentences from a continuous space, section 3.1;
    Sonderby et al. (2016), Ladder variational autoencoders, equation 13.
    """
    return min(1.0, (epoch + 1) / warmup_epochs) if warmup_epochs else 1.0
