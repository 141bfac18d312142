"""Data sets: embedded digits, MNIST-like IDX files, NumPy and CSV files, folders of images, OpenML's MNIST.

`load_dataset` chooses a reader by name or path and returns a `Dataset`: training and test samples as rows of
a matrix. `load_samples` returns one of the two parts, or all samples in their stored order. Images read as
bytes stay bytes (0..255); `to_unit_interval` scales a batch of them to [0, 1], and `binarize` draws binary
pixels.

Importing this package needs NumPy alone; scikit-learn is imported by the loaders that use it.
"""

from npvae.data.arrays import load_npy_folder, read_npy, read_npz
from npvae.data.binarization import binarize
from npvae.data.dataset import Dataset, Samples
from npvae.data.digits import load_digits
from npvae.data.file_rows import DataChangedError, FileRows
from npvae.data.hashing import content_hash
from npvae.data.idx import load_idx_folder, read_idx
from npvae.data.images import read_image_folder
from npvae.data.load import load_dataset, load_samples
from npvae.data.openml import load_openml_mnist
from npvae.data.scaling import to_unit_interval
from npvae.data.split import split_indices
from npvae.data.tables import read_csv

__all__ = [
    "DataChangedError",
    "Dataset",
    "FileRows",
    "Samples",
    "binarize",
    "content_hash",
    "load_dataset",
    "load_digits",
    "load_idx_folder",
    "load_npy_folder",
    "load_openml_mnist",
    "load_samples",
    "read_csv",
    "read_idx",
    "read_image_folder",
    "read_npy",
    "read_npz",
    "split_indices",
    "to_unit_interval",
]
