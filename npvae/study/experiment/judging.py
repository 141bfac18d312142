"""Sample a model with every sampler, and judge the samples and the controls."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from npvae.data import binarize
from npvae.data.binarization import binarize_rows
from npvae.data.file_rows import row_blocks
from npvae.study.experiment.controls import CONTROLS
from npvae.study.finished import Finished, measure
from npvae.study.jsonable import to_jsonable
from npvae.study.metrics.quality import SampleJudge, SampleQuality, choose_rows, restore_quality
from npvae.study.sampling.samplers import SAMPLERS, WAYS, draw_codes

if TYPE_CHECKING:
    from npvae.data import Dataset
    from npvae.estimators import VAE, Autoencoder

FEWEST_COMPARED = 10
MOST_COMPARED = 5000  # images of each kind; the cost of nearest neighbours is quadratic in it
MOST_CODED = 100_000  # training images to which samplers are fitted; a random subset of a larger set
N_KEPT = 100  # latent points and images of each sampler kept for pictures


@dataclass(frozen=True, eq=False)
class JudgedSamples:
    """Samples of one model from one sampler, and their quality.

    Attributes
    ----------
    z : (n, Z) array
    images : (n, D) array
        The first `N_KEPT` of those that were judged.
    quality : SampleQuality
    """

    z: np.ndarray
    images: np.ndarray
    quality: SampleQuality


@dataclass(frozen=True, eq=False)
class JudgedModel:
    """What `judge_model` returns.

    Attributes
    ----------
    kind : {"AE", "VAE"}
    n_compared : int
        Number of images of each kind.
    classifier_accuracy : float
        Accuracy on the test images of the classifier whose features are compared; NaN without labels.
    controls : dict
        From a name in `CONTROLS` to the quality of those images.
    samples : dict
        From a name in `SAMPLERS` to the quality of the samples.
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
    finished: Finished = measure,
) -> JudgedModel:
    """Judge the samples of a model from every sampler, and the controls.

    Parameters
    ----------
    estimator : Autoencoder or VAE
        Fitted.
    data : Dataset
        Judge and samplers are fitted to the training part. Samples are compared with the test part.
    n_samples : int, optional
        Number of images of each kind. By default the number of test images, at most 5000.
    seed : int
        Seed of the samplers' fits and draws. The judge does not depend on it.
    report : callable
        Called with the name of each stage when it begins.
    finished : callable
        `npvae.study.finished.FinishedParts` keeps the quality of the controls, and of each sampler's samples.

    Returns
    -------
    JudgedModel

    Raises
    ------
    NotFittedError, ValueError
        Not fitted; the data do not fit the model, or `n_samples` is out of range.
    """
    n = number_compared(data, n_samples)
    judge = make_judge(data, n, report)
    controls = finished("controls", lambda: to_jsonable(judge_controls(data, judge, report)))
    samples = judge_samples(estimator, data, judge, seed=seed, report=report, finished=finished)
    return JudgedModel(
        kind=_kind(estimator),
        n_compared=n,
        classifier_accuracy=judge.accuracy(data.X_test, data.y_test),
        controls={name: restore_quality(quality) for name, quality in controls.items()},
        samples={way: drawn.quality for way, drawn in samples.items()},
    )


def number_compared(data: "Dataset", n_samples: int | None = None) -> int:
    """Return the number of images of each kind to compare.

    Raises
    ------
    ValueError
        `n_samples` is below 10 or larger than the test or the training set; the data have too few or only
        equal samples.
    """
    most = min(len(data.X_test), len(data.X_train), MOST_COMPARED)
    n = most if n_samples is None else n_samples
    if len(data.X_train) < FEWEST_COMPARED or len(data.X_test) < 2 * FEWEST_COMPARED:
        raise ValueError(
            f"a comparison needs at least {FEWEST_COMPARED} training and {2 * FEWEST_COMPARED} test samples; "
            f"{data.name} has {len(data.X_train)} and {len(data.X_test)}"
        )
    first = data.X_train[0]
    if all((x == first).all() for rows in (data.X_train, data.X_test) for x in row_blocks(rows)):
        raise ValueError(f"{data.name}: all samples are the same, so there is nothing to compare")
    if not FEWEST_COMPARED <= n <= most:
        raise ValueError(f"n_samples must be from {FEWEST_COMPARED} to {most} for this data, got {n}")
    return n


def make_judge(data: "Dataset", n: int, report: Callable[[str], object]) -> SampleJudge:
    """Return the judge for some data; it is deterministic."""
    report("preparing the metrics: principal components, neighbours, classifier")
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
    finished: Finished = measure,
) -> dict[str, JudgedSamples]:
    """Sample a model with every sampler, and judge the samples.

    Parameters
    ----------
    estimator : Autoencoder or VAE
        Fitted.
    data : Dataset
        Samplers are fitted to its training part.
    judge : SampleJudge
        Made from the same data.
    seed : int
        Seed of fits and draws.
    report : callable
        Called with the name of each sampler when it begins.
    finished : callable
        As for `judge_model`.

    Returns
    -------
    dict
        From a name in `SAMPLERS` to the samples.

    Notes
    -----
    The judged images are E[x | z], as these are usually shown. If the test images are binary, binary pixels
    are drawn from E[x | z], as grey values alone would distinguish samples from binary images.
    """
    coded = data.X_train
    if len(coded) > MOST_CODED:
        coded = choose_rows(coded, MOST_CODED, np.random.default_rng((seed, 2)))
    drawn = draw_codes(estimator, coded, np.random.default_rng(seed))
    means = estimator.transform(coded)
    binary = estimator.network_.likelihood == "bernoulli" and _is_binary(data.X_test)
    samples = {}
    for way in WAYS[_kind(estimator)]:
        report(f"judging samples: {SAMPLERS[way].label}")
        sampler = SAMPLERS[way].fit(means if SAMPLERS[way].means else drawn, seed)
        z = sampler.draw(judge.n, np.random.default_rng(seed))
        images = estimator.inverse_transform(z)
        judged = binarize(images, np.random.default_rng((seed, 1))) if binary else images
        quality = finished(f"samples, {way}", partial(_quality, judge, judged, seed))
        samples[way] = JudgedSamples(z[:N_KEPT], images[:N_KEPT], restore_quality(quality))
    return samples


def _quality(judge: SampleJudge, images: np.ndarray, seed: int) -> dict[str, Any]:
    numbers: dict[str, Any] = to_jsonable(judge.judge(images, random_state=seed))
    return numbers


def _alike(data: "Dataset") -> "Dataset":
    """Binarise the training images if only the test images are binary, as with dynamic binarisation."""
    if not _is_binary(data.X_test) or _is_binary(data.X_train):
        return data
    return replace(data, X_train=binarize_rows(data.X_train, np.random.default_rng(0)))


def _is_binary(X: np.ndarray) -> bool:
    one = 255 if X.dtype == np.uint8 else 1
    return all(bool(np.all((x == 0) | (one == x))) for x in row_blocks(X))


def _kind(estimator: "Autoencoder | VAE") -> str:
    from npvae.estimators import VAE

    return "VAE" if isinstance(estimator, VAE) else "AE"
