import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from npvae.data import load_dataset, load_samples, read_image_folder

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 4), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Five grey images, whose names sort as the images do."""
    folder = tmp_path / "stamps"
    folder.mkdir()
    for name, pixels in zip("abcde", PIXELS, strict=True):
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("images")


def test_grey_images_are_read_to_the_last_bit_and_sorted(folder):
    samples = read_image_folder(folder)
    assert (samples.name, samples.y, samples.image_shape) == ("stamps", None, (7, 4))
    assert samples.X.dtype == np.uint8
    np.testing.assert_array_equal(samples.X, PIXELS.reshape(5, -1))


def test_they_are_split_as_an_array_is(folder, tmp_path):
    np.save(tmp_path / "stamps.npy", PIXELS)
    for seed in (0, 1):
        found, expected = load_dataset(folder, seed=seed), load_dataset(tmp_path / "stamps.npy", seed=seed)
        assert found.sha256 == expected.sha256
        assert found.image_shape == (7, 4)


def test_other_files_are_skipped(folder):
    (folder / "readme.txt").write_text("stamps")
    (folder / "._a.png").write_bytes(b"what some systems leave in archives")
    (folder / "empty").mkdir()
    (folder / "g.png").mkdir()
    np.testing.assert_array_equal(load_samples(folder).X, PIXELS.reshape(5, -1))


def test_folders_are_classes(tmp_path):
    for label, name, pixels in zip(["sun", "moon", "sun", "moon", "sun"], "edcba", PIXELS, strict=True):
        (tmp_path / label).mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / label / f"{name}.PNG")
    samples = load_samples(tmp_path)
    assert samples.y.tolist() == ["moon"] * 2 + ["sun"] * 3
    np.testing.assert_array_equal(samples.X, PIXELS[[3, 1, 4, 2, 0]].reshape(5, -1))
    data = load_dataset(tmp_path, test_fraction=0.4)
    for X, y in [(data.X_train, data.y_train), (data.X_test, data.y_test)]:
        for x, label in zip(X, y, strict=True):
            assert label == samples.y[(x == samples.X).all(axis=1)].item()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "1", "CMYK"])
def test_colours_become_grey(folder, mode):
    """By the weights of ITU-R 601, which NumPy applies here."""
    colours = np.random.default_rng(1).integers(0, 256, (7, 4, 3), dtype=np.uint8)
    image = Image.fromarray(colours).convert(mode)
    image.save(folder / ("f.jpg" if mode == "CMYK" else "f.png"), quality=100)
    red, green, blue = np.moveaxis(np.asarray(image.convert("RGB"), np.float64), -1, 0)
    grey = 0.299 * red + 0.587 * green + 0.114 * blue
    found = load_samples(folder).X[-1].reshape(7, 4)
    assert np.abs(found - grey).max() <= (10 if mode == "CMYK" else 1)  # JPEG loses some


def test_transparency_of_a_palette_is_dropped(folder):
    image = Image.fromarray(np.stack([PIXELS[0]] * 3, axis=-1)).convert("P")
    image.save(folder / "e.png")
    image.save(folder / "f.png", transparency=bytes(range(256)))
    X = load_samples(folder).X
    np.testing.assert_array_equal(X[4], X[5])


@pytest.mark.parametrize("ending", ["jpg", "jpeg", "JPG"])
def test_jpeg(tmp_path, ending):
    smooth = np.add.outer(np.arange(0, 160, 10), np.arange(0, 80, 10)).astype(np.uint8)
    Image.fromarray(smooth).save(tmp_path / f"a.{ending}", format="JPEG", quality=95)
    samples = load_samples(tmp_path)
    assert samples.image_shape == (16, 8)
    assert np.abs(samples.X.reshape(16, 8).astype(int) - smooth).max() <= 4


def spoil(folder, how):
    path = folder / "c.png"
    if how == "another size":
        Image.fromarray(PIXELS[0].T).save(path)
    elif how == "16 bits":
        Image.fromarray(PIXELS[0].astype(np.uint16) * 257).save(path)
    elif how == "truncated":
        path.write_bytes(path.read_bytes()[:-30])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "another format":
        Image.fromarray(PIXELS[0]).save(path, format="GIF")
    return path


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("another size", "7 x 4 pixels, but the first image has 4 x 7; bring all images to one size"),
        ("16 bits", "16 bits per pixel; save it with 8"),
        ("truncated", "not a complete PNG or JPEG image .*; replace or remove it"),
        ("empty", "not a complete PNG or JPEG image"),
        ("another format", "not a complete PNG or JPEG image"),
    ],
)
def test_wrong_images_are_named_in_one_line(folder, how, message):
    path = spoil(folder, how)
    with pytest.raises(ValueError, match=message) as caught:
        load_dataset(folder)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_decompression_bomb_is_refused(folder, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 13)  # each has 28, and twice the limit is an error
    with pytest.raises(ValueError, match=r"a\.png: .*decompression bomb"):
        load_dataset(folder)


@pytest.mark.parametrize(("form", "mode"), [("PNG", "L"), ("PNG", "P"), ("PNG", "RGBA"), ("JPEG", "RGB")])
@given(data=st.data())
def test_any_damage_is_refused_or_does_no_harm(scratch, form, mode, data):
    path = scratch / f"a.{form.lower()}"
    Image.fromarray(np.stack([PIXELS[0]] * 3, axis=-1)).convert(mode).save(path, form)
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        message, (n, n_features) = "", read_image_folder(scratch).X.shape
    except ValueError as error:
        message = str(error)
    path.unlink()
    assert message.startswith(str(scratch)) if message else n == 1 <= n_features
    assert "\n" not in message


def test_folders_that_are_no_set_of_images(folder, tmp_path):
    for part in ("train", "test"):
        shutil.copytree(folder, tmp_path / "parts" / part)
    with pytest.raises(ValueError, match=r"parts: .*folders train and test .*classes"):
        load_dataset(tmp_path / "parts")
    shutil.copytree(folder, folder / "old")
    with pytest.raises(ValueError, match=r"stamps: .*folders of images \(old\)"):
        load_dataset(folder)
    (tmp_path / "none").mkdir()
    with pytest.raises(FileNotFoundError, match=r"none: no \.png, \.jpg, \.jpeg files"):
        read_image_folder(tmp_path / "none")


def test_pixels_of_0_and_1_are_refused(tmp_path):
    Image.fromarray(PIXELS[0] % 2).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"no value is above 1; save binary images as bool.* 255 for white"):
        load_samples(tmp_path)
