"""``npvae score``: how probable a model finds samples, as a table."""

import argparse
from pathlib import Path

from npvae.cli.options import add_data_options, add_model_file, add_part_option
from npvae.counted import counted

HELP = "write the score of each sample in nats: a VAE's ELBO, an autoencoder's ln p(x | code)"
EXAMPLES = """examples:
  npvae score digits.safetensors --out scores.csv
  npvae score features.safetensors --data new.csv                   # CSV to stdout, row by row
  npvae score mnist.safetensors --data mnist/ --part train --out scores.npy

There is one row for each sample; higher is better. CSV begins with the line "score"; a .npy holds (N,)
numbers, float32. Images in a folder are taken in the order of their names.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_model_file(parser)
    parser.add_argument("--out", metavar="FILE", help=".csv or .npy (default: CSV to stdout)")
    add_part_option(parser)
    add_data_options(parser)


def run(args: argparse.Namespace) -> int:
    """Score and write."""
    from npvae.cli.opening import open_model_and_samples
    from npvae.cli.output import check_file, write_table

    out = None if args.out is None else Path(args.out)
    if out is not None:
        check_file(out, ".csv", ".npy")
    model, samples = open_model_and_samples(args)
    scores = model.score_samples(samples.X)
    write_table(out, ["score"], scores)
    if out is not None:
        print(
            f"{type(model).__name__}: scores of {counted(len(scores), 'sample')} of {samples.name}, mean "
            f"{scores.mean():.2f} nats, written to {out}"
        )
    return 0
