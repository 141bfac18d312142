"""Split samples into training and test samples."""

import numpy as np

from npvae.data.file_rows import row_numbers


def split_indices(
    n_samples: int, test_fraction: float, seed: int, labels: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Choose the test samples at random.

    Parameters
    ----------
    n_samples : int
    test_fraction : float in (0, 1)
        Fraction of the samples used for testing.
    seed : int
        The same seed gives the same split.
    labels : (n_samples,) array or None
        If given, the fraction is the same in each class (a stratified split).

    Returns
    -------
    train, test : integer arrays
        Sorted, disjoint, and together 0 .. n_samples - 1.

    Raises
    ------
    ValueError
        test_fraction is not in (0, 1), or one part would be empty.

    Examples
    --------
    >>> train, test = split_indices(10, 0.3, seed=0)
    >>> len(train), len(test)
    (7, 3)
    """
    if not 0 < test_fraction < 1:
        raise ValueError(f"test_fraction must be between 0 and 1, but is {test_fraction}")
    rng = np.random.default_rng(seed)
    if labels is None:
        groups = [row_numbers(n_samples)]
    else:
        groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    is_test = np.zeros(n_samples, dtype=bool)
    for group in groups:
        is_test[rng.permutation(group)[: round(test_fraction * len(group))]] = True
    train, test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
    if len(train) == 0 or len(test) == 0:
        raise ValueError(
            f"a test_fraction of {test_fraction} of {n_samples} samples leaves {len(train)} for training and "
            f"{len(test)} for testing; both need at least one"
        )
    return train, test
