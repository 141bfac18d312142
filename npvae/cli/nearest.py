"""``npvae nearest``: samples beside the training images nearest to them."""

import argparse
import json
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

MOST_SAMPLES, MOST_NEIGHBOURS = 20, 10  # in a picture
_MOST_TEST = 500  # images of which the distances are measured, for scale

HELP = "draw samples and find the nearest training images"
EXAMPLES = """examples:
  npvae nearest digits.safetensors --out nearest.png
  npvae nearest mnist.safetensors --data mnist/ -n 8 -k 5 --seed 1 --out nearest.png
  npvae nearest mnist.safetensors --data mnist/ -n 100 -k 1 --json --out nearest.npy

Distances are Euclidean, in pixels from 0 to 1. For scale, those of test images to their nearest training
images are measured too. A sample may be nearer than they are, because a blurred image is near to everything;
a copy has a distance near 0. A .npy holds each sample and then its nearest images, (N, 1 + K, D), float32.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_model_file(parser)
    add_picture_options(parser)
    parser.add_argument(
        "-n", "--samples", type=at_least(1), default=10, metavar="N", help="samples to draw (default: 10)"
    )
    parser.add_argument(
        "-k",
        "--neighbours",
        type=at_least(1),
        default=3,
        metavar="K",
        help="nearest training images per sample (default: 3)",
    )
    add_seed_option(parser)
    parser.add_argument("--json", action="store_true", help="print indices and distances as JSON")
    add_data_options(parser)


def run(args: argparse.Namespace) -> int:
    """Draw, search, write, print."""
    import numpy as np

    from npvae.cli.opening import open_model_and_data
    from npvae.cli.output import check_file, write_picture_or_array
    from npvae.data.scaling import as_floats
    from npvae.study import nearest_images

    out = Path(args.out)
    check_file(out, ".png", ".npy")
    if out.suffix == ".png" and (args.samples > MOST_SAMPLES or args.neighbours > MOST_NEIGHBOURS):
        raise ValueError(
            f"a picture shows at most {MOST_SAMPLES} samples with {MOST_NEIGHBOURS} neighbours, got "
            f"{args.samples} with {args.neighbours}"
        )
    model, data = open_model_and_data(args)
    if args.neighbours > len(data.X_train):
        raise ValueError(f"--neighbours must be at most {len(data.X_train)}, the training images there are")
    shape = image_shape(args, model.n_features_in_, data.image_shape)
    samples = model.sample(args.samples, random_state=args.seed)
    indices, distances = nearest_images(data.X_train, samples, args.neighbours)
    n_test = min(len(data.X_test), _MOST_TEST)
    some = np.random.default_rng(args.seed).choice(len(data.X_test), n_test, replace=False)
    test_distances = nearest_images(data.X_train, data.X_test[some], 1)[1][:, 0]
    neighbours = as_floats(data.X_train[indices], np.dtype(np.float32))
    medians = f"samples {np.median(distances[:, 0]):.2f}, test images {np.median(test_distances):.2f}"

    def draw() -> Any:
        from npvae.view import draw_nearest

        title = f"{type(model).__name__}, z ~ N(0, I), and the nearest training images"
        return draw_nearest(
            samples, neighbours, distances, shape, title=title, subtitle=f"median distance: {medians}"
        )

    write_picture_or_array(out, np.concatenate([samples[:, None], neighbours], axis=1), draw)
    if args.json:
        record = {
            "indices": indices.tolist(),
            "distances": distances.tolist(),
            "test_distances": test_distances.tolist(),
            "out": str(out),
        }
        print(json.dumps(record))
        return 0
    print("sample  nearest training images: index (distance)")
    for sample, (rows, lengths) in enumerate(zip(indices, distances, strict=True)):
        print(f"{sample:6}  " + "  ".join(f"{i:6} ({d:.2f})" for i, d in zip(rows, lengths, strict=True)))
    low, high = np.quantile(test_distances, [0.05, 0.95])
    print(
        f"median distance to the nearest training image: {medians} (9 in 10 of {n_test}: {low:.2f} to "
        f"{high:.2f}); written to {out}"
    )
    return 0
