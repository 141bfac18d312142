"""``npvae plane``: the decoded plane of a model with two latent dimensions."""

import argparse
from pathlib import Path
from typing import Any

from npvae.cli.options import (
    add_data_options,
    add_model_file,
    add_picture_options,
    add_seed_option,
    at_least,
    image_shape,
)

MOST_DRAWN = 40  # in each direction
SMALL = 100  # pixels: of images up to this size, such as digits, fewer are drawn by default

HELP = "decode a grid over the latent plane of a model with two latent dimensions"
EXAMPLES = """examples:
  npvae plane digits.safetensors --out plane.png
  npvae plane mnist.safetensors -n 15 --out plane.npy
  npvae plane ae.safetensors --over codes --data mnist/ --out plane.png

The grid lies at the quantiles of N(0, I), so each image stands for the same probability. Most codes of an
autoencoder lie elsewhere: --over codes uses the quantiles of the codes of the test images of --data,
dimension by dimension. A .npy holds the images, (N, N, D), z2 falling from row to row.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_model_file(parser)
    add_picture_options(parser, with_data=False)
    parser.add_argument(
        "-n",
        "--side",
        type=at_least(1),
        metavar="N",
        help=f"images each way (default: 12 for up to {SMALL} pixels, such as digits, else 20)",
    )
    parser.add_argument(
        "--over",
        choices=["prior", "codes"],
        default="prior",
        help="distribution whose quantiles make the grid (default: prior)",
    )
    add_seed_option(parser)
    add_data_options(parser)


def run(args: argparse.Namespace) -> int:
    """Decode, write."""
    import numpy as np

    from npvae.cli.opening import open_model, open_model_and_data
    from npvae.cli.output import check_file, write_picture_or_array
    from npvae.study import decode_plane, draw_codes, latent_plane

    out = Path(args.out)
    check_file(out, ".png", ".npy")
    if out.suffix == ".png" and args.side is not None and args.side > MOST_DRAWN:
        raise ValueError(f"--side must be at most {MOST_DRAWN} for a picture, got {args.side}")
    model = open_model(args)
    side = args.side if args.side is not None else (12 if model.n_features_in_ <= SMALL else 20)
    if model.network_.latent_dim != 2:
        raise ValueError(
            f"{args.model} has {model.network_.latent_dim} latent dimensions, and a plane has 2; "
            "see npvae traverse"
        )
    shape_of_data, codes = None, None
    if args.over == "codes":
        model, data = open_model_and_data(args)
        shape_of_data = data.image_shape
        codes = draw_codes(model, data.X_test, np.random.default_rng(args.seed))
    shape = image_shape(args, model.n_features_in_, shape_of_data)
    points, X = latent_plane(side, codes), decode_plane(model, side, codes)
    where = "N(0, I)" if args.over == "prior" else "its codes"

    def draw() -> Any:
        from npvae.view import draw_decoded_plane

        title = f"{type(model).__name__}: decoded at the quantiles of {where}"
        return draw_decoded_plane(X, points, shape, title=title)

    write_picture_or_array(out, X, draw)
    (left, top), (right, bottom) = points[0, 0], points[-1, -1]
    print(
        f"{type(model).__name__}: {side} x {side} points at the quantiles of {where}, z1 from "
        f"{left:.2f} to {right:.2f}, z2 from {bottom:.2f} to {top:.2f}; written to {out}"
    )
    return 0
