"""All metrics of a set of samples, compared with one set of real images."""

import copy
import math
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from npvae.data.file_rows import FileRows
from npvae.study.metrics.classifier import ClassifierFeatures
from npvae.study.metrics.features import PrincipalFeatures
from npvae.study.metrics.frechet import frechet_distance
from npvae.study.metrics.memorisation import TrainingImages
from npvae.study.metrics.neighbours import NeighbourBalls
from npvae.study.metrics.two_sample import classifier_two_sample_test
from npvae.study.sample_arrays import as_matrix, check_count

_FEWEST = 10  # images needed for a comparison
_MOST_FITTED = 10_000  # training images used for the principal components
_N_COMPONENTS = 50
SURE = 0.95


@dataclass(frozen=True)
class SampleQuality:
    """Metrics of n samples against n real images, from `SampleJudge.judge`.

    Parameters
    ----------
    frechet : float
        Fréchet distance in 50 principal components, in the data's units squared; lower is better.
    frechet_classifier : float
        Fréchet distance in the classifier's 64 features; lower is better. Not comparable with distances for
        other classifiers or with published FIDs. NaN without labels.
    pixel_coverage : float in [0, 1]
        Coverage in pixels; higher is better. About 0.97 for samples of the real distribution.
    feature_coverage, feature_density, feature_precision, feature_recall : float
        In the classifier's features or, without labels, in principal components; higher is better. Samples of
        the real distribution have a coverage of about 0.97 and a density of about 1. The classifier assigns
        unknown images, such as noise, to some class, so they can have a high precision and density; their
        recall and coverage are low.
    pixel_precision : float in [0, 1]
        Precision in pixels. Blurred samples reach 1, more than real images do, so a high value may only
        indicate blur.
    two_sample_accuracy, two_sample_error : float
        Accuracy of a classifier that distinguishes samples from real images, in principal components, and its
        standard error; 1/2 is best, 1 worst.
    memorisation, memorisation_train, memorisation_fake : float in [0, 1]
        Leave-one-out accuracy of nearest neighbours in pixels, training images against samples, and its two
        parts. Both parts about 1/2 is best; both well below indicates copies; one alone, blur or noise.
    near_copies : float in [0, 1]
        Share of samples nearer to a training image than 99 % of the real images are. About 0.01 by chance;
        lower is better.
    confidence : float in [0, 1]
        Share of samples classified with a probability above 95 %; higher is better, up to the value of real
        images. NaN without labels.
    class_imbalance : float in [0, 1]
        Total variation distance between the predicted class frequencies of samples and of real images (half
        the sum of absolute differences); lower is better. Samples of the real distribution have about
        sqrt((C - 1) / (pi n)) for C equally frequent classes: 0.024 for 10 classes and n = 5000. NaN without
        labels.
    n : int
        Number of samples, of real images and of training images; every figure depends on it.
    class_shares : tuple of C floats
        Frequency of each class among the predictions, in the order of the sorted labels. () without labels.
    confident_shares : tuple of C floats
        The same, counting only the samples in `confidence`, which is their sum. () without labels.
    """

    frechet: float
    frechet_classifier: float
    pixel_coverage: float
    feature_coverage: float
    feature_density: float
    feature_precision: float
    feature_recall: float
    pixel_precision: float
    two_sample_accuracy: float
    two_sample_error: float
    memorisation: float
    memorisation_train: float
    memorisation_fake: float
    near_copies: float
    confidence: float
    class_imbalance: float
    n: int
    class_shares: tuple[float, ...] = ()
    confident_shares: tuple[float, ...] = ()


