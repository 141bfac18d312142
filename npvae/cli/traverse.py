"""``npvae traverse``: what each latent dimension does to an image."""

import argparse
from pathlib import Path

from npvae.cli.options import add_data_options, at_least, check_width, image_shape, load_data

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
    parser.add_argument("model", metavar="MODEL", help="a model file")
    parser.add_argument("--out", required=True, metavar="FILE", help=".png or .npy")
    parser.add_argument("--image", type=at_least(0), metavar="I", help="which test image, from 0 on")
    parser.add_argument(
        "--dims", type=at_least(1), nargs="+", metavar="K", help="which dimensions, from 1 on, in this order"
    )
    parser.add_argument(
        "--tail", type=float, default=0.01, metavar="P", help="left out at each end (default: 0.01)"
    )
    parser.add_argument(
        "-n", "--images", type=at_least(3), default=11, metavar="N", help="in a row, odd (default: 11)"
    )
    parser.add_argument(
        "--seed", type=at_least(0), default=0, help="of the split into training and test (default: 0)"
    )
    parser.add_argument(
        "--image-shape", type=at_least(1), nargs=2, metavar=("H", "W"), help="default: that of the data"
    )
    add_data_options(parser)


def run(args: argparse.Namespace) -> int:
    """Traverse, decode, write."""
    from npvae.cli.one_image import one_test_image
    from npvae.cli.output import check_file, write_array
    from npvae.estimators import VAE, load
    from npvae.study import traverse

    out = Path(args.out)
    check_file(out, ".png", ".npy")
    if args.images % 2 == 0:
        raise ValueError(f"--images must be odd, as the image itself is in the middle, got {args.images}")
    if not 0 < args.tail < 0.5:
        raise ValueError(f"--tail must be between 0 and 0.5, got {args.tail:g}")
    if out.suffix == ".png" and max(args.images, len(args.dims or [])) > MOST_DRAWN:
        raise ValueError(f"a picture shows at most {MOST_DRAWN} dimensions and as many images of each")
    model = load(args.model)
    latent_dim = model.network_.latent_dim
    if args.dims is not None and max(args.dims) > latent_dim:
        raise ValueError(f"--dims must be from 1 to {latent_dim}, got {max(args.dims)}")
    data = load_data(args)
    check_width(model, data)
    shape = image_shape(model.n_features_in_, args.image_shape or list(data.image_shape or []) or None)
    x = None if args.image is None else one_test_image(data, args.image, "--image")
    dims = None if args.dims is None else [dim - 1 for dim in args.dims]
    traversal = traverse(model, x, data.X_test, dims=dims, n_steps=args.images, tail=args.tail)
    is_vae = isinstance(model, VAE)
    middle = "the origin" if is_vae else "the mean code"
    if args.image is not None:
        middle = f"test image {args.image}"
    if out.suffix == ".npy":
        write_array(out, traversal.images)
    else:
        from npvae.view.draw.save import save_figure
        from npvae.view.draw.traversal import draw_traversal

        quantiles = (
            f"quantiles {args.tail:.3g} to {1 - args.tail:.3g} of {'N(0, 1)' if is_vae else 'the codes'}"
        )
        drawn = draw_traversal(
            traversal,
            shape,
            activity_name="KL" if is_vae else "std",
            title=f"{type(model).__name__}: one latent dimension at a time",
            subtitle=f"around {middle}, over {quantiles}",
        )
        save_figure(drawn, out)
    rows = ", ".join(str(d + 1) for d in traversal.dims)
    print(
        f"{type(model).__name__}: {args.images} points around {middle} of {data.name} along each of the "
        f"dimensions {rows}; written to {out}"
    )
    return 0
