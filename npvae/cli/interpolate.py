"""``npvae interpolate``: from one image to another through the latent space."""

import argparse
from pathlib import Path
from typing import Any, Literal

from npvae.cli.options import (
    add_data_options,
    add_model_file,
    add_picture_options,
    at_least,
    image_shape,
)

MOST_DRAWN = 40  # in one row

HELP = "go from one test image to another through the latent space"
EXAMPLES = """examples:
  npvae interpolate digits.safetensors --from 0 --to 5 --out way.png
  npvae interpolate mnist.safetensors --data mnist/ --from 0 --to 7 --kind linear -n 9 --out way.png
  npvae interpolate mnist.safetensors --data mnist/ --from 0 --to 7 --out way.npy

The linear way is straight, the spherical one an arc around the origin. A .png shows the two test images,
framed, and between them the decoded points, whose ends are the reconstructions of the two. A .npy holds the
decoded points alone: (N, D) for one kind, (2, N, D) for both, the linear way first.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_model_file(parser)
    parser.add_argument(
        "--from", dest="start", type=at_least(0), required=True, metavar="I", help="a test image, from 0 on"
    )
    parser.add_argument(
        "--to", dest="stop", type=at_least(0), required=True, metavar="J", help="another test image"
    )
    add_picture_options(parser)
    parser.add_argument(
        "--kind", choices=["linear", "spherical", "both"], default="both", help="of way (default: both)"
    )
    parser.add_argument(
        "-n", "--images", type=at_least(2), default=10, metavar="N", help="decoded points (default: 10)"
    )
    add_data_options(parser)


def run(args: argparse.Namespace) -> int:
    """Interpolate, decode, write."""
    import numpy as np

    from npvae.cli.opening import open_model_and_data, pick_test_image
    from npvae.cli.output import check_file, write_picture_or_array
    from npvae.study import interpolate_images

    out = Path(args.out)
    check_file(out, ".png", ".npy")
    if out.suffix == ".png" and args.images > MOST_DRAWN:
        raise ValueError(f"--images must be at most {MOST_DRAWN} for a picture, got {args.images}")
    model, data = open_model_and_data(args)
    shape = image_shape(args, model.n_features_in_, data.image_shape)
    ends = np.stack([pick_test_image(data, args.start, "--from"), pick_test_image(data, args.stop, "--to")])
    kinds: list[Literal["linear", "spherical"]]
    kinds = ["linear", "spherical"] if args.kind == "both" else [args.kind]
    paths: dict[str, np.ndarray] = {
        kind: interpolate_images(model, ends[0], ends[1], args.images, kind) for kind in kinds
    }

    def draw() -> Any:
        from npvae.view import draw_interpolation

        title = f"{type(model).__name__}: between the codes of test images {args.start} and {args.stop}"
        return draw_interpolation(paths, ends, shape, title=title)

    X = np.stack(list(paths.values())) if args.kind == "both" else paths[args.kind]
    write_picture_or_array(out, X, draw)
    print(
        f"{type(model).__name__}: {args.images} points between test images {args.start} and {args.stop} of "
        f"{data.name}, {' and '.join(kinds)}; written to {out}"
    )
    return 0
