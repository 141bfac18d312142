"""Model files and checkpoints: writing them, reading them, and validating what was read.

Each is one safetensors file: arrays, and a JSON header that describes them. It contains no executable code,
so it is safe to open a file from an untrusted source. `load_model` validates a model file: its header
(`_validated_description`), its network (`_validated_network`) and its parameters (`_validated_parameters`);
`npvae.estimators.estimator_loading` validates the rest of its description.
"""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from npvae.core.autoencoder import AutoencoderNetwork
from npvae.core.objectives import FreeBitsVAENetwork, MultiSampleVAENetwork
from npvae.core.parameters import Parameters
from npvae.core.vae import VAENetwork
from npvae.memory import check_fits
from npvae.printable import printable
from npvae.reading import reading
from npvae.writing import write_atomically

__all__ = [
    "Model",
    "ModelFileError",
    "load_model",
    "load_model_and_state",
    "load_tensors",
    "save_model",
    "save_tensors",
]

FORMAT_VERSION = 2  # files of version 1 are read too: they have no state of training
_STATE = "training."  # begins the names of tensors with the state of training
_DEEPEST = 32  # lists and objects within each other in a description
# safetensors ends the process where it lacks memory. It takes the file's size, for writing twice, and this.
_SPARE = 2**22
KINDS = {"npvae": "model file", "npvae_checkpoint": "checkpoint of an unfinished training"}

Network = VAENetwork | AutoencoderNetwork
_NETWORKS: dict[str, type[VAENetwork] | type[AutoencoderNetwork]] = {
    "vae": VAENetwork,
    "multi-sample vae": MultiSampleVAENetwork,
    "free-bits vae": FreeBitsVAENetwork,
    "autoencoder": AutoencoderNetwork,
}


