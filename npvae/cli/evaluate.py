"""``npvae evaluate``: all figures of a saved model."""

import argparse
import contextlib
import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npvae.cli.options import add_data_options, add_model_file, add_seed_option, at_least

if TYPE_CHECKING:
    from npvae.data import Dataset
    from npvae.study.finished import Finished, FinishedParts

HELP = "measure a saved model: ELBO, ln p(x), use of the latent space, tests of its codes, quality of samples"
EXAMPLES = """examples:
  npvae evaluate digits.safetensors
  npvae evaluate digits.safetensors --samples
  npvae evaluate mnist.safetensors --data mnist/ --binarize static
  npvae evaluate mnist.safetensors --data mnist/ --importance-samples 5000 --images 10000 --resume --json

With --samples, the model is sampled in every way (N(0, I); densities fitted to its codes; reconstructions),
and the samples are compared with test images, beside the controls, as in npvae compare.

With --resume, finished parts are kept in MODEL.evaluation: after Ctrl-C or a crash, the same command measures
only the rest.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_model_file(parser)
    parser.add_argument(
        "--importance-samples",
        type=at_least(1),
        default=1000,
        metavar="K",
        help="importance samples per image for ln p(x) (default: 1000)",
    )
    parser.add_argument(
        "--images",
        type=at_least(1),
        default=500,
        metavar="N",
        help="number of test images to estimate ln p(x) for (default: 500)",
    )
    parser.add_argument(
        "--samples",
        type=at_least(10),
        nargs="?",
        const=0,
        metavar="N",
        help="also measure the quality of samples, N of each kind (default: as many as test images, at "
        "most 5000)",
    )
    add_seed_option(parser)
    parser.add_argument(
        "--threads",
        type=at_least(1),
        metavar="N",
        help="threads (default: one per core); the results do not depend on it",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="keep finished parts beside MODEL, with the ending .evaluation, until all are finished; "
        "an interrupted one continues with them, and gives the same figures",
    )
    parser.add_argument("--json", action="store_true", help="print every number as JSON")
    add_data_options(parser)


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    from npvae.cli.opening import open_model_and_data
    from npvae.study.evaluation import evaluate
    from npvae.study.experiment.judging import judge_model, number_compared
    from npvae.study.finished import measure
    from npvae.study.jsonable import to_jsonable
    from npvae.view.tables.samples import judged_table

    model, data = open_model_and_data(args)
    model.set_params(n_threads=args.threads)
    n_samples = None
    if args.samples is not None:
        n_samples = number_compared(data, args.samples or None)
    settings = {
        "importance samples": args.importance_samples,
        "images": args.images,
        "samples": n_samples,
        "seed": args.seed,
    }
    with contextlib.ExitStack() as stack:
        finished: Finished = measure
        if args.resume:
            finished = stack.enter_context(_finished_parts(Path(args.model), data, settings))
        evaluation = evaluate(
            model,
            data.X_test,
            n_importance_samples=args.importance_samples,
            n_images=args.images,
            random_state=args.seed,
            progress=_report,
            finished=finished,
        )
        numbers = {"model": args.model, "data": data.name, **to_jsonable(evaluation)}
        text = evaluation.text(data.name)
        if n_samples is not None:
            judged = judge_model(
                model, data, n_samples=n_samples, seed=args.seed, report=_report, finished=finished
            )
            numbers["judged"] = to_jsonable(judged)
            text += "\n\n" + judged_table(judged).text()
    print(json.dumps(numbers) if args.json else text)
    return 0


def _finished_parts(model: Path, data: "Dataset", settings: dict[str, Any]) -> "FinishedParts":
    """Return the parts of an unfinished evaluation of this model, with these data and settings."""
    from npvae.study.finished import FinishedParts
    from npvae.version import __version__

    path = model.with_suffix(".evaluation")
    made_from = {"model": hashlib.sha256(model.read_bytes()).hexdigest(), "data": data.sha256}
    parts = FinishedParts(path, made_from | settings | {"npvae": __version__})
    if parts.n:
        _report(f"goes on from {path}, with {parts.n} parts finished")
    return parts


def _report(stage: str) -> None:
    print(f"npvae evaluate: {stage}", file=sys.stderr, flush=True)
