"""``npvae animate``: the latent planes of an AE and a VAE over training, as a GIF."""

import argparse
import sys
from pathlib import Path

from npvae.cli.options import add_data_options, add_model_options, at_least, make_estimator
from npvae.counted import counted

MOST_CODES = 2000  # that are drawn in every frame

HELP = "train an AE and a VAE, and show how their latent spaces form, as an animated GIF"
EXAMPLES = """examples:
  npvae animate --out latent.gif
  npvae animate --epochs 30 --beta 4 --out beta.gif
  npvae animate --data mnist/ --epochs 20 --out mnist.gif

Each frame shows the codes of test images after an epoch; the circles are 1, 2 and 3 standard deviations of
N(0, I). The AE's codes go where they like, the VAE's are pulled to N(0, I).
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--out", required=True, metavar="FILE", help=".gif")
    parser.add_argument(
        "--frames",
        type=at_least(2),
        default=60,
        metavar="N",
        help="at most, most of them early (default: 60)",
    )
    add_data_options(parser, training=True)
    add_model_options(parser)


def run(args: argparse.Namespace) -> int:
    """Train, draw, write."""
    from npvae.cli.opening import open_data
    from npvae.cli.output import check_file
    from npvae.study.code_recorder import CodeRecorder
    from npvae.view.draw.animation import write_latent_animation

    out = Path(args.out)
    check_file(out, ".gif")
    if args.latent_dim < 2:
        raise ValueError(f"a plane needs at least 2 latent dimensions, got --latent-dim {args.latent_dim}")
    data = open_data(args)
    recorders = {}
    for kind in ("ae", "vae"):
        model, recorder = make_estimator(kind, args, data), CodeRecorder(data.X_test[:MOST_CODES])
        print(
            f"npvae animate: training the {kind.upper()}, {counted(model.max_epochs, 'epoch')}",
            file=sys.stderr,
        )
        model.fit(data.X_train, callbacks=[recorder])
        if model.stop_reason_ == "interrupted":
            raise KeyboardInterrupt
        recorders[kind.upper()] = recorder.codes
    print("npvae animate: drawing", file=sys.stderr)
    labels = None if data.y_test is None else data.y_test[:MOST_CODES]
    n_frames = write_latent_animation(out, recorders, labels, n_frames=args.frames)
    print(f"AE and VAE on {data.name}: {counted(n_frames, 'frame')}, written to {out}")
    return 0
