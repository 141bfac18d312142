"""The backward pass of the exercise on a whole VAE, of steps that can be exchanged for wrong ones.

A mistake in one step makes all later gradients wrong. So the typical mistakes are recognised by going the
whole way back with each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from npvae.course.exercises.codes import KL, REPARAMETERIZE
from npvae.course.exercises.exercise import Array, Mistake

# In the order of the way back.
NAMES = (
    "output.W", "output.b", "decoder.W", "decoder.b", "mu.W", "mu.b", "log_var.W", "log_var.b",
    "encoder.W", "encoder.b",
)  # fmt: skip

Params = dict[str, Array]


def _share(n: int) -> Array:
    return np.full(n, 1 / n)


def _sigmoid(logits: Array) -> Array:
    return 1 / (1 + np.exp(-logits))


def _logits(share: Array, logits: Array, x: Array) -> Array:
    return share[:, None] * (_sigmoid(logits) - x)


def _relu(d: Array, before: Array) -> Array:
    return d * (before > 0)


def _through_z(dz: Array, mu: Array, log_var: Array, eps: Array) -> tuple[Array, Array]:
    return dz, dz * eps * np.exp(log_var / 2) / 2


def _from_kl(share: Array, mu: Array, log_var: Array) -> tuple[Array, Array]:
    return share[:, None] * mu, share[:, None] * (np.exp(log_var) - 1) / 2


@dataclass(frozen=True)
class Steps:
    """The steps of the way back in which mistakes are common, right ones unless others are given.

    Attributes
    ----------
    share : callable
        ``share(N) -> (N,)``, the gradient of every sample's loss.
    logits : callable
        ``logits(share, logits, x) -> d_logits``
    decoder_relu, encoder_relu : callables
        ``relu(gradient behind, what went into it) -> gradient before``
    through_z : callable
        ``through_z(dz, mu, log_var, eps) -> (d_mu, d_log_var)``, the parts that come through z.
    from_kl : callable
        ``from_kl(share, mu, log_var) -> (d_mu, d_log_var)``, the parts that come from kl.
    heads : callable
        ``heads(through mu, through log_var) -> dh``
    """

    share: Callable[[int], Array] = _share
    logits: Callable[..., Array] = _logits
    decoder_relu: Callable[..., Array] = _relu
    encoder_relu: Callable[..., Array] = _relu
    through_z: Callable[..., tuple[Array, Array]] = _through_z
    from_kl: Callable[..., tuple[Array, Array]] = _from_kl
    heads: Callable[[Array, Array], Array] = np.add

    def gradients(self, cache: Any) -> Params:
        """Return the gradient of every parameter, from the cache of the exercise's vae_forward."""
        params, x, eps, a, h, mu, log_var, z, c, g, logits = cache
        share = self.share(len(x))
        d_logits = self.logits(share, logits, x)
        dc = self.decoder_relu(d_logits @ params["output.W"].T, c)
        dz = dc @ params["decoder.W"].T
        parts = self.through_z(dz, mu, log_var, eps), self.from_kl(share, mu, log_var)
        d_mu, d_log_var = (one + other for one, other in zip(*parts, strict=True))
        dh = self.heads(d_mu @ params["mu.W"].T, d_log_var @ params["log_var.W"].T)
        da = self.encoder_relu(dh, a)
        layers = {
            "output": (g, d_logits),
            "decoder": (z, dc),
            "mu": (h, d_mu),
            "log_var": (h, d_log_var),
            "encoder": (x, da),
        }
        grads: Params = {}
        for layer, (inputs, d_outputs) in layers.items():
            grads |= {f"{layer}.W": inputs.T @ d_outputs, f"{layer}.b": d_outputs.sum(axis=0)}
        return grads


RIGHT = Steps()


def wrong_gradients(cache: Any) -> Iterator[tuple[str, Params]]:
    """Yield what to say of each typical mistake, and the gradients that it makes wrong.

    Parameters
    ----------
    cache : tuple
        Of the exercise's vae_forward.

    Yields
    ------
    words : str
    gradients : dict of arrays
    """
    right = RIGHT.gradients(cache)
    for words, steps in _mistakes(len(cache[1])):
        grads = steps.gradients(cache)
        yield words, {name: grads[name] for name in NAMES if not np.allclose(grads[name], right[name])}


