"""``npvae sample``: draw from a saved model."""

import argparse
from pathlib import Path
from typing import Any

from npvae.cli.options import add_model_file, add_picture_options, add_seed_option, at_least, image_shape

HELP = "draw z from N(0, I), or take a z of your own, and decode it"
EXAMPLES = """examples:
  npvae sample digits.safetensors --out samples.png
  npvae sample digits.safetensors -n 1000 --seed 1 --out samples.npy
  npvae sample digits.safetensors --z -2.5 2 --out point.png

A .png is a grid of images; a .npy holds the decoded rows, (n, D), float32.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_model_file(parser)
    add_picture_options(parser, with_data=False)
    parser.add_argument("-n", "--samples", type=at_least(1), default=100, metavar="N", help="default: 100")
    add_seed_option(parser)
    parser.add_argument("--z", type=float, nargs="+", metavar="Z", help="decode this point instead of draws")


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
    shape = image_shape(args, model.n_features_in_)

    def draw() -> Any:
        from npvae.view import draw_image_grid

        return draw_image_grid(X, shape, title=title)

    write_picture_or_array(out, X, draw)
    print(f"{len(X)} decoded, written to {args.out}")
    return 0
