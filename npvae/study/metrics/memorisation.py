"""Nearest-neighbour tests of whether samples are copies of training images."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from npvae.study.metrics.neighbours import squared_to_nearest
from npvae.study.sample_arrays import as_matrix, check_same_width

_NEAR = 0.01  # a sample is a near copy below this quantile of the held-out images' distances


@dataclass(frozen=True)
class Memorisation:
    """What `TrainingImages.memorisation` returns.

    Parameters
    ----------
    accuracy : float in [0, 1]
        Mean of `train` and `fake`. About 1/2: the two sets overlap; near 1: they are separate; below 1/2:
        there are copies.
    train, fake : float in [0, 1]
        Share of the training images, and of the samples, whose nearest neighbour is of their own kind.
        Copies lower both; blur lowers only `train`, noise only `fake`. So read them separately.
    near_copies : float in [0, 1]
        Share of samples that are nearer to a training image than 99 % of the held-out images are. About
        0.01 by chance; lower is better.
    """

    accuracy: float
    train: float
    fake: float
    near_copies: float


class TrainingImages:
    """Training images that samples may be copies of; made once, to test many sets.

    Parameters
    ----------
    X_train : (N, D) array, N >= 2
        uint8 for pixels, or floats. A random subset of the training images.
    X_held_out : (M, D) array
        Real images that were not used in training, in the same units.

    Raises
    ------
    ValueError
        A set is not a matrix or not finite, there are fewer than two training images, or the widths differ.
    """

    def __init__(self, X_train: npt.ArrayLike, X_held_out: npt.ArrayLike) -> None:
        self.rows = as_matrix(X_train, "X_train", at_least=2)
        held_out = as_matrix(X_held_out, "X_held_out")
        check_same_width(self.rows, held_out, ("X_train", "X_held_out"))
        self.squared_to_own = squared_to_nearest(self.rows)
        self.squared_near = float(np.quantile(squared_to_nearest(self.rows, held_out), _NEAR))

    def memorisation(self, X_fake: npt.ArrayLike) -> Memorisation:
        """Classify every image by its nearest neighbour.

        Parameters
        ----------
        X_fake : (N, D) array
            As many samples as there are training images, in the same units.

        Returns
        -------
        Memorisation

        Raises
        ------
        ValueError
            Another number of rows or columns, or a number that is not finite.

        Notes
        -----
        Leave one image out, and predict its kind (training image or sample) from its nearest neighbour among
        all the others. With x_i the training images and y_j the samples,

            train = (1 / N) sum_i [ min_(j != i) |x_i - x_j| < min_j |x_i - y_j| ],

        and `fake` likewise with x and y exchanged; a tie counts half. If both sets come from one
        distribution, both kinds are equally likely: 1/2, with a standard error of about 1 / (2 sqrt(N)) for
        each (somewhat more, as two images may be each other's nearest). If each sample is a copy of its own
        training image, with a little noise, nearly every image's nearest neighbour is of the other kind: 0.

        This test only detects copies that outweigh all other differences between samples and images. So a
        second figure looks at each sample alone: with q the 1 % quantile of min_i |x_i - t|^2 over held-out
        images t,

            near_copies = (1 / N) sum_j [ min_i |x_i - y_j|^2 < q ].

        Cost: O(N^2 D). Limits: X_train is a subset of the n images that might be copied. If all n are copied
        equally often, the original of a share N / n of the samples is in X_train, so near_copies is about
        N / n and the accuracy 1/2 - N / (2 n). Blurred samples are near each other and near every training
        image (train below 1/2, fake above) without being copies. For the same reason the rank test of Meehan
        et al. (2020), which compares the samples' distances to the training images with those of held-out
        images, is not used: it rejects every VAE, with z = -10 to -20.

        References
        ----------
        Lopez-Paz & Oquab (2017), Revisiting classifier two-sample tests, section 3.
        Xu et al. (2018), An empirical study on evaluation metrics of generative adversarial networks,
        section 2.
        Meehan, Chaudhuri & Dasgupta (2020), A non-parametric test to detect data-copying in generative
        models.
        """
        samples = as_matrix(X_fake, "X_fake", at_least=2)
        check_same_width(self.rows, samples, ("X_train", "X_fake"))
        if len(samples) != len(self.rows):
            raise ValueError(
                f"X_fake must have as many rows as X_train, {len(self.rows)}, got {len(samples)}; "
                "the accuracy is only 1/2 for equal distributions if the numbers are equal"
            )
        to_train = squared_to_nearest(self.rows, samples)
        fake = _share_nearer(squared_to_nearest(samples), to_train)
        train = _share_nearer(self.squared_to_own, squared_to_nearest(samples, self.rows))
        return Memorisation((train + fake) / 2, train, fake, float(np.mean(to_train < self.squared_near)))


def _share_nearer(own: np.ndarray, other: np.ndarray) -> float:
    """Return the share of images whose own kind is nearer; a tie counts half."""
    return float(np.mean((own < other) + 0.5 * (own == other)))
