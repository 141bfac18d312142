"""Model files: a network's description, its parameters and what else is to be known of it.

A model is one safetensors file: a JSON header and raw numbers. Nothing in it can be executed, so a
file from a stranger can be opened.
"""

import dataclasses
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from npvae.core.autoencoder import AutoencoderNetwork
from npvae.core.multi_sample import MultiSampleVAENetwork
from npvae.core.parameters import Parameters
from npvae.core.vae import VAENetwork

FORMAT_VERSION = 1

Network = VAENetwork | AutoencoderNetwork
_NETWORKS: dict[str, type[VAENetwork] | type[AutoencoderNetwork]] = {
    "vae": VAENetwork,
    "multi-sample vae": MultiSampleVAENetwork,
    "autoencoder": AutoencoderNetwork,
}


class ModelFileError(ValueError):
    """A file is not a complete model file of a version that can be read."""


class Model(NamedTuple):
    """What a model file holds."""

    network: Network
    params: Parameters
    metadata: dict[str, Any]


def save_model(
    path: str | os.PathLike[str], network: Network, params: Parameters, metadata: dict[str, Any]
) -> None:
    """Write a model file; an existing file is replaced only once the new one is complete.

    Parameters
    ----------
    path : path
    network : VAENetwork or AutoencoderNetwork
    params : Parameters
        In the network's layout.
    metadata : dict
        Anything JSON can say; returned by `load_model` as it is.

    Raises
    ------
    TypeError
        `metadata` cannot be written as JSON.
    OSError
        The file cannot be written.
    """
    header = {
        "npvae": json.dumps(
            {
                "format_version": FORMAT_VERSION,
                "kind": next(kind for kind, cls in _NETWORKS.items() if type(network) is cls),
                "network": dataclasses.asdict(network),
                "metadata": metadata,
            },
            default=_plain,
        )
    }
    tensors = dict(params)  # contiguous views: safetensors writes the memory of an array as it lies there

    def write(temporary: Path) -> None:
        save_file(tensors, temporary, metadata=header)
        if _read(temporary).params != params:
            raise OSError(f"{path}: the file just written does not read back as the same numbers")

    write_atomically(Path(path), write)


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
        The file is truncated, is no npvae model, is of another version, or its tensors do not have the
        names, shapes and types that its network description asks for.
    FileNotFoundError
        There is no such file.
    """
    path = Path(path)
    if path.is_dir():
        raise ModelFileError(f"{path} is a folder, not a model file")
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such model file")
    return _read(path)


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, then move it there.

    Parameters
    ----------
    path : Path
        Its folder is made where it is missing.
    write : callable
        Takes the temporary file's path.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp makes files that only their owner can read
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _read(path: Path) -> Model:
    try:
        with safe_open(path, framework="np") as file:
            header = (file.metadata() or {}).get("npvae")
            if header is None:
                raise ModelFileError(f"{path}: a safetensors file, but not one that npvae wrote")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except SafetensorError as error:
        raise ModelFileError(f"{path}: truncated, or not a model file ({error})") from error
    description = _parse_header(path, header)
    network = _network(path, description)
    return Model(network, _parameters(path, network, tensors), description["metadata"])


def _parse_header(path: Path, header: str) -> dict[str, Any]:
    try:
        description = json.loads(header)
        version = description["format_version"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelFileError(f"{path}: its description cannot be read ({error})") from error
    if version != FORMAT_VERSION:
        raise ModelFileError(
            f"{path}: written in version {version} of the format, this npvae reads version {FORMAT_VERSION}; "
            f"open it with the npvae that wrote it"
        )
    if not isinstance(description.get("metadata"), dict):
        raise ModelFileError(f"{path}: its description has no metadata")
    return description


def _network(path: Path, description: dict[str, Any]) -> Network:
    try:
        fields = dict(description["network"])
        fields["hidden"] = tuple(fields["hidden"])
        return _NETWORKS[description["kind"]](**fields)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"{path}: its network description is not valid ({error})") from error


def _parameters(path: Path, network: Network, tensors: dict[str, np.ndarray]) -> Parameters:
    dtypes = {tensor.dtype for tensor in tensors.values()}
    if len(dtypes) != 1 or dtypes.pop() not in (np.float32, np.float64):
        raise ModelFileError(f"{path}: the parameters must all be float32 or all be float64")
    expected = network.shapes()
    missing, extra = expected.keys() - tensors.keys(), tensors.keys() - expected.keys()
    if missing or extra:
        raise ModelFileError(
            f"{path}: its tensors are not those of its network; "
            f"missing: {', '.join(sorted(missing)) or 'none'}; unknown: {', '.join(sorted(extra)) or 'none'}"
        )
    for name, shape in expected.items():
        if tensors[name].shape != shape:
            raise ModelFileError(f"{path}: {name} must have shape {shape}, but has {tensors[name].shape}")
    params = Parameters(expected, dtype=next(iter(tensors.values())).dtype)
    for name, tensor in tensors.items():
        params[name] = tensor
    return params


def _plain(number: Any) -> Any:
    """Return a NumPy number as JSON knows it."""
    if isinstance(number, np.generic):
        return number.item()
    raise TypeError(f"{number!r} cannot be stored in a model file")


def write_text_atomically(path: Path, text: str) -> None:
    """Write a text file as `write_atomically` does, in UTF-8."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
