"""``npvae gradcheck``: handwritten gradients under the checker, npvae's or one's own."""

import argparse
import contextlib
import json
import sys

from npvae.cli.options import at_least

HELP = "check handwritten gradients: npvae's, or your own"
EXAMPLES = """examples:
  npvae gradcheck                                  # npvae itself: every pair, both networks, all kernels
  npvae gradcheck layers.py:square                 # square_forward and square_backward in layers.py
  npvae gradcheck layers.py:Dense --shape 8 3      # a class or an instance with forward and backward
  npvae gradcheck common/layers.py:Affine          # a file of a package: what it imports is found
  npvae gradcheck layers.py                        # everything in the file that can be checked
  npvae gradcheck package.module:name --json
  npvae gradcheck --planted-faults --seeds 10      # does the checker find wrong gradients?

With layers.py, for example,

  import numpy as np

  def square_forward(x, w):            # f_forward(*args) -> (y, cache)
      return w * x**2, (x, w)

  def square_backward(dy, cache):      # f_backward(dy, cache) -> a gradient for each argument
      x, w = cache
      return 2 * dy * w * x, np.sum(dy * x**2, axis=0)

  def square_args(rng):                # f_args(rng) -> the arguments; or gradcheck_args(rng) for all
      return rng.standard_normal((5, 3)), rng.standard_normal(3)

A class is called without arguments; its forward(x) and backward(dy) are checked, or its forward_pass(x) and
backward_pass(dy), and the gradients of its parameters. For a class that needs arguments, add an instance to
the file: dense = Dense(4, 3). A loss f(x) is checked against f_gradient(x). A forward may also be called f
alone, and it may return y alone if f_backward(dy, x, w) takes its arguments, by the same names. An argument
that no function makes is drawn from N(0, 1), or from 0.5 to 1.5 where the result is not finite, with the
shape given by --shape. What the file prints goes to stderr, and so do the names of functions that were not
checked, and lines to add to the file so that they can be.
Exit code 1: something is wrong; 2: nothing is wrong, but something could not be checked.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "target",
        metavar="FILE.py:NAME",
        nargs="?",
        help="function or class to check, also MODULE:NAME (default: npvae itself)",
    )
    parser.add_argument(
        "--shape",
        type=at_least(0),
        nargs="+",
        metavar="N",
        help="shape of the argument, unless a function in the file makes it (default: 5 4)",
    )
    parser.add_argument(
        "--wrt",
        nargs="+",
        metavar="ARG",
        help="the arguments that backward returns gradients for (default: all)",
    )
    parser.add_argument("--seed", type=at_least(0), default=0, help="seed of all random numbers (default: 0)")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    group = parser.add_argument_group("planted faults")
    group.add_argument(
        "--planted-faults",
        action="store_true",
        help="check a catalogue of wrong backward passes, each with its correct version",
    )
    group.add_argument(
        "--seeds",
        type=at_least(1),
        default=2,
        metavar="K",
        help="number of consecutive seeds from --seed (default: 2)",
    )
    group.add_argument(
        "--sizes",
        type=at_least(2),
        nargs="+",
        default=[2, 5, 30],
        metavar="N",
        help="layer widths to check (default: 2 5 30)",
    )


def run(args: argparse.Namespace) -> int:
    """Check and print; 1 if anything did not pass."""
    if args.planted_faults:
        if args.target is not None:
            raise ValueError("--planted-faults checks the checker; it takes no FILE.py:NAME")
        return _planted_faults(args)
    if args.target is not None:
        return _target(args)
    if args.shape is not None or args.wrt is not None:
        raise ValueError("--shape and --wrt are for a FILE.py:NAME")
    return _own(args)


def _own(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from npvae.checks.own import own_checks
    from npvae.view.tables.gradcheck import own_table

    checks = own_checks()
    progress = tqdm(checks, desc="checking npvae", file=sys.stderr, disable=None, leave=False)
    results = [(check.label, check.run(args.seed)) for check in progress]
    if args.json:
        print(json.dumps([{**label._asdict(), **json.loads(report.to_json())} for label, report in results]))
    else:
        print(own_table(results))
    return 0 if all(report.passed for _, report in results) else 1


def _target(args: argparse.Namespace) -> int:
    from npvae.checks.targets import Settings, find_targets, split_target
    from npvae.checks.user_pairs import UncheckedError

    place, name = split_target(args.target)
    settings = Settings(None if args.shape is None else tuple(args.shape), args.wrt, args.seed)
    reports, refused, stubs = [], {}, []
    with contextlib.redirect_stdout(sys.stderr):  # what the file prints is no part of the result
        targets, skipped = find_targets(place, name)
        for option in ("shape", "wrt"):
            reasons = [target.ignores(option) for target in targets]
            if getattr(args, option) is not None and all(reasons):
                raise ValueError(f"--{option} has no effect on {targets[0].name}: {reasons[0]}")
        for target in targets:
            try:
                reports.append(target.check(settings))
            except UncheckedError as error:
                if name:
                    raise ValueError(f"{target.name}: {error}") from error
                if isinstance(error.__cause__, NotImplementedError):  # a base class
                    skipped.append(f"{target.name} is not implemented")
                    continue
                refused[target.name] = str(error)
                stubs.append(error.stub)
    for reason in skipped:
        print(f"npvae gradcheck: skipped: {reason}", file=sys.stderr)
    if args.json:
        rows = [json.loads(report.to_json()) for report in reports]
        left = {"verdict": "not checked", "passed": False}
        print(json.dumps(rows + [{"title": title, **left, "reason": refused[title]} for title in refused]))
    else:
        lines = [f"{title}: NOT CHECKED: {reason}" for title, reason in refused.items()]
        print("\n\n".join([*map(str, reports), *lines]))
    if any(stubs):
        print(
            f"npvae gradcheck: to check the rest, complete these lines, add them to {place}", file=sys.stderr
        )
        print(f"and run npvae gradcheck {place} again:\n", file=sys.stderr)
        print("\n\n".join(filter(None, stubs)), file=sys.stderr)
    if not all(report.passed for report in reports):
        return 1
    return 2 if refused or not reports else 0


def _planted_faults(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from npvae.checks.planted import run_planted_faults
    from npvae.view.tables.gradcheck import planted_table

    seeds = range(args.seed, args.seed + args.seeds)
    runs = run_planted_faults(seeds, args.sizes)
    progress = tqdm(runs, desc="planted faults", total=args.seeds, file=sys.stderr, disable=None, leave=False)
    results = list(progress)[-1]
    if args.json:
        rows = [
            {
                "fault": row.fault.name,
                "group": row.fault.group,
                "story": row.fault.story,
                "runs": row.runs,
                "missed": row.missed,
                "alarms": row.alarms,
            }
            for row in results
        ]
        print(json.dumps(rows))
    else:
        print(planted_table(results))
    return 0 if all(row.as_expected for row in results) else 1
