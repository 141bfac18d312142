"""``npvae reconstruct``: put images through a saved model."""

import argparse
from pathlib import Path
from typing import Any

from npvae.cli.options import (
    add_data_options,
    add_model_file,
    add_picture_options,
    at_least,
    image_shape,
)

MOST_DRAWN = 40  # in one row

HELP = "encode and decode test images, and print the reconstruction error"
EXAMPLES = """examples:
  npvae reconstruct digits.safetensors --out reconstructions.png
  npvae reconstruct mnist.safetensors --data mnist/ -n 20 --out reconstructions.png
  npvae reconstruct mnist.safetensors --data mnist/ --out all.npy

A .png shows the first N test images above their reconstructions; a .npy holds all of them, (N, D).
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_model_file(parser)
    add_picture_options(parser)
    parser.add_argument(
        "-n",
        "--images",
        type=at_least(1),
        default=12,
        metavar="N",
        help="images in the picture (default: 12)",
    )
    add_data_options(parser)


def run(args: argparse.Namespace) -> int:
    """Reconstruct, write, print the error."""
    from npvae.cli.opening import open_model_and_data
    from npvae.cli.output import check_file, write_picture_or_array
    from npvae.study.posterior.reconstruction import reconstruction_error

    out = Path(args.out)
    check_file(out, ".png", ".npy")
    if out.suffix == ".png" and args.images > MOST_DRAWN:
        raise ValueError(f"--images must be at most {MOST_DRAWN} for a picture, got {args.images}")
    model, data = open_model_and_data(args)
    shape = image_shape(args, model.n_features_in_, data.image_shape)
    X = data.X_test if out.suffix == ".npy" else data.X_test[: args.images]
    reconstructions = model.reconstruct(X)

    def draw() -> Any:
        from npvae.view import draw_image_rows

        title = (
            f"{type(model).__name__}, {model.network_.latent_dim} latent dimensions: test images of "
            f"{data.name} "
            f"and their reconstructions, mean squared error {error.squared_error:.2f}"
        )
        return draw_image_rows({"original": X, "reconstructed": reconstructions}, shape, title=title)

    error = reconstruction_error(model, data.X_test)
    write_picture_or_array(out, reconstructions, draw)
    print(
        f"{type(model).__name__} on {error.n_samples} test samples of {data.name}: squared error "
        f"{error.squared_error:.3f}, -ln p(x | code) {error.negative_log_likelihood:.2f} nats per sample; "
        f"written to {out}"
    )
    return 0
