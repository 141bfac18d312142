"""Load estimators from model files, and validate their description."""

import os
from typing import Any

import numpy as np

from npvae.estimators.autoencoder import Autoencoder
from npvae.estimators.descriptions import check_data_description, is_history
from npvae.estimators.estimator_saving import decoded, restored_split, restored_stepper
from npvae.estimators.vae import VAE
from npvae.persistence import ModelFileError, load_model_and_state
from npvae.training.state import is_index

_ESTIMATORS = {"VAE": VAE, "Autoencoder": Autoencoder}


def load(path: str | os.PathLike[str]) -> VAE | Autoencoder:
    """Read an estimator that was saved with its `save` method.

    Parameters
    ----------
    path : path

    Returns
    -------
    VAE or Autoencoder
        Fitted: parameters, hyperparameters, history and data range are as they were. So are the state of
        the optimizer and of the random generator, and the rows held out for early stopping: `partial_fit`
        and a warm start continue as if the model had not been saved (only an optimizer of another library
        starts anew).

    Raises
    ------
    ModelFileError
        The file is truncated, of another version, or not a valid model file.
    FileNotFoundError
        There is no such file.

    Notes
    -----
    Other programs can read the file, which is in the safetensors format. Its tensors are float32. With H_1 to
    H_n the widths in `hidden`, H_0 = D and i counted from 0:

    ========================  =====================  ======================================
    name                      shape                  of
    ========================  =====================  ======================================
    encoder.i.W, encoder.i.b  (H_i, H_i+1), (H_i+1)  each hidden layer of the encoder
    mu.W, mu.b                (H_n, Z), (Z)          the posterior mean (VAE)
    log_var.W, log_var.b      (H_n, Z), (Z)          the posterior log-variance (VAE)
    code.W, code.b            (H_n, Z), (Z)          the code (Autoencoder)
    decoder.i.W, decoder.i.b  mirrored               from Z to H_n, and from there to H_1
    output.W, output.b        (H_1, D), (D)          the mean, or the logits if Bernoulli
    output.log_noise_var      (1)                    the noise, if noise_variance="learned"
    training.*                                       the state of training, for `partial_fit`
    ========================  =====================  ======================================

    Every layer is ``y = x @ W + b`` (the transpose of what torch.nn.Linear holds), and every hidden layer is
    followed by the activation. Without hidden layers, H_n = D in the encoder and H_1 = Z in the decoder.
    The header's entry "npvae" describes the network as JSON: activation, likelihood and so on.

    In PyTorch, with x a float32 tensor (N, D), for one hidden layer of ReLUs (for a Bernoulli likelihood,
    apply `torch.sigmoid` to x_hat)::

        import torch
        from safetensors.torch import load_file

        p = load_file("vae.safetensors")
        h = torch.relu(x @ p["encoder.0.W"] + p["encoder.0.b"])
        mu = h @ p["mu.W"] + p["mu.b"]  # vae.transform(X)
        h = torch.relu(mu @ p["decoder.0.W"] + p["decoder.0.b"])
        x_hat = h @ p["output.W"] + p["output.b"]  # vae.reconstruct(X)
    """
    (network, params, metadata), arrays = load_model_and_state(path)
    try:
        cls = _ESTIMATORS[metadata["estimator"]]
        estimator = cls(**{name: decoded(value) for name, value in metadata["hyperparameters"].items()})
        training = metadata["training"]
        data_range = validated_data_range(metadata, network.n_features)
        estimator.network_, estimator.params_ = network, params
        estimator.n_features_in_ = network.n_features
        if metadata["feature_names"]:
            estimator.feature_names_in_ = np.array(metadata["feature_names"], dtype=object)
        estimator.data_range_, estimator.pixels_ = data_range, metadata.get("pixels", True)
        estimator.history_, estimator.n_iter_ = training["history"], training["n_iter"]
        estimator.stop_reason_, estimator.best_epoch_ = training["stop_reason"], training["best_epoch"]
        if type(estimator._make_network(network.n_features)) is not type(network):
            raise ValueError(f"estimator {metadata['estimator']} with a {type(network).__name__}")
        if estimator._make_network(network.n_features) != network:
            raise ValueError("its hyperparameters do not describe its network")
        if training.get("state") is not None:
            held_out = restored_split(arrays, training["state"])
            if held_out is not None:
                estimator._held_out = held_out
            estimator._stepper = restored_stepper(network, params, arrays, training["state"])
        elif arrays:
            raise ValueError("tensors of a state of training that is not described")
    except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError) as error:
        raise ModelFileError(f"{path}: its description of the estimator is not valid ({error!r})") from error
    return estimator


def validated_data_range(metadata: dict[str, Any], n_features: int) -> np.ndarray:
    """Return the data range (2, D) of a model file, whose description of data and history is valid.

    `npvae.persistence` has validated the network and its parameters before.

    Raises
    ------
    KeyError, TypeError, ValueError
        An entry is missing or has the wrong type or length.
    """
    data_range = np.array(metadata["data_range"], dtype=np.float64)
    if data_range.shape == (2,):  # older files have one range for all columns
        data_range = np.tile(data_range[:, None], n_features)
    check_data_description(data_range, metadata.get("pixels", True), metadata["feature_names"], n_features)
    training = metadata["training"]
    if not is_history(training["history"]):
        raise ValueError("history must be lists of numbers")
    n_iter, best = training["n_iter"], training["best_epoch"]
    if not is_index(n_iter) or n_iter != len(training["history"].get("loss", [])):
        raise ValueError(f"n_iter must be the number of epochs in the history, got {n_iter!r}")
    if best is not None and not (is_index(best) and best < n_iter):
        raise ValueError(f"best_epoch must be one of {n_iter} epochs, got {best!r}")
    if not isinstance(training["stop_reason"], str):
        raise ValueError(f"stop_reason must be a word, got {training['stop_reason']!r}")
    return data_range
