"""Measure how long an epoch takes with npvae, JAX and PyTorch, in turns, each in a fresh process.

    python benchmarks/training.py [MNIST_FOLDER] [--cases mnist wide digits] [--trainers npvae JAX ...]
                                  [--rounds 5] [--busy] [--out FILE.json]

Every round runs all trainers once; the first epoch, in which they compile, is not counted. Prints medians,
the ratio of npvae's time to each of the others (median over rounds, and range), and the test loss, which
has to be the same. "npvae step" is npvae's training step without the loop around it, so the ratio of
`VAE.fit` to it shows the cost of the loop. With --busy another process keeps one core busy throughout.
Trainers that are not installed are left out.
"""

import argparse
import statistics
from functools import partial
from pathlib import Path
from typing import Any

from measuring import (
    Row,
    add_options,
    compared,
    contents,
    described,
    in_turns,
    installed,
    one_core_busy,
    ratios,
    run_json,
    spread,
    write_json,
)
from training_peers import CASES, TRAINERS

EPOCHS = {"mnist": 3, "wide": 2, "digits": 100}
PEERS = Path(__file__).with_name("training_peers.py")


def run(case: str, folder: str, trainer: str) -> dict[str, float]:
    """Train in a fresh process."""
    return run_json([PEERS, trainer, case, EPOCHS[case], folder])


def title(case: str) -> str:
    """Name a case with its network."""
    network = CASES[case]
    widths = "-".join(map(str, (*network.hidden, network.latent_dim)))
    return f"{case}: D-{widths}, batch {network.batch_size}"


def show(case: str, results: dict[str, list[dict[str, float]]]) -> None:
    """Print one case."""
    print(title(case))
    print(f"  {'':<16}{'s / epoch':>12}{'npvae / it':>12}{'range':>16}{'test loss':>12}")
    own = [result["seconds"] for result in results["npvae"]]
    for trainer, found in results.items():
        seconds = [result["seconds"] for result in found]
        parts = ratios(own, seconds)
        loss = statistics.median(result["loss"] for result in found)
        print(
            f"  {trainer:<16}{statistics.median(seconds):>12.4g}{statistics.median(parts):>12.2f}"
            f"{spread(parts):>16}{loss:>12.2f}"
        )


def rows(content: dict[str, Any]) -> list[Row]:
    """Return the report's lines from what --out wrote."""
    busy = ", one core busy" if content["busy"] else ""
    found = []
    for case, results in content["cases"].items():
        seconds = {trainer: [result["seconds"] for result in done] for trainer, done in results.items()}
        own = seconds.pop("npvae")
        what = f"an epoch of {title(case)}{busy}"
        found += [compared(what, "s", own, trainer, others) for trainer, others in seconds.items()]
    return found


def main() -> None:
    """Run and print all cases."""
    parser = argparse.ArgumentParser(description="Compare training speeds.")
    parser.add_argument("folder", nargs="?", default="", help="MNIST's four IDX files")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--trainers", nargs="+", choices=TRAINERS, default=list(TRAINERS))
    parser.add_argument("--busy", action="store_true", help="let another process use one core")
    add_options(parser)
    args = parser.parse_args()
    trainers = installed(dict.fromkeys(["npvae", *args.trainers]))
    content = contents("training", busy=args.busy, epochs=EPOCHS, cases={})
    print(described(content["machine"]) + ("; one core busy" if args.busy else ""))
    with one_core_busy(args.busy):
        for case in args.cases:
            results = in_turns(trainers, partial(run, case, args.folder), args.rounds, case)
            content["cases"][case] = results
            show(case, results)
            write_json(args.out, content)  # after each case: the whole takes long


if __name__ == "__main__":
    main()