class SampleJudge:
    """Real images and feature spaces, prepared to judge sets of samples; made by `fit`.

    Parameters
    ----------
    features : PrincipalFeatures
    classifier : ClassifierFeatures or None
    training_images : (n, D) array
    real_images : (n, D) array
        Neither model nor sampler should have seen them.

    Notes
    -----
    It can be pickled. Everything runs on one thread, so results do not depend on the number of threads; use
    processes to judge in parallel. For n = 5000 images of MNIST, on one core: 15 s for `fit`, most of it for
    the classifier; 3.3 s for each set of samples (memorisation 1.4, pixel coverage 0.6, two-sample test 0.6,
    recall 0.6).
    """

    def __init__(
        self,
        features: PrincipalFeatures,
        classifier: ClassifierFeatures | None,
        training_images: npt.ArrayLike,
        real_images: npt.ArrayLike,
    ) -> None:
        self.features = features
        self.classifier = classifier
        self.training_images = as_matrix(training_images, "training_images", at_least=_FEWEST)
        self._set_real(as_matrix(real_images, "real_images", at_least=_FEWEST))

    @classmethod
    def fit(
        cls,
        X_train: np.ndarray,
        y_train: np.ndarray | None,
        X_test: np.ndarray,
        *,
        n: int = 5000,
        random_state: int = 0,
    ) -> Self:
        """Choose the images to compare with, and fit the feature spaces.

        Parameters
        ----------
        X_train : (N, D) array, N >= n
            uint8 for pixels, or floats. All of them train the classifier, at most 10,000 give the principal
            components, and n are used to detect copies.
        y_train : (N,) array or None
            Labels. Without them, or with a single class, there is no classifier.
        X_test : (M, D) array, M >= n
            n of these become the real images.
        n : int
            At least 10.
        random_state : int
            Seed of the choices and of the classifier.

        Returns
        -------
        SampleJudge

        Raises
        ------
        ValueError
            n is below 10 or larger than a set, or as for `PrincipalFeatures.fit` and
            `ClassifierFeatures.fit`.
        """
        check_count(n, "n", at_least=_FEWEST)
        if n > min(len(X_train), len(X_test)):
            raise ValueError(
                "n must be at most the number of training and of test images, "
                f"{len(X_train)} and {len(X_test)}, got {n}"
            )
        rng = np.random.default_rng(random_state)
        real = choose_rows(X_test, n, rng)
        with threadpool_limits(limits=1):
            features = PrincipalFeatures.fit(
                choose_rows(X_train, min(len(X_train), _MOST_FITTED), rng), _N_COMPONENTS
            )
        training_images = choose_rows(X_train, n, rng)
        classifier = None
        if y_train is not None and len(np.unique(y_train)) > 1:
            classifier = ClassifierFeatures.fit(X_train, y_train, random_state=random_state)
        return cls(features, classifier, training_images, real)

    @property
    def n(self) -> int:
        """Number of samples that `judge` takes, and of real images that it compares them with."""
        return len(self._real_principal)

    def against(self, X_real: npt.ArrayLike) -> Self:
        """Return a judge with the same feature spaces and different real images.

        Parameters
        ----------
        X_real : (n, D) array
            At least 10, at most as many as this judge's training images, of which the first n are kept.

        Returns
        -------
        SampleJudge

        Raises
        ------
        ValueError
            X_real has too few or too many rows, another width, or a number that is not finite.
        """
        real = as_matrix(X_real, "X_real", at_least=_FEWEST)
        if len(real) > len(self.training_images):
            raise ValueError(f"X_real must have at most {len(self.training_images)} rows, got {len(real)}")
        other = copy.copy(self)
        other.training_images = self.training_images[: len(real)]
        other._set_real(real)
        return other

    def accuracy(self, X: npt.ArrayLike, y: npt.ArrayLike | None) -> float:
        """Return the classifier's accuracy on X; NaN without a classifier or labels y."""
        if self.classifier is None or y is None:
            return float("nan")
        return self.classifier.accuracy(X, y)

    def judge(self, X_fake: npt.ArrayLike, *, random_state: int = 0) -> SampleQuality:
        """Compare samples with the real images.

        Parameters
        ----------
        X_fake : (n, D) array
            As many samples as real images, in the units of the data; uint8 for pixels.
        random_state : int
            Seed of the two-sample test.

        Returns
        -------
        SampleQuality

        Raises
        ------
        ValueError
            Another number of rows or columns, or a number that is not finite.

        Notes
        -----
        For formulas, sources and limits see `frechet_distance`, `neighbour_metrics`,
        `classifier_two_sample_test` and `TrainingImages.memorisation`. Compare the figures with those of real
        images in place of samples: see `npvae.study.experiment.controls`.
        """
        fake = as_matrix(X_fake, "X_fake")
        if len(fake) != self.n:
            raise ValueError(
                f"X_fake must have {self.n} rows, as many as there are real images, got {len(fake)}; "
                "the figures depend on that number"
            )
        with threadpool_limits(limits=1):
            principal = self.features.transform(fake)
            in_features, probabilities = self._see(fake, principal)
            in_pixels = self._pixel_balls.count(fake, name="X_fake")
            mingled = self._feature_balls.count(in_features)
            recalled = NeighbourBalls.fit(in_features).count(self._real_in_features)
            test = classifier_two_sample_test(principal, self._real_principal, random_state=random_state)
            copies = self._training.memorisation(fake)
            frechet = frechet_distance(principal, self._real_principal)
            frechet_classifier = confidence = imbalance = float("nan")
            shares = confident_shares = np.empty(0)
            if probabilities is not None and self._real_shares is not None:
                frechet_classifier = frechet_distance(in_features, self._real_in_features)
                shares = _class_shares(probabilities)
                sure = probabilities.max(axis=1) > SURE
                confidence = float(np.mean(sure))
                confident_shares = _class_shares(probabilities[sure]) * confidence
                imbalance = float(np.abs(shares - self._real_shares).sum() / 2)
        return SampleQuality(
            frechet=frechet,
            frechet_classifier=frechet_classifier,
            pixel_coverage=in_pixels.coverage,
            feature_coverage=mingled.coverage,
            feature_density=mingled.density,
            feature_precision=mingled.precision,
            feature_recall=recalled.precision,
            pixel_precision=in_pixels.precision,
            two_sample_accuracy=test.accuracy,
            two_sample_error=test.standard_error,
            memorisation=copies.accuracy,
            memorisation_train=copies.train,
            memorisation_fake=copies.fake,
            near_copies=copies.near_copies,
            confidence=confidence,
            class_imbalance=imbalance,
            n=self.n,
            class_shares=tuple(shares.tolist()),
            confident_shares=tuple(confident_shares.tolist()),
        )

    def _set_real(self, real: np.ndarray) -> None:
        """Compute everything that depends only on the real images."""
        with threadpool_limits(limits=1):
            self._real_principal = self.features.transform(real)
            self._real_in_features, probabilities = self._see(real, self._real_principal)
        self._real_shares = None if probabilities is None else _class_shares(probabilities)
        self._pixel_balls = NeighbourBalls.fit(real)
        self._feature_balls = NeighbourBalls.fit(self._real_in_features)
        self._training = TrainingImages(self.training_images, real)

    def _see(self, rows: np.ndarray, principal: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the features for neighbours, and class probabilities if there is a classifier."""
        return (principal, None) if self.classifier is None else self.classifier.transform_and_predict(rows)


def restore_quality(numbers: dict[str, Any]) -> SampleQuality:
    """Return the `SampleQuality` that `to_jsonable` converted; None becomes NaN."""
    values: dict[str, Any] = {}
    for field in fields(SampleQuality):
        value = numbers[field.name]
        values[field.name] = tuple(value) if isinstance(value, list) else math.nan if value is None else value
    return SampleQuality(**values)


def frechet_field(classifier_accuracy: float) -> str:
    """Return the field of the main Fréchet distance: in classifier features if there is a classifier."""
    return "frechet_classifier" if np.isfinite(classifier_accuracy) else "frechet"


def choose_rows(X: Any, n: int, rng: np.random.Generator) -> Any:
    """Return a random subset of n rows of an array or `FileRows`, in their order; the latter are not read."""
    rows = np.sort(rng.choice(len(X), n, replace=False))
    return X.take(rows) if isinstance(X, FileRows) else X[rows]


def _class_shares(probabilities: np.ndarray) -> np.ndarray:
    """Return the frequency of each class as the most probable one, (C,)."""
    counts = np.bincount(probabilities.argmax(axis=1), minlength=probabilities.shape[1])
    return counts / max(len(probabilities), 1)
