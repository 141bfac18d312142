"""A classifier small enough to be part of a page: which class an image shows."""

from typing import NamedTuple

import numpy as np

from npvae.data.scaling import as_floats
from npvae.study.metrics.mlp import quiet_fit

_HIDDEN = 32
_MOST_ROWS = 12_000
_EPOCHS = 120
_STEPS = 2500  # at most, whatever the number of rows
_BATCH_SIZE = 100


class SmallClassifier(NamedTuple):
    """Scores (N, C) of x (N, D) are ``max(x W1 + b1, 0) W2 + b2``; the largest names the class.

    Attributes
    ----------
    W1, b1 : (D, 32) and (32,) arrays
    W2, b2 : (32, C) and (C,) arrays
    """

    W1: np.ndarray
    b1: np.ndarray
    W2: np.ndarray
    b2: np.ndarray

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the index of each row's class, (N,), for X (N, D)."""
        h = np.maximum(as_floats(X) @ self.W1 + self.b1, 0)
        return (h @ self.W2 + self.b2).argmax(axis=1)


def fit_small_classifier(X: np.ndarray, y: np.ndarray, n_classes: int, seed: int = 0) -> SmallClassifier:
    """Train one hidden layer of 32 ReLU units by Adam (scikit-learn's MLPClassifier).

    Parameters
    ----------
    X : (N, D) array
        uint8 for pixels, or floats. At most 12,000 rows are used, drawn at random.
    y : (N,) array of int
        Classes 0 .. n_classes - 1.
    n_classes : int
        C, at least 2.
    seed : int
        Of weights, rows and batches; the same seed gives the same bits on a machine.

    Returns
    -------
    SmallClassifier

    Notes
    -----
    `ClassifierFeatures` recognises more (on MNIST 98 % of the test images, this one 95 %), and has about ten
    times as many weights.
    """
    from sklearn.neural_network import MLPClassifier

    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(X))[:_MOST_ROWS]
    batch_size = min(_BATCH_SIZE, len(rows))
    epochs = max(1, min(_EPOCHS, _STEPS * batch_size // len(rows)))
    network = MLPClassifier(
        (_HIDDEN,), batch_size=batch_size, max_iter=epochs, random_state=seed, n_iter_no_change=epochs
    )
    with quiet_fit():
        network.fit(as_floats(X[rows], np.dtype(np.float32)), y[rows])
    W2, b2 = network.coefs_[1], network.intercepts_[1]
    if n_classes == 2:  # scikit-learn keeps the score of the second class only
        W2, b2 = np.hstack([0 * W2, W2]), np.hstack([0 * b2, b2])
    return SmallClassifier(network.coefs_[0], network.intercepts_[0], W2, b2)
