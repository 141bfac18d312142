"""Whether a classifier can tell two samples apart."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from npvae.study.metrics.mlp import quiet_fit
from npvae.study.sample_arrays import as_matrix, check_same_width

_HIDDEN = (64, 64)
_EPOCHS = 30
_STEPS = 25  # of an epoch, or more: small samples get small batches
_WEIGHT_DECAY = 0.015  # without it the network memorises its 5000 rows
_LEARNING_RATE = 2e-3
_SQUARES_UP_TO = 9.0  # of standardised numbers; an outlier's square would outweigh the batch


@dataclass(frozen=True)
class TwoSampleTest:
    """What `classifier_two_sample_test` finds.

    Parameters
    ----------
    accuracy : float in [0, 1]
        Part of the held-out rows whose origin was recognised. 1/2: indistinguishable to this classifier; 1:
        no overlap. For samples, lower is better.
    standard_error : float
        1 / (2 sqrt(n_test)): the accuracy's standard deviation where the two distributions are the same,
        and at least as much as where they are not.
    n_test : int
        Rows held out, half of them from either sample.
    """

    accuracy: float
    standard_error: float
    n_test: int


def classifier_two_sample_test(a: npt.ArrayLike, b: npt.ArrayLike, *, random_state: int = 0) -> TwoSampleTest:
    """Train a classifier to tell a from b, and see how often it is right on rows that it has not seen.

    Parameters
    ----------
    a, b : (N, D), (M, D) arrays, N, M >= 10
        Features or codes; uint8 for pixels. The larger is cut to the size of the smaller at random.
    random_state : int
        Seed of the cut, the halves and the network: the same seed, the same bits, on any number of threads.

    Returns
    -------
    TwoSampleTest

    Raises
    ------
    ValueError
        The widths differ, a sample has fewer than 10 rows, or a number is not finite.

    Notes
    -----
    Half of each sample trains a classifier f, the other halves test it, n_test rows in all:

        accuracy = (1 / n_test) sum_i [ f(x_i) = origin of x_i ].

    If both samples have one distribution, f is right by chance alone, whatever it is: the accuracy has mean
    1/2 and variance at most 1 / (4 n_test), and is nearly normal. (With p the probability that f says "a",
    it is p (1 - p) / n_test, as both origins are held out equally often.) A better f finds more, so 1/2
    says that this one finds nothing.

    f is a network with two hidden layers of 64 (scikit-learn's MLPClassifier), its inputs the standardised
    columns and their squares: with the squares it sees scales and tails of single columns, which cost a
    network of this size too many rows to learn.

    Cost: O(N D), about 0.6 s on one core for 5000 + 5000 rows in 50 dimensions. Traps: in pixels it reaches
    1 for anything, as generated pixels are never exactly 0, so use principal components or codes; where a
    row of a has a copy in b, one may be trained on and the other tested, and the accuracy falls below 1/2;
    a set that is stored in some order, by writer, say, has to be shuffled before it is cut in two.

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
    """Put the squares beside the columns, about equally scaled, (N, 2 D) float32."""
    squares = np.minimum(standardised**2, _SQUARES_UP_TO) - 1
    return np.hstack([standardised, squares / np.sqrt(2)]).astype(np.float32)
