"""``npvae trace``: one image through a network and its gradient back, in numbers."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from npvae.cli.options import add_data_options, add_seed_option, at_least

if TYPE_CHECKING:
    import numpy as np

    from npvae.data import Dataset
    from npvae.estimators import VAE, Autoencoder

HELP = "follow one image through a network, and the gradient back to mu and log_var, in numbers"
EXAMPLES = """examples:
  npvae trace                                   # trains a small VAE on digits first (seconds)
  npvae trace digits.safetensors --image 3
  npvae trace digits.safetensors --average 1000
  npvae trace digits.safetensors --without-reparameterization
  npvae trace mnist.safetensors --data mnist/ --eps 0.5 -1 --out trace.png
  npvae trace ae.safetensors --all --json

For each latent dimension: how z is made, what the reconstruction and the KL want of mu and log_var, and the
same gradients by finite differences. With --out, a picture of the graph whose arrows are as wide as the
gradients are large (.png), or one page with picture and tables (.html).
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("model", metavar="MODEL", nargs="?", help="a model file")
    parser.add_argument(
        "--image", type=int, default=0, metavar="I", help="index of the test image (default: 0)"
    )
    parser.add_argument(
        "--eps", type=float, nargs="+", metavar="E", help="the noise (default: drawn from the seed)"
    )
    parser.add_argument(
        "--average",
        type=at_least(2),
        default=0,
        metavar="N",
        help="gradients over N draws of eps, too: means and standard deviations",
    )
    parser.add_argument(
        "--without-reparameterization",
        action="store_true",
        help="draw z directly from N(mu, std^2), and see where the gradient ends",
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="every latent dimension, not only the four that matter most, and all nodes",
    )
    parser.add_argument(
        "--learning-rate", type=float, default=1e-3, metavar="RATE", help="of the one step (default: 0.001)"
    )
    add_seed_option(parser)
    parser.add_argument("--out", metavar="FILE", help=".png or .html")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    add_data_options(parser)


def run(args: argparse.Namespace) -> int:
    """Trace and print."""
    from npvae.cli.output import check_file
    from npvae.core.objectives import FreeBitsVAENetwork
    from npvae.estimators import VAE
    from npvae.study.jsonable import to_jsonable
    from npvae.study.trace import trace_image
    from npvae.view.tables.trace import trace_text

    out = None if args.out is None else Path(args.out)
    if out is not None:
        check_file(out, ".png", ".html")
    model, data, image = _open(args)
    if isinstance(model, VAE):
        network = model.network_
        if network.objective != "elbo" or network.n_draws > 1:
            print(
                f"npvae trace: the model was trained on the {network.objective.upper()} with "
                f"{network.n_draws} draws of z; shown is the ELBO with one",
                file=sys.stderr,
            )
        if isinstance(network, FreeBitsVAENetwork):
            print(
                f"npvae trace: the model was trained with {network.free_bits:g} free nats per latent "
                "dimension; shown is the plain ELBO, without free bits",
                file=sys.stderr,
            )
    else:
        given = {
            "--eps": args.eps,
            "--average": args.average,
            "--without-reparameterization": args.without_reparameterization,
        }
        for option, value in given.items():
            if value:
                raise ValueError(f"{option} is about the noise of a VAE, and {args.model} is an Autoencoder")
    _check_numbers(args, model.network_.latent_dim)
    result = trace_image(
        model,
        image,
        args.eps,
        reparameterized=not args.without_reparameterization,
        n_average=args.average,
        learning_rate=args.learning_rate,
        random_state=args.seed,
    )
    if out is not None:
        from npvae.view.draw.save import save_figure
        from npvae.view.draw.trace import draw_trace
        from npvae.view.draw.trace_page import write_trace_page

        if out.suffix == ".png":
            save_figure(draw_trace(result, data.image_shape, show_all=args.all)[0], out)
        else:
            write_trace_page(result, data.image_shape, out, show_all=args.all)
        print(f"npvae trace: {out} written", file=sys.stderr)
    colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    text = trace_text(result, data.image_shape, show_all=args.all, colours=colours)
    print(json.dumps(to_jsonable(result)) if args.json else text)
    return 0


def _open(args: argparse.Namespace) -> "tuple[VAE | Autoencoder, Dataset, np.ndarray]":
    """Return the model, the data and the image; without MODEL, a small VAE is trained."""
    from npvae.cli.opening import open_data, open_model_and_data, pick_test_image
    from npvae.estimators import VAE

    if args.model is not None:
        model, data = open_model_and_data(args)
        return model, data, pick_test_image(data, args.image, "--image")
    data = open_data(args)
    image = pick_test_image(data, args.image, "--image")
    print("npvae trace: no model given, so a small VAE is trained first", file=sys.stderr)
    vae = VAE(
        2,
        hidden=(64,),
        likelihood="bernoulli",
        batch_size=32,
        max_epochs=20,
        tol=None,
        random_state=0,
        verbose=1,
    )
    return vae.fit(data.X_train), data, image


def _check_numbers(args: argparse.Namespace, latent_dim: int) -> None:
    import numpy as np

    if args.eps is not None and (len(args.eps) != latent_dim or not np.isfinite(args.eps).all()):
        raise ValueError(f"--eps must be {latent_dim} finite numbers, one for each latent dimension")
    if not 0 < args.learning_rate < np.inf:
        raise ValueError(f"--learning-rate must be positive, got {args.learning_rate:g}")
