"""``npvae lab``: the laboratories, one measured question of the lecture each."""

import argparse
import sys
from pathlib import Path

from npvae.cli.options import add_data_options, add_seed_option

LABORATORIES = {
    "estimators": "five estimators of the same gradient, and how much each of them scatters",
    "logvar": "what the encoder should output for sigma: overflow, rounding, and training",
    "pull": "noise without KL, KL without noise, and beta from 0 to 10",
    "steps": "from an AE to a VAE in four steps",
    "collapse": "what causes posterior collapse, and what warm-up and free bits do about it",
}
MOST_IMAGES = 5000  # for training: a laboratory takes less than a minute

HELP = "run a laboratory: measure one question of the lecture, in numbers and a picture"
EXAMPLES = """examples:
  npvae lab                                  # lists them
  npvae lab estimators --out estimators.png
  npvae lab pull --seed 1 --out pull.png
  npvae lab collapse --json

Each trains its models anew, on at most 5,000 training images with values in [0, 1], and takes less than a
minute on digits. The formulas are derived in npvae/study/laboratories/.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "name", metavar="NAME", nargs="?", choices=list(LABORATORIES), help="without it, all are listed"
    )
    parser.add_argument("--out", metavar="FILE", help="write the picture, .png")
    parser.add_argument("--json", action="store_true", help="print all numbers as JSON")
    add_seed_option(parser)
    add_data_options(parser)


def run(args: argparse.Namespace) -> int:
    """Run one laboratory, or list all."""
    import json

    if args.name is None:
        if args.json:
            print(json.dumps(LABORATORIES))
        else:
            width = max(map(len, LABORATORIES))
            print("\n".join(f"{name:<{width}}  {about}" for name, about in LABORATORIES.items()))
            print("\nBegin with: npvae lab pull")
        return 0

    import dataclasses
    import importlib

    from npvae.cli.opening import open_data
    from npvae.cli.output import check_file
    from npvae.data import to_unit_interval
    from npvae.view import save_figure

    if args.out is not None:
        check_file(Path(args.out), ".png")
    data = open_data(args)
    kept = slice(None, MOST_IMAGES)
    data = dataclasses.replace(
        data,
        X_train=to_unit_interval(data.X_train[kept]),
        y_train=None if data.y_train is None else data.y_train[kept],
        X_test=to_unit_interval(data.X_test),
    )
    study = importlib.import_module(f"npvae.study.laboratories.{args.name}")
    view = importlib.import_module(f"npvae.view.laboratories.{args.name}")
    result = getattr(study, f"run_{args.name}")(data, seed=args.seed, verbose=True)
    print(json.dumps(result.numbers()) if args.json else view.text(result))
    if args.out is not None:
        save_figure(view.draw(result), args.out)
        print(f"npvae lab: {args.out} written", file=sys.stderr)
    return 0
