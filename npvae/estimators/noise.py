"""Noise that belongs to a sample, whatever else is in the batch."""

import functools

import numpy as np

_ROWS = 4096
_SEED = 20131220
# Odd multipliers of splitmix64 (Steele, Lea & Flood 2014, Fast splittable pseudorandom number generators).
_GAMMA, _MIX1, _MIX2 = (np.uint64(c) for c in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def noise_of_samples(X: np.ndarray, latent_dim: int) -> np.ndarray:
    """Return noise for each sample that depends on its values alone.

    Parameters
    ----------
    X : (N, D) array of floats
    latent_dim : int

    Returns
    -------
    eps : (N, Z) array, float64
        Rows of a fixed table of draws from N(0, I), chosen by a hash of each sample's values in
        float32.

    Notes
    -----
    A score must not change when samples are reordered, dropped or scored one by one, so noise drawn row
    by row will not do. One draw shared by all samples would be a poor estimate: its error does
    not average out over them.
    """
    with np.errstate(over="ignore"):
        words = np.ascontiguousarray(X, dtype=np.float32).view(np.uint32)
    multipliers = _mix(np.arange(1, X.shape[1] + 1, dtype=np.uint64) * _GAMMA) | np.uint64(1)
    hashes = _mix(np.einsum("nd,d->n", words, multipliers, dtype=np.uint64, casting="unsafe"))
    return _table(latent_dim)[(hashes % np.uint64(_ROWS)).astype(np.intp)]


def _mix(h: np.ndarray) -> np.ndarray:
    h = (h ^ (h >> np.uint64(30))) * _MIX1
    h = (h ^ (h >> np.uint64(27))) * _MIX2
    return h ^ (h >> np.uint64(31))


@functools.lru_cache(maxsize=8)
def _table(latent_dim: int) -> np.ndarray:
    return np.random.default_rng(_SEED).standard_normal((_ROWS, latent_dim))
