"""Controls for sample quality: real images as an upper limit, simple baselines as lower ones."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from npvae.data.file_rows import as_array, row_numbers
from npvae.study.metrics.features import PrincipalFeatures
from npvae.study.metrics.quality import SampleJudge, SampleQuality, choose_rows
from npvae.study.sample_arrays import check_count

if TYPE_CHECKING:
    from npvae.data import Dataset


def real_halves(X: np.ndarray, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Split real images into two random halves.

    Parameters
    ----------
    X : (N, D) array
    n : int
        Images in each half, at most N / 2.
    rng : Generator

    Returns
    -------
    first, second : (n, D) arrays, X's dtype
        Without a row in common.

    Raises
    ------
    ValueError
        X has fewer than 2 n rows, or n is not a positive integer.

    Notes
    -----
    Both halves have the same distribution, so they differ by chance only. Training and test images may not:
    in MNIST they come from different writers, as do the first and second half of its test set.
    """
    check_count(n, "n")
    if len(X) < 2 * n:
        raise ValueError(f"two halves of {n} rows need {2 * n} rows, got {len(X)}")
    order = rng.permutation(row_numbers(len(X)))
    return X[order[:n]], X[order[n : 2 * n]]


def independent_pixels(X_train: npt.ArrayLike, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw each pixel independently from its values in the training images.

    Parameters
    ----------
    X_train : (N, D) array
    n : int
        How many images.
    rng : Generator

    Returns
    -------
    X : (n, D) array, X_train's dtype
        Each pixel is distributed as in the training images, and independent of all others.

    Raises
    ------
    ValueError
        n is not a positive integer.
    """
    data = as_array(X_train)
    n_rows, n_pixels = data.shape
    check_count(n, "n", width=n_pixels)
    return data[rng.integers(n_rows, size=(n, n_pixels)), np.arange(n_pixels)]


def principal_gaussian(
    features: PrincipalFeatures,
    n: int,
    rng: np.random.Generator,
    *,
    value_range: tuple[float, float] = (0.0, 1.0),
) -> np.ndarray:
    """Draw images from a Gaussian in principal components, as a linear model would.

    Parameters
    ----------
    features : PrincipalFeatures
        Fitted to training images.
    n : int
        How many images.
    rng : Generator
    value_range : tuple
        Smallest and largest value, to which the images are clipped.

    Returns
    -------
    X : (n, D) array, float32
        mean + z components, z_k ~ N(0, variances_k); clipped.

    Raises
    ------
    ValueError
        n is not a positive integer.

    Notes
    -----
    Before clipping, mean and covariance in these components are those of the data, so the Fréchet distance
    there is only due to clipping and chance, although the images are not realistic.
    """
    check_count(n, "n", width=len(features.mean))
    z = rng.standard_normal((n, len(features.variances))) * np.sqrt(features.variances)
    return np.clip(features.mean + z @ features.components, *value_range).astype(np.float32)


@dataclass(frozen=True)
class Control:
    """One set of images to judge like samples.

    Parameters
    ----------
    label : str
        Name in tables.
    judge : callable
        ``judge(judge, data)`` returns the `SampleQuality` of such images; it is deterministic.
    """

    label: str
    judge: Callable[["SampleJudge", "Dataset"], SampleQuality]


def _judge_halves(judge: SampleJudge, data: "Dataset") -> SampleQuality:
    n = min(judge.n, len(data.X_test) // 2)
    first, second = real_halves(data.X_test, n, np.random.default_rng(1))
    return judge.against(first).judge(second)


def _judge_training_images(judge: SampleJudge, data: "Dataset") -> SampleQuality:
    return judge.judge(choose_rows(data.X_train, judge.n, np.random.default_rng(2)))


def _judge_gaussian(judge: SampleJudge, data: "Dataset") -> SampleQuality:
    value_range = (0.0, 1.0) if data.X_train.dtype == np.uint8 else data.value_range
    rng = np.random.default_rng(3)
    return judge.judge(principal_gaussian(judge.features, judge.n, rng, value_range=value_range))


def _judge_pixels(judge: SampleJudge, data: "Dataset") -> SampleQuality:
    return judge.judge(independent_pixels(data.X_train, judge.n, np.random.default_rng(4)))


#: By name, in the order of tables. If the test set has fewer than 2 n images, its halves are smaller than n.
#: Training images show which values the memorisation figures have for copies.
CONTROLS = {
    "shuffled halves": Control("half of the test images", _judge_halves),
    "training images": Control("training images", _judge_training_images),
    "principal Gaussian": Control("Gaussian in PCA's space", _judge_gaussian),
    "independent pixels": Control("independent pixels", _judge_pixels),
}
