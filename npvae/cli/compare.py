"""``npvae compare``: the main job."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from npvae.cli.options import MOST_SEEDS, add_data_options, add_model_options, at_least, make_estimator

if TYPE_CHECKING:
    from npvae.study.comparison import Comparison

HELP = "train AEs and VAEs side by side, sample from both, show and measure the difference"
EXAMPLES = """examples:
  npvae compare                                  # scikit-learn's digits, two and ten latent dimensions
  npvae compare --latent-dim 2 10 50 --seeds 3 --out digits-study
  npvae compare --data mnist/ --latent-dim 2 10 50 --seeds 3 --out mnist-study
  npvae compare --preset stat453 --data mnist/ --out stat453
  npvae compare --data features.npy --likelihood gaussian --hidden 256 64 --out features

Prints what it found in three sentences, then tables, and writes into the folder --out: report.html, one page
that opens with codes, draws and class counts of both models and holds everything; for images explorer.html,
in which both models can be tried (see npvae explore); pictures (.png);
results.csv, every number of every model; run.json, with settings, versions, the data's hash, training
histories and all numbers; models/*.safetensors; and measured/, the finished measurements. With the same
--out, more latent dimensions and seeds can be added. While a run writes into a folder, others are refused.

Ctrl-C, SIGTERM and SIGHUP end all trainings after the current step; the models are saved as far as they were
trained. The same command continues them, and gives the same results as without the interruption.
"""
_EXTENT = ("latent_dim", "seeds", "samples", "importance_samples")
_WITHOUT_EFFECT = ("run", "command", "json", "out", "threads", "jobs")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--out", default="npvae-compare", metavar="DIR", help="default: npvae-compare")
    parser.add_argument(
        "--seeds",
        type=at_least(1, MOST_SEEDS),
        default=1,
        metavar="N",
        help="train N models of each kind, with consecutive seeds from --seed (default: 1)",
    )
    parser.add_argument(
        "--samples",
        type=int,
        metavar="N",
        help="samples to draw and compare (default: as many as test images, at most 5000)",
    )
    parser.add_argument(
        "--importance-samples",
        type=at_least(1),
        default=1000,
        metavar="K",
        help="importance samples per image for ln p(x) (default: 1000)",
    )
    parser.add_argument(
        "--jobs", type=at_least(1), metavar="N",
        help="models trained at the same time (default: one per core, but 1 for a single pair)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print run.json instead of the tables")
    add_data_options(parser, training=True)
    add_model_options(parser, several=True)


def run(args: argparse.Namespace) -> int:
    """Train, compare, write; refuse a folder that another run is writing into."""
    from npvae.cli import opening  # noqa: F401 (first: it holds Ctrl-C back while it imports)
    from npvae.cli.run_folder import held_folder

    with held_folder(Path(args.out)):
        return _compare(args)


def _compare(args: argparse.Namespace) -> int:
    from npvae.kernels import interrupts_held

    with interrupts_held():
        from npvae.cli.opening import open_data
        from npvae.cli.run_folder import RunFolder
        from npvae.study.comparison import compare
        from npvae.study.experiment.judging import number_compared
        from npvae.study.results import comparison_csv, comparison_numbers
        from npvae.training.threads import available_threads
        from npvae.view.report.page import write_report
        from npvae.view.report.pictures import picture_names, write_pictures
        from npvae.view.tables.comparison_tables import compare_text
        from npvae.writing import write_text_atomically

    data = open_data(args)
    latent_dims, seeds = args.latent_dim, [args.seed + i for i in range(args.seeds)]
    args.latent_dim = latent_dims[0]
    ae, vae = (make_estimator(kind, args, data) for kind in ("ae", "vae"))
    n_pairs = len(latent_dims) * len(seeds)
    n_jobs = (
        args.jobs if args.jobs is not None else (1 if n_pairs == 1 else min(available_threads(), n_pairs))
    )
    for model in (ae, vae):
        model.verbose = int(n_jobs == 1)
    n_samples = number_compared(data, args.samples)
    extent = {
        "latent_dims": latent_dims,
        "seeds": seeds,
        "samples": n_samples,
        "importance_samples": args.importance_samples,
    }
    settings = {
        name: value for name, value in vars(args).items() if name not in (*_EXTENT, *_WITHOUT_EFFECT)
    } | {"epochs": vae.max_epochs, "batch_size": vae.batch_size, "draws": vae.n_draws}
    folder = RunFolder(Path(args.out), settings, extent, data)
    folder.check_writable(["report.html", "explorer.html", "results.csv", *picture_names(latent_dims)])
    comparison = compare(
        data,
        ae,
        vae,
        latent_dims=latent_dims,
        seeds=seeds,
        n_samples=n_samples,
        n_importance_samples=args.importance_samples,
        n_jobs=n_jobs,
        folder=folder,
        report=_report,
    )
    _report("drawing")
    pictures = write_pictures(comparison, folder.path)
    explorer = _write_explorer(comparison, folder.path)
    write_report(comparison, folder.record, pictures, folder.path, explorer=explorer)
    write_text_atomically(folder.path / "results.csv", comparison_csv(comparison))
    text = folder.finish(comparison_numbers(comparison), pictures)
    print(text if args.json else compare_text(comparison))
    pages = "report.html" if explorer is None else f"report.html, {explorer}"
    _report(f"{pages}, pictures, results.csv, run.json and models are in {folder.path}/")
    return 0


def _write_explorer(comparison: "Comparison", folder: Path) -> str | None:
    """Write the explorer of the smallest latent dimension from 2 on; return its name, None without images."""
    from npvae.estimators import VAE, Autoencoder
    from npvae.view.page.export import write_explorer

    planes = [latent_dim for latent_dim in comparison.latent_dims if latent_dim >= 2]
    if comparison.data.image_shape is None or not planes:
        return None
    ae, vae = (comparison.study(kind, min(planes)).estimator for kind in ("AE", "VAE"))
    assert isinstance(ae, Autoencoder)
    assert isinstance(vae, VAE)
    return write_explorer(folder / "explorer.html", ae, vae, comparison.data).name


def _report(message: str) -> None:
    print(f"npvae compare: {message}", file=sys.stderr, flush=True)
