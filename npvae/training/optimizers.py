"""Gradient descent and two of its adaptive forms, each one loop over the flat vector.

An optimizer is a description without state; `start` makes the state, `update` changes parameters and state in
place.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from npvae.core.architecture import is_number
from npvae.kernels import compiled_twin, shared_out
from npvae.kernels.subnormal import negligible


@shared_out
@compiled_twin
def sgd(
    theta: np.ndarray, gradient: np.ndarray, velocity: np.ndarray, learning_rate: float, momentum: float
) -> None:
    """One step of gradient descent with momentum, in place.

    velocity <- momentum velocity + gradient;  theta <- theta - learning_rate velocity

    A velocity smaller than `npvae.kernels.subnormal.negligible` becomes 0.

    Parameters
    ----------
    theta, gradient, velocity : (P,) arrays
        `theta` and `velocity` are changed.
    learning_rate, momentum : float

    References
    ----------
    Sutskever, Martens, Dahl & Hinton (2013), On the importance of initialization and momentum
    in deep learning, equations 1 and 2, with the learning rate outside of the velocity.
    """
    velocity *= momentum
    velocity += gradient
    velocity[np.abs(velocity) < negligible(velocity.dtype)] = 0
    theta -= learning_rate * velocity


@shared_out
@compiled_twin
def adagrad(
    theta: np.ndarray, gradient: np.ndarray, squares: np.ndarray, learning_rate: float, epsilon: float
) -> None:
    """One step of Adagrad, in place.

    squares <- squares + gradient^2;  theta <- theta - learning_rate gradient / (sqrt(squares) + epsilon)

    Parameters
    ----------
    theta, gradient, squares : (P,) arrays
        `theta` and `squares` are changed.
    learning_rate, epsilon : float

    References
    ----------
    Duchi, Hazan & Singer (2011), Adaptive subgradient methods, figure 1 (diagonal case).
    """
    squares += gradient * gradient
    theta -= learning_rate * gradient / (np.sqrt(squares) + epsilon)


@shared_out
@compiled_twin
def adam(
    theta: np.ndarray,
    gradient: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    learning_rate: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    t: int,
) -> None:
    """Step number t = 1, 2, ... of Adam, in place.

    m <- beta1 m + (1 - beta1) gradient;  v <- beta2 v + (1 - beta2) gradient^2
    theta <- theta - learning_rate m_hat / (sqrt(v_hat) + epsilon),
    m_hat = m / (1 - beta1^t),  v_hat = v / (1 - beta2^t)

    An m smaller than `npvae.kernels.subnormal.negligible`, and a v that is nearly subnormal, become 0.

    Parameters
    ----------
    theta, gradient, m, v : (P,) arrays
        `theta`, `m` and `v` are changed.
    learning_rate, beta1, beta2, epsilon : float
    t : int

    References
    ----------
    Kingma & Ba (2015), Adam, algorithm 1.
    """
    m *= beta1
    m += (1 - beta1) * gradient
    m[np.abs(m) < negligible(m.dtype)] = 0
    v *= beta2
    v += (1 - beta2) * gradient * gradient
    v[v < 8 * np.finfo(v.dtype).tiny] = 0
    step = learning_rate / (1 - beta1**t)
    theta -= step * m / (np.sqrt(v / (1 - beta2**t)) + epsilon)


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
    """Gradient descent with momentum: see `sgd`.

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
        (velocity,) = state.vectors
        sgd(theta, gradient, velocity, learning_rate, self.momentum)


@dataclass(frozen=True)
class Adagrad:
    """Adagrad: see `adagrad`.

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
        (squares,) = state.vectors
        adagrad(theta, gradient, squares, learning_rate, float(self.epsilon))


@dataclass(frozen=True)
class Adam:
    """Adam: see `adam`.

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
        adam(theta, gradient, m, v, learning_rate, self.beta1, self.beta2, float(self.epsilon), state.t)


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
    if not is_number(value) or not 0 <= value < 1:
        raise ValueError(f"{name} must be a number of at least 0 and below 1, got {value!r}")


def _check_positive(name: str, value: float) -> None:
    if not is_number(value) or not 0 < value < np.inf:
        raise ValueError(f"{name} must be a positive number, got {value!r}")
