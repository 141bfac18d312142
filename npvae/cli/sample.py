"""``npvae sample``: draw from a saved model."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npvae.cli.options import add_model_file, add_picture_options, add_seed_option, at_least, image_shape
from npvae.counted import counted

if TYPE_CHECKING:
    from npvae.data import Dataset
    from npvae.estimators import VAE, Autoencoder

N_DIGITS_PIXELS = 64
MOST_CODES = 5000  # around a point

HELP = "draw z from N(0, I), or take a given z, and decode it"
EXAMPLES = """examples:
  npvae sample digits.safetensors --out samples.png
  npvae sample digits.safetensors -n 1000 --seed 1 --out samples.npy
  npvae sample digits.safetensors --z -2.5 2 --out point.png
  npvae sample mnist.safetensors --z -2.5 2 --data mnist/ --out point.png

A .png is a grid of images; with --z it shows the point among the codes of test images, and what it is decoded
to. A .npy holds the decoded rows, (n, D), float32.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_model_file(parser)
    add_picture_options(parser, with_data=False)
    parser.add_argument(
        "-n", "--samples", type=at_least(1), default=100, metavar="N", help="samples to draw (default: 100)"
    )
    add_seed_option(parser)
    parser.add_argument(
        "--z", type=float, nargs="+", metavar="Z", help="decode this point instead of drawing samples"
    )
    parser.add_argument(
        "--data",
        metavar="WHAT",
        help="whose codes are shown around --z, as for npvae plane (default: digits, if the model is of 64 "
        "features; without data the point alone is decoded)",
    )


def run(args: argparse.Namespace) -> int:
    """Draw, decode, write."""
    import numpy as np

    from npvae.cli.opening import open_model
    from npvae.cli.output import check_file, write_picture_or_array
    from npvae.study.walks.latent_point import decode_point

    out = Path(args.out)
    check_file(out, ".png", ".npy")
    model = open_model(args)
    if args.z is not None:
        if not np.isfinite(args.z).all():
            raise ValueError(f"--z must be finite numbers, got {' '.join(map(str, args.z))}")
        X = decode_point(model, args.z)[None]
        title = f"{type(model).__name__}, z = ({', '.join(f'{z:g}' for z in args.z)})"
    else:
        X = model.sample(args.samples, random_state=args.seed)
        title = f"{type(model).__name__}, z ~ N(0, I)"
    data = None if args.z is None or out.suffix == ".npy" else _data_around(args, model)
    shape = image_shape(args, model.n_features_in_, None if data is None else data.image_shape)

    def draw() -> Any:
        from npvae.view import draw_image_grid, draw_latent_point

        if data is None:
            return draw_image_grid(X, shape, title=title)
        name, codes = type(model).__name__, model.transform(data.X_test[:MOST_CODES])
        labels = None if data.y_test is None else data.y_test[:MOST_CODES]
        return draw_latent_point(args.z, {name: X[0]}, {name: codes}, labels, shape)[0]

    write_picture_or_array(out, X, draw)
    print(f"{len(X)} decoded, written to {args.out}")
    return 0


def _data_around(args: argparse.Namespace, model: "VAE | Autoencoder") -> "Dataset | None":
    """Return the data whose codes are shown around a point; None if there is no plane to show, or no data."""
    from npvae.data import load_dataset

    if model.network_.latent_dim == 1 or (args.data is None and model.n_features_in_ != N_DIGITS_PIXELS):
        return None
    data = load_dataset(args.data or "digits")
    if data.n_features != model.n_features_in_:
        raise ValueError(
            f"the model was trained on {counted(model.n_features_in_, 'feature')}, but {data.name} has "
            f"{data.n_features}; name the data that it was trained on with --data"
        )
    return data
