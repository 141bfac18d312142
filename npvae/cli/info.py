"""``npvae info``: what is in a model file."""

import argparse
import json
from typing import Any

from npvae.cli.options import add_model_file
from npvae.counted import counted

HELP = "show what is in a model file: network, settings, training, parameters"
EXAMPLES = """examples:
  npvae info digits.safetensors
  npvae info digits.safetensors --json
"""
_LONGEST = 200  # characters of a name or a setting


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_model_file(parser)
    parser.add_argument("--json", action="store_true", help="print everything as JSON, with the history")


def run(args: argparse.Namespace) -> int:
    """Print the file's description; what is missing, or not in npvae's form, is unknown."""
    import dataclasses

    import numpy as np

    from npvae.persistence import load_model
    from npvae.printable import printable

    network, params, metadata = load_model(args.model)
    shapes = {name: list(view.shape) for name, view in params.items()}
    if args.json:
        print(json.dumps({"network": dataclasses.asdict(network), "parameters": shapes, **metadata}))
        return 0

    def said(*path: str) -> str:
        value = _entry(metadata, *path)
        return "unknown" if value is None else printable(value, _LONGEST)

    print(f"{printable(args.model)}: {said('estimator')}, written by npvae {said('npvae_version')}")
    values = _numbers(metadata.get("data_range"))
    trained_on = f"values from {np.min(values):g} to {np.max(values):g}" if values.size else "unknown values"
    print(f"  data       {counted(network.n_features, 'feature')}, trained on {trained_on}")
    n_epochs = _entry(metadata, "training", "n_iter")
    epochs = counted(n_epochs, "epoch", printable) if isinstance(n_epochs, int) else "unknown epochs"
    print(f"  training   {epochs}, ended by {said('training', 'stop_reason')}")
    for name in ("loss", "reconstruction", "kl", "validation_loss"):
        history = _entry(metadata, "training", "history", name)
        losses = _numbers(history)
        if losses.size:
            print(f"  {name:<15} {losses.ravel()[-1]:10.3f} nats per sample in the last epoch")
        elif history:
            print(f"  {name:<15} unknown")
    settings = metadata.get("hyperparameters")
    print("  settings" if isinstance(settings, dict) else "  settings unknown")
    for name, value in settings.items() if isinstance(settings, dict) else ():
        print(f"    {printable(name, _LONGEST):<22} {printable(value, _LONGEST)}")
    print(f"  parameters ({params.flat.size} of {params.flat.dtype})")
    for name, view in params.items():
        print(f"    {name:<22} {' x '.join(map(str, view.shape)):>12}   std {view.std():.4f}")
    return 0


def _entry(value: Any, *path: str) -> Any:
    """Return what lies at a path of names within dicts, or None."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _numbers(value: Any) -> Any:
    """Return numbers as an array; an empty one if the value is something else."""
    import numpy as np

    try:
        array = np.array(value)
    except ValueError:  # lists of different lengths
        return np.array([])
    return array if array.dtype.kind in "iuf" else np.array([])
