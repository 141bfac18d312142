"""Download MNIST from openml.org."""

from http.client import HTTPException
from importlib.util import find_spec

import numpy as np

from npvae.data.dataset import Dataset


def load_openml_mnist() -> Dataset:
    """Download MNIST, or read it from scikit-learn's cache.

    Returns
    -------
    dataset : Dataset
        70000 images of 28 x 28 pixels as uint8: the first 60000 for training, the last 10000 for testing, as
        split by MNIST's authors. Labels are int64.

    Raises
    ------
    ConnectionError
        It is not in the cache, and openml.org cannot be reached.

    Notes
    -----
    scikit-learn keeps the download in its data home, ``~/scikit_learn_data`` unless SCIKIT_LEARN_DATA says
    otherwise. With pandas installed the file is parsed several times faster.
    """
    from sklearn.datasets import fetch_openml

    parser = "pandas" if find_spec("pandas") else "liac-arff"
    try:
        values, labels = fetch_openml("mnist_784", version=1, as_frame=False, return_X_y=True, parser=parser)
    except (OSError, HTTPException) as error:
        raise ConnectionError(
            f"MNIST could not be downloaded from openml.org ({error}). Without a network use 'digits', which "
            "needs no download, a folder with MNIST's IDX files (train-images-idx3-ubyte.gz and the others), "
            "or a .npy file"
        ) from error
    X, y = values.astype(np.uint8), labels.astype(np.int64)
    return Dataset("mnist", X[:60000], y[:60000], X[60000:], y[60000:], image_shape=(28, 28))
