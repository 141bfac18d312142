"""The first thing to say about a comparison: a title and three sentences, made from its numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from npvae.counted import counted
from npvae.study.comparison import Comparison
from npvae.study.experiment.cache import KINDS
from npvae.study.metrics.quality import frechet_field

FITTED = ("diagonal", "full", "mixture")  # samplers whose density is fitted to codes after training
REGION = 0.99  # share of N(0, I) inside the ball in which codes are counted

_MOST_OF = 2 / 3  # "mostly 0 and 6": together they have at least this share of the draws
_FEW = 0.4  # as a share of the classes
_COMES_UP = 0.25  # as a share of what a class would have if all were equally frequent
_MOST_NAMED = 5
_CLEARER = 2  # times as many draws recognised with confidence: then their classes say little
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_RECOGNISED = 0.25  # of a model's draws: if fewer are recognised with confidence, their classes are guesses
_OUTSIDE = 0.05  # a smaller share of codes outside the region is not spoken of
_DIGITS = [str(digit) for digit in range(10)]
_DATA_OF_DIGITS = ("digits", "mnist")


@dataclass(frozen=True)
class Summary:
    """What a newcomer should read first.

    Attributes
    ----------
    title : str
        One line, without a full stop.
    sentences : tuple of 3 str
        What draws from N(0, I) decode to; where the codes lie; what the AE is better at.
    """

    title: str
    sentences: tuple[str, str, str]


def summarise(comparison: Comparison) -> Summary:
    """Return a title and three sentences; figures are means over the seeds.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    Summary
        About the smallest and the largest latent dimension.
    """
    dims = summarised_dims(comparison)
    contrasts = [contrast(comparison, latent_dim) for latent_dim in dims]
    title = f"Draw from N(0, I): {contrasts[0]}"
    draws = "; ".join(f"{with_dimensions(d)}, {text}" for d, text in zip(dims, contrasts, strict=True))
    said = f"Draw z from N(0, I) and decode it: {draws}.{_barely_trained(comparison)}"
    return Summary(title, (said, _codes(comparison), _merits(comparison)))


def summarised_dims(comparison: Comparison) -> tuple[int, ...]:
    """Return the latent dimensions that a summary is about: the smallest and the largest."""
    dims = comparison.latent_dims
    return (min(dims),) if len(dims) == 1 else (min(dims), max(dims))


def class_names(comparison: Comparison) -> list[str]:
    """Return the names of the classes that were counted among the samples; [] without labels."""
    if not np.isfinite(comparison.classifier_accuracy):
        return []
    assert comparison.data.y_train is not None, "the classifier was trained on labels"
    return [str(label) for label in np.unique(comparison.data.y_train)]


def class_noun(comparison: Comparison) -> str:
    """Return "digits" for data known to be images of digits, "classes" for others."""
    of_digits = comparison.data.name in _DATA_OF_DIGITS and class_names(comparison) == _DIGITS
    return "digits" if of_digits else "classes"


def class_shares(
    comparison: Comparison, kind: str, latent_dim: int, field: str = "class_shares"
) -> np.ndarray:
    """Return the share (C,) of each class among a model's draws from N(0, I)."""
    return comparison.qualities(kind, latent_dim, "prior", field).mean(axis=0)


def share_in_region(comparison: Comparison, kind: str, latent_dim: int) -> float:
    """Return the share of a model's codes inside the ball that holds 99 % of N(0, I)."""
    radius = np.sqrt(stats.chi2.ppf(REGION, latent_dim))
    studies = [comparison.study(kind, latent_dim, seed) for seed in comparison.seeds]
    return float(np.mean([np.linalg.norm(study.codes, axis=1) <= radius for study in studies]))


def describe_shares(shares: np.ndarray, names: Sequence[str], noun: str) -> str:
    """Say which classes draws belong to: "mostly" those few that have two thirds of them together.

    A class counts among all if it has at least a quarter of an equal share.

    Examples
    --------
    >>> describe_shares(np.array([0.4, 0.1, 0.0, 0.3, 0.2]), "abcde", "letters")
    'mostly a and d'
    >>> describe_shares(np.full(10, 0.1), "0123456789", "digits")
    'all ten digits'
    >>> describe_shares(np.array([0.3, 0.3, 0.4, 0.0]), "abcd", "letters")
    'three of the four letters'
    """
    if (main := _few_classes(shares)) is not None:
        few = _listed([names[i] for i in main]) if len(main) <= _MOST_NAMED else f"{number(len(main))} {noun}"
        return f"mostly {few}"
    n_up, n = int(np.sum(shares >= _COMES_UP / len(shares))), len(shares)
    return f"all {number(n)} {noun}" if n_up == n else f"{number(n_up)} of the {number(n)} {noun}"


def _few_classes(shares: np.ndarray) -> list[int] | None:
    """Return the classes that have two thirds of the draws together, in order; None if they are not few."""
    order = np.argsort(-shares, kind="stable")
    n_main = int(np.searchsorted(np.cumsum(shares[order]), _MOST_OF)) + 1
    return sorted(order[:n_main].tolist()) if n_main <= max(_FEW * len(shares), 1) else None


