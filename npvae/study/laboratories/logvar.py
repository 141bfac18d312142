"""What the encoder should output for the standard deviation: where each choice overflows, vanishes or fails.

The second head of the encoder outputs a real number, a, for each latent dimension, and sigma > 0 is made of
it. The log-variance trick takes a = ln sigma². This laboratory sets it beside other choices, in float32 and
float64, and trains a VAE with each.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from npvae.core.activations import sigmoid_forward
from npvae.core.gaussian import kl_forward
from npvae.core.init import init_parameters
from npvae.core.parameters import Parameters
from npvae.core.vae import VAENetwork
from npvae.data import Dataset
from npvae.study.jsonable import to_jsonable
from npvae.training import Adam, Stepper, TrainingDivergedError
from npvae.training.batches import minibatches

Formula = Callable[[np.ndarray], np.ndarray]
DTYPES = ("float32", "float64")


class Head(NamedTuple):
    """A way to make sigma of the network's output a.

    Attributes
    ----------
    formula : str
    std, log_var : callable
        From a to sigma and to ln sigma².
    derivative : callable
        d log_var / da.
    start : float
        The a of sigma = 1.
    least : float
        Below it, no a is a standard deviation or a variance.
    """

    formula: str
    std: Formula
    log_var: Formula
    derivative: Formula
    start: float
    least: float = -np.inf


def _naive_softplus(a: np.ndarray) -> np.ndarray:
    return np.log(1 + np.exp(a))


def _softplus(a: np.ndarray) -> np.ndarray:
    return np.logaddexp(np.zeros_like(a), a)


HEADS = {
    "log-variance": Head("exp(a / 2)", lambda a: np.exp(a / 2), lambda a: a, np.ones_like, 0.0),
    "softplus": Head(
        "ln(1 + exp(a)) as written",
        _naive_softplus,
        lambda a: 2 * np.log(_naive_softplus(a)),
        lambda a: 2 * sigmoid_forward(a)[0] / _naive_softplus(a),
        float(np.log(np.e - 1)),
    ),
    "stable softplus": Head(
        "max(a, 0) + ln(1 + exp(-|a|))",
        _softplus,
        lambda a: 2 * np.log(_softplus(a)),
        lambda a: 2 * sigmoid_forward(a)[0] / _softplus(a),
        float(np.log(np.e - 1)),
    ),
    "raw sigma": Head("a", lambda a: a, lambda a: np.log(a * a), lambda a: 2 / a, 1.0, 0.0),
    "raw variance": Head("sqrt(a)", np.sqrt, np.log, lambda a: 1 / a, 1.0, 0.0),
}


class Range(NamedTuple):
    """The outputs a for which a head works, in one floating-point type.

    Attributes
    ----------
    std_from, std_to : float
        Between them sigma is finite and above 0.
    kl_from, kl_to : float
        Between them the KL divergence from N(0, 1) at mu = 0 is finite.
    """

    std_from: float
    std_to: float
    kl_from: float
    kl_to: float


class Trained(NamedTuple):
    """What training did with a head.

    Attributes
    ----------
    losses : list of float
        Mean of every complete epoch, in nats per image.
    failed_at : int or None
        The step, counted from 1, at which the loss or its gradient was not finite.
    negative : float
        Share of the outputs a that are negative in the end (of training images; the parameters before the
        failure).
    least, largest : float
        Log-variance in the end, where it is finite.
    """

    losses: list[float]
    failed_at: int | None
    negative: float
    least: float
    largest: float


@dataclass(frozen=True)
class LogvarLaboratory:
    """What was measured.

    Attributes
    ----------
    ranges : dict of dict of Range
        By head and dtype.
    exp_to : dict of float
        The largest log-variance whose exponential is finite, by dtype.
    kl_errors : dict of dict of float
        By dtype and way, "exp(v) - 1" or "expm1(v)": computed over exact KL at mu = 0, v = 1e-4.
    trained, trained_from_zero : dict of Trained
        By head; a starts about sigma = 1, or about 0, as any layer's output does.
    learning_rate : float
    """

    ranges: dict[str, dict[str, Range]]
    exp_to: dict[str, float]
    kl_errors: dict[str, dict[str, float]]
    trained: dict[str, Trained]
    trained_from_zero: dict[str, Trained]
    learning_rate: float

    def numbers(self) -> dict[str, Any]:
        """Return what was measured in JSON's types."""
        return to_jsonable(self)


