import numpy as np
import pytest

from npvae.study import TrainingImages


def memorisation(train, held_out, fake):
    return TrainingImages(train, held_out).memorisation(fake)


def by_brute_force(train, held_out, fake):
    """Leave-one-out accuracies and near copies, one pair at a time."""
    images = np.concatenate([train, fake])
    own = np.repeat([0, 1], [len(train), len(fake)])
    right = []
    for i, x in enumerate(images):
        squared = [np.sum((x - other) ** 2) if j != i else np.inf for j, other in enumerate(images)]
        right.append(own[np.argmin(squared)] == own[i])

    def nearest(x):
        return min(np.sum((x - t) ** 2) for t in train)

    near = np.quantile([nearest(x) for x in held_out], 0.01)
    copies = np.mean([nearest(y) < near for y in fake])
    parts = np.mean(right[: len(train)]), np.mean(right[len(train) :])
    return np.mean(parts), *parts, copies


@pytest.mark.parametrize("width", [2, 30])
@pytest.mark.parametrize("shift", [0, 0.4])
def test_against_brute_force(width, shift, rng):
    train, held_out, fake = rng.standard_normal((3, 70, width))
    fake = fake * 0.7 + shift
    result = memorisation(train, held_out, fake)
    expected = by_brute_force(train, held_out, fake)
    assert 0 < min(expected[1:3]) < max(expected[1:3]) <= 1
    assert (result.accuracy, result.train, result.fake, result.near_copies) == pytest.approx(expected)


def test_one_distribution_over_several_seeds():
    """Around 1/2; the bound allows for pairs that are each other's neighbours, which count twice."""
    z = []
    for seed in range(20):
        train, held_out, fake = np.random.default_rng(seed).standard_normal((3, 500, 3))
        result = memorisation(train, held_out, fake)
        z.append((result.accuracy - 0.5) / (0.5 / np.sqrt(1000)))
        assert result.near_copies < 0.05
    assert np.max(np.abs(z)) <= 4 * np.sqrt(2)
    assert abs(np.mean(z)) <= 4 * np.sqrt(2 / 20)
    assert np.std(z) > 0.5


def test_copies_are_found(rng):
    train, held_out, others = rng.random((3, 300, 20))
    training_images = TrainingImages(train, held_out)
    noisy = training_images.memorisation(train + 0.01 * rng.standard_normal(train.shape))
    assert (noisy.accuracy, noisy.train, noisy.fake, noisy.near_copies) == (0, 0, 0, 1)
    exact = training_images.memorisation(rng.permutation(train))
    assert (exact.accuracy, exact.near_copies) == (0, 1)
    half = training_images.memorisation(np.concatenate([train[:150], others[:150]]))
    alone = training_images.memorisation(others)
    assert half.near_copies == pytest.approx(0.5, abs=0.03)
    assert half.accuracy == pytest.approx(alone.accuracy / 2, abs=0.06)


def test_copies_of_a_few_images_are_near_copies(rng):
    """The accuracy cannot find these: each copy's nearest neighbour is the next copy."""
    train, held_out = rng.random((2, 300, 20))
    copies = train[rng.integers(5, size=300)] + 1e-3 * rng.standard_normal((300, 20))
    result = memorisation(train, held_out, copies)
    assert result.fake > 0.6
    assert result.near_copies == 1


def test_blur_does_not_pass_for_copies(rng):
    """Averages of many images are near to each other and to all images."""
    train, held_out, others = rng.random((3, 300, 40))
    blurred = 0.2 * others + 0.8 * train.mean(axis=0)
    result = memorisation(train, held_out, blurred)
    assert result.train < 0.1
    assert result.fake > 0.9


def test_ties_count_half():
    train = np.array([[0.0], [10.0], [20.0], [30.0]])
    held_out = train + 4
    fake = np.array([[0.0], [0.0], [15.0], [100.0]])
    result = memorisation(train, held_out, fake)
    # train: 0 -> fake; 10 -> fake (5 < 10); 20 -> fake; 30 -> train (10 < 15)
    # fake: 0 -> a fake and a train at 0: half, twice; 15 -> train; 100 -> train
    assert (result.train, result.fake) == (0.25, 0.25)
    assert result.near_copies == 0.5


def test_bytes_are_pixels(rng):
    train, held_out, fake = rng.integers(256, size=(3, 50, 6), dtype=np.uint8)
    scaled = [X / np.float32(255) for X in (train, held_out, fake)]
    assert memorisation(train, held_out, fake) == memorisation(*scaled)


def test_errors(rng):
    X = rng.random((20, 3))
    with pytest.raises(ValueError, match="X_fake must have as many rows as X_train, 20, got 19"):
        memorisation(X, X, X[:19])
    with pytest.raises(
        ValueError, match="X_train and X_fake must have the same number of columns, got 3 and 2"
    ):
        memorisation(X, X, X[:, :2])
    with pytest.raises(ValueError, match="X_train and X_held_out must have the same number of columns"):
        memorisation(X, X[:, :2], X)
    with pytest.raises(ValueError, match="X_train must have at least 2 rows, got 1"):
        memorisation(X[:1], X, X[:1])
