import numpy as np
import pytest

from npvae.data import load_digits
from npvae.study import PrincipalFeatures, SampleQuality, coverage, frechet_distance, sample_quality


@pytest.fixture(scope="module")
def halves():
    data = load_digits()
    rows = np.random.default_rng(0).permutation(len(data.X_train))
    return data.X_train[rows[:600]], data.X_train[rows[600:1200]]


def test_it_bundles_the_two(halves):
    real, fake = halves[0], halves[1][:400]
    features = PrincipalFeatures.fit(real, 10)
    frechet = frechet_distance(features.transform(real), features.transform(fake))
    expected = SampleQuality(frechet, coverage(real, fake, 3), n_real=600, n_fake=400)
    assert sample_quality(features, real, fake, k=3) == expected


def test_real_images_are_better_than_independent_pixels(halves):
    real, others = halves
    features = PrincipalFeatures.fit(real)
    rng = np.random.default_rng(1)
    shuffled = rng.permuted(others, axis=0)  # each pixel keeps its distribution
    good, bad = sample_quality(features, real, others), sample_quality(features, real, shuffled)
    assert good.coverage > 0.92
    assert bad.coverage < 0.3
    assert good.frechet < bad.frechet / 10
