"""``npvae info``: what is in a model file."""

import argparse
import json

from npvae.cli.options import add_model_file

HELP = "show what is in a model file: network, settings, training, parameters"
EXAMPLES = """examples:
  npvae info digits.safetensors
  npvae info digits.safetensors --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_model_file(parser)
    parser.add_argument("--json", action="store_true", help="print everything as JSON, with the history")


def run(args: argparse.Namespace) -> int:
    """Print the file's description."""
    import dataclasses

    import numpy as np

    from npvae.persistence import load_model

    network, params, metadata = load_model(args.model)
    shapes = {name: list(view.shape) for name, view in params.items()}
    if args.json:
        print(json.dumps({"network": dataclasses.asdict(network), "parameters": shapes, **metadata}))
        return 0
    training = metadata["training"]
    low, high = np.min(metadata["data_range"]), np.max(metadata["data_range"])
    print(f"{args.model}: {metadata['estimator']}, written by npvae {metadata['npvae_version']}")
    print(f"  data       {network.n_features} features, trained on values from {low:g} to {high:g}")
    print(f"  training   {training['n_iter']} epochs, ended by {training['stop_reason']}")
    for name in ("loss", "reconstruction", "kl", "validation_loss"):
        if training["history"].get(name):
            print(f"  {name:<15} {training['history'][name][-1]:10.3f} nats per sample in the last epoch")
    print("  settings")
    for name, value in metadata["hyperparameters"].items():
        print(f"    {name:<22} {value}")
    print(f"  parameters ({params.flat.size} of {params.flat.dtype})")
    for name, view in params.items():
        print(f"    {name:<22} {' x '.join(map(str, view.shape)):>12}   std {view.std():.4f}")
    return 0
