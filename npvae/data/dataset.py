"""What the readers and loaders return: samples, and samples divided into training and test data."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from npvae.data.hashing import content_hash
from npvae.data.split import split_indices


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test data with what is needed to draw and to identify them.

    Parameters
    ----------
    name : str
        Short name for tables and file names.
    X_train : (N, D) array, uint8 or float32
        One sample a row. uint8 means pixels 0..255.
    y_train : (N,) array or None
        Labels, or None where there are none.
    X_test : (N_test, D) array of the dtype of X_train
    y_test : (N_test,) array or None
    image_shape : (height, width) or None
        With height * width = D; None if the rows are not known to be images.

    Raises
    ------
    ValueError
        If shapes, dtypes or lengths contradict each other.
    """

    name: str
    X_train: np.ndarray
    y_train: np.ndarray | None
    X_test: np.ndarray
    y_test: np.ndarray | None
    image_shape: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        self._check_part("train", self.X_train, self.y_train)
        self._check_part("test", self.X_test, self.y_test)
        if self.X_train.shape[1] != self.X_test.shape[1]:
            raise ValueError(
                f"{self.name}: X_train has {self.X_train.shape[1]} features a row, "
                f"X_test has {self.X_test.shape[1]}; both must come from the same kind of data"
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
        """Lowest and highest value: (0, 255) for uint8, measured over X_train and X_test for float32."""
        if self.X_train.dtype == np.uint8:
            return 0.0, 255.0
        return (
            float(min(self.X_train.min(), self.X_test.min())),
            float(max(self.X_train.max(), self.X_test.max())),
        )

    @cached_property
    def sha256(self) -> str:
        """Content hash over X_train, y_train, X_test and y_test, in this order."""
        return content_hash(self.X_train, self.y_train, self.X_test, self.y_test)


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples not yet divided into training and test data, in the order in which they are stored.

    Parameters
    ----------
    name : str
    X : (N, D) array, uint8 or float32
    y : (N,) array or None
    image_shape : (height, width) or None
        These four as in `Dataset`.
    stratified : bool
        Whether `split` sets the same fraction of each class aside; needs labels.
    """

    name: str
    X: np.ndarray
    y: np.ndarray | None = None
    image_shape: tuple[int, int] | None = None
    stratified: bool = False

    @property
    def n_features(self) -> int:
        """D."""
        return self.X.shape[1]

    def split(self, test_fraction: float = 0.2, seed: int = 0) -> Dataset:
        """Divide the samples at random into training and test data.

        Parameters
        ----------
        test_fraction : float in (0, 1)
            Part of the samples that is set aside for testing.
        seed : int
            Decides which samples those are.

        Returns
        -------
        dataset : Dataset
            Of copies; each part keeps the order of the samples.

        Raises
        ------
        ValueError
            If test_fraction is not in (0, 1), or leaves one part empty.
        """
        try:
            train, test = split_indices(
                len(self.X), test_fraction, seed, labels=self.y if self.stratified else None
            )
        except ValueError as error:
            raise ValueError(f"{self.name}: {error}") from error
        y_train, y_test = (None, None) if self.y is None else (self.y[train], self.y[test])
        X_train, X_test = np.asarray(self.X[train]), np.asarray(self.X[test])
        return Dataset(self.name, X_train, y_train, X_test, y_test, self.image_shape)
