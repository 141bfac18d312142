"""Opening the model and the data that a command's options name."""

import argparse
import dataclasses
from collections.abc import Sequence

import numpy as np

from npvae.counted import counted
from npvae.kernels import interrupts_held

with interrupts_held():  # while a library is imported, Ctrl-C can get lost
    from npvae.data import Dataset, Samples, load_dataset, load_samples
    from npvae.estimators import VAE, Autoencoder, load


def open_data(args: argparse.Namespace) -> Dataset:
    """Return the data set that --data, --binarize and --split-seed name."""
    if args.binarize != "dynamic":
        return load_dataset(args.data, seed=args.split_seed, binarize=args.binarize)
    # Training draws its own pixels from grey ones; test figures are those of pixels drawn once.
    grey, static = (load_dataset(args.data, seed=args.split_seed, binarize=how) for how in ("grey", "static"))
    return dataclasses.replace(grey, X_test=static.X_test)


def open_model(args: argparse.Namespace) -> VAE | Autoencoder:
    """Return the fitted model in the file MODEL."""
    return load(args.model)


def open_model_and_data(args: argparse.Namespace) -> tuple[VAE | Autoencoder, Dataset]:
    """Return the model and the data set; raise ValueError unless it was trained on data of this width."""
    model, data = open_model(args), open_data(args)
    _check_width(model, data)
    return model, data


def open_models_and_data(
    paths: Sequence[str], args: argparse.Namespace
) -> tuple[list[VAE | Autoencoder], Dataset]:
    """Return the models in several files and the data set; raise ValueError as `open_model_and_data`."""
    models, data = [load(path) for path in paths], open_data(args)
    for model in models:
        _check_width(model, data)
    return models, data


def open_model_and_samples(args: argparse.Namespace) -> tuple[VAE | Autoencoder, Samples]:
    """Return the model and the samples that --part names too; raise ValueError as `open_model_and_data`."""
    model = open_model(args)
    samples = load_samples(args.data, args.part, seed=args.split_seed, binarize=args.binarize)
    _check_width(model, samples)
    return model, samples


def pick_test_image(data: Dataset, index: int, option: str) -> np.ndarray:
    """Return one test image (D,); a ValueError names the option if there is none of this index."""
    if not 0 <= index < len(data.X_test):
        raise ValueError(f"{option} must be from 0 to {len(data.X_test) - 1} for {data.name}, got {index}")
    return data.X_test[index]


def _check_width(model: VAE | Autoencoder, data: Dataset | Samples) -> None:
    if data.n_features != model.n_features_in_:
        raise ValueError(
            f"the model was trained on {counted(model.n_features_in_, 'feature')}, but {data.name} has "
            f"{data.n_features}; name the data that it was trained on with --data"
        )
