"""Whether samples are copies of training images."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from npvae.study.metrics.neighbours import Rows, squared_to_nearest
from npvae.study.validation import as_matrix, check_same_width

_NEAR = 0.01  # quantile of the held-out images' distances below which a sample is called a near copy


@dataclass(frozen=True)
class Memorisation:
    """What `TrainingImages.test` finds.

    Parameters
    ----------
    accuracy : float in [0, 1]
        Mean of the next two. About 1/2: the sets mingle; towards 1: they lie apart; below 1/2: copies.
    train, fake : float in [0, 1]
        Part of the training images, and of the samples, whose nearest neighbour is of their own kind.
        Copies bring down both; blur brings down `train` alone, noise `fake` alone. So read them apart.
    near_copies : float in [0, 1]
        Part of the samples that lie nearer to a training image than 99 % of the held-out images do. About
        0.01: none; lower is better.
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
        uint8 for pixels, or floats. Chosen at random.
    X_held_out : (M, D) array
        Real images that were not trained on, in the same units.

    Raises
    ------
    ValueError
        A set is not a matrix or not finite, there are fewer than two training images, or the widths differ.
    """

    def __init__(self, X_train: npt.ArrayLike, X_held_out: npt.ArrayLike) -> None:
        exact = as_matrix(X_train, "X_train", at_least=2)
        held_out = as_matrix(X_held_out, "X_held_out")
        check_same_width(exact, held_out, ("X_train", "X_held_out"))
        self.rows = Rows(exact, exact.mean(axis=0))
        with threadpool_limits(limits=1):
            self.squared_to_own = squared_to_nearest(self.rows, self.rows, same=True)
            squared = squared_to_nearest(Rows(held_out, self.rows.origin), self.rows)
        self.squared_near = float(np.quantile(squared, _NEAR))

    def test(self, X_fake: npt.ArrayLike) -> Memorisation:
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
        """
        exact = as_matrix(X_fake, "X_fake", at_least=2)
        check_same_width(self.rows.exact, exact, ("X_train", "X_fake"))
        if len(exact) != len(self.rows.exact):
            raise ValueError(
                f"X_fake must have as many rows as X_train, {len(self.rows.exact)}, got {len(exact)}; "
                "the accuracy is 1/2 for equal distributions only where the numbers are equal"
            )
        fakes = Rows(exact, self.rows.origin)
        with threadpool_limits(limits=1):
            to_train = squared_to_nearest(fakes, self.rows)
            fake = _nearer(squared_to_nearest(fakes, fakes, same=True), to_train)
            train = _nearer(self.squared_to_own, squared_to_nearest(self.rows, fakes))
        return Memorisation((train + fake) / 2, train, fake, float(np.mean(to_train < self.squared_near)))


def memorisation(X_train: npt.ArrayLike, X_held_out: npt.ArrayLike, X_fake: npt.ArrayLike) -> Memorisation:
    """Test by nearest neighbours whether samples are copies of training images.

    Parameters
    ----------
    X_train : (N, D) array, N >= 2
        uint8 for pixels, or floats. Chosen at random.
    X_held_out : (M, D) array
        Real images that were not trained on, in the same units.
    X_fake : (N, D) array
        As many samples, in the same units.

    Returns
    -------
    Memorisation

    Raises
    ------
    ValueError
        The numbers of training images and samples or the numbers of columns differ, there are fewer than
        two rows, or a number is not finite.

    Notes
    -----
    Leave one image out, take the kind of its nearest neighbour among all the others, and see whether it is
    its own:

        train = (1 / N) sum_i [ min_(j != i) |x_i - x_j| < min_j |x_i - y_j| ],

    `fake` likewise for the samples y_j, and a tie counts half. Where both sets are drawn from one
    distribution, either kind is as likely: 1/2, with a standard error of about 1 / (2 sqrt(N)) for each
    part (somewhat more, as two images may be each other's nearest). Where each sample is a copy of its own
    training image, with a little noise, nearly every image has the other kind beside it: 0.

    That test sees copies only where they outweigh everything else that sets samples and images apart. So a
    second figure asks each sample by itself: with q the 1 % quantile of min_i |x_i - t|^2 over held-out
    images t,

        near_copies = (1 / N) sum_j [ min_i |x_i - y_j|^2 < q ].

    Cost: O(N (N + M) D); about 1.3 s on one core for N = 5000 and 784 pixels, with `TrainingImages` made
    before. Traps: the N training images are a part of those that might be copied: if all n are copied
    equally often, a share N / n of the samples has its original here, so near_copies is about N / n and the
    accuracy 1/2 - N / (2 n). Blurred samples lie near to one another and to every training image (train
    below, fake above 1/2), and copy nothing for that. For the same reason a rank test of the distances to
    the training images, of samples against held-out images (Meehan et al. 2020), is not used: it flags
    every VAE, at z = -10 to -20.

    References
    ----------
    Lopez-Paz & Oquab (2017), Revisiting classifier two-sample tests, section 3.
    Xu et al. (2018), An empirical study on evaluation metrics of generative adversarial networks, section 2.
    Meehan, Chaudhuri & Dasgupta (2020), A non-parametric test to detect data-copying in generative models.
    """
    return TrainingImages(X_train, X_held_out).test(X_fake)


def _nearer(own: np.ndarray, other: np.ndarray) -> float:
    """Return how often the own kind is nearer; ties count half."""
    return float(np.mean((own < other) + 0.5 * (own == other)))