@dataclass(frozen=True, kw_only=True)
class HeadVAENetwork(VAENetwork):
    """A VAE whose second head is one of `HEADS`; its parameters keep the name log_var.

    Notes
    -----
    With v = ln sigma²(a), the chain rule gives d_a = d_v dv/da: 1 for the log-variance; 2 sigmoid(a) / sigma
    for softplus, whose derivative is the sigmoid; 2 / a for sigma = a; 1 / a for sigma² = a.
    """

    head: str

    def encoder_forward(self, params: Parameters, x: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], Any]:
        """Compute mu and log_var, (N, Z) each."""
        (mu, a), cache = super().encoder_forward(params, x)
        return (mu, HEADS[self.head].log_var(a)), (cache, a)

    def encoder_backward(
        self, d_mu: np.ndarray, d_log_var: np.ndarray, cache: Any, grads: Parameters
    ) -> np.ndarray:
        """Carry d_mu and d_log_var (N, Z) back to dh (N, H); write the encoder's gradients into `grads`."""
        before, a = cache
        return super().encoder_backward(d_mu, d_log_var * HEADS[self.head].derivative(a), before, grads)


def working_range(head: Head, dtype: npt.DTypeLike) -> Range:
    """Find by bisection, starting from sigma = 1, where sigma and the KL stop being usable.

    Parameters
    ----------
    head : Head
    dtype : dtype

    Returns
    -------
    Range
        The ends are the last numbers of that type that still work.
    """
    kind = np.dtype(dtype)
    number: Any = kind.type
    lowest, highest = max(np.finfo(kind).min, head.least), np.finfo(kind).max

    def std_works(a: np.ndarray) -> bool:
        std = head.std(a)
        return bool(np.isfinite(std) & (std > 0))

    def kl_works(a: np.ndarray) -> bool:
        kl, _ = kl_forward(np.zeros((1, 1), kind), np.reshape(head.log_var(a), (1, 1)))
        return bool(np.isfinite(kl[0]))

    ends = []
    with np.errstate(all="ignore"):
        for works in (std_works, kl_works):
            for outside in (lowest, highest):
                ends.append(last_that(works, number(head.start), number(outside)))
    return Range(*ends)


def last_that(works: Callable[[Any], bool], inside: Any, outside: Any) -> float:
    """Return the last number from `inside`, which works, towards `outside`, that works.

    Parameters
    ----------
    works : callable
        True from `inside` up to some number, and False from there on.
    inside, outside : NumPy floats of one type

    Notes
    -----
    Bisection over the floating-point numbers themselves, in their order, which is that of their bits: 64
    steps at most, where halving the distance would take thousands.
    """
    if works(outside):
        return float(outside)
    low, high = _ordinal(inside), _ordinal(outside)
    while abs(high - low) > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if works(_number(middle, type(inside))) else (low, middle)
    return float(_number(low, type(inside)))


def _ordinal(a: Any) -> int:
    """Return the place of a float among those of its type, 0 for 0.0: neighbours differ by 1."""
    bits = int(np.abs(a).view(np.int32 if a.itemsize == 4 else np.int64))
    return -bits if a < 0 else bits


def _number(ordinal: int, kind: Any) -> Any:
    bits = np.array(abs(ordinal), np.int32 if np.dtype(kind).itemsize == 4 else np.int64)
    a = bits.view(kind)[()]
    return -a if ordinal < 0 else a


