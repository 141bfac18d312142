"""What the explorer holds: both networks, images with labels and codes, a classifier, lines of npvae."""

from typing import Any

import numpy as np
from scipy.stats import chi2

from npvae.core.autoencoder import AutoencoderNetwork
from npvae.core.parameters import Parameters
from npvae.core.vae import VAENetwork
from npvae.counted import counted
from npvae.data import Dataset, load_digits
from npvae.data.scaling import as_floats
from npvae.estimators import VAE, Autoencoder
from npvae.study.metrics.small_classifier import fit_small_classifier
from npvae.version import __version__
from npvae.view.draw.latent import picture_axes
from npvae.view.draw.style import CLASS_COLOURS
from npvae.view.page.packing import ArrayPacker, quantize
from npvae.view.page.source_lines import source_lines

_MOST_CODES = 1000  # test images whose codes are shown
_MOST_CLASSES = 20  # labels with more values than this are not drawn as classes


def explorer_contents(
    autoencoder: Autoencoder, vae: VAE, dataset: Dataset, image_shape: tuple[int, int] | None = None
) -> tuple[dict[str, Any], str]:
    """Return the explorer's description, in JSON's types, and its packed arrays.

    Parameters
    ----------
    autoencoder, vae : Autoencoder, VAE
        Fitted on the data set's features, with the same number of latent dimensions, at least 2.
    dataset : Dataset
        Codes of at most 1,000 of its test images are shown; the training images teach the classifier.
    image_shape : (height, width), optional
        By default the data set's.

    Returns
    -------
    description : dict
    arrays : str
        As `ArrayPacker.text` returns them.

    Raises
    ------
    ValueError
        The models do not fit each other or the data, or the rows are not images.
    """
    shape = image_shape or dataset.image_shape
    _check(autoencoder, vae, dataset, shape)
    packer, digits = ArrayPacker(), load_digits()
    rows = _rows_to_show(len(dataset.X_test))
    if dataset.sha256 == digits.sha256:  # what the page trains on is there already
        images = _collection(packer, digits, rows, with_training_images=True, image_shape=(8, 8))
        training = images
    else:
        images = _collection(packer, dataset, rows, with_training_images=False, image_shape=shape)
        test_rows = np.arange(len(digits.X_test))
        training = _collection(packer, digits, test_rows, with_training_images=True, image_shape=(8, 8))
    description = {
        "version": __version__,
        "images": images,
        "training": None if training is images else training,
        "ae": _model(packer, autoencoder, dataset.X_test[rows]),
        "vae": _model(packer, vae, dataset.X_test[rows]),
        "prior_radius": float(np.sqrt(chi2.ppf(0.99, vae.network_.latent_dim))),
        "colours": CLASS_COLOURS,
        "source": source_lines(),
    }
    return description, packer.text()


def _check(autoencoder: Autoencoder, vae: VAE, dataset: Dataset, image_shape: tuple[int, int] | None) -> None:
    dims = [model.network_.latent_dim for model in (autoencoder, vae)]
    if dims[0] != dims[1] or dims[0] < 2:
        raise ValueError(
            "the explorer shows two models with the same number of latent dimensions, at least 2, but the AE "
            f"has {dims[0]} and the VAE {dims[1]}; train both with the same --latent-dim"
        )
    for model in (autoencoder, vae):
        if model.n_features_in_ != dataset.n_features:
            raise ValueError(
                f"the {type(model).__name__} was trained on {counted(model.n_features_in_, 'feature')}, but "
                f"{dataset.name} has {dataset.n_features}; name the data that both were trained on"
            )
    if image_shape is None or image_shape[0] * image_shape[1] != dataset.n_features:
        raise ValueError(
            f"the explorer shows images, and {dataset.name} has rows of {dataset.n_features} numbers; give "
            "their height and width as the image shape"
        )


def _rows_to_show(n: int) -> np.ndarray:
    if n <= _MOST_CODES:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, _MOST_CODES, replace=False))


def _collection(
    packer: ArrayPacker,
    dataset: Dataset,
    rows: np.ndarray,
    *,
    with_training_images: bool,
    image_shape: tuple[int, int] | None,
) -> dict[str, Any]:
    """Describe images: first the test images, in `rows`, then, where asked for, all training images."""
    X = dataset.X_test[rows]
    if with_training_images:
        X = np.concatenate([X, dataset.X_train])
    indices, levels = quantize(X)
    low, high = (0.0, 1.0) if levels[0] >= 0 and levels[-1] <= 1 else (levels[0], levels[-1])
    return {
        "name": dataset.name,
        "n_test": len(rows),
        "shape": image_shape,
        "levels": levels.tolist(),
        "range": [float(low), float(high)],
        "indices": packer.add_bytes(indices),
        **_classes(packer, dataset, rows),
    }


def _classes(packer: ArrayPacker, dataset: Dataset, rows: np.ndarray) -> dict[str, Any]:
    """Describe the labels of the test images in `rows`, and a classifier; nothing without classes."""
    y_train, y_test = dataset.y_train, dataset.y_test
    if y_train is None or y_test is None or not 2 <= len(np.unique(y_train)) <= _MOST_CLASSES:
        return {"classes": [], "labels": None, "classifier": None}
    classes = np.unique(np.concatenate([y_train, y_test]))
    train, test = (np.searchsorted(classes, y) for y in (y_train, y_test[rows]))
    classifier = fit_small_classifier(dataset.X_train, train, len(classes))
    return {
        "classes": [str(name) for name in classes],
        "labels": packer.add_bytes(test.astype(np.uint8)),
        "classifier": {name: packer.add_float16(array) for name, array in classifier._asdict().items()},
    }


def _model(packer: ArrayPacker, model: Autoencoder | VAE, X: np.ndarray) -> dict[str, Any]:
    """Describe a model: the network, its parameters, the codes of X (N, D) and the axes of the plane."""
    network = model.network_
    weights = packer.add_float16(model.params_.flat)
    codes = network.encode(rounded(model.params_), as_floats(X, np.dtype(np.float64)))
    codes = codes[0] if isinstance(network, VAENetwork) else codes
    return {
        **describe_network(network),
        "epochs": model.n_iter_,
        "weights": weights,
        "codes": packer.add_float16(codes),
        "axes": picture_axes(codes).T.tolist(),
    }


def describe_network(network: VAENetwork | AutoencoderNetwork) -> dict[str, Any]:
    """Return what the page's engine needs to know of a network beside its parameters."""
    return {
        "kind": "vae" if isinstance(network, VAENetwork) else "ae",
        "n_features": network.n_features,
        "latent_dim": network.latent_dim,
        "hidden": list(network.hidden),
        "activation": network.activation,
        "negative_slope": network.negative_slope,
        "likelihood": network.likelihood,
        "noise_variance": network.noise_variance,
        "beta": network.beta if isinstance(network, VAENetwork) else 0.0,
    }


def rounded(params: Parameters) -> Parameters:
    """Return the parameters that the page computes with: rounded to float16, in float64."""
    return Parameters(params.shapes, params.flat.astype(np.float16).astype(np.float64))
