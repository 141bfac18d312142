"""How samples and data mingle, by nearest neighbours: coverage and density.

Around each real sample lies a ball that reaches to its k-th nearest real neighbour. Coverage is the part of
the balls that hold a fake sample; density is how many balls hold a fake sample, on average and relative to k.
"""

import numpy as np
import numpy.typing as npt

from npvae.study.arrays import as_rows, check_count, check_same_width

_MEBIBYTES = 64  # of distances held at once


def coverage(real: npt.ArrayLike, fake: npt.ArrayLike, k: int = 5) -> float:
    """Measure how much of the real data has fake samples nearby.

    Parameters
    ----------
    real : (N, D) array, N > k
        Images or features; uint8 for pixels.
    fake : (M, D) array
        In the same units.
    k : int
        Which neighbour a ball reaches to.

    Returns
    -------
    coverage : float in [0, 1]
        For samples of the real distribution, and N = M large, about 1 - 2^-k: 0.97 for k = 5.

    Raises
    ------
    ValueError
        The widths differ, there are no more than k real samples, a number is not finite, or k is not a
        positive integer.

    Notes
    -----
    With r_i the distance of x_i to its k-th nearest neighbour among the other real samples,

        coverage = (1 / N) sum_i [ min_j |x_i - y_j| < r_i ].

    Cost: O(N (N + M) D); a few seconds for N = M = 5000 and 784 pixels, so choose that many at random. Traps:
    it grows with M, so compare at equal N and M; copies of the real data reach 1; in binary data many
    distances are equal, and as equal does not count, even samples of the real distribution stay below their
    value.

    References
    ----------
    Naeem et al. (2020), Reliable fidelity and diversity metrics for generative models, section 3; the value
    for samples of the real distribution: lemma 2.
    """
    return float(np.mean(_fakes_in_balls(real, fake, k) > 0))


def density(real: npt.ArrayLike, fake: npt.ArrayLike, k: int = 5) -> float:
    """Measure how deep in the real data the fake samples lie.

    Parameters
    ----------
    real : (N, D) array, N > k
        Images or features; uint8 for pixels.
    fake : (M, D) array
        In the same units.
    k : int
        Which neighbour a ball reaches to.

    Returns
    -------
    density : float, at least 0
        About 1 for samples of the real distribution. It can exceed 1.

    Raises
    ------
    ValueError
        As for `coverage`.

    Notes
    -----
    With r_i the distance of x_i to its k-th nearest neighbour among the other real samples,

        density = (1 / (k M)) sum_j sum_i [ |x_i - y_j| < r_i ].

    Cost: as for `coverage`. Trap: in pixels it rewards blur. A faint mean image is near to many images, and
    samples that nobody would take for a digit reach densities far above 1. Use it in features.

    References
    ----------
    Naeem et al. (2020), Reliable fidelity and diversity metrics for generative models, section 3.
    """
    counts = _fakes_in_balls(real, fake, k)
    return float(counts.sum() / (k * len(np.asarray(fake))))


def _fakes_in_balls(real: npt.ArrayLike, fake: npt.ArrayLike, k: int) -> np.ndarray:
    """Count the fake samples in the ball of each real one, (N,)."""
    from sklearn.metrics import pairwise_distances_chunked
    from sklearn.neighbors import NearestNeighbors

    check_count(k, "k")
    real, fake = as_rows(real, "real", at_least=k + 1), as_rows(fake, "fake")
    check_same_width(real, fake, ("real", "fake"))
    neighbour_distances, _ = NearestNeighbors(n_neighbors=k).fit(real).kneighbors()  # without themselves
    radii = neighbour_distances[:, -1]
    counts = np.empty(len(real), dtype=np.int64)
    start = 0
    for distances in pairwise_distances_chunked(real, fake, working_memory=_MEBIBYTES):
        rows = slice(start, start + len(distances))
        counts[rows] = (distances < radii[rows, None]).sum(axis=1)
        start += len(distances)
    return counts
