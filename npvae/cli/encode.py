"""``npvae encode``: the codes of samples, as a table."""

import argparse
from pathlib import Path

from npvae.cli.options import add_data_options, add_model_file, add_part_option
from npvae.counted import counted

HELP = "write the latent codes of samples: for a VAE the posterior means and optionally the log-variances"
EXAMPLES = """examples:
  npvae encode digits.safetensors --out codes.csv
  npvae encode features.safetensors --data new.csv                  # CSV to stdout, row by row
  npvae encode mnist.safetensors --data mnist/ --part train --log-var --out codes.npy

There is one row for each sample. CSV begins with a line of column names: vae0, vae1 and so on, and with
--log-var vae0_log_var, vae1_log_var and so on. A .npy holds the same columns, float32. Images in a folder are
taken in the order of their names.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_model_file(parser)
    parser.add_argument("--out", metavar="FILE", help=".csv or .npy (default: CSV to stdout)")
    parser.add_argument(
        "--log-var", action="store_true", help="append the log-variances of the posterior (VAE only)"
    )
    add_part_option(parser)
    add_data_options(parser)


def run(args: argparse.Namespace) -> int:
    """Encode and write."""
    import numpy as np

    from npvae.cli.opening import open_model_and_samples
    from npvae.cli.output import check_file, write_table
    from npvae.estimators import VAE

    out = None if args.out is None else Path(args.out)
    if out is not None:
        check_file(out, ".csv", ".npy")
    model, samples = open_model_and_samples(args)
    columns = model.get_feature_names_out().tolist()
    if args.log_var and not isinstance(model, VAE):
        raise ValueError(f"--log-var is for a VAE, but {args.model} is an Autoencoder, whose codes have none")
    if args.log_var and isinstance(model, VAE):
        codes = np.concatenate(model.encode(samples.X), axis=1)
        columns += [f"{name}_log_var" for name in columns]
    else:
        codes = model.transform(samples.X)
    write_table(out, columns, codes)
    if out is not None:
        print(
            f"{type(model).__name__}: codes of {counted(len(codes), 'sample')} of {samples.name}, "
            f"written to {out}"
        )
    return 0