def _mistakes(n: int) -> Iterator[tuple[str, Steps]]:
    whole = Steps(share=np.ones)
    yield (
        f"it is {n} times the right value, and {n} is the number of samples: the loss is a mean over them",
        whole,
    )
    yield from _in_logits()
    for words, relu in _in_a_relu("c"):
        yield words, Steps(decoder_relu=relu)
    for words, relu in _in_a_relu("a"):
        yield words, Steps(encoder_relu=relu)
    yield from _in_a_sum()
    for mistake in REPARAMETERIZE.tasks[0].mistakes:
        words = f"the part that comes through z, as in the exercise reparameterize: {mistake.words}"
        yield words, Steps(through_z=_with(mistake, _through_z))
    for mistake in KL.tasks[0].mistakes:
        words = f"the part that comes from kl, as in the exercise kl: {mistake.words}"
        yield words, Steps(from_kl=_with(mistake, _from_kl))
    one_head = {"mu": lambda to_mu, to_log_var: to_log_var, "log_var": lambda to_mu, to_log_var: to_mu}
    for head, heads in one_head.items():
        words = (
            f"h is read by both heads, so dh, its gradient, is a sum: what comes back from the head {head} "
            "is missing"
        )
        yield words, Steps(heads=heads)


def _in_logits() -> Iterator[tuple[str, Steps]]:
    """Yield mistakes in d_logits."""
    known: dict[str, Callable[[Array, Array], Array]] = {
        "d_logits has the sigmoid plus x: mind the sign of the term x * logits in the loss": (
            lambda p, x: p + x
        ),
        "d_logits lacks x: the term x * logits of the loss has a derivative too": lambda p, x: p,
        "the sign of d_logits is flipped: the loss is minus the log-likelihood": lambda p, x: x - p,
        "d_logits has the sigmoid's derivative p (1 - p) as a factor, which has cancelled already": (
            lambda p, x: (p - x) * p * (1 - p)
        ),
    }
    for words, slope in known.items():
        yield words, Steps(logits=_in_each(slope))
    yield (
        "in d_logits, the logits stand where their probabilities belong",
        Steps(logits=lambda share, logits, x: share[:, None] * (logits - x)),
    )
    yield (
        "d_logits is not divided by N: the loss is a mean over the samples",
        Steps(logits=lambda share, logits, x: _sigmoid(logits) - x),
    )


def _in_each(slope: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    return lambda share, logits, x: share[:, None] * slope(_sigmoid(logits), x)


def _in_a_relu(before: str) -> Iterator[tuple[str, Callable[[Array, Array], Array]]]:
    """Yield mistakes in the gradient of a ReLU, whose input is called `before`."""
    yield f"the ReLU is missing on the way back: its mask is made of {before}", lambda d, x: d
    yield (
        f"the ReLU's mask is reversed: it keeps the gradient where {before} is negative",
        lambda d, x: d * (x < 0),
    )
    yield (
        f"the ReLU's mask is made of the gradient itself; it belongs to {before}",
        lambda d, x: d * (d > 0),
    )
    yield (
        f"the gradient behind the ReLU is multiplied by max({before}, 0), its value, where its slope belongs",
        lambda d, x: d * np.maximum(x, 0),
    )


def _in_a_sum() -> Iterator[tuple[str, Steps]]:
    """Yield mistakes in which mu or log_var lacks one of its two parts, or a factor of one."""
    for keep, what in (((0, 0), "mu and of log_var"), ((0, 1), "mu"), ((1, 0), "log_var")):
        two = f"the gradient of {what} is a sum of two parts, one through z and one from kl: the"
        yield f"{two} part that comes from kl is missing", Steps(from_kl=_scaled(_from_kl, keep))
        yield (
            f"{two} part that comes through z is missing",
            Steps(through_z=_scaled(_through_z, keep)),
        )
        yield (
            f"{two} part that comes from kl is not divided by N",
            Steps(from_kl=_with_ones(_from_kl, keep)),
        )
        yield (
            f"{two} part that comes through z lacks dz as a factor",
            Steps(through_z=_with_ones(_through_z, keep)),
        )


def _scaled(step: Callable[..., Any], factors: tuple[int, int]) -> Callable[..., tuple[Array, Array]]:
    def wrong(*args: Array) -> tuple[Array, Array]:
        d_mu, d_log_var = step(*args)
        return factors[0] * d_mu, factors[1] * d_log_var

    return wrong


def _with_ones(step: Callable[..., Any], keep: tuple[int, int]) -> Callable[..., tuple[Array, Array]]:
    """Return a step that forgets its upstream gradient in the results that it need not keep."""

    def wrong(upstream: Array, *args: Array) -> tuple[Array, Array]:
        right, other = step(upstream, *args), step(np.ones_like(upstream), *args)
        d_mu, d_log_var = (r if kept else o for r, o, kept in zip(right, other, keep, strict=True))
        return d_mu, d_log_var

    return wrong


def _with(mistake: Mistake, step: Callable[..., Any]) -> Callable[..., tuple[Array, Array]]:
    """Return a step with one of its two results wrong."""

    def wrong(upstream: Array, *args: Array) -> tuple[Array, Array]:
        d_mu, d_log_var = step(upstream, *args)
        gradient = mistake.gradient(upstream, *args)
        return (gradient, d_log_var) if mistake.argument == "mu" else (d_mu, gradient)

    return wrong
