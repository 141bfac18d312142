"""npvae's forward/backward pairs, and arguments at which to check them."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from npvae.core.activations import ACTIVATIONS, get_activation
from npvae.core.gaussian import (
    free_bits_forward,
    kl_backward,
    kl_forward,
    reparameterize_backward,
    reparameterize_forward,
)
from npvae.core.layers import dense_backward, dense_forward, mlp_backward, mlp_forward
from npvae.core.likelihoods import bernoulli_backward, bernoulli_forward, gaussian_backward, gaussian_forward
from npvae.core.objectives import (
    importance_bound_backward,
    importance_bound_forward,
    log_ratio_backward,
    log_ratio_forward,
)
from npvae.gradcheck import Report, check_vjp

Array = npt.NDArray[Any]

N, H, Z, D = 5, 4, 3, 6


class PairCase(NamedTuple):
    """A pair, and the arguments at which it is checked.

    Attributes
    ----------
    forward, backward : callable
    make_args : callable
        ``make_args(rng, scale=1.0)`` returns float64 arguments; `scale` is the standard deviation of those
        drawn from a normal distribution.
    wrt : sequence of str or None
        The arguments that backward returns gradients for.
    """

    forward: Callable[..., tuple[Any, Any]]
    backward: Callable[[Any, Any], Any]
    make_args: Callable[..., list[Array]]
    wrt: Sequence[str] | None = None


def pair_cases() -> dict[str, PairCase]:
    """Return every pair of `npvae.core` by name, including an MLP with each activation."""
    cases = {
        "dense": PairCase(dense_forward, dense_backward, normal((N, D), (D, H), (H,))),
        "reparameterize": PairCase(
            reparameterize_forward, reparameterize_backward, normal((N, Z), (N, Z), (N, Z)), ["mu", "log_var"]
        ),
        "kl": PairCase(kl_forward, kl_backward, normal((N, Z), (N, Z))),
        "free_bits": PairCase(
            partial(free_bits_forward, free_bits=0.2), kl_backward, _of_different_spread, ["mu", "log_var"]
        ),
        "importance_bound": PairCase(importance_bound_forward, importance_bound_backward, normal((N, H))),
        "log_ratio": PairCase(
            log_ratio_forward, log_ratio_backward, normal((N, Z), (N, Z), (N, Z)), ["z", "log_var"]
        ),
        "bernoulli": PairCase(bernoulli_forward, bernoulli_backward, pixels_and(normal((N, D))), ["logits"]),
        "gaussian": PairCase(
            gaussian_forward,
            gaussian_backward,
            pixels_and(normal((N, D), (1,))),
            ["mean", "log_noise_var"],
        ),
    }
    for name in ACTIVATIONS:
        activation = get_activation(name, negative_slope=0.2)
        cases[name] = PairCase(activation.forward, activation.backward, normal((N, H)), ["x"])
        cases[f"mlp, {name}"] = PairCase(
            partial(_mlp_forward, activation=activation),
            _mlp_backward,
            normal((N, D), (D, H), (H,), (H, Z), (Z,)),
        )
    return cases


def check_pair(case: PairCase, dtype: npt.DTypeLike, seed: int) -> Report:
    """Check a pair at random arguments.

    Parameters
    ----------
    case : PairCase
    dtype : dtype
        The dtype of the arguments.
    seed : int

    Returns
    -------
    Report
    """
    args = [array.astype(dtype) for array in case.make_args(np.random.default_rng(seed))]
    return check_vjp(case.forward, case.backward, args, wrt=case.wrt, seed=seed)


def normal(*shapes: tuple[int, ...]) -> Callable[..., list[Array]]:
    """Return a function that draws arrays of these shapes from N(0, scale^2)."""
    return lambda rng, scale=1.0: [scale * rng.standard_normal(shape) for shape in shapes]


def pixels_and(others: Callable[..., list[Array]]) -> Callable[..., list[Array]]:
    """Return a function that draws data (N, D) in [0, 1), and the other arguments."""
    return lambda rng, scale=1.0: [rng.random((N, D)), *others(rng, scale)]


def _of_different_spread(rng: np.random.Generator, scale: float = 1.0) -> list[Array]:
    """Draw mu and log_var with KLs on both sides of the free bits."""
    spread = np.array([0.1, 1.0, 2.0])
    return [scale * spread * rng.standard_normal((N, Z)) for _ in range(2)]


def _mlp_forward(
    x: Array, W0: Array, b0: Array, W1: Array, b1: Array, *, activation: Any
) -> tuple[Array, Any]:
    return mlp_forward(x, [(W0, b0), (W1, b1)], activation)


def _mlp_backward(dy: Array, caches: Any) -> tuple[Array, ...]:
    dx, gradients = mlp_backward(dy, caches)
    return dx, *gradients[0], *gradients[1]
