"""Sampling a model in every way, and judging what comes out beside the controls."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from npvae.data import binarize
from npvae.study.experiment.controls import CONTROLS
from npvae.study.metrics.quality import SampleJudge, SampleQuality
from npvae.study.sampling.samplers import SAMPLERS, WAYS, draw_codes

if TYPE_CHECKING:
    from npvae.data import Dataset
    from npvae.estimators import VAE, Autoencoder

FEWEST_COMPARED = 10
MOST_COMPARED = 5000  # images of each kind; neighbours are quadratic in their number
N_KEPT = 100  # latent points and images of each way that are kept for pictures


@dataclass(frozen=True, eq=False)
class JudgedSamples:
    """Images drawn in one way from one model, and how good they are.

    Attributes
    ----------
    z : (n, Z) array
    images : (n, D) array
        The first of those that were judged.
    quality : SampleQuality
    """

    z: np.ndarray
    images: np.ndarray
    quality: SampleQuality


@dataclass(frozen=True, eq=False)
class JudgedModel:
    """What `judge_model` finds.

    Attributes
    ----------
    kind : {"AE", "VAE"}
    n_compared : int
        Images of each kind.
    classifier_accuracy : float
        On the test images, of the classifier whose features are compared; NaN without labels.
    controls : dict
        From a name in `CONTROLS` to the quality of those images.
    samples : dict
        From the name of a way, of `WAYS`, to the quality of the samples.
    """

    kind: str
    n_compared: int
    classifier_accuracy: float
    controls: dict[str, SampleQuality]
    samples: dict[str, SampleQuality]


def judge_model(
    estimator: "Autoencoder | VAE",
    data: "Dataset",
    *,
    n_samples: int | None = None,
    seed: int = 0,
    report: Callable[[str], object] = lambda stage: None,
) -> JudgedModel:
    """Sample a model in every way, and judge that and the controls.

    Parameters
    ----------
    estimator : Autoencoder or VAE
        Fitted.
    data : Dataset
        The training part teaches the judge, and the distributions of codes are fitted to it; the test part is
        what samples are compared with.
    n_samples : int, optional
        Images of each kind that are compared; by default as many as there are test images, at most 5000.
    seed : int
        Of fits and draws; the judge is always the same.
    report : callable
        Is told the name of each stage as it begins.

    Returns
    -------
    JudgedModel

    Raises
    ------
    NotFittedError, ValueError
        Not fitted; the data do not fit the model, or `n_samples` is out of its range.
    """
    n = number_compared(data, n_samples)
    judge = make_judge(data, n, report)
    controls = judge_controls(data, judge, report)
    samples = judge_samples(estimator, data, judge, seed=seed, report=report)
    return JudgedModel(
        kind=_kind(estimator),
        n_compared=n,
        classifier_accuracy=judge.accuracy(data.X_test, data.y_test),
        controls=controls,
        samples={way: drawn.quality for way, drawn in samples.items()},
    )


def number_compared(data: "Dataset", n_samples: int | None = None) -> int:
    """Return how many images of each kind are compared.

    Raises
    ------
    ValueError
        `n_samples` is below 10 or larger than the test or the training set, or there is nothing to compare.
    """
    most = min(len(data.X_test), len(data.X_train), MOST_COMPARED)
    n = most if n_samples is None else n_samples
    if len(data.X_train) < FEWEST_COMPARED or len(data.X_test) < 2 * FEWEST_COMPARED:
        raise ValueError(
            f"a comparison needs at least {FEWEST_COMPARED} training and {2 * FEWEST_COMPARED} test samples, "
            f"half of which are a control; {data.name} has {len(data.X_train)} and {len(data.X_test)}"
        )
    if all((rows == data.X_train[0]).all() for rows in (data.X_train, data.X_test)):
        raise ValueError(f"{data.name}: all samples are the same, so there is nothing to compare")
    if not FEWEST_COMPARED <= n <= most:
        raise ValueError(f"n_samples must be from {FEWEST_COMPARED} to {most} for this data, got {n}")
    return n


def make_judge(data: "Dataset", n: int, report: Callable[[str], object]) -> SampleJudge:
    """Return the judge of samples of some data, which is always the same."""
    report("learning what real images are like: principal components, neighbours, classifier")
    data = _alike(data)
    return SampleJudge.fit(data.X_train, data.y_train, data.X_test, n=n, random_state=0)


def judge_controls(
    data: "Dataset", judge: SampleJudge, report: Callable[[str], object]
) -> dict[str, SampleQuality]:
    """Return the quality of every control in `CONTROLS`."""
    report("judging the controls")
    data = _alike(data)
    return {name: control.judge(judge, data) for name, control in CONTROLS.items()}


def judge_samples(
    estimator: "Autoencoder | VAE",
    data: "Dataset",
    judge: SampleJudge,
    *,
    seed: int = 0,
    report: Callable[[str], object] = lambda way: None,
) -> dict[str, JudgedSamples]:
    """Sample a model in every way, and judge what comes out.

    Parameters
    ----------
    estimator : Autoencoder or VAE
        Fitted.
    data : Dataset
        The distributions of codes are fitted to its training part.
    judge : SampleJudge
        Made from the same data.
    seed : int
        Of fits and draws.
    report : callable
        Is told the name of each way as it begins.

    Returns
    -------
    dict
        From the name of a way, of `WAYS`, to the samples.

    Notes
    -----
    What is judged is E[x | z], as it is what people look at; but where the test images are binary, a draw of
    every pixel from it: a grey image would be told from binary ones by its greys alone.
    """
    drawn = draw_codes(estimator, data.X_train, np.random.default_rng(seed))
    means = estimator.transform(data.X_train)
    binary = estimator.network_.likelihood == "bernoulli" and _is_binary(data.X_test)
    samples = {}
    for way in WAYS[_kind(estimator)]:
        report(f"judging samples: {SAMPLERS[way].label}")
        sampler = SAMPLERS[way].fit(means if SAMPLERS[way].means else drawn, seed)
        z = sampler.draw(judge.n, np.random.default_rng(seed))
        images = estimator.inverse_transform(z)
        judged = binarize(images, np.random.default_rng((seed, 1))) if binary else images
        quality = judge.judge(judged, random_state=seed)
        samples[way] = JudgedSamples(z[:N_KEPT], images[:N_KEPT], quality)
    return samples


def _alike(data: "Dataset") -> "Dataset":
    """Draw training pixels where the test images are binary alone, as dynamic binarisation has it."""
    if not _is_binary(data.X_test) or _is_binary(data.X_train):
        return data
    return replace(data, X_train=binarize(data.X_train, np.random.default_rng(0)))


def _is_binary(X: np.ndarray) -> bool:
    one = 255 if X.dtype == np.uint8 else 1
    return bool(np.all((X == 0) | (one == X)))


def _kind(estimator: "Autoencoder | VAE") -> str:
    from npvae.estimators import VAE

    return "VAE" if isinstance(estimator, VAE) else "AE"
