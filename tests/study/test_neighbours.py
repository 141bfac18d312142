import numpy as np
import pytest

from npvae.study import coverage, density


def by_brute_force(real, fake, k):
    """Coverage and density, one pair at a time."""
    covered, pairs = 0, 0
    for i, x in enumerate(real):
        others = [np.sqrt(np.sum((x - other) ** 2)) for j, other in enumerate(real) if j != i]
        inside = [np.sqrt(np.sum((x - y) ** 2)) < sorted(others)[k - 1] for y in fake]
        covered += any(inside)
        pairs += sum(inside)
    return covered / len(real), pairs / (k * len(fake))


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("width", [2, 40])
def test_against_brute_force(k, width, rng):
    real = rng.standard_normal((60, width))
    fake = rng.standard_normal((45, width)) + 0.3
    expected_coverage, expected_density = by_brute_force(real, fake, k)
    assert 0 < expected_coverage < 1
    assert coverage(real, fake, k) == pytest.approx(expected_coverage, abs=1e-12)
    assert density(real, fake, k) == pytest.approx(expected_density, abs=1e-12)


@pytest.mark.parametrize("width", [2, 50])
def test_samples_of_the_same_distribution(width, rng):
    """Naeem et al. (2020), lemma 2: 1 - (N-1)...(N-k) / ((M+N-1)...(M+N-k)); and density 1."""
    halves = rng.permutation(rng.standard_normal((2000, width)) * np.arange(1, width + 1))
    real, fake = halves[:1000], halves[1000:]
    expected = 1 - np.prod((1000 - np.arange(1, 6)) / (2000 - np.arange(1, 6)))
    assert coverage(real, fake) == pytest.approx(expected, abs=0.03)
    assert density(real, fake) == pytest.approx(1, abs=0.15)


def test_samples_far_away_cover_nothing(rng):
    real = rng.standard_normal((200, 3))
    assert coverage(real, real + 100) == 0
    assert density(real, real + 100) == 0


def test_copies_cover_everything(rng):
    real = rng.standard_normal((200, 30))
    assert coverage(real, real) == 1


def test_one_mode_of_two(rng):
    real = np.concatenate([rng.standard_normal((300, 2)), rng.standard_normal((300, 2)) + 50])
    assert coverage(real, rng.standard_normal((600, 2))) == pytest.approx(0.5, abs=0.03)


def test_chunks_make_no_difference(rng, monkeypatch):
    real, fake = rng.standard_normal((400, 8)), rng.standard_normal((300, 8))
    whole = coverage(real, fake), density(real, fake)
    monkeypatch.setattr("npvae.study.neighbours._MEBIBYTES", 0.01)
    assert (coverage(real, fake), density(real, fake)) == whole


def test_bytes_are_pixels(rng):
    real = rng.integers(256, size=(100, 6), dtype=np.uint8)
    fake = rng.random((80, 6))
    assert coverage(real, fake) == coverage(real / np.float32(255), fake) > 0


def test_errors(rng):
    real = rng.standard_normal((5, 3))
    with pytest.raises(ValueError, match="real must have at least 6 rows, got 5"):
        coverage(real, real)
    with pytest.raises(ValueError, match="k must be an integer of at least 1, got 0"):
        density(real, real, 0)
    with pytest.raises(ValueError, match="real and fake must have the same number of columns, got 3 and 2"):
        coverage(real, real[:, :2], 1)
    with pytest.raises(ValueError, match="fake holds NaN"):
        coverage(real, real * np.nan, 1)
