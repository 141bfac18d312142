"""Folders of PNG or JPEG images."""

import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from npvae.data.dataset import Samples
from npvae.data.files import as_rows
from npvae.printable import printable

_ENDINGS = (".png", ".jpg", ".jpeg")


def read_image_folder(folder: str | Path) -> Samples:
    """Read images of one size as grey pixels.

    Parameters
    ----------
    folder : str or Path
        Contains .png, .jpg or .jpeg files, or one folder of them for each class. Other files, and names that
        begin with a dot, are ignored.

    Returns
    -------
    samples : Samples
        Named after the folder, uint8, sorted by file name. With one folder for each class, samples are
        sorted by class first, and labels are the folders' names. Colour is converted to grey with the
        weights of ITU-R 601, and transparency is removed.

    Raises
    ------
    FileNotFoundError
        There are no images.
    ValueError
        An image is damaged, larger than Pillow's limit against decompression bombs, has 16 bits, or another
        size than the first; there are both images and folders of images; or the folders are called train and
        test, which are not classes.
    """
    folder = Path(folder)
    paths, classes = image_files(folder), class_folders(folder)
    if not paths and not classes:
        raise FileNotFoundError(f"{folder}: no {', '.join(_ENDINGS)} files, nor folders of them")
    if paths and classes:
        raise ValueError(
            f"{folder}: contains images and folders of images ({classes[0].name}); keep only one of the two"
        )
    if {"train", "test"} <= {path.name for path in classes}:
        raise ValueError(
            f"{folder}: the folders train and test would be read as two classes; pass the path of one of "
            "them, and npvae splits it into training and test images"
        )
    labels = None
    if classes:
        of_classes = [image_files(path) for path in classes]
        paths = [path for images in of_classes for path in images]
        labels = np.repeat([printable(path.name) for path in classes], [len(images) for images in of_classes])
    X, image_shape = as_rows(_read_images(paths), folder)
    return Samples(folder.resolve().name, X, labels, image_shape)


def image_files(folder: Path) -> list[Path]:
    """Return the paths of images directly in a folder, sorted by name."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in _ENDINGS and not path.name.startswith(".") and path.is_file()
    )


def class_folders(folder: Path) -> list[Path]:
    """Return the paths of subfolders that contain images, sorted by name."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_dir() and not path.name.startswith(".") and image_files(path)
    )


def _read_images(paths: Sequence[Path]) -> np.ndarray:
    """Return the images (N, height, width), uint8."""
    first = _read_image(paths[0], None)
    images = np.empty((len(paths), *first.shape), np.uint8)
    images[0] = first
    for i, path in enumerate(paths[1:], 1):
        images[i] = _read_image(path, first.shape)
    return images


def _read_image(path: Path, shape: tuple[int, ...] | None) -> np.ndarray:
    """Return one image (height, width); if a shape is given, it must have that shape."""
    from PIL import Image

    with _errors_named(path):
        image = Image.open(path, formats=("PNG", "JPEG"))
    with image:
        if image.mode.startswith("I"):
            raise ValueError(f"{path}: the image has 16 bits per pixel; save it with 8")
        size = (image.height, image.width)
        if shape is not None and size != shape:
            raise ValueError(
                f"{path}: {size[1]} x {size[0]} pixels, but the first image has {shape[1]} x {shape[0]}; "
                "bring all images to one size"
            )
        image.info.pop("transparency", None)  # convert would warn about a palette's transparency
        with _errors_named(path):
            return np.asarray(image.convert("L"))


@contextmanager
def _errors_named(path: Path) -> Iterator[None]:
    """Convert Pillow's errors for damaged and for huge images to a ValueError that names the file."""
    from PIL.Image import DecompressionBombError

    try:
        yield
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        struct.error,
        zlib.error,
        DecompressionBombError,
    ) as error:
        raise ValueError(
            f"{path}: not a complete PNG or JPEG image ({error}); replace or remove it"
        ) from error
