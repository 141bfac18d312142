import hashlib
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npvae.data import Dataset, Samples, content_hash
from npvae.data.file_rows import row_blocks


def dataset(**changes):
    fields = {
        "name": "toy",
        "X_train": np.zeros((4, 6), np.float32),
        "y_train": np.zeros(4, np.int64),
        "X_test": np.ones((2, 6), np.float32),
        "y_test": None,
        "image_shape": (2, 3),
    }
    return Dataset(**(fields | changes))


def test_value_range():
    assert dataset(X_train=np.full((4, 6), -2, np.float32)).value_range == (-2.0, 1.0)
    pixels = np.full((4, 6), 7, np.uint8)
    assert dataset(X_train=pixels, X_test=pixels).value_range == (0.0, 255.0)


def test_is_frozen():
    with pytest.raises(FrozenInstanceError):
        dataset().name = "other"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"X_train": np.zeros((4, 2, 3), np.float32)}, r"X_train must be \(N, D\)"),
        ({"X_test": np.zeros((0, 6), np.float32)}, r"X_test must be \(N, D\) with N, D >= 1"),
        ({"X_train": np.zeros((4, 6))}, "X_train must be uint8 or float32, but is float64"),
        ({"X_test": np.zeros((2, 6), np.uint8)}, "X_train is float32 but X_test is uint8"),
        ({"X_test": np.zeros((2, 5), np.float32), "image_shape": None}, "6 features a row, X_test has 5"),
        ({"y_train": np.zeros(3, np.int64)}, r"X_train has 4 rows but y_train has shape \(3,\)"),
        ({"y_test": np.zeros((2, 1))}, r"X_test has 2 rows but y_test has shape \(2, 1\)"),
        ({"image_shape": (3, 3)}, r"image_shape \(3, 3\) does not fit 6 columns"),
    ],
)
def test_contradictions_are_refused(changes, message):
    with pytest.raises(ValueError, match=f"toy: .*{message}"):
        dataset(**changes)


def test_hash_covers_every_array():
    hashes = {
        dataset().sha256,
        dataset(X_train=np.ones((4, 6), np.float32)).sha256,
        dataset(X_test=np.zeros((2, 6), np.float32)).sha256,
        dataset(y_train=np.ones(4, np.int64)).sha256,
        dataset(y_train=None).sha256,
        dataset(y_test=np.zeros(2, np.int64)).sha256,
    }
    assert len(hashes) == 6
    assert dataset(name="other").sha256 == dataset().sha256


def test_hash_is_sha256_of_dtype_shape_and_bytes():
    X = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert content_hash(X, None) == hashlib.sha256(b"<f4 (2, 3)\n" + X.tobytes() + b"None\n").hexdigest()


def test_hash_tells_dtypes_and_shapes_apart():
    X = np.zeros((4, 6), np.uint8)
    assert len({content_hash(a) for a in (X, X.view(np.int8), X.reshape(6, 4), X[:, :3])}) == 4


@given(hnp.arrays(st.sampled_from(["<i4", "<f8", "|u1", "<U3"]), hnp.array_shapes(max_dims=3)))
def test_hash_is_independent_of_layout_and_byte_order(X):
    digest = content_hash(X)
    assert content_hash(np.asfortranarray(X)) == digest
    assert content_hash(X.astype(X.dtype.newbyteorder(">"))) == digest


def test_hash_of_objects_is_refused():
    with pytest.raises(ValueError, match="dtype object"):
        content_hash(np.array(["a", None]))


@given(rows=st.integers(0, 50), block_bytes=st.integers(1, 200))
def test_row_blocks_are_the_array(rows, block_bytes):
    X = np.arange(rows * 3, dtype=np.int64).reshape(rows, 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("npvae.data.file_rows.BLOCK_BYTES", block_bytes)
        blocks = list(row_blocks(X))
    assert all(len(block) == 1 or block.nbytes <= block_bytes for block in blocks)
    np.testing.assert_array_equal(np.concatenate([X[:0], *blocks]), X)


@given(n=st.integers(5, 40), seed=st.integers(0, 99), labelled=st.booleans())
def test_splitting_samples_keeps_rows_labels_and_order(n, seed, labelled):
    X = np.arange(3 * n, dtype=np.float32).reshape(n, 3)
    samples = Samples("toy", X, np.arange(n) if labelled else None, (1, 3))
    data = samples.split(0.3, seed)
    assert (data.name, data.image_shape, data.n_features, samples.n_features) == ("toy", (1, 3), 3, 3)
    for part, labels in [(data.X_train, data.y_train), (data.X_test, data.y_test)]:
        assert np.all(np.diff(part[:, 0]) > 0)
        if labelled:
            np.testing.assert_array_equal(labels, part[:, 0] / 3)
        else:
            assert labels is None
    np.testing.assert_array_equal(np.sort(np.concatenate([data.X_train, data.X_test]), axis=0), X)


def test_stratified_samples_give_each_class_its_share():
    labels = np.repeat([0, 1], [10, 90])
    data = Samples("toy", np.zeros((100, 2), np.float32), labels, stratified=True).split(0.2)
    np.testing.assert_array_equal(np.bincount(data.y_test), [2, 18])


def test_too_few_samples_to_split_are_named():
    with pytest.raises(ValueError, match=r"toy: a test_fraction of 0.2 of 2 samples leaves 2 for training"):
        Samples("toy", np.zeros((2, 2), np.float32)).split()
