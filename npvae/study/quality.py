"""How good a set of samples is, in a few numbers."""

from dataclasses import dataclass

import numpy.typing as npt

from npvae.study.features import PrincipalFeatures
from npvae.study.frechet import frechet_distance
from npvae.study.neighbours import coverage


@dataclass(frozen=True)
class SampleQuality:
    """What `sample_quality` measures.

    Parameters
    ----------
    frechet : float
        Frechet distance in principal components, in the data's units squared; smaller is better.
    coverage : float in [0, 1]
        In pixels; larger is better.
    n_real, n_fake : int
        Numbers of samples compared; both figures depend on them.
    """

    frechet: float
    coverage: float
    n_real: int
    n_fake: int


def sample_quality(
    features: PrincipalFeatures, X_real: npt.ArrayLike, X_fake: npt.ArrayLike, *, k: int = 5
) -> SampleQuality:
    """Compare samples with real images.

    Parameters
    ----------
    features : PrincipalFeatures
        Fitted to real images; the same for all sets of samples that are to be compared.
    X_real : (N, D) array, N > k
        uint8 for pixels, which are scaled to [0, 1], or floats. Chosen at random, best from images that
        neither the model nor the sampler has seen.
    X_fake : (M, D) array, M >= 2
        Samples in the same units, such as `draw_images` returns.
    k : int
        Of `coverage`.

    Returns
    -------
    SampleQuality

    Raises
    ------
    ValueError
        As for `PrincipalFeatures.transform`, `frechet_distance` and `coverage`.

    Notes
    -----
    Formulas, sources and traps stand in `frechet_distance` and `coverage`. Cost: that of coverage,
    O(N (N + M) D); give it at most 5000 images of each. What real images reach against other real images
    belongs beside it.
    """
    real, fake = features.transform(X_real), features.transform(X_fake)
    return SampleQuality(frechet_distance(real, fake), coverage(X_real, X_fake, k), len(real), len(fake))
