"""How good a set of samples is, in some numbers, judged against one set of real images."""

import copy
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from npvae.study.metrics.classifier import ClassifierFeatures
from npvae.study.metrics.features import PrincipalFeatures
from npvae.study.metrics.frechet import frechet_distance
from npvae.study.metrics.memorisation import TrainingImages
from npvae.study.metrics.neighbours import NeighbourBalls
from npvae.study.metrics.two_sample import classifier_two_sample_test
from npvae.study.sample_arrays import as_matrix, check_count

_FEWEST = 10  # images that can be judged
_MOST_FITTED = 10_000  # images of which principal components are found
_N_COMPONENTS = 50
_SURE = 0.95


@dataclass(frozen=True)
class SampleQuality:
    """What a `SampleJudge` finds; all from n samples against n real images.

    Parameters
    ----------
    frechet : float
        Frechet distance in 50 principal components, in the data's units squared; lower is better.
    frechet_classifier : float
        In the classifier's 64 features; lower is better. Not comparable with that of another classifier,
        nor with published FIDs. NaN without labels.
    pixel_coverage : float in [0, 1]
        In pixels; higher is better, .97 is perfect.
    feature_coverage, feature_density, feature_precision, feature_recall : float
        In the classifier's features, or in principal components without labels; higher is better. The
        data's own value is .97 for coverage and about 1 for density. The classifier puts what it has never
        seen, such as noise, among some class: precision and density can be high for that, recall and coverage
        are not.
    pixel_precision : float in [0, 1]
        In pixels. A caution rather than a merit: blur reaches 1, which is more than real images do.
    two_sample_accuracy, two_sample_error : float
        Of a classifier of samples against real images, in principal components, and its standard error if
        they were the same; 1/2 is best, 1 worst.
    memorisation, memorisation_train, memorisation_fake : float in [0, 1]
        Leave-one-out accuracy of nearest neighbours, training images against samples, in pixels, and its two
        parts: both about 1/2 is best, both well below means copies, one of them alone blur or noise.
    near_copies : float in [0, 1]
        Samples nearer to a training image than 99 % of the real images are; about .01 is none, more is worse.
    confidence : float in [0, 1]
        Samples that the classifier is more than 95 % sure of; higher is better, up to what real images reach.
        NaN without labels.
    class_imbalance : float in [0, 1]
        Total variation distance between the predicted classes' shares in samples and real images, half the
        sum of |difference|; lower is better. 0 is perfect; by chance, perfect samples have some
        sqrt((C - 1) / (pi n)) for C classes of equal share, .024 for 10 classes and n = 5000. NaN without
        labels.
    n : int
        Samples, real images and training images compared; every figure depends on it.
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


class SampleJudge:
    """Real images, ready for sets of samples to be compared with; made by `fit`.

    Parameters
    ----------
    features : PrincipalFeatures
    classifier : ClassifierFeatures or None
    training_images : (n, D) array
    real_images : (n, D) array
        Neither model nor sampler should have seen them.

    Notes
    -----
    It pickles. Everything runs on one thread, so that results do not depend on how many there are: let
    several processes judge. Seconds of a core for n = 5000 images of MNIST: 15 to make, most of it
    the classifier; 3.3 for each set of samples (memorisation 1.4, coverage in pixels 0.6, the two-sample
    test 0.6, recall 0.6).
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
        """Choose the images to compare with, and learn the feature spaces.

        Parameters
        ----------
        X_train : (N, D) array, N >= n
            uint8 for pixels, or floats. Principal components come from at most 10,000 of these images, the
            classifier from all, and n are those that samples may be copies of.
        y_train : (N,) array or None
            Labels. Without them, or with a single class, there is no classifier.
        X_test : (M, D) array, M >= n
            n of these are the real images.
        n : int
            At least 10.
        random_state : int
            Of the choices and of the classifier.

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
        """How many samples are judged at once, and how many real images they are compared with."""
        return len(self._real_principal)

    def against(self, X_real: npt.ArrayLike) -> Self:
        """Return a judge with the same feature spaces and other real images.

        Parameters
        ----------
        X_real : (n, D) array
            At least 10 and at most as many as there are training images here, of which the first n are kept.

        Returns
        -------
        SampleJudge

        Raises
        ------
        ValueError
            There are too few or too many, they have another width, or a number is not finite.
        """
        real = as_matrix(X_real, "X_real", at_least=_FEWEST)
        if len(real) > len(self.training_images):
            raise ValueError(f"X_real must have at most {len(self.training_images)} rows, got {len(real)}")
        other = copy.copy(self)
        other.training_images = self.training_images[: len(real)]
        other._set_real(real)
        return other

    def accuracy(self, X: npt.ArrayLike, y: npt.ArrayLike | None) -> float:
        """Return the part of X that the classifier recognises; NaN without classifier or labels y."""
        if self.classifier is None or y is None:
            return float("nan")
        return self.classifier.accuracy(X, y)

    def judge(self, X_fake: npt.ArrayLike, *, random_state: int = 0) -> SampleQuality:
        """Compare samples with the real images.

        Parameters
        ----------
        X_fake : (n, D) array
            As many samples as there are real images, in the units of the data; uint8 for pixels.
        random_state : int
            Of the two-sample test.

        Returns
        -------
        SampleQuality

        Raises
        ------
        ValueError
            Another number of rows or columns, or a number that is not finite.

        Notes
        -----
        Formulas, sources and traps stand in `frechet_distance`, `coverage`, `density`, `precision`,
        `recall`, `classifier_two_sample_test` and `memorisation`. What real images reach in place of
        samples belongs beside these figures: see `npvae.study.experiment.controls`.
        """
        fake = as_matrix(X_fake, "X_fake")
        if len(fake) != self.n:
            raise ValueError(
                f"X_fake must have {self.n} rows, as many as there are real images, got {len(fake)}; "
                "figures for other numbers do not compare"
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
            if probabilities is not None:
                frechet_classifier = frechet_distance(in_features, self._real_in_features)
                confidence = float(np.mean(probabilities.max(axis=1) > _SURE))
                imbalance = float(np.abs(_class_shares(probabilities) - self._real_shares).sum() / 2)
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
        )

    def _set_real(self, real: np.ndarray) -> None:
        """Compute all that depends on the real images alone."""
        with threadpool_limits(limits=1):
            self._real_principal = self.features.transform(real)
            self._real_in_features, probabilities = self._see(real, self._real_principal)
        self._real_shares = None if probabilities is None else _class_shares(probabilities)
        self._pixel_balls = NeighbourBalls.fit(real)
        self._feature_balls = NeighbourBalls.fit(self._real_in_features)
        self._training = TrainingImages(self.training_images, real)

    def _see(self, rows: np.ndarray, principal: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the features for neighbours, and the classes' probabilities where there are labels."""
        return (principal, None) if self.classifier is None else self.classifier.transform_and_predict(rows)


def frechet_field(classifier_accuracy: float) -> str:
    """Return the name of the Frechet distance to go by: in classifier features where there are any."""
    return "frechet_classifier" if np.isfinite(classifier_accuracy) else "frechet"


def choose_rows(X: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return n rows of X at random, each at most once, in X's order and dtype."""
    return X[np.sort(rng.choice(len(X), n, replace=False))]


def _class_shares(probabilities: np.ndarray) -> np.ndarray:
    """Return the part of the rows in which each class is the most probable, (C,)."""
    return np.bincount(probabilities.argmax(axis=1), minlength=probabilities.shape[1]) / len(probabilities)
