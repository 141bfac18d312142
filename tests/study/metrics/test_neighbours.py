import numpy as np
import pytest

from npvae.study import NeighbourBalls, neighbour_metrics


def distance(x, y):
    return np.sqrt(np.sum((x - y) ** 2))


def radii(rows, k):
    """Distance of each row to its k-th nearest other row."""
    return [
        sorted(distance(x, other) for j, other in enumerate(rows) if j != i)[k - 1]
        for i, x in enumerate(rows)
    ]


def by_brute_force(real, fake, k):
    """Coverage, density, precision and recall, one pair at a time."""
    real_radii, fake_radii = radii(real, k), radii(fake, k)
    in_real = [[distance(x, y) < r for y in fake] for x, r in zip(real, real_radii, strict=True)]
    in_fake = [[distance(x, y) < r for x in real] for y, r in zip(fake, fake_radii, strict=True)]
    return {
        "coverage": np.mean([any(ball) for ball in in_real]),
        "density": np.sum(in_real) / (k * len(fake)),
        "precision": np.mean([any(balls) for balls in zip(*in_real, strict=True)]),
        "recall": np.mean([any(balls) for balls in zip(*in_fake, strict=True)]),
    }


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("width", [2, 40])
def test_against_brute_force(k, width, rng):
    real = rng.standard_normal((60, width))
    fake = rng.standard_normal((45, width)) + 0.3
    expected = by_brute_force(real, fake, k)
    assert 0 < min(expected.values()) < max(expected.values()) < 1.3
    assert neighbour_metrics(real, fake, k)._asdict() == pytest.approx(expected, abs=1e-12)


def test_ties_and_rows_far_from_the_origin(rng):
    """Distances that equal a radius do not count, although products of such rows are rounded.

    Differences of the rows, and their squares, are exact.
    """
    grid = rng.integers(4, size=(80, 3)) / 4096 + 1e6
    real, fake = grid[:50], np.concatenate([grid[50:], grid[:10]])
    expected = by_brute_force(real, fake, 3)
    assert neighbour_metrics(real, fake, 3)._asdict() == pytest.approx(expected)


def test_duplicates_have_balls_of_radius_0(rng):
    real = np.repeat(rng.standard_normal((20, 30)), 6, axis=0)
    np.testing.assert_array_equal(NeighbourBalls.fit(real).squared_radii, 0)
    assert neighbour_metrics(real, real).coverage == 0


def test_balls_are_made_once(rng):
    real = rng.standard_normal((300, 20))
    balls = NeighbourBalls.fit(real, 3)
    for shift in (0, 0.5):
        fake = rng.standard_normal((200, 20)) + shift
        counts = balls.count(fake)
        assert counts.per_ball.sum() == counts.per_point.sum()
        metrics = neighbour_metrics(real, fake, 3)
        for name in ("coverage", "density", "precision"):
            assert getattr(counts, name) == getattr(metrics, name)
    with pytest.raises(ValueError, match="fake must have 20 columns, as the rows of the balls, got 2"):
        balls.count(fake[:, :2])


def test_a_mode_dropped(rng):
    """Three modes of four are sampled, well: coverage and recall lose a quarter, precision nothing."""
    modes = 100 * np.arange(4)
    real = rng.standard_normal((1200, 2)) + np.repeat(modes, 300)[:, None]
    fake = rng.standard_normal((1200, 2)) + np.repeat(modes[:3], 400)[:, None]
    whole = rng.standard_normal((1200, 2)) + np.repeat(modes, 300)[:, None]
    found, of_whole = neighbour_metrics(real, fake), neighbour_metrics(real, whole)
    assert found.coverage == pytest.approx(0.75 * of_whole.coverage, abs=0.02)
    assert found.recall == pytest.approx(0.75 * of_whole.recall, abs=0.02)
    assert found.precision == pytest.approx(of_whole.precision, abs=0.02)
    assert of_whole.precision > 0.95


def test_a_mode_invented(rng):
    """A quarter of the samples lies where no real ones do: precision loses it, recall does not."""
    real = rng.standard_normal((600, 2))
    fake = np.concatenate([rng.standard_normal((600, 2)), rng.standard_normal((200, 2)) + 100])
    found = neighbour_metrics(real, fake)
    assert found.precision == pytest.approx(0.75, abs=0.02)
    assert found.recall > 0.95


@pytest.mark.parametrize("width", [2, 50])
def test_samples_of_the_same_distribution(width, rng):
    """Naeem et al. (2020), lemma 2: 1 - (N-1)...(N-k) / ((M+N-1)...(M+N-k)); and density 1."""
    halves = rng.permutation(rng.standard_normal((2000, width)) * np.arange(1, width + 1))
    real, fake = halves[:1000], halves[1000:]
    expected = 1 - np.prod((1000 - np.arange(1, 6)) / (2000 - np.arange(1, 6)))
    found = neighbour_metrics(real, fake)
    assert found.coverage == pytest.approx(expected, abs=0.03)
    assert found.density == pytest.approx(1, abs=0.15)


def test_samples_far_away_cover_nothing(rng):
    real = rng.standard_normal((200, 3))
    assert neighbour_metrics(real, real + 100) == (0, 0, 0, 0)


def test_copies_cover_everything(rng):
    real = rng.standard_normal((200, 30))
    found = neighbour_metrics(real, real)
    assert found.coverage == found.precision == found.recall == 1


def test_one_mode_of_two(rng):
    real = np.concatenate([rng.standard_normal((300, 2)), rng.standard_normal((300, 2)) + 50])
    assert neighbour_metrics(real, rng.standard_normal((600, 2))).coverage == pytest.approx(0.5, abs=0.03)


def test_chunks_make_no_difference(rng, monkeypatch):
    real, fake = rng.standard_normal((400, 8)), rng.standard_normal((300, 8))
    whole = neighbour_metrics(real, fake)
    monkeypatch.setattr("npvae.study.metrics.neighbours._MEBIBYTES", 0.01)
    assert neighbour_metrics(real, fake) == whole


def test_bytes_are_pixels(rng):
    real = rng.integers(256, size=(100, 6), dtype=np.uint8)
    fake = rng.random((80, 6))
    assert neighbour_metrics(real, fake) == neighbour_metrics(real / np.float32(255), fake)
    assert neighbour_metrics(real, fake).coverage > 0


def test_errors(rng):
    real = rng.standard_normal((9, 3))
    for a, b, k, message in [
        (real[:5], real, 5, "real .* 6 rows, got 5"),
        (real, real[:5], 5, "fake .* 6 rows, got 5"),
        (real, real, 0, "k must be .* got 0"),
        (real, real[:, :2], 1, "columns, got 3 and 2"),
        (real, real * np.nan, 1, "fake holds NaN"),
    ]:
        with pytest.raises(ValueError, match=message):
            neighbour_metrics(a, b, k)
