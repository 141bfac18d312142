"""``npvae sample``: draw from a saved model."""

import argparse
from pathlib import Path

from npvae.cli.options import at_least, image_shape

HELP = "draw z from N(0, I), or take a z of your own, and decode it"
EXAMPLES = """examples:
  npvae sample digits.safetensors --out samples.png
  npvae sample digits.safetensors -n 1000 --seed 1 --out samples.npy
  npvae sample digits.safetensors --z -2.5 2 --out point.png

A .png is a grid of images; a .npy holds the decoded rows, (n, D), float32.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("model", metavar="MODEL", help="a model file")
    parser.add_argument("--out", required=True, metavar="FILE", help=".png or .npy")
    parser.add_argument("-n", "--samples", type=at_least(1), default=100, metavar="N", help="default: 100")
    parser.add_argument("--seed", type=at_least(0), default=0, help="default: 0")
    parser.add_argument("--z", type=float, nargs="+", metavar="Z", help="decode this point instead of draws")
    parser.add_argument(
        "--image-shape", type=at_least(1), nargs=2, metavar=("H", "W"), help="default: a square, if D is one"
    )


def run(args: argparse.Namespace) -> int:
    """Draw, decode, write."""
    import numpy as np

    from npvae.cli.output import check_file, write_rows
    from npvae.estimators import load
    from npvae.study.walks.latent_point import decode_point

    out = Path(args.out)
    check_file(out, ".png", ".npy")
    model = load(args.model)
    if args.z is not None:
        if not np.isfinite(args.z).all():
            raise ValueError(f"--z must be finite numbers, got {' '.join(map(str, args.z))}")
        X = decode_point(model, args.z)[None]
        title = f"{type(model).__name__}, z = ({', '.join(f'{z:g}' for z in args.z)})"
    else:
        X = model.sample(args.samples, random_state=args.seed)
        title = f"{type(model).__name__}, z ~ N(0, I)"
    write_rows(out, X, image_shape(model.n_features_in_, args.image_shape), title)
    print(f"{len(X)} decoded, written to {args.out}")
    return 0
