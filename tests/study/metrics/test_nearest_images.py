import numpy as np
import pytest

from npvae.study import nearest_images
from npvae.study.metrics import neighbours


def by_brute_force(X, Y, k):
    """One pair at a time, equally near ones in the order of their rows."""
    X = X / np.float32(255) if X.dtype == np.uint8 else X
    Y = Y / np.float32(255) if Y.dtype == np.uint8 else Y
    indices, distances = [], []
    for y in Y:
        pairs = sorted((float(np.sqrt(np.sum((x.astype(float) - y) ** 2))), i) for i, x in enumerate(X))[:k]
        distances.append([distance for distance, _ in pairs])
        indices.append([i for _, i in pairs])
    return np.array(indices), np.array(distances)


@pytest.fixture(params=["whole", "blocks"], autouse=True)
def blocks(request, monkeypatch):
    """Once as it is, once in blocks smaller than the data, and than k."""
    if request.param == "blocks":
        monkeypatch.setattr(neighbours, "_TRAINING_ROWS", 4)
        monkeypatch.setattr(neighbours, "_SAMPLES", 3)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 2, 6])
def test_against_brute_force(dtype, k, rng):
    X = rng.integers(256, size=(101, 20)).astype(dtype)
    Y = rng.random((10, 20)) if dtype == np.uint8 else 255 * rng.random((10, 20))
    indices, distances = nearest_images(X, Y, k)
    expected_indices, expected_distances = by_brute_force(X, Y, k)
    np.testing.assert_array_equal(indices, expected_indices)
    np.testing.assert_allclose(distances, expected_distances, rtol=1e-12)


@pytest.mark.parametrize("k", [1, 3, 7, 40])
def test_ties_and_duplicates_are_in_the_order_of_their_rows(k, rng):
    """Black and white images of 5 pixels: there are 32 of them, and only six distances."""
    X = 255 * rng.integers(2, size=(60, 5), dtype=np.uint8)
    indices, distances = nearest_images(X, X[:9], k)
    expected_indices, expected_distances = by_brute_force(X, X[:9], k)
    np.testing.assert_array_equal(indices, expected_indices)
    np.testing.assert_allclose(distances, expected_distances, rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_copies_are_at_distance_0_and_near_copies_are_not(scale, rng):
    """Also far from the origin, where |x|^2 - 2 x y + |y|^2 has no digits left for them."""
    X = scale * (1000 + rng.random((50, 30)))
    X[7] = X[3]
    X[9] = X[5]
    X[9, 0] += 1e-9 * scale
    indices, distances = nearest_images(X, X, 2)
    np.testing.assert_array_equal(distances[:, 0], 0)
    np.testing.assert_array_equal(indices[:, 0], [*range(7), 3, *range(8, 50)])
    assert list(indices[7]) == [3, 7]
    assert distances[3, 1] == distances[7, 1] == 0
    assert list(indices[9]) == [9, 5]
    assert distances[9, 1] == pytest.approx(X[9, 0] - X[5, 0], rel=1e-12)


def test_neighbours_nearer_than_rounding_are_in_order(rng):
    """|x|^2 - 2 x y + |y|^2 is off by 1e-9 here, and their squared distances are below 1e-14."""
    base, far = 1000 + rng.random(30), rng.permutation(40)
    X = np.tile(base, (40, 1))
    X[:, 0] += 2e-9 * (far + 1)
    indices, distances = nearest_images(X, base[None], 5)
    np.testing.assert_array_equal(indices[0], np.argsort(far)[:5])
    np.testing.assert_allclose(distances[0], (np.sort(X[:, 0]) - base[0])[:5], rtol=1e-12)


def test_an_image_of_bytes_finds_itself(rng):
    X = rng.integers(256, size=(30, 12), dtype=np.uint8)
    for samples in (X[::-1], X[::-1] / np.float32(255)):
        indices, distances = nearest_images(X, samples, 1)
        np.testing.assert_array_equal(indices[:, 0], np.arange(30)[::-1])
        np.testing.assert_array_equal(distances, 0)


def test_a_memory_map_is_read_in_blocks(tmp_path, rng):
    X = rng.integers(256, size=(30, 12), dtype=np.uint8)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    for found, expected in zip(nearest_images(mapped, X[:2], 4), nearest_images(X, X[:2], 4), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_errors(rng):
    X = rng.random((5, 3))
    with pytest.raises(ValueError, match="k must be an integer of at least 1, got 0"):
        nearest_images(X, X, 0)
    with pytest.raises(ValueError, match=r"at least k = 6 rows, got an array of shape \(5, 3\)"):
        nearest_images(X, X, 6)
    with pytest.raises(ValueError, match="X_train must be a matrix"):
        nearest_images(X[0], X, 1)
    with pytest.raises(ValueError, match="X_train and samples must have the same number of columns"):
        nearest_images(X, X[:, :2], 1)
    with pytest.raises(ValueError, match="samples holds NaN"):
        nearest_images(X, X * np.nan, 1)
    with pytest.raises(ValueError, match="X_train holds NaN"):
        nearest_images(X * [1, 1, np.inf], X, 1)
