"""``npvae reconstruct``: put images through a saved model."""

import argparse
from pathlib import Path

from npvae.cli.options import add_data_options, at_least, check_width, image_shape, load_data

MOST_DRAWN = 40  # in one row

HELP = "encode test images, decode them again, and say how far off they are"
EXAMPLES = """examples:
  npvae reconstruct digits.safetensors --out reconstructions.png
  npvae reconstruct mnist.safetensors --data mnist/ -n 20 --out reconstructions.png
  npvae reconstruct mnist.safetensors --data mnist/ --out all.npy

A .png shows the first N test images above their reconstructions; a .npy holds all of them, (N, D).
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("model", metavar="MODEL", help="a model file")
    parser.add_argument("--out", required=True, metavar="FILE", help=".png or .npy")
    parser.add_argument(
        "-n", "--images", type=at_least(1), default=12, metavar="N", help="in a picture (default: 12)"
    )
    parser.add_argument(
        "--seed", type=at_least(0), default=0, help="of the split into training and test (default: 0)"
    )
    parser.add_argument(
        "--image-shape", type=at_least(1), nargs=2, metavar=("H", "W"), help="default: that of the data"
    )
    add_data_options(parser)


def run(args: argparse.Namespace) -> int:
    """Reconstruct, write, print the error."""
    from npvae.cli.output import check_file, write_reconstructions, write_rows
    from npvae.estimators import load
    from npvae.study.posterior.reconstruction import reconstruction_error

    out = Path(args.out)
    check_file(out, ".png", ".npy")
    if out.suffix == ".png" and args.images > MOST_DRAWN:
        raise ValueError(f"--images must be at most {MOST_DRAWN} for a picture, got {args.images}")
    model = load(args.model)
    data = load_data(args)
    check_width(model, data)
    shape = image_shape(model.n_features_in_, args.image_shape or list(data.image_shape or []) or None)
    if out.suffix == ".npy":
        write_rows(out, model.reconstruct(data.X_test), None, "")
    else:
        images = data.X_test[: args.images]
        write_reconstructions(out, images, model.reconstruct(images), shape, type(model).__name__)
    error = reconstruction_error(model, data.X_test)
    print(
        f"{type(model).__name__} on {error.n_samples} test samples of {data.name}: squared error "
        f"{error.squared_error:.3f}, -ln p(x | code) {error.negative_log_likelihood:.2f} nats per sample; "
        f"written to {out}"
    )
    return 0
