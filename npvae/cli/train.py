"""``npvae train``: train one model and save it."""

import argparse
import itertools
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from npvae.cli.options import add_data_options, add_model_options, at_least, make_estimator
from npvae.cli.saving import save_or_elsewhere
from npvae.counted import counted

if TYPE_CHECKING:
    from npvae.estimators.fitting import TrainableModel

HELP = "train a VAE or an autoencoder and save it as one file"
EXAMPLES = """examples:
  npvae train vae --out digits.safetensors
  npvae train ae --latent-dim 10 --out ae.safetensors
  npvae train vae --data mnist/ --latent-dim 20 --epochs 10 --out mnist.safetensors
  npvae train vae --data mnist/ --binarize dynamic --objective iwae --draws 5 --out iwae.safetensors
  npvae train vae --latent-dim 10 --free-bits 0.25 --out free.safetensors
  npvae train vae --data features.csv --likelihood gaussian --hidden 256 64 --out features.safetensors
  npvae train vae --data images/ --epochs 500 --early-stopping --patience 20 --out images.safetensors
  npvae train vae --data mnist/ --epochs 100 --checkpoint-every 5 --resume --out mnist.safetensors
  mpirun -n 4 npvae train vae --data mnist/ --batch-size 1024 --out mnist.safetensors

Early stopping never sees the test data: it sets a part of the training data aside. Epochs are counted from 1.
Ctrl-C, SIGTERM and SIGHUP end the training after the current step, and the model is saved as far as it was
trained. If FILE exists, it stays, and the unfinished model is saved beside it, with .partial in its name.
The same command with --resume continues from the last checkpoint and gives the same bits as without the
interruption. Where FILE cannot be written, the model is saved in the folder for temporary files.

Under mpirun (pip install 'npvae[mpi]') the processes divide each batch among them and add up their gradients.
The result is that of one process but for rounding, whose effect grows during training. A number of processes
repeats its bits; another number, also after --resume, gives others. All need to read data and checkpoint.
Open MPI ends its processes half a second after Ctrl-C: add --checkpoint-every to a long training.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("model", choices=["vae", "ae"], help="kind of model")
    parser.add_argument("--out", required=True, metavar="FILE", help="the model file, .safetensors")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    add_data_options(parser, training=True)
    add_model_options(parser)
    group = parser.add_argument_group("early stopping")
    group.add_argument(
        "--early-stopping",
        action="store_true",
        help="stop when the validation loss no longer falls, and keep the parameters of the best epoch",
    )
    group.add_argument(
        "--patience",
        type=at_least(1),
        metavar="N",
        help="epochs without an improvement after which to stop (default: 10)",
    )
    group.add_argument(
        "--validation-fraction",
        type=float,
        metavar="F",
        help="part of the training data that is set aside as validation data (default: 0.1)",
    )
    group = parser.add_argument_group("checkpoints")
    group.add_argument(
        "--checkpoint-every",
        type=at_least(1),
        metavar="N",
        help="keep the state of training beside FILE, with the ending .checkpoint, after every N epochs and "
        "when interrupted, until training is complete",
    )
    group.add_argument(
        "--resume",
        action="store_true",
        help="continue from that checkpoint; without one, start anew and keep one after every epoch",
    )


def run(args: argparse.Namespace) -> int:
    """Train, save, print the test loss."""
    from npvae.cli.opening import open_data
    from npvae.cli.output import check_file
    from npvae.data import DataChangedError
    from npvae.training import TrainingDivergedError
    from npvae.training.parallel import is_first_rank

    if args.model == "ae" and (args.beta != 1 or args.kl_warmup_epochs or args.free_bits):
        raise ValueError(
            "--beta, --kl-warmup-epochs and --free-bits change the KL term, which only a VAE has"
        )
    if args.model == "ae" and (args.objective != "elbo" or args.draws not in (None, 1)):
        raise ValueError("--objective and --draws are of a VAE; an autoencoder draws nothing")
    if not args.early_stopping and (args.patience, args.validation_fraction) != (None, None):
        raise ValueError("--patience and --validation-fraction are settings of --early-stopping; add it")
    out = Path(args.out)
    check_file(out, ".safetensors")
    data = open_data(args)
    estimator = make_estimator(args.model, args, data)
    stopping = {
        "early_stopping": args.early_stopping,
        "n_iter_no_change": args.patience,
        "validation_fraction": args.validation_fraction,
    }
    estimator.set_params(**{name: value for name, value in stopping.items() if value is not None})
    # Early stopping must not choose by the test data; without X_val, fit sets training data aside for it.
    X_val = None if args.early_stopping else data.X_test
    checkpoint, every = out.with_suffix(".checkpoint"), args.checkpoint_every
    if checkpoint.exists() and every is not None and not args.resume:
        raise ValueError(f"{checkpoint} is of an unfinished training; add --resume, or delete it")
    try:
        if args.resume and checkpoint.exists():
            _check_settings(checkpoint, estimator)
            changes = {"verbose": 1, "n_threads": args.threads}
            estimator, saved = type(estimator).prepare_resume(checkpoint, changes)
            estimator.train_resumed(saved, checkpoint, data.X_train, X_val=X_val, checkpoint_every=every)
        elif args.resume or every is not None:
            estimator.fit(data.X_train, X_val=X_val, checkpoint=checkpoint, checkpoint_every=every or 1)
        else:
            estimator.fit(data.X_train, X_val=X_val)
    except (TrainingDivergedError, DataChangedError, MemoryError, KeyboardInterrupt):
        if not is_first_rank():
            return 2
        if hasattr(estimator, "params_"):
            _save_partial(estimator, out)
        raise
    code = 130 if estimator.stop_reason_ == "interrupted" else 0
    if not is_first_rank():
        return code
    if estimator.stop_reason_ == "interrupted":
        out = _save_partial(estimator, out)
        print("npvae train: computing its test loss; Ctrl-C skips that", file=sys.stderr)
    elif (written := save_or_elsewhere(estimator, out)) != out:
        out, code = written, 2  # a script must not go on as if --out were there
    elif args.resume or every is not None:
        checkpoint.unlink(missing_ok=True)
    result = {
        "model": str(out),
        "estimator": type(estimator).__name__,
        "epochs": estimator.n_iter_,
        "best_epoch": None if estimator.best_epoch_ is None else estimator.best_epoch_ + 1,
        "stop_reason": estimator.stop_reason_,
        "test_loss": -estimator.score(data.X_test),
        "n_test": len(data.X_test),
    }
    if args.json:
        print(json.dumps(result))
    else:
        kept = f" (kept: epoch {result['best_epoch']})" if result["best_epoch"] is not None else ""
        print(
            f"{result['estimator']} on {data.name}: {counted(estimator.n_iter_, 'epoch')}{kept}, test loss "
            f"{result['test_loss']:.2f} nats per sample ({counted(len(data.X_test), 'sample')}); saved as "
            f"{out}"
        )
    return code


def _check_settings(checkpoint: Path, estimator: "TrainableModel") -> None:
    """Raise a ValueError where a checkpoint is of a training with other settings; threads may differ."""
    from npvae.estimators.checkpoints import Checkpoint, encoded_settings

    before, now = Checkpoint.load(checkpoint).hyperparameters, encoded_settings(estimator)
    changed = {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)}
    changed -= {"n_threads", "verbose"}
    if changed:
        listed = ", ".join(f"{name}={before.get(name)!r} (now {now.get(name)!r})" for name in sorted(changed))
        raise ValueError(
            f"{checkpoint} is of a training with other settings: {listed}. Give the same options, or delete "
            "it to start anew"
        )


def _save_partial(estimator: "TrainableModel", out: Path) -> Path:
    """Save a model whose training did not end by itself, not in place of another; return where it is."""
    if out.exists():
        names = (f"{out.stem}.partial{'' if n == 1 else f'-{n}'}{out.suffix}" for n in itertools.count(1))
        kept, out = out, next(path for path in map(out.with_name, names) if not path.exists())
        print(f"npvae train: {kept} is left as it was", file=sys.stderr)
    if (written := save_or_elsewhere(estimator, out)) == out:
        print(f"npvae train: the model as far as it was trained is in {out}", file=sys.stderr)
    return written