class ModelFileError(ValueError):
    """The file is damaged, is not a model file, or has an unsupported format version."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))  # it may quote the file


class Model(NamedTuple):
    """What a model file holds."""

    network: Network
    params: Parameters
    metadata: dict[str, Any]


def save_model(
    path: str | os.PathLike[str],
    network: Network,
    params: Parameters,
    metadata: dict[str, Any],
    state: dict[str, np.ndarray] | None = None,
) -> None:
    """Write a model file; an existing file is replaced only once the new one is complete.

    Parameters
    ----------
    path : path
    network : VAENetwork or AutoencoderNetwork
    params : Parameters
        In the network's layout.
    metadata : dict
        Anything that JSON can represent; `load_model` returns it unchanged.
    state : dict of arrays, optional
        What else training needs to continue; `load_model_and_state` returns it.

    Raises
    ------
    TypeError
        `metadata` cannot be written as JSON.
    ValueError
        An array is not finite: it could not be loaded.
    OSError
        The file cannot be written.
    """
    description = {
        "kind": next(kind for kind, cls in _NETWORKS.items() if type(network) is cls),
        "network": dataclasses.asdict(network),
        "metadata": metadata,
    }
    states = {f"{_STATE}{name}": array for name, array in (state or {}).items()}
    save_tensors(path, dict(params) | states, "npvae", description)


def load_model(path: str | os.PathLike[str]) -> Model:
    """Read a model file.

    Parameters
    ----------
    path : path

    Returns
    -------
    Model

    Raises
    ------
    ModelFileError
        The file is truncated, is no npvae model, is of another version, or its tensors are not finite or do
        not have the names, shapes and types that its network description asks for.
    FileNotFoundError
        There is no such file.
    """
    return load_model_and_state(path)[0]


def load_model_and_state(path: str | os.PathLike[str]) -> tuple[Model, dict[str, np.ndarray]]:
    """Read a model file, and what is in it for training to continue; raise as `load_model`."""
    tensors, description = load_tensors(path, "npvae")
    state = {name: tensors.pop(name) for name in list(tensors) if name.startswith(_STATE)}
    if not isinstance(description.get("metadata"), dict):
        raise ModelFileError(f"{path}: its description has no metadata")
    network = _validated_network(Path(path), description, len(tensors))
    model = Model(network, _validated_parameters(Path(path), network, tensors), description["metadata"])
    return model, {name.removeprefix(_STATE): tensor for name, tensor in state.items()}


def save_tensors(
    path: str | os.PathLike[str], tensors: dict[str, np.ndarray], key: str, description: dict[str, Any]
) -> None:
    """Write arrays and their description; an existing file is replaced only once the new one is complete.

    Parameters
    ----------
    path : path
    tensors : dict of arrays
        C-contiguous: safetensors writes an array's memory as is.
    key : str
        What kind of file it is: see `load_tensors`.
    description : dict
        Anything JSON can say.

    Raises
    ------
    TypeError
        `description` cannot be written as JSON.
    ValueError
        A tensor is not finite: it could not be loaded.
    OSError
        The file cannot be written.
    MemoryError
        There is not enough for writing; the file is as it was.
    """
    spoiled = _not_finite(tensors)
    if spoiled is not None:
        raise ValueError(f"{spoiled} holds NaN or infinity, so it is not saved: {path} could not be loaded")
    header = {key: json.dumps({"format_version": FORMAT_VERSION, **description}, default=_plain)}

    n_bytes = sum(tensor.nbytes for tensor in tensors.values()) + len(header[key])
    check_fits(2 * (n_bytes + _SPARE), f"writing {path}")

    def write(temporary: Path) -> None:
        temporary.write_bytes(save(tensors, metadata=header))
        read, _ = load_tensors(temporary, key)
        if not all(np.array_equal(read[name], tensor, equal_nan=True) for name, tensor in tensors.items()):
            raise OSError(f"{path}: the file just written does not read back as the same numbers")

    write_atomically(Path(path), write)


def load_tensors(path: str | os.PathLike[str], key: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read a file of `save_tensors`, of the kind that `key` names.

    Raises
    ------
    ModelFileError
        The file is truncated, of another kind, or of another version, or a tensor is not finite.
    FileNotFoundError
        There is no such file.
    OSError
        It cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        raise ModelFileError(f"{path} is a folder, not a {KINDS[key]}")
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such {KINDS[key]}")
    if not path.is_file():  # reading from a pipe or a device may never end
        raise ModelFileError(f"{path} is no regular file, so not a {KINDS[key]}")
    try:
        with reading(path), safe_open(path, framework="np") as file:
            headers = file.metadata() or {}
            if key not in headers:
                others = [kind for other, kind in KINDS.items() if other in headers]
                what = f"a {others[0]}" if others else "a safetensors file that npvae did not write"
                raise ModelFileError(f"{path}: this is {what}, not a {KINDS[key]}")
            check_fits(path.stat().st_size + _SPARE, f"reading {path}")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except SafetensorError as error:
        raise ModelFileError(f"{path}: truncated, or not a {KINDS[key]} ({error})") from error
    description = _validated_description(path, headers[key])
    spoiled = _not_finite(tensors)
    if spoiled is not None:
        raise ModelFileError(f"{path}: {spoiled} holds NaN or infinity")
    return tensors, description


def _not_finite(tensors: dict[str, np.ndarray]) -> str | None:
    """Return the name of a tensor with a number that is not finite, if there is one."""
    return next((name for name, tensor in tensors.items() if not np.isfinite(tensor).all()), None)


def _validated_description(path: Path, header: str) -> dict[str, Any]:
    try:
        description = json.loads(header)
        version = description["format_version"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelFileError(f"{path}: its description cannot be read ({error})") from error
    if version not in range(1, FORMAT_VERSION + 1):
        raise ModelFileError(
            f"{path}: the file has format version {printable(version, 20)}, this npvae reads versions 1 to "
            f"{FORMAT_VERSION}; open it with the version of npvae that wrote it"
        )
    if _depth(description) > _DEEPEST:
        raise ModelFileError(f"{path}: its description is nested more than {_DEEPEST} levels deep")
    return description


def _depth(value: Any) -> int:
    """Return how many lists and dicts are within each other."""
    depth, level = 0, [value]
    while level := [entry for entry in level if isinstance(entry, list | dict)]:
        depth += 1
        level = [inner for entry in level for inner in (entry.values() if isinstance(entry, dict) else entry)]
    return depth


def _validated_network(path: Path, description: dict[str, Any], n_tensors: int) -> Network:
    try:
        fields = dict(description["network"])
        fields["hidden"] = tuple(fields["hidden"])
        if len(fields["hidden"]) > n_tensors:  # before work that grows with their number
            raise ValueError(f"{len(fields['hidden'])} hidden layers, but the file has {n_tensors} tensors")
        return _NETWORKS[description["kind"]](**fields)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"{path}: its network description is not valid ({error})") from error


def _validated_parameters(path: Path, network: Network, tensors: dict[str, np.ndarray]) -> Parameters:
    dtypes = {tensor.dtype for tensor in tensors.values()}
    if len(dtypes) != 1 or dtypes.pop() not in (np.float32, np.float64):
        raise ModelFileError(f"{path}: the parameters must all be float32 or all be float64")
    expected = network.shapes()
    missing, extra = expected.keys() - tensors.keys(), tensors.keys() - expected.keys()
    if missing or extra:
        raise ModelFileError(
            f"{path}: its tensors do not match its network description; "
            f"missing: {', '.join(sorted(missing)) or 'none'}; unknown: {', '.join(sorted(extra)) or 'none'}"
        )
    for name, shape in expected.items():
        if tensors[name].shape != shape:
            raise ModelFileError(f"{path}: {name} must have shape {shape}, but has {tensors[name].shape}")
    params = Parameters(expected, dtype=next(iter(tensors.values())).dtype)
    for name, tensor in tensors.items():
        params[name] = tensor
    return params


def _plain(value: Any) -> Any:
    """Return a NumPy number or array as JSON knows it."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{value!r} cannot be stored in a model file")
