"""``npvae explore``: an AE and a VAE in one HTML file to look inside."""

import argparse
from pathlib import Path

from npvae.cli.options import add_data_options, at_least

HELP = "write one HTML file in which an AE and a VAE can be explored: planes, draws, gradients, live training"
EXAMPLES = """examples:
  npvae explore ae.safetensors vae.safetensors -o explorer.html
  npvae explore mnist-ae.safetensors mnist-vae.safetensors --data mnist/ -o explorer.html

Both models must be trained on the same data, with the same number of latent dimensions (2 shows most). The
file opens from disk in any current browser, works offline, and can be sent to others.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("ae", metavar="AE_MODEL", help="an autoencoder's model file")
    parser.add_argument("vae", metavar="VAE_MODEL", help="a VAE's model file")
    parser.add_argument(
        "-o", "--out", default="explorer.html", metavar="FILE", help=".html (default: explorer.html)"
    )
    parser.add_argument(
        "--image-shape",
        type=at_least(1),
        nargs=2,
        metavar=("H", "W"),
        help="default: that of the data, or a square",
    )
    add_data_options(parser)


def run(args: argparse.Namespace) -> int:
    """Open, put together, write."""
    from npvae.cli.opening import open_data
    from npvae.cli.options import image_shape
    from npvae.cli.output import check_file
    from npvae.estimators import VAE, Autoencoder, load
    from npvae.view.page.export import write_explorer

    out = Path(args.out)
    check_file(out, ".html")
    autoencoder, vae = load(args.ae), load(args.vae)
    if not isinstance(autoencoder, Autoencoder):
        raise ValueError(f"{args.ae} is a VAE; AE_MODEL, which comes first, must be an autoencoder")
    if not isinstance(vae, VAE):
        raise ValueError(f"{args.vae} is an autoencoder; VAE_MODEL, which comes second, must be a VAE")
    data = open_data(args)
    shape = image_shape(args, data.n_features, data.image_shape)
    write_explorer(out, autoencoder, vae, data, image_shape=shape)
    size = out.stat().st_size / 1e6
    print(f"{out}: {size:.2f} MB; open it in a browser")
    return 0
