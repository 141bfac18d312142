"""``npvae interpolate``: from one image to another through the latent space."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from npvae.cli.options import add_data_options, add_picture_options, at_least, image_shape

if TYPE_CHECKING:
    from npvae.estimators import VAE, Autoencoder

MOST_DRAWN = 40  # in one row

HELP = "go from one test image to another through the latent space"
EXAMPLES = """examples:
  npvae interpolate digits.safetensors --from 0 --to 5 --out way.png
  npvae interpolate mnist.safetensors --data mnist/ --from 0 --to 7 --kind linear -n 9 --out way.png
  npvae interpolate ae.safetensors vae.safetensors --from 0 --to 5 --kind linear --out both.png
  npvae interpolate mnist.safetensors --data mnist/ --from 0 --to 7 --out way.npy

The linear path is straight; the spherical path is an arc around the origin. A .png shows the two test images,
framed, and between them the decoded points, whose ends are the reconstructions of the two. A .npy holds the
decoded points alone: (N, D) for one kind, (2, N, D) for both, the linear path first. Several models are drawn
one above the other, between the same images; a .npy then has one more axis, in front, for the models.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("model", metavar="MODEL", nargs="+", help="a model file, or several")
    parser.add_argument(
        "--from",
        dest="start",
        type=at_least(0),
        required=True,
        metavar="I",
        help="index of a test image, from 0",
    )
    parser.add_argument(
        "--to", dest="stop", type=at_least(0), required=True, metavar="J", help="index of another test image"
    )
    add_picture_options(parser)
    parser.add_argument(
        "--kind", choices=["linear", "spherical", "both"], default="both", help="kind of path (default: both)"
    )
    parser.add_argument(
        "-n",
        "--images",
        type=at_least(2),
        default=10,
        metavar="N",
        help="decoded points per path (default: 10)",
    )
    add_data_options(parser)


def run(args: argparse.Namespace) -> int:
    """Interpolate, decode, write."""
    import numpy as np

    from npvae.cli.opening import open_models_and_data, pick_test_image
    from npvae.cli.output import check_file, write_picture_or_array
    from npvae.study import interpolate_images

    out = Path(args.out)
    check_file(out, ".png", ".npy")
    if out.suffix == ".png" and args.images > MOST_DRAWN:
        raise ValueError(f"--images must be at most {MOST_DRAWN} for a picture, got {args.images}")
    models, data = open_models_and_data(args.model, args)
    shape = image_shape(args, data.n_features, data.image_shape)
    ends = np.stack([pick_test_image(data, args.start, "--from"), pick_test_image(data, args.stop, "--to")])
    kinds: list[Literal["linear", "spherical"]]
    kinds = ["linear", "spherical"] if args.kind == "both" else [args.kind]
    names = _names(args.model, models)
    paths: dict[str, np.ndarray] = {}
    for name, model in zip(names, models, strict=True):
        for kind in kinds:
            row = kind if len(models) == 1 else name if len(kinds) == 1 else f"{name}, {kind}"
            paths[row] = interpolate_images(model, ends[0], ends[1], args.images, kind)

    def draw() -> Any:
        from npvae.view import draw_interpolation

        title = f"{', '.join(names)}: between the codes of test images {args.start} and {args.stop}"
        return draw_interpolation(paths, ends, shape, title=title)

    X = np.stack(list(paths.values())).reshape(len(models), len(kinds), args.images, data.n_features)
    X = X if args.kind == "both" else X[:, 0]
    write_picture_or_array(out, X[0] if len(models) == 1 else X, draw)
    print(
        f"{', '.join(names)}: {args.images} points between test images {args.start} and {args.stop} of "
        f"{data.name}, {' and '.join(kinds)}; written to {out}"
    )
    return 0


def _names(paths: Sequence[str], models: "Sequence[VAE | Autoencoder]") -> list[str]:
    """Return the models' classes or, where they do not tell them apart, their files."""
    classes = [type(model).__name__ for model in models]
    if len(set(classes)) == len(models):
        return classes
    stems = [Path(path).stem for path in paths]
    if len(set(stems)) == len(models):
        return stems
    return [f"{k}: {stem}" for k, stem in enumerate(stems, start=1)]
