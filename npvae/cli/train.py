"""``npvae train``: train one model and save it."""

import argparse
import json
import sys
from pathlib import Path

from npvae.cli.options import add_data_options, add_model_options, load_data, make_estimator

HELP = "train a VAE or an autoencoder and save it as one file"
EXAMPLES = """examples:
  npvae train vae --out digits.safetensors
  npvae train ae --latent-dim 10 --out ae.safetensors
  npvae train vae --data mnist/ --latent-dim 20 --epochs 10 --out mnist.safetensors
  npvae train vae --data mnist/ --binarize dynamic --objective iwae --draws 5 --out iwae.safetensors
  npvae train vae --data features.npy --likelihood gaussian --hidden 256 64 --out features.safetensors

Ctrl-C ends the training after the current step; the model is saved as far as it got.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("model", choices=["vae", "ae"], help="what to train")
    parser.add_argument("--out", required=True, metavar="FILE", help="the model file, .safetensors")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    add_data_options(parser, training=True)
    add_model_options(parser)


def run(args: argparse.Namespace) -> int:
    """Train, save, print the test loss."""
    from npvae.cli.output import check_file
    from npvae.training import TrainingDivergedError

    if args.model == "ae" and (args.beta != 1 or args.kl_warmup_epochs):
        raise ValueError("--beta and --kl-warmup-epochs weigh the KL term, which only a VAE has")
    if args.model == "ae" and (args.objective != "elbo" or args.draws not in (None, 1)):
        raise ValueError("--objective and --draws are of a VAE; an autoencoder draws nothing")
    out = Path(args.out)
    check_file(out, ".safetensors")
    data = load_data(args)
    estimator = make_estimator(args.model, args, data)
    try:
        estimator.fit(data.X_train, X_val=data.X_test)
    except TrainingDivergedError:
        estimator.save(args.out)
        print(f"npvae train: the parameters from before that step are in {args.out}", file=sys.stderr)
        raise
    estimator.save(args.out)
    result = {
        "model": args.out,
        "estimator": type(estimator).__name__,
        "epochs": estimator.n_iter_,
        "stop_reason": estimator.stop_reason_,
        "test_loss": -estimator.score(data.X_test),
        "n_test": len(data.X_test),
    }
    if args.json:
        print(json.dumps(result))
    else:
        print(
            f"{result['estimator']} on {data.name}: {result['epochs']} epochs, test loss "
            f"{result['test_loss']:.2f} nats per sample ({result['n_test']} samples); saved as {args.out}"
        )
    return 130 if estimator.stop_reason_ == "interrupted" else 0
