import numpy as np
import pytest

from npvae import VAE, load
from npvae.study.experiment.cache import Cell, StudyFolder, content_key

CELL = Cell(2, 0, "VAE")
NUMBERS, ARRAYS = {"a": 1.5, "b": [1, None]}, {"codes": np.arange(6, dtype=np.float32).reshape(3, 2)}


@pytest.fixture(scope="module")
def model():
    X = np.random.default_rng(0).random((40, 5))
    return VAE(2, hidden=(4,), max_epochs=1, random_state=0).fit(X)


@pytest.fixture
def folder(tmp_path):
    return StudyFolder(tmp_path / "new")


def test_a_key_is_of_the_content():
    content = {"data": "0a", "beta": 1.0, "hidden": (4, 3)}
    assert content_key(content) == content_key(dict(reversed(content.items())))
    for name, other in [("data", "0b"), ("beta", 1.0000001), ("hidden", (3, 4))]:
        assert content_key(content | {name: other}) != content_key(content)
    assert content_key({"learning_rate": np.float64(0.1)}) != content_key({"learning_rate": np.float64(0.2)})


def test_a_model_is_found_by_its_key(folder, model):
    assert folder.load_model(CELL, "key") is None
    folder.save_model(CELL, "key", model)
    found = folder.load_model(CELL, "key")
    assert found.params_.flat.tobytes() == model.params_.flat.tobytes()
    assert folder.load_model(CELL, "other") is None
    assert folder.load_model(Cell(2, 1, "VAE"), "key") is None


@pytest.mark.parametrize("reason", ["interrupted", "diverged", "error"])
def test_a_model_that_was_not_trained_to_its_end_is_kept_but_not_found(folder, model, reason, monkeypatch):
    """And it does not replace one that was."""
    with monkeypatch.context() as patch:
        patch.setattr(model, "stop_reason_", reason)
        folder.save_model(CELL, "key", model)
        assert load(folder.model_file(CELL)).stop_reason_ == reason
        assert folder.load_model(CELL, "key") is None
    folder.save_model(CELL, "key", model)
    monkeypatch.setattr(model, "stop_reason_", reason)
    folder.save_model(CELL, "other", model)
    assert folder.load_model(CELL, "key").stop_reason_ == "max_epochs"
    assert load(folder.place_of(CELL, model)).stop_reason_ == reason
    assert folder.place_of(CELL, model) != folder.model_file(CELL)


def test_measurements_are_found_by_their_key(folder):
    assert folder.load_measured("x", "key") is None
    folder.save_measured("x", "key", NUMBERS, ARRAYS)
    numbers, arrays = folder.load_measured("x", "key")
    assert numbers == NUMBERS
    np.testing.assert_array_equal(arrays["codes"], ARRAYS["codes"])
    assert arrays["codes"].dtype == np.float32
    assert folder.load_measured("x", "other") is None
    folder.save_measured("x", "other", {"a": 2}, {})
    assert folder.load_measured("x", "key") is None
    assert folder.load_measured("x", "other") == ({"a": 2}, {})


@pytest.mark.parametrize("ending", [".json", ".npz"])
@pytest.mark.parametrize("damage", ["cut", "gone", "empty", "other"])
def test_what_is_damaged_is_as_good_as_not_there(folder, ending, damage):
    folder.save_measured("x", "key", NUMBERS, ARRAYS)
    path = (folder.path / "measured" / "x").with_suffix(ending)
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes({"cut": path.read_bytes()[:20], "empty": b"", "other": b"[1, 2]"}[damage])
    assert folder.load_measured("x", "key") is None


@pytest.mark.parametrize("damage", ["cut", "gone", "empty", "a bit"])
def test_a_damaged_model_is_as_good_as_not_there(folder, model, damage):
    folder.save_model(CELL, "key", model)
    path = folder.model_file(CELL)
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        flipped = whole[:-1] + bytes([whole[-1] ^ 1])
        path.write_bytes({"cut": whole[:-8], "empty": b"", "a bit": flipped}[damage])
    assert folder.load_model(CELL, "key") is None


def test_no_bit_of_a_measurement_may_change(folder):
    """Some would make of a zip file one with other entries, and of a number another number."""
    folder.save_measured("x", "key", NUMBERS, ARRAYS)
    for ending in (".json", ".npz"):
        path = (folder.path / "measured" / "x").with_suffix(ending)
        whole = path.read_bytes()
        for i in range(len(whole) - (ending == ".json")):  # but the line's end
            path.write_bytes(whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :])
            assert folder.load_measured("x", "key") is None, (ending, i)
        path.write_bytes(whole)
    assert folder.load_measured("x", "key") is not None
