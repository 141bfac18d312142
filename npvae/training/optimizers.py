"""Gradient descent and two of its adaptive forms, each one loop over the flat vector.

An optimizer is a description without state; `start` makes the state, `update` changes
parameters and state in place. The rules themselves are in ``npvae/kernels/reference.py``.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from npvae import kernels


@dataclass
class OptimizerState:
    """Vectors that follow the parameters through training, and the number of steps taken."""

    vectors: tuple[np.ndarray, ...]  # each (P,)
    t: int = 0


class Optimizer(Protocol):
    """What the training loop asks of an optimizer."""

    def start(self, theta: np.ndarray) -> OptimizerState:
        """Return the state before the first step for parameters theta (P,)."""

    def update(
        self, theta: np.ndarray, gradient: np.ndarray, state: OptimizerState, learning_rate: float
    ) -> None:
        """Take one step: change theta (P,) and state in place."""


@dataclass(frozen=True)
class SGD:
    """Gradient descent with momentum: see `npvae.kernels.reference.sgd`.

    Parameters
    ----------
    momentum : float in [0, 1), default=0.9
    """

    momentum: float = 0.9

    def __post_init__(self) -> None:
        _check_fraction("momentum", self.momentum)

    def start(self, theta: np.ndarray) -> OptimizerState:
        """Return a velocity of zero."""
        return OptimizerState((np.zeros_like(theta),))

    def update(
        self, theta: np.ndarray, gradient: np.ndarray, state: OptimizerState, learning_rate: float
    ) -> None:
        """Take one step in place."""
        state.t += 1
        kernels.sgd(theta, gradient, *state.vectors, learning_rate, self.momentum)


@dataclass(frozen=True)
class Adagrad:
    """Adagrad: see `npvae.kernels.reference.adagrad`.

    Parameters
    ----------
    epsilon : float > 0, default=1e-10
    """

    epsilon: float = 1e-10

    def __post_init__(self) -> None:
        _check_positive("epsilon", self.epsilon)

    def start(self, theta: np.ndarray) -> OptimizerState:
        """Return sums of squares of zero."""
        return OptimizerState((np.zeros_like(theta),))

    def update(
        self, theta: np.ndarray, gradient: np.ndarray, state: OptimizerState, learning_rate: float
    ) -> None:
        """Take one step in place."""
        state.t += 1
        kernels.adagrad(theta, gradient, *state.vectors, learning_rate, self.epsilon)


@dataclass(frozen=True)
class Adam:
    """Adam: see `npvae.kernels.reference.adam`.

    Parameters
    ----------
    beta1, beta2 : float in [0, 1), default=0.9, 0.999
    epsilon : float > 0, default=1e-8
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        _check_fraction("beta1", self.beta1)
        _check_fraction("beta2", self.beta2)
        _check_positive("epsilon", self.epsilon)

    def start(self, theta: np.ndarray) -> OptimizerState:
        """Return moments of zero."""
        return OptimizerState((np.zeros_like(theta), np.zeros_like(theta)))

    def update(
        self, theta: np.ndarray, gradient: np.ndarray, state: OptimizerState, learning_rate: float
    ) -> None:
        """Take one step in place."""
        state.t += 1
        m, v = state.vectors
        kernels.adam(theta, gradient, m, v, learning_rate, self.beta1, self.beta2, self.epsilon, state.t)


OPTIMIZERS: dict[str, type[SGD] | type[Adagrad] | type[Adam]] = {"adam": Adam, "adagrad": Adagrad, "sgd": SGD}


def get_optimizer(optimizer: str | Optimizer) -> Optimizer:
    """Return the optimizer of that name with its defaults, or the one given.

    Raises
    ------
    ValueError
        There is no such name.
    """
    if not isinstance(optimizer, str):
        methods = [getattr(optimizer, name, None) for name in ("start", "update")]
        if isinstance(optimizer, type) or not all(callable(method) for method in methods):
            raise ValueError(f"optimizer must be a name or an object such as Adam(), got {optimizer!r}")
        return optimizer
    if optimizer not in OPTIMIZERS:
        raise ValueError(f"optimizer must be one of {', '.join(OPTIMIZERS)}, got {optimizer!r}")
    return OPTIMIZERS[optimizer]()


def _check_fraction(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ValueError(f"{name} must be at least 0 and below 1, got {value!r}")


def _check_positive(name: str, value: float) -> None:
    if not value > 0:
        raise ValueError(f"{name} must be positive, got {value!r}")
