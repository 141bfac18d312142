"""Classifier two-sample test (C2ST): whether a classifier can distinguish two samples."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from npvae.study.metrics.mlp import quiet_fit
from npvae.study.sample_arrays import as_matrix, check_same_width

_HIDDEN = (64, 64)
_EPOCHS = 30
_STEPS = 25  # per epoch, at least: small samples get small batches
_WEIGHT_DECAY = 0.015  # without it the network memorises its 5000 rows
_LEARNING_RATE = 2e-3
_SQUARES_UP_TO = 9.0  # limit for squares of standardised inputs, so that no outlier dominates a batch


@dataclass(frozen=True)
class TwoSampleTest:
    """What `classifier_two_sample_test` returns.

    Parameters
    ----------
    accuracy : float in [0, 1]
        Share of the held-out rows whose origin was predicted correctly. 1/2: indistinguishable for this
        classifier; 1: no overlap. For samples, lower is better.
    standard_error : float
        1 / (2 sqrt(n_test)): the accuracy's standard deviation if the two distributions are equal, and an
        upper bound of it otherwise.
    n_test : int
        Number of held-out rows, half of them from each sample.
    """

    accuracy: float
    standard_error: float
    n_test: int


def classifier_two_sample_test(a: npt.ArrayLike, b: npt.ArrayLike, *, random_state: int = 0) -> TwoSampleTest:
    """Train a classifier to distinguish a from b, and measure its accuracy on held-out rows.

    Parameters
    ----------
    a, b : (N, D), (M, D) arrays, N, M >= 10
        Features or codes; uint8 for pixels. A random subset of the larger is used, of the smaller's size.
    random_state : int
        Seed of the subset, the split and the network. The same seed gives the same bits, on any number of
        threads.

    Returns
    -------
    TwoSampleTest

    Raises
    ------
    ValueError
        The widths differ, a sample has fewer than 10 rows, or a number is not finite.

    Notes
    -----
    Half of each sample trains a classifier f, and the other halves, n_test rows in total, test it:

        accuracy = (1 / n_test) sum_i [ f(x_i) = origin of x_i ].

    If both samples have the same distribution, any f is right by chance only: the accuracy has mean 1/2 and
    variance at most 1 / (4 n_test), and is nearly normal. (With p the probability that f predicts "a", the
    variance is p (1 - p) / n_test, as both origins are held out equally often.) An accuracy of 1/2 only says
    that this classifier found no difference.

    f is a network with two hidden layers of 64 units (scikit-learn's MLPClassifier). Its inputs are the
    standardised columns and their squares; without the squares, it would need many more rows to learn
    differences in the scales and tails of columns.

    Cost: O(N D), about 0.6 s on one core for 5000 + 5000 rows in 50 dimensions. Limits: in pixels the
    accuracy is always near 1, as generated pixels are never exactly 0, so use principal components or codes.
    If rows of a have copies in b, one may be in the training part and the other in the test part, which
    lowers the accuracy below 1/2. To compare two halves of an ordered data set (by writer, for example),
    shuffle it before splitting.

    References
    ----------
    Lopez-Paz & Oquab (2017), Revisiting classifier two-sample tests, section 3.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> test = classifier_two_sample_test(rng.normal(0, 1, (500, 1)), rng.normal(9, 1, (400, 1)))
    >>> test.accuracy, test.n_test
    (1.0, 400)
    """
    from sklearn.neural_network import MLPClassifier

    a, b = as_matrix(a, "a", at_least=10), as_matrix(b, "b", at_least=10)
    check_same_width(a, b, ("a", "b"))
    rng = np.random.default_rng(random_state)
    n = min(len(a), len(b))
    a, b = (rows[rng.permutation(len(rows))[:n]] for rows in (a, b))
    half = n // 2
    train, test = np.concatenate([a[:half], b[:half]]), np.concatenate([a[half:], b[half:]])
    train_origin, test_origin = np.repeat([0, 1], half), np.repeat([0, 1], n - half)
    mean, scale = train.mean(axis=0), train.std(axis=0)
    scale[scale == 0] = 1
    batch_size = int(np.clip(len(train) // _STEPS, 1, 200))
    network = MLPClassifier(
        _HIDDEN,
        alpha=_WEIGHT_DECAY * batch_size,  # which scikit-learn divides by it
        learning_rate_init=_LEARNING_RATE,
        max_iter=_EPOCHS,
        n_iter_no_change=_EPOCHS,
        batch_size=batch_size,
        random_state=int(rng.integers(2**31)),
    )
    with quiet_fit():
        network.fit(_inputs((train - mean) / scale), train_origin)
        accuracy = np.mean(network.predict(_inputs((test - mean) / scale)) == test_origin)
    return TwoSampleTest(float(accuracy), float(1 / (2 * np.sqrt(len(test)))), len(test))


def _inputs(standardised: np.ndarray) -> np.ndarray:
    """Return the columns and their squares, similarly scaled, (N, 2 D) float32."""
    squares = np.minimum(standardised**2, _SQUARES_UP_TO) - 1
    return np.hstack([standardised, squares / np.sqrt(2)]).astype(np.float32)
