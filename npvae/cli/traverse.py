"""``npvae traverse``: what each latent dimension does to an image."""

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

MOST_DRAWN = 20  # rows, and as many columns

HELP = "vary one latent dimension at a time around an image, and decode"
EXAMPLES = """examples:
  npvae traverse digits.safetensors --image 3 --out traversal.png
  npvae traverse mnist.safetensors --data mnist/ --out traversal.png         # around the origin
  npvae traverse mnist.safetensors --data mnist/ --image 7 --dims 1 4 --tail 0.1 -n 9 --out traversal.png
  npvae traverse ae.safetensors --image 3 --out traversal.npy

The middle column is the image's reconstruction. From there one dimension goes down to the quantile P and up
to the quantile 1 - P: of N(0, 1) for a VAE, of the test images' codes for an autoencoder. Without --image the
middle is the origin for a VAE, the mean code for an autoencoder. Dimensions are counted from 1; the 8 most
active ones are the default: by mean KL over the test images for a VAE, by the standard deviation of their
codes for an autoencoder. A .npy holds the decoded points, (dimensions, N, D).
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_model_file(parser)
    add_picture_options(parser)
    parser.add_argument("--image", type=at_least(0), metavar="I", help="index of the test image, from 0")
    parser.add_argument(
        "--dims",
        type=at_least(1),
        nargs="+",
        metavar="K",
        help="dimensions to vary, counted from 1, in this order",
    )
    parser.add_argument(
        "--tail",
        type=float,
        default=0.01,
        metavar="P",
        help="probability left out at each end (default: 0.01)",
    )
    parser.add_argument(
        "-n",
        "--images",
        type=at_least(3),
        default=11,
        metavar="N",
        help="images per row, an odd number (default: 11)",
    )
    add_data_options(parser)


def run(args: argparse.Namespace) -> int:
    """Traverse, decode, write."""
    from npvae.cli.opening import open_model_and_data, pick_test_image
    from npvae.cli.output import check_file, write_picture_or_array
    from npvae.estimators import VAE
    from npvae.study import traverse

    out = Path(args.out)
    check_file(out, ".png", ".npy")
    if args.images % 2 == 0:
        raise ValueError(f"--images must be odd, as the image itself is in the middle, got {args.images}")
    if not 0 < args.tail < 0.5:
        raise ValueError(f"--tail must be between 0 and 0.5, got {args.tail:g}")
    if out.suffix == ".png" and max(args.images, len(args.dims or [])) > MOST_DRAWN:
        raise ValueError(f"a picture shows at most {MOST_DRAWN} dimensions and as many images of each")
    model, data = open_model_and_data(args)
    latent_dim = model.network_.latent_dim
    if args.dims is not None and max(args.dims) > latent_dim:
        raise ValueError(f"--dims must be from 1 to {latent_dim}, got {max(args.dims)}")
    shape = image_shape(args, model.n_features_in_, data.image_shape)
    x = None if args.image is None else pick_test_image(data, args.image, "--image")
    dims = None if args.dims is None else [dim - 1 for dim in args.dims]
    traversal = traverse(model, x, data.X_test, dims=dims, n_steps=args.images, tail=args.tail)
    is_vae = isinstance(model, VAE)
    middle = "the origin" if is_vae else "the mean code"
    if args.image is not None:
        middle = f"test image {args.image}"

    def draw() -> Any:
        from npvae.view import draw_traversal

        quantiles = (
            f"quantiles {args.tail:.3g} to {1 - args.tail:.3g} of {'N(0, 1)' if is_vae else 'the codes'}"
        )
        return draw_traversal(
            traversal,
            shape,
            activity_name="KL" if is_vae else "std",
            title=f"{type(model).__name__}: one latent dimension at a time",
            subtitle=f"around {middle}, over {quantiles}",
        )

    write_picture_or_array(out, traversal.images, draw)
    rows = ", ".join(str(d + 1) for d in traversal.dims)
    print(
        f"{type(model).__name__}: {args.images} points around {middle} of {data.name} along each of the "
        f"dimensions {rows}; written to {out}"
    )
    return 0