def describe_draws(comparison: Comparison, kind: str, latent_dim: int) -> str:
    """Say which classes a model draws and how many draws a classifier recognises, for data with labels.

    Where it recognises fewer than a quarter of them with confidence, their classes are not named.
    """
    confidence = _prior_mean(comparison, kind, latent_dim, "confidence")
    if confidence < _RECOGNISED:
        return f"The classifier is confident in only {percent(confidence)} of the draws"
    shares = class_shares(comparison, kind, latent_dim)
    text = describe_shares(shares, class_names(comparison), class_noun(comparison))
    return f"{text[0].upper()}{text[1:]}; the classifier is confident in {percent(confidence)} of the draws"


def percent(share: float) -> str:
    """Write a share in percent."""
    return f"{100 * share:.0f} %"


def number(n: int) -> str:
    """Write a number up to ten as a word."""
    return _NUMBERS[n] if n < len(_NUMBERS) else str(n)


def contrast(comparison: Comparison, latent_dim: int) -> str:
    """Say what draws from N(0, I) decode to: how clear they are or, if that hardly differs, their classes."""
    names, noun = class_names(comparison), class_noun(comparison)
    if not names:
        ae, vae = (_prior_mean(comparison, kind, latent_dim, "pixel_coverage") for kind in KINDS)
        return f"the VAE's draws cover {percent(vae)} of the real data, the AE's {percent(ae)}"
    ae, vae = (_prior_mean(comparison, kind, latent_dim, "confidence") for kind in KINDS)
    shares = {kind: class_shares(comparison, kind, latent_dim) for kind in KINDS}
    said = {kind: describe_shares(shares[kind], names, noun) for kind in KINDS}
    of_few = any(_few_classes(shares[kind]) is not None for kind in KINDS)
    if of_few and said["AE"] != said["VAE"] and max(ae, vae) <= _CLEARER * min(ae, vae):
        return f"the VAE produces {said['VAE']}, the AE {said['AE']}"
    return (
        f"a classifier recognises {percent(vae)} of the VAE's draws with confidence, {percent(ae)} of the "
        "AE's"
    )


def _barely_trained(comparison: Comparison) -> str:
    """Advise more epochs where the AE's draws are recognised more often, but few of either model; or ""."""
    if not class_names(comparison):
        return ""
    for d in summarised_dims(comparison):
        ae, vae = (_prior_mean(comparison, kind, d, "confidence") for kind in KINDS)
        if vae < ae < _RECOGNISED:
            return (
                f" Few draws of either model are recognised {with_dimensions(d)}: train for more epochs "
                "before you compare them."
            )
    return ""


def _codes(comparison: Comparison) -> str:
    dims = summarised_dims(comparison)
    inside = {kind: [share_in_region(comparison, kind, d) for d in dims] for kind in KINDS}
    where = f" with {_listed([number(d) for d in dims])} dimensions" if len(dims) > 1 else ""
    ae, vae = (_listed(list(dict.fromkeys(percent(share) for share in inside[kind]))) for kind in KINDS)
    text = (
        f"The region that holds 99 % of N(0, I) holds {ae} of the AE's codes{where}, and {vae} of the VAE's"
    )
    if any(1 - a > _OUTSIDE and a < v for a, v in zip(inside["AE"], inside["VAE"], strict=True)):
        said = [_unreached(share) for share in inside["AE"]]
        if len(set(said)) > 1:
            said = [f"{text} {with_dimensions(d)}" for text, d in zip(said, dims, strict=True)]
        return f"{text}: draws reach {_listed(list(dict.fromkeys(said)))}."
    return f"{text}."


def _unreached(inside: float) -> str:
    """Say which of the AE's codes lie where next to no draws from N(0, I) fall."""
    if inside == 0:
        return "none of the AE's codes"
    if 1 - inside <= _OUTSIDE:
        return "nearly all of the AE's codes"
    return f"hardly any of the other {percent(1 - inside)} of the AE's codes"


def _merits(comparison: Comparison) -> str:
    latent_dim = max(comparison.latent_dims)
    field = frechet_field(comparison.classifier_accuracy)
    errors = [
        comparison.figures(kind, latent_dim, "reconstruction", "squared_error").mean() for kind in KINDS
    ]
    fitted = min(float(comparison.qualities("AE", latent_dim, way, field).mean()) for way in FITTED)
    vae = _prior_mean(comparison, "VAE", latent_dim, field)
    where = f", {with_dimensions(latent_dim)}" if len(comparison.latent_dims) > 1 else ""
    better = "better" if errors[0] < errors[1] else "no better"
    verdict = "better than" if fitted < vae else "not as good as"
    return (
        f"The AE reconstructs {better} (squared error {_short(errors[0])} against "
        f"{_short(errors[1])}{where}), "
        f"and draws from a density fitted to its codes after training are {verdict} the VAE's from N(0, I) "
        f"(Fréchet distance {_short(fitted)} against {_short(vae)}; lower is better)."
    )


def _prior_mean(comparison: Comparison, kind: str, latent_dim: int, field: str) -> float:
    return float(comparison.qualities(kind, latent_dim, "prior", field).mean())


def with_dimensions(latent_dim: int) -> str:
    """Return "with two latent dimensions", for example."""
    return f"with {counted(latent_dim, 'latent dimension', number)}"


def _listed(words: Sequence[str]) -> str:
    """Join words as in a sentence: a, b and c."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _short(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"
