"""``npvae compare``: the main job."""

import argparse
import sys
from pathlib import Path

from npvae.cli.options import add_data_options, add_model_options, load_data, make_estimator

HELP = "train an AE and a VAE side by side, sample from both, show and measure the difference"
EXAMPLES = """examples:
  npvae compare                                  # scikit-learn's digits, well under a minute
  npvae compare --data mnist/ --latent-dim 2 --epochs 10 --out mnist-2
  npvae compare --latent-dim 10 --out digits-10
  npvae compare --data features.npy --likelihood gaussian --hidden 256 64 --out features

Prints a table, and writes into the folder --out: pictures (.png), both models (.safetensors) and run.json,
with every setting, version and seed, the data's hash, the training histories and all numbers.

Ctrl-C ends the training that is running after the current step; its model is saved as far as it got.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--out", default="npvae-compare", metavar="DIR", help="default: npvae-compare")
    parser.add_argument(
        "--samples", type=int, metavar="N", help="images compared (default: the test set, at most 5000)"
    )
    parser.add_argument("--json", action="store_true", help="print run.json instead of the table")
    add_data_options(parser, training=True)
    add_model_options(parser)


def run(args: argparse.Namespace) -> int:
    """Train both, compare, write."""
    from npvae.cli.run_folder import RunFolder
    from npvae.study.compare import compare, number_compared
    from npvae.view.compare_pictures import write_pictures
    from npvae.view.compare_table import compare_numbers, compare_table

    data = load_data(args)
    models = {kind: make_estimator(kind, args, data) for kind in ("ae", "vae")}
    settings = {
        **{
            name: value
            for name, value in vars(args).items()
            if name not in ("run", "command", "json", "out", "threads")
        },
        "epochs": models["vae"].max_epochs,
        "batch_size": models["vae"].batch_size,
        "samples": number_compared(data, args.samples),
    }
    folder = RunFolder(Path(args.out), settings, data)
    for kind, model in models.items():
        print(f"npvae compare: training the {kind.upper()}, {model.max_epochs} epochs", file=sys.stderr)
        try:
            model.fit(data.X_train, X_val=data.X_test)
        except FloatingPointError:
            folder.save_model(kind, model)
            print(f"npvae compare: what was reached is in {folder.model_file(kind)}", file=sys.stderr)
            raise
        folder.save_model(kind, model)
        if model.stop_reason_ == "interrupted":
            print(f"npvae compare: what was reached is in {folder.model_file(kind)}", file=sys.stderr)
            return 130
    print("npvae compare: sampling and measuring", file=sys.stderr)
    comparison = compare(data, models["ae"], models["vae"], n_samples=settings["samples"], seed=args.seed)
    text = folder.finish(compare_numbers(comparison), write_pictures(comparison, folder.path))
    print(text if args.json else compare_table(comparison))
    print(f"npvae compare: pictures, models and run.json are in {folder.path}/", file=sys.stderr)
    return 0