def kl_ratio(dtype: npt.DTypeLike, v: float = 1e-4) -> dict[str, float]:
    """Return the KL at mu = 0 and a small log-variance v over its exact value, computed in two ways.

    Notes
    -----
    KL = (e^v - 1 - v) / 2 = v² / 4 + v³ / 12 + ...: the difference of two numbers that agree in nearly all of
    their digits. exp(v) near 1 is rounded to the nearest multiple of the machine epsilon, 1.2e-7 in float32,
    and v² / 2 is 5e-9 for v = 1e-4. expm1(v) has its own digits.
    """
    kind: Any = np.dtype(dtype).type
    v_k = kind(v)
    wide = np.longdouble(v_k)
    exact = wide**2 / 4 + wide**3 / 12 + wide**4 / 48
    naive = (np.exp(v_k) - kind(1) - v_k) / kind(2)
    kl, _ = kl_forward(np.zeros((1, 1), kind), np.full((1, 1), v_k))
    return {"exp(v) - 1": float(naive / exact), "expm1(v)": float(kl[0] / exact)}


def train_with(
    head: str,
    X: np.ndarray,
    *,
    start: float,
    learning_rate: float,
    n_epochs: int,
    seed: int,
    batch_size: int = 32,
) -> Trained:
    """Train a VAE of two latent dimensions with a head, in float32.

    Parameters
    ----------
    head : str
        A key of `HEADS`.
    X : (N, D) array in [0, 1]
    start : float
        Initial bias of the head; the weights are random.
    learning_rate : float
    n_epochs, seed, batch_size : int

    Returns
    -------
    Trained
    """
    rng = np.random.default_rng(seed)
    network = HeadVAENetwork(
        n_features=X.shape[1], latent_dim=2, hidden=(64,), likelihood="bernoulli", head=head
    )
    params = init_parameters(network.shapes(), rng)
    params["log_var.b"] = np.full(2, start)
    stepper, losses, n_steps = Stepper(network, params, Adam(), rng), [], 0
    failed_at = None
    with np.errstate(all="ignore"):
        for _ in range(n_epochs):
            total = 0.0
            try:
                order = rng.permutation(len(X))
                for x in minibatches(X, order, batch_size, rng, dtype=params.flat.dtype):
                    n_steps += 1
                    total += float(stepper.step(x, learning_rate).total) * len(x)
            except TrainingDivergedError:
                failed_at = n_steps
                break
            losses.append(total / len(X))
        (_, log_var), (_, a) = network.encoder_forward(params, X.astype(params.flat.dtype))
    finite = log_var[np.isfinite(log_var)]
    least, largest = (float(finite.min()), float(finite.max())) if finite.size else (np.nan, np.nan)
    return Trained(losses, failed_at, float(np.mean(a < 0)), least, largest)


def run_logvar(
    data: Dataset, *, learning_rate: float = 3e-3, n_epochs: int = 25, seed: int = 0, verbose: bool = False
) -> LogvarLaboratory:
    """Measure the ranges of all heads, the rounding of the KL, and train with every head.

    Parameters
    ----------
    data : Dataset
        In [0, 1].
    learning_rate : float
    n_epochs, seed : int
    verbose : bool
        Show the progress of training on stderr.

    Returns
    -------
    LogvarLaboratory
    """
    with np.errstate(over="ignore"):
        exp_to = {
            dtype: last_that(
                lambda v: bool(np.isfinite(np.exp(v))), np.dtype(dtype).type(0), np.finfo(dtype).max
            )
            for dtype in DTYPES
        }
    bar = partial(tqdm, file=sys.stderr, disable=not verbose, desc="training", leave=False)
    train = partial(train_with, X=data.X_train, learning_rate=learning_rate, n_epochs=n_epochs, seed=seed)
    return LogvarLaboratory(
        ranges={
            name: {dtype: working_range(head, dtype) for dtype in DTYPES} for name, head in HEADS.items()
        },
        exp_to=exp_to,
        kl_errors={dtype: kl_ratio(dtype) for dtype in DTYPES},
        trained={name: train(name, start=HEADS[name].start) for name in bar(HEADS)},
        trained_from_zero={name: train(name, start=0.0) for name in bar(HEADS)},
        learning_rate=learning_rate,
    )
