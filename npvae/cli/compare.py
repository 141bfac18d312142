"""``npvae compare``: the main job."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npvae.cli.options import add_data_options, add_model_options, load_data, make_estimator

if TYPE_CHECKING:
    from npvae.data import Dataset
    from npvae.estimators import VAE, Autoencoder

HELP = "train an AE and a VAE side by side, sample from both, show and measure the difference"
EXAMPLES = """examples:
  npvae compare                                  # scikit-learn's digits, about half a minute
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
    add_data_options(parser)
    add_model_options(parser)


def run(args: argparse.Namespace) -> int:
    """Train both, compare, write."""
    from npvae.study.compare import compare
    from npvae.view.compare_pictures import write_pictures
    from npvae.view.compare_table import compare_numbers, compare_table

    out = Path(args.out)
    data = load_data(args)
    settings = {
        name: value for name, value in vars(args).items() if name not in ("run", "command", "json", "out")
    }
    record = {"settings": settings, **environment(), "data": describe(data)}
    _refuse_other_run(out, record)
    models = {}
    for kind in ("ae", "vae"):
        models[kind] = _train(kind, args, data, out)
        if models[kind].stop_reason_ == "interrupted":
            return 130
    print("npvae compare: sampling and measuring", file=sys.stderr)
    comparison = compare(data, models["ae"], models["vae"], n_samples=args.samples, seed=args.seed)
    record["results"] = compare_numbers(comparison)
    record["training"] = {
        kind: {
            "file": f"{kind}.safetensors",
            "epochs": model.n_iter_,
            "stop_reason": model.stop_reason_,
            "history": model.history_,
        }
        for kind, model in models.items()
    }
    record["pictures"] = write_pictures(comparison, out)
    _write_json(out / "run.json", record)
    print(json.dumps(record) if args.json else compare_table(comparison))
    print(f"\npictures, models and run.json are in {out}/", file=sys.stderr)
    return 0


def environment() -> dict[str, Any]:
    """Return the versions and the machine that a run depends on."""
    import os
    import platform
    from importlib.metadata import version

    import npvae
    from npvae import kernels

    libraries = ("numpy", "numba", "scikit-learn", "matplotlib", "safetensors")
    return {
        "versions": {"npvae": npvae.__version__, "python": platform.python_version()}
        | {name: version(name) for name in libraries},
        "machine": {"platform": platform.platform(), "cpus": os.cpu_count(), "kernels": kernels.choice()},
    }


def describe(data: "Dataset") -> dict[str, Any]:
    """Return what identifies a data set."""
    return {
        "name": data.name,
        "n_train": len(data.X_train),
        "n_test": len(data.X_test),
        "n_features": data.X_train.shape[1],
        "dtype": str(data.X_train.dtype),
        "sha256": data.sha256,
    }


def _train(kind: str, args: argparse.Namespace, data: "Dataset", out: Path) -> "VAE | Autoencoder":
    """Train one model and save it, whatever ended the training."""
    model = make_estimator(kind, args, len(data.X_train))
    print(f"npvae compare: training the {kind.upper()}, {model.max_epochs} epochs", file=sys.stderr)
    path = out / f"{kind}.safetensors"
    try:
        model.fit(data.X_train, X_val=data.X_test)
    except FloatingPointError:
        model.save(path)
        print(f"npvae compare: the parameters from before that step are in {path}", file=sys.stderr)
        raise
    model.save(path)
    return model


def _refuse_other_run(out: Path, record: dict[str, Any]) -> None:
    """Raise rather than replace the results of a run with other settings or data."""
    path = out / "run.json"
    if not path.exists():
        return
    try:
        earlier = json.loads(path.read_text(encoding="utf-8"))
        same = earlier["settings"] == record["settings"] and earlier["data"] == record["data"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a run.json that npvae wrote; choose another --out") from error
    if not same:
        raise ValueError(
            f"{out}/ holds a run with other settings or data; choose another --out, or delete it"
        )


def _write_json(path: Path, record: dict[str, Any]) -> None:
    from npvae.persistence import write_atomically

    text = json.dumps(record, indent=1) + "\n"
    write_atomically(path, lambda temporary: _write_text(temporary, text))


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
