import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npvae.data import Dataset, FileRows, Samples, files, load_dataset, read_npy, read_npz

X = np.random.default_rng(0).random((10, 6), dtype=np.float32)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "toy"
    folder.mkdir()
    np.save(folder / "X_train.npy", X[:7])
    np.save(folder / "X_test.npy", X[7:])
    np.save(folder / "y_train.npy", np.arange(7))
    np.save(folder / "y_test.npy", np.array(["a", "b", "c"]))
    return folder


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("npy") / "scratch.npy"


SHAPES = st.tuples(st.integers(2, 9), st.integers(1, 4), st.integers(1, 4))


@given(
    array=hnp.arrays(np.float32, SHAPES, elements=st.floats(-1e6, 1e6, width=32)),
    fortran=st.booleans(),
)
def test_one_file_is_split_without_loss(scratch, array, fortran):
    np.save(scratch, np.asfortranarray(array) if fortran else array)
    data = read_npy(scratch).split(test_fraction=0.4, seed=1)
    assert data.image_shape == array.shape[1:]
    assert data.y_train is None
    assert data.y_test is None
    assert len(data.X_test) == round(0.4 * len(array))
    rows = np.concatenate([data.X_train, data.X_test]).tolist()
    assert sorted(rows) == sorted(array.reshape(len(array), -1).tolist())


def test_seed_and_fraction_reach_the_split(tmp_path):
    np.save(tmp_path / "x.npy", X)
    first, again, other = (load_dataset(str(tmp_path / "x.npy"), seed=seed) for seed in (0, 0, 1))
    assert first.name == "x"
    assert first.sha256 == again.sha256
    assert first.sha256 != other.sha256
    assert len(load_dataset(tmp_path / "x.npy", test_fraction=0.5).X_test) == 5


def test_one_file_is_mapped_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LARGE_BYTES", X.nbytes)
    np.save(tmp_path / "x.npy", X)
    samples = read_npy(tmp_path / "x.npy")
    assert isinstance(samples.X, FileRows)
    np.testing.assert_array_equal(samples.X, X)


@pytest.mark.parametrize(
    ("stored", "loaded"),
    [
        (np.uint8, np.uint8),
        (np.bool_, np.float32),
        (np.float16, np.float32),
        (">f4", np.float32),
        (np.float64, np.float32),
    ],
)
def test_dtypes(tmp_path, stored, loaded):
    values = np.tile(np.array([0, 1, 200], dtype=np.uint8), (4, 1)).astype(stored)
    np.save(tmp_path / "x.npy", values)
    data = load_dataset(tmp_path / "x.npy")
    assert data.X_train.dtype == loaded
    np.testing.assert_array_equal(data.X_train[0], [0, 1, 1 if stored == np.bool_ else 200])


def test_folder(folder):
    data = load_dataset(folder)
    assert data.name == "toy"
    assert data.image_shape is None
    np.testing.assert_array_equal(data.X_train, X[:7])
    np.testing.assert_array_equal(data.X_test, X[7:])
    np.testing.assert_array_equal(data.y_train, np.arange(7))
    assert data.y_test.tolist() == ["a", "b", "c"]


def test_folder_is_mapped_not_read(folder, monkeypatch):
    monkeypatch.setattr(files, "LARGE_BYTES", 1)
    assert isinstance(load_dataset(folder).X_train, FileRows)
    np.save(folder / "X_train.npy", X[:7].reshape(7, 3, 2))
    np.save(folder / "X_test.npy", X[7:].reshape(3, 3, 2))
    images = load_dataset(folder)
    assert isinstance(images.X_train, FileRows)
    assert images.image_shape == (3, 2)
    assert images.X_train.shape == (7, 6)


def test_labels_are_optional(folder):
    (folder / "y_test.npy").unlink()
    assert load_dataset(folder).y_test is None


@pytest.mark.parametrize("name", ["X_train.npy", "X_test.npy"])
def test_missing_samples(folder, name):
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"no {name}; the folder contains X_t"):
        load_dataset(folder)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("X_test.npy", np.where(X[7:] > 0.5, np.nan, X[7:]), "contains NaN"),
        ("X_train.npy", np.where(X[:7] > 0.5, np.inf, X[:7]), "infinity"),
        ("X_train.npy", np.full((7, 6), 1e300), "too large for float32"),
        ("X_train.npy", np.zeros((7, 6), np.int64), r"samples of dtype int64; .*astype\(np.uint8\)"),
        ("X_train.npy", np.zeros((7, 6), np.complex64), "samples of dtype complex64"),
        ("X_train.npy", np.ones((7, 6), np.uint8), "no value is above 1; save binary images as bool"),
        ("X_train.npy", np.zeros(7, np.float32), r"shape \(7,\); samples must be \(N, D\)"),
        ("X_train.npy", np.zeros((7, 2, 3, 1), np.float32), r"shape \(7, 2, 3, 1\)"),
        ("X_train.npy", np.zeros((7, 0), np.float32), r"shape \(7, 0\)"),
        ("X_train.npy", np.zeros((7, 5), np.float32), r"shape \(5,\), but .*shape \(6,\)"),
        ("y_train.npy", np.arange(6), "6 labels; the files do not belong together"),
        ("y_train.npy", np.zeros((7, 10), np.int64), "labels must be one-dimensional"),
        ("y_train.npy", np.zeros(7), "labels of dtype float64; save them as integers"),
    ],
)
def test_files_that_do_not_fit_are_named(folder, name, array, message):
    np.save(folder / name, array)
    with pytest.raises(ValueError, match=message) as caught:
        load_dataset(folder)
    assert str(folder / name) in str(caught.value)


