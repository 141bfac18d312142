"""Naming one test image."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from npvae.data import Dataset


def one_test_image(data: "Dataset", index: int, option: str) -> np.ndarray:
    """Return one test image (D,); a ValueError names the option if there is none of this index."""
    if not 0 <= index < len(data.X_test):
        raise ValueError(f"{option} must be from 0 to {len(data.X_test) - 1} for {data.name}, got {index}")
    return data.X_test[index]
