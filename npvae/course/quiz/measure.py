"""What the checker says of a question's code, and what training with it does: measured, not told."""

from __future__ import annotations

import functools
import math

import numpy as np

from npvae.checks.faults import pair_of
from npvae.core.gaussian import kl_forward
from npvae.core.likelihoods import gaussian_forward
from npvae.core.parameters import Parameters
from npvae.core.vae import VAENetwork
from npvae.course.quiz.item import Curve, Item, Outcome
from npvae.course.quiz.network import (
    HIDDEN,
    LATENT_DIM,
    RIGHT,
    SEED,
    Pieces,
    PiecewiseVAE,
    Trained,
    decode,
    digits,
    encode,
    negative_elbo,
    prior_noise,
    train,
)
from npvae.gradcheck import Report, check_vjp

GREY_LEVELS = 16  # of the digits' original pixels, 0 to 16


def check(item: Item) -> list[Report]:
    """Put all pairs of an item's code through the gradient checker."""
    return [
        check_vjp(
            *pair_of(pair.implementation),
            pair.make_args(np.random.default_rng(SEED)),
            wrt=pair.wrt,
            seed=SEED,
        )
        for pair in item.checked()
    ]


def agrees(item: Item, outcome: Outcome) -> bool:
    """Say whether what was measured agrees with what the item says."""
    checked = all(report.verdict == item.verdict for report in outcome.reports)
    return checked and bool(item.holds(outcome.numbers))


def measure(item: Item) -> Outcome:
    """Check an item's code, and train with it and with the right code.

    Parameters
    ----------
    item : Item

    Returns
    -------
    Outcome
    """
    if item.name == "negative":
        return _measure_gaussian(item)
    this, right = _trained(item.pieces, item.yardstick), _trained(RIGHT, RIGHT)
    curves = [Curve("right code", right.measured), Curve(item.label, this.measured)]
    if item.reported:
        curves.append(Curve(f"{item.label}, as reported", this.reported, measured=False))
        curves.append(Curve("right code, as reported", right.reported, measured=False))
    samples = {
        "right code": decode(right.params, prior_noise()),
        item.label: decode(this.params, prior_noise()),
    }
    kl, std = _posterior(this.params)
    right_kl, right_std = _posterior(right.params)
    numbers = {
        "right": float(right.measured[-1]),
        "this": float(this.measured[-1]),
        "reported": float(this.reported[-1]),
        "right_reported": float(right.reported[-1]),
        "kl": kl,
        "right_kl": right_kl,
        "std": std,
        "right_std": right_std,
        "spread": float(samples[item.label].std(axis=0).mean()),
    }
    return Outcome(check(item), curves, samples, numbers)


@functools.cache
def _trained(pieces: Pieces, yardstick: Pieces) -> Trained:
    X, X_test = digits()
    return train(PiecewiseVAE(pieces, X.shape[1]), X, negative_elbo(X_test, yardstick))


def _posterior(params: Parameters) -> tuple[float, float]:
    """Return the mean KL divergence, in nats per image, and the mean standard deviation, on test images."""
    mu, log_var = encode(params, digits()[1])
    with np.errstate(over="ignore"):
        return float(kl_forward(mu, log_var)[0].mean()), float(np.exp(log_var / 2).mean())


def _measure_gaussian(item: Item) -> Outcome:
    """Train a VAE with a Gaussian likelihood, and measure its loss in two units.

    Notes
    -----
    With pixels c times as large, the same model has c times the mean and the noise's standard deviation, and
    for each pixel a density that is c times smaller: minus its logarithm grows by D ln c.
    """
    X, X_test = digits()
    network = VAENetwork(
        n_features=X.shape[1], latent_dim=LATENT_DIM, hidden=(HIDDEN,), noise_variance="learned"
    )
    eps = np.random.default_rng(SEED + 1).standard_normal((len(X_test), LATENT_DIM))
    log_scale = math.log(GREY_LEVELS)

    def loss(params: Parameters, log_factor: float) -> float:
        (mu, log_var), _ = network.encoder_forward(params, X_test)
        output, _ = network.decoder_forward(params, mu + np.exp(log_var / 2) * eps)
        factor, log_noise_var = math.exp(log_factor), params["output.log_noise_var"] + 2 * log_factor
        log_likelihood, _ = gaussian_forward(factor * X_test, factor * output, log_noise_var)
        return float(np.mean(kl_forward(mu, log_var)[0] - log_likelihood))

    other: list[float] = []

    def both(params: Parameters) -> float:
        other.append(loss(params, log_scale))
        return loss(params, 0.0)

    trained = train(network, X, both)
    samples = {item.label: np.clip(network.decode(trained.params, prior_noise()), 0, 1)}
    numbers = {
        "this": float(trained.measured[-1]),
        "other": other[-1],
        "shift": X.shape[1] * log_scale,
        "noise": math.sqrt(network.noise_var(trained.params)),
    }
    curves = [Curve(item.label, trained.measured), Curve("the same, pixels from 0 to 16", np.array(other))]
    return Outcome(check(item), curves, samples, numbers)
