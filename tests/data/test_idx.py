import gzip
import math
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npvae.data import load_dataset, load_idx_folder, read_idx

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(array):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, CODES[array.dtype.str[1:]], array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write(path, content, *, compress=False):
    path.write_bytes(gzip.compress(content) if compress else content)
    return path


IMAGES = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3)
LABELS = np.array([3, 1, 4, 1, 5], dtype=np.uint8)
FILES = {
    "train-images-idx3-ubyte": IMAGES,
    "train-labels-idx1-ubyte": LABELS,
    "t10k-images-idx3-ubyte": IMAGES[:2] + 100,
    "t10k-labels-idx1-ubyte": LABELS[:2],
}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "shapes"
    folder.mkdir()
    for name, array in FILES.items():
        write(folder / name, idx_bytes(array))
    return folder


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("idx") / "file"


@given(
    array=hnp.arrays(st.sampled_from(sorted(CODES)), hnp.array_shapes(max_dims=5)),
    compress=st.booleans(),
)
def test_round_trip(scratch, array, compress):
    read = read_idx(write(scratch, idx_bytes(array), compress=compress))
    assert read.dtype == array.dtype
    assert read.dtype.isnative
    np.testing.assert_array_equal(read, array)


@given(array=hnp.arrays(st.sampled_from(["u1", "f4"]), hnp.array_shapes(max_dims=3)), data=st.data())
def test_any_cut_is_noticed(scratch, array, data):
    content = idx_bytes(array)
    keep = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(ValueError, match=str(scratch)):
        read_idx(write(scratch, content[:keep], compress=data.draw(st.booleans())))


@given(cut=st.integers(1, len(gzip.compress(idx_bytes(IMAGES))) - 1))
def test_any_cut_of_the_compressed_file_is_noticed(scratch, cut):
    with pytest.raises(ValueError, match=str(scratch)):
        read_idx(write(scratch, gzip.compress(idx_bytes(IMAGES))[:-cut]))


@given(where=st.integers(20, len(gzip.compress(idx_bytes(IMAGES))) - 1), flip=st.integers(1, 255))
def test_damage_to_the_compressed_data_never_changes_the_values(scratch, where, flip):
    content = bytearray(gzip.compress(idx_bytes(IMAGES)))
    content[where] ^= flip
    write(scratch, bytes(content))
    try:
        read = read_idx(scratch)
    except ValueError:
        return
    # Not refused: then it can only be the padding after the last compressed bit.
    np.testing.assert_array_equal(read, IMAGES)


def test_a_wrong_checksum_is_noticed(tmp_path):
    content = bytearray(gzip.compress(idx_bytes(IMAGES)))
    content[-8] ^= 1
    path = write(tmp_path / "train-images.gz", bytes(content))
    with pytest.raises(
        ValueError, match=r"train-images\.gz: damaged or incomplete gzip file \(CRC check failed"
    ):
        read_idx(path)


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"not an IDX file: it starts with the bytes \(none\)"),
        (b"\0\0", "not an IDX file: it starts with the bytes 00 00"),
        (b"<html>", "not an IDX file: it starts with the bytes 3c 68 74 6d"),
        (b"\0\0\x07\x01\0\0\0\1x", "type 0x07; .*0x08, 0x09, 0x0b"),
        (b"\0\0\x08\0", "states 0 dimensions"),
        (b"\0\0\x08\x41" + b"\0\0\0\1" * 65 + b"x", "states 65 dimensions"),
        (b"\0\0\x08\x03\0\0\0\1", "ends within its header"),
        (b"\0\0\x08\x02\0\0\0\0\xff\xff\xff\xff", r"states the shape \(0, 4294967295\): no values"),
        (idx_bytes(IMAGES)[:-1], r"60 bytes, .*only 59"),
        (idx_bytes(IMAGES) + b"\0", "extra bytes after the 60"),
    ],
)
def test_damaged_content(tmp_path, content, message, compress):
    path = write(tmp_path / "train-images", content, compress=compress)
    with pytest.raises(ValueError, match=f"train-images: .*{message}"):
        read_idx(path)


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("shape", [(2**32 - 1,) * 3, (2**32 - 1,) * 64, (2**31, 28, 28)])
def test_an_enormous_claim_takes_no_memory(tmp_path, shape, compress):
    content = struct.pack(f">BBBB{len(shape)}I", 0, 0, 0x08, len(shape), *shape) + b"abc"
    path = write(tmp_path / "hostile", content, compress=compress)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=f"{math.prod(shape)} bytes, more than a file of"):
            read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()


