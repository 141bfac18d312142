"""The handwritten digits that come with scikit-learn: a small data set without a download."""

import numpy as np

from npvae.data.dataset import Dataset, Samples
from npvae.kernels import interrupts_held


def load_digits(*, test_fraction: float = 0.2, seed: int = 0) -> Dataset:
    """Load 1797 images of 8 x 8 pixels, ten classes.

    Parameters
    ----------
    test_fraction : float in (0, 1)
        Fraction of each class used for testing.
    seed : int
        Seed of the split.

    Returns
    -------
    dataset : Dataset
        float32 in [0, 1]: the original values 0..16 divided by 16, which is exact. Labels are int64.

    Raises
    ------
    ValueError
        test_fraction is not in (0, 1), or one part would be empty.

    Examples
    --------
    >>> digits = load_digits()
    >>> digits.X_train.shape, digits.X_test.shape, digits.value_range
    ((1438, 64), (359, 64), (0.0, 1.0))
    """
    return read_digits().split(test_fraction, seed)


def read_digits() -> Samples:
    """Return the same images unsplit, in scikit-learn's order; `Samples.split` will be stratified."""
    with interrupts_held():
        from sklearn import datasets

    values, labels = datasets.load_digits(return_X_y=True)
    X = (values / 16).astype(np.float32)
    return Samples("digits", X, labels.astype(np.int64), image_shape=(8, 8), stratified=True)
