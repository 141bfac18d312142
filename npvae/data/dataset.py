"""The results of readers and loaders: samples, and samples split into training and test data."""

from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np

from npvae.data.file_rows import FileRows, row_blocks
from npvae.data.hashing import content_hash
from npvae.data.split import split_indices
from npvae.printable import printable


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test data, with their image shape and content hash.

    Parameters
    ----------
    name : str
        Short name for tables and file names.
    X_train : (N, D) array or `FileRows`, uint8 or float32
        One sample a row. uint8 means pixels 0..255.
    y_train : (N,) array or None
        Labels, or None if there are none.
    X_test : (N_test, D) array of the dtype of X_train
    y_test : (N_test,) array or None
    image_shape : (height, width) or None
        With height * width = D; None if the rows are not images.

    Raises
    ------
    ValueError
        Shapes, dtypes or lengths do not match.
    """

    name: str
    X_train: np.ndarray
    y_train: np.ndarray | None
    X_test: np.ndarray
    y_test: np.ndarray | None
    image_shape: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", printable(self.name))  # it may be a file's, from a stranger
        self._check_part("train", self.X_train, self.y_train)
        self._check_part("test", self.X_test, self.y_test)
        if self.X_train.shape[1] != self.X_test.shape[1]:
            raise ValueError(
                f"{self.name}: X_train has {self.X_train.shape[1]} features a row, "
                f"X_test has {self.X_test.shape[1]}; both must have the same features"
            )
        if self.X_train.dtype != self.X_test.dtype:
            raise ValueError(
                f"{self.name}: X_train is {self.X_train.dtype} but X_test is {self.X_test.dtype}; "
                "use one dtype for both"
            )

    def _check_part(self, part: str, X: np.ndarray, y: np.ndarray | None) -> None:
        if X.ndim != 2 or X.size == 0:
            raise ValueError(f"{self.name}: X_{part} must be (N, D) with N, D >= 1, but is {X.shape}")
        if X.dtype not in (np.uint8, np.float32):
            raise ValueError(f"{self.name}: X_{part} must be uint8 or float32, but is {X.dtype}")
        if y is not None and y.shape != (len(X),):
            raise ValueError(f"{self.name}: X_{part} has {len(X)} rows but y_{part} has shape {y.shape}")
        if self.image_shape is not None and self.image_shape[0] * self.image_shape[1] != X.shape[1]:
            raise ValueError(
                f"{self.name}: image_shape {self.image_shape} does not fit {X.shape[1]} columns of X_{part}"
            )

    @property
    def n_features(self) -> int:
        """D."""
        return self.X_train.shape[1]

    @cached_property
    def value_range(self) -> tuple[float, float]:
        """Smallest and largest value: (0, 255) for uint8; for float32, over X_train and X_test."""
        if self.X_train.dtype == np.uint8:
            return 0.0, 255.0
        ends = [(x.min(), x.max()) for x in chain(row_blocks(self.X_train), row_blocks(self.X_test))]
        return float(min(low for low, _ in ends)), float(max(high for _, high in ends))

    @cached_property
    def sha256(self) -> str:
        """Content hash over X_train, y_train, X_test and y_test, in this order."""
        return content_hash(self.X_train, self.y_train, self.X_test, self.y_test)


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples not yet split into training and test data, in their stored order.

    Parameters
    ----------
    name : str
    X : (N, D) array or `FileRows`, uint8 or float32
    y : (N,) array or None
    image_shape : (height, width) or None
        name, X, y and image_shape are as in `Dataset`.
    stratified : bool
        Whether `split` takes the same fraction of each class; needs labels.
    """

    name: str
    X: np.ndarray
    y: np.ndarray | None = None
    image_shape: tuple[int, int] | None = None
    stratified: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", printable(self.name))

    @property
    def n_features(self) -> int:
        """D."""
        return self.X.shape[1]

    def split(self, test_fraction: float = 0.2, seed: int = 0) -> Dataset:
        """Split the samples at random into training and test data.

        Parameters
        ----------
        test_fraction : float in (0, 1)
            Fraction of the samples used for testing.
        seed : int
            Seed of the split.

        Returns
        -------
        dataset : Dataset
            The samples in their stored order: copies, or `FileRows` of a large file.

        Raises
        ------
        ValueError
            test_fraction is not in (0, 1), or one part would be empty.
        """
        try:
            train, test = split_indices(
                len(self.X), test_fraction, seed, labels=self.y if self.stratified else None
            )
        except ValueError as error:
            raise ValueError(f"{self.name}: {error}") from error
        y_train, y_test = (None, None) if self.y is None else (self.y[train], self.y[test])
        X: Any = self.X
        take: Any = X.take if isinstance(X, FileRows) else X.__getitem__
        return Dataset(self.name, take(train), y_train, take(test), y_test, self.image_shape)