def test_a_compressed_file_is_not_expanded_where_it_cannot_hold_what_it_claims(tmp_path):
    """4 KB that expand to 4 MB, of which the header claims more than that."""
    header = struct.pack(">BBBBIII", 0, 0, 0x08, 3, 2**31, 28, 28)
    path = write(tmp_path / "hostile", header + bytes(2**22), compress=True)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="more than a file of this size can hold"):
            read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("shape", [(2**22,), (2**10, 2**12)])
def test_labels_that_do_not_fit_are_not_read(folder, shape):
    header = struct.pack(f">BBBB{len(shape)}I", 0, 0, 0x08, len(shape), *shape)
    write(folder / "train-labels-idx1-ubyte", header + bytes(2**22), compress=True)
    tracemalloc.start()
    try:
        with pytest.raises(
            ValueError, match=r"4194304 labels; the files do not|labels must be one-dimensional"
        ):
            load_dataset(folder)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing"):
        read_idx(tmp_path / "missing")


def test_folder(folder):
    data = load_dataset(str(folder))
    assert data.name == "shapes"
    assert data.image_shape == (4, 3)
    assert data.X_train.dtype == np.uint8
    assert data.y_train.dtype == np.int64
    np.testing.assert_array_equal(data.X_train, IMAGES.reshape(5, 12))
    np.testing.assert_array_equal(data.X_test, IMAGES[:2].reshape(2, 12) + 100)
    np.testing.assert_array_equal(data.y_train, LABELS)
    np.testing.assert_array_equal(data.y_test, LABELS[:2])


def test_names_and_compression_make_no_difference(folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    for name, array in FILES.items():
        write(other / (name.replace("-idx", ".idx") + ".gz"), idx_bytes(array), compress=True)
    assert load_idx_folder(other).sha256 == load_idx_folder(folder).sha256


def test_static_binarisation_keeps_bytes(folder):
    data = load_dataset(folder, binarize="static")
    assert data.X_train.dtype == np.uint8
    assert set(np.unique(data.X_train)) <= {0, 255}


def test_labels_are_optional(folder):
    (folder / "train-labels-idx1-ubyte").unlink()
    data = load_dataset(folder)
    assert data.y_train is None
    assert data.y_test is not None


def test_missing_images(folder):
    (folder / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(
        FileNotFoundError,
        match=r"no t10k-images-idx3-ubyte or t10k-images-idx3-ubyte\.gz.*contains t10k-labels-idx1-ubyte, t",
    ):
        load_dataset(folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train-images-idx3-ubyte", LABELS, r"images must be \(N, height, width\).*\(5,\)"),
        ("train-images-idx3-ubyte", IMAGES.astype("i4"), "samples of dtype int32; save pixels"),
        ("train-images-idx3-ubyte", IMAGES // 100, "no value is above 1"),
        ("train-images-idx3-ubyte", np.full((5, 4, 3), np.nan, "f4"), "contains NaN"),
        ("train-labels-idx1-ubyte", IMAGES, "labels must be one-dimensional"),
        ("train-labels-idx1-ubyte", LABELS.astype("f4"), "labels of dtype float32"),
        ("train-labels-idx1-ubyte", LABELS[:4], "4 labels; the files do not belong together"),
        ("t10k-images-idx3-ubyte", IMAGES[:2, :, :2], r"shape \(4, 3\), but .*shape \(4, 2\)"),
    ],
)
def test_files_that_do_not_fit_are_named(folder, name, content, message):
    path = write(folder / name, idx_bytes(content))
    with pytest.raises(ValueError, match=message) as caught:
        load_dataset(folder)
    assert str(path) in str(caught.value)


def test_floats_become_float32(folder):
    for name in ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte"):
        write(folder / name, idx_bytes(FILES[name] / 256))
    data = load_dataset(folder)
    assert data.X_train.dtype == np.float32
    np.testing.assert_array_equal(data.X_train, IMAGES.reshape(5, 12) / 256)
