"""The handwritten digits that come with scikit-learn: always there, small enough for a first try."""

import numpy as np

from npvae.data.dataset import Dataset, Samples


def load_digits(*, test_fraction: float = 0.2, seed: int = 0) -> Dataset:
    """Load 1797 images of 8 x 8 pixels, ten classes.

    Parameters
    ----------
    test_fraction : float in (0, 1)
        Part of each class that is set aside for testing.
    seed : int
        Decides which images those are.

    Returns
    -------
    dataset : Dataset
        float32 in [0, 1]: the original values 0..16 divided by 16, which is exact. Labels are int64.

    Raises
    ------
    ValueError
        If test_fraction is not in (0, 1), or leaves one part empty.

    Examples
    --------
    >>> digits = load_digits()
    >>> digits.X_train.shape, digits.X_test.shape, digits.value_range
    ((1438, 64), (359, 64), (0.0, 1.0))
    """
    return read_digits().split(test_fraction, seed)


def read_digits() -> Samples:
    """Return the same images in scikit-learn's order, for a split that takes the same part of each class.

    Returns
    -------
    samples : Samples
    """
    from sklearn import datasets

    values, labels = datasets.load_digits(return_X_y=True)
    X = (values / 16).astype(np.float32)
    return Samples("digits", X, labels.astype(np.int64), image_shape=(8, 8), stratified=True)
