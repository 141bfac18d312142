"""``npvae trace``: one image through a VAE and its gradient back, in numbers."""

import argparse
import json
import sys

from npvae.cli.options import add_data_options, add_seed_option

HELP = "follow one image through a VAE, and the gradient back to mu and log_var, in numbers"
EXAMPLES = """examples:
  npvae trace                                   # trains a small VAE on digits first (seconds)
  npvae trace digits.safetensors --image 3
  npvae trace mnist.safetensors --data mnist/ --eps 0.5 -1
  npvae trace digits.safetensors --json

Every gradient of the handwritten backward pass stands beside the same gradient by finite differences.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("model", metavar="MODEL", nargs="?", help="a VAE's model file")
    parser.add_argument("--image", type=int, default=0, metavar="I", help="which test image (default: 0)")
    parser.add_argument(
        "--eps", type=float, nargs="+", metavar="E", help="the noise (default: drawn from the seed)"
    )
    add_seed_option(parser)
    parser.add_argument("--json", action="store_true", help="print the nodes as JSON")
    add_data_options(parser)


def run(args: argparse.Namespace) -> int:
    """Trace and print."""
    import dataclasses

    import numpy as np

    from npvae.cli.opening import open_data, open_model_and_data, pick_test_image
    from npvae.data import to_unit_interval
    from npvae.estimators import VAE
    from npvae.study.trace import trace
    from npvae.view.tables.trace import trace_table

    if args.model is None:
        data = open_data(args)
        image = pick_test_image(data, args.image, "--image")
        print("npvae trace: no model given, so a small VAE is trained first", file=sys.stderr)
        model = VAE(
            2, hidden=(64,), likelihood="bernoulli", batch_size=32, max_epochs=20, random_state=0, verbose=1
        )
        model.fit(data.X_train)
    else:
        loaded, data = open_model_and_data(args)
        image = pick_test_image(data, args.image, "--image")
        if not isinstance(loaded, VAE):
            raise ValueError(
                f"{args.model} is an Autoencoder; the path through the noise exists in a VAE only"
            )
        model = loaded
        network = model.network_
        if network.objective != "elbo" or network.n_draws > 1:
            print(
                f"npvae trace: the model was trained on the {network.objective.upper()} with "
                f"{network.n_draws} draws of z; shown is the ELBO with one",
                file=sys.stderr,
            )
    latent_dim = model.network_.latent_dim
    if args.eps is not None and (len(args.eps) != latent_dim or not np.isfinite(args.eps).all()):
        raise ValueError(f"--eps must be {latent_dim} finite numbers, one for each latent dimension")
    x = to_unit_interval(image) if image.dtype == np.uint8 else image
    rng = np.random.default_rng(args.seed)
    eps = rng.standard_normal(latent_dim) if args.eps is None else np.array(args.eps)
    result = trace(model.network_, model.params_, x, eps)
    print(json.dumps(dataclasses.asdict(result)) if args.json else trace_table(result))
    return 0
