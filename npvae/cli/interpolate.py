"""``npvae interpolate``: from one image to another through the latent space."""

import argparse
from pathlib import Path
from typing import Literal

from npvae.cli.options import add_data_options, at_least, check_width, image_shape, load_data

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
    parser.add_argument("model", metavar="MODEL", help="a model file")
    parser.add_argument(
        "--from", dest="start", type=at_least(0), required=True, metavar="I", help="a test image, from 0 on"
    )
    parser.add_argument(
        "--to", dest="stop", type=at_least(0), required=True, metavar="J", help="another test image"
    )
    parser.add_argument("--out", required=True, metavar="FILE", help=".png or .npy")
    parser.add_argument(
        "--kind", choices=["linear", "spherical", "both"], default="both", help="of way (default: both)"
    )
    parser.add_argument(
        "-n", "--images", type=at_least(2), default=10, metavar="N", help="decoded points (default: 10)"
    )
    parser.add_argument(
        "--seed", type=at_least(0), default=0, help="of the split into training and test (default: 0)"
    )
    parser.add_argument(
        "--image-shape", type=at_least(1), nargs=2, metavar=("H", "W"), help="default: that of the data"
    )
    add_data_options(parser)


def run(args: argparse.Namespace) -> int:
    """Interpolate, decode, write."""
    import numpy as np

    from npvae.cli.one_image import one_test_image
    from npvae.cli.output import check_file, write_array
    from npvae.estimators import load
    from npvae.study import interpolate_images

    out = Path(args.out)
    check_file(out, ".png", ".npy")
    if out.suffix == ".png" and args.images > MOST_DRAWN:
        raise ValueError(f"--images must be at most {MOST_DRAWN} for a picture, got {args.images}")
    model = load(args.model)
    data = load_data(args)
    check_width(model, data)
    shape = image_shape(model.n_features_in_, args.image_shape or list(data.image_shape or []) or None)
    ends = np.stack([one_test_image(data, args.start, "--from"), one_test_image(data, args.stop, "--to")])
    kinds: list[Literal["linear", "spherical"]]
    kinds = ["linear", "spherical"] if args.kind == "both" else [args.kind]
    paths: dict[str, np.ndarray] = {
        kind: interpolate_images(model, ends[0], ends[1], args.images, kind) for kind in kinds
    }
    if out.suffix == ".npy":
        write_array(out, np.stack(list(paths.values())) if args.kind == "both" else paths[args.kind])
    else:
        from npvae.view.draw.interpolation import draw_interpolation
        from npvae.view.draw.save import save_figure

        title = f"{type(model).__name__}: between the codes of test images {args.start} and {args.stop}"
        save_figure(draw_interpolation(paths, ends, shape, title=title), out)
    print(
        f"{type(model).__name__}: {args.images} points between test images {args.start} and {args.stop} of "
        f"{data.name}, {' and '.join(kinds)}; written to {out}"
    )
    return 0