def test_different_dtypes_are_refused(folder):
    np.save(folder / "X_test.npy", np.full((3, 6), 9, np.uint8))
    with pytest.raises(ValueError, match="toy: X_train is float32 but X_test is uint8"):
        load_dataset(folder)


@pytest.mark.parametrize("name", ["X_train.npy", "y_train.npy"])
def test_objects_are_not_unpickled(folder, name):
    np.save(folder / name, np.array([[1], None], dtype=object))
    with pytest.raises(ValueError, match=rf"{name}: not a complete \.npy file.*dtype object"):
        load_dataset(folder)


def header(shape):
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a complete .npy file"),
        (b"<html></html>", "not a complete .npy file"),
        (b"PK\x03\x04" + bytes(100), "not a complete .npy file"),
        (header((7, 6))[:40], "not a complete .npy file"),
        (header((7, 6)), "not a complete .npy file"),
        (header((7, 6)) + bytes(7 * 6 * 4 - 1), "not a complete .npy file"),
        (header((7, 6)) + bytes(7 * 6 * 4 + 1), r"1 extra bytes .*\(7, 6\)"),
        (header((2**40, 2**10)) + bytes(8), "not a complete .npy file"),
        (header((2**62, 2**62)) + bytes(8), "not a complete .npy file"),
        (header((2**70, 1)) + bytes(8), "not a complete .npy file"),
        (header((-1, 6)) + bytes(8), "not a complete .npy file"),
        (header(("a", 6)), "not a complete .npy file"),
    ],
)
@pytest.mark.parametrize("name", ["X_train.npy", "y_test.npy"])
def test_damaged_files(folder, name, content, message):
    (folder / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        load_dataset(folder)
    assert str(folder / name) in str(caught.value)


@given(data=st.data())
def test_any_cut_is_noticed(scratch, data):
    np.save(scratch, X)
    content = scratch.read_bytes()
    scratch.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(ValueError, match=str(scratch)):
        read_npy(scratch)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("name", ["arr_0", "faces", "X_train"])
def test_one_array_of_an_npz_file_is_that_of_an_npy_file(tmp_path, save, name):
    images = X.reshape(10, 3, 2)
    np.save(tmp_path / "a.npy", images)
    save(tmp_path / "a.npz", **{name: images})
    assert isinstance(read_npz(tmp_path / "a.npz"), Samples)
    found, expected = load_dataset(tmp_path / "a.npz", seed=3), load_dataset(tmp_path / "a.npy", seed=3)
    assert found.sha256 == expected.sha256
    assert (found.name, found.image_shape) == ("a", (3, 2))


PARTS = {
    "X_train": X[:7],
    "y_train": np.arange(7),
    "X_test": X[7:],
    "y_test": np.array(["a", "b", "c"]),
}


@pytest.mark.parametrize("letter", ["X", "x"])
@pytest.mark.parametrize("left_out", [(), ("y_train", "y_test"), ("y_train",)])
def test_two_parts_of_an_npz_file(tmp_path, folder, letter, left_out):
    """Keras's mnist.npz writes x."""
    arrays = {name.replace("X", letter): a for name, a in PARTS.items() if name not in left_out}
    np.savez(tmp_path / "toy.npz", **arrays)
    for name in left_out:
        (folder / f"{name}.npy").unlink()
    found = load_dataset(tmp_path / "toy.npz")
    assert isinstance(read_npz(tmp_path / "toy.npz"), Dataset)
    assert found.sha256 == load_dataset(folder).sha256
    assert found.name == "toy"


KNOWN = "one array, or X_train and X_test"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": X}, rf"arrays X_train, y_train, X_test, y_test, weights; .*{KNOWN}"),
        ({"X_test": None}, rf"arrays X_train, y_train, y_test; .*{KNOWN}"),
        ({"x_train": X}, KNOWN),
        (dict.fromkeys(PARTS), rf"arrays \(none\); .*{KNOWN}"),
        ({"X_test": np.full((3, 6), np.nan)}, r"toy\.npz/X_test: contains NaN"),
        ({"X_test": X[7:, :5]}, r"X_train .*\(6,\).*X_test .*\(5,\)"),
        ({"X_train": np.ones((7, 6), np.uint8)}, r"toy\.npz/X_train: .*no value is above 1"),
        ({"y_train": np.arange(6)}, r"toy\.npz/y_train has 6 labels"),
        ({"y_test": np.array([1, None, "b"], dtype=object)}, "not with dtype object"),
        ({"X_train": np.array([[1], None], dtype=object)}, "not with dtype object"),
    ],
)
def test_npz_files_that_do_not_fit_are_named(tmp_path, changes, message):
    path = tmp_path / "toy.npz"
    np.savez(path, **{name: a for name, a in (PARTS | changes).items() if a is not None})
    with pytest.raises(ValueError, match=message) as caught:
        load_dataset(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_what_an_npz_file_holds_besides_arrays_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", X=X)
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("notes.txt", "hello")
    with pytest.raises(ValueError, match=r"a\.npz: notes\.txt is not an array"):
        load_dataset(tmp_path / "a.npz")


def test_an_npy_file_under_another_name_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", X)
    (tmp_path / "a.npy").rename(tmp_path / "a.npz")
    with pytest.raises(ValueError, match=r"a\.npz: not a complete \.npz file \(File is not a zip file\)"):
        load_dataset(tmp_path / "a.npz")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@given(data=st.data())
def test_any_damage_of_an_npz_file_is_noticed_or_does_no_harm(scratch, save, data):
    path = scratch.with_suffix(".npz")
    save(path, X=X)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        found, message = read_npz(path).X, ""
    except ValueError as error:
        found, message = X, str(error)
    np.testing.assert_array_equal(found, X)
    assert not message or message.startswith(str(path))
