"""``npvae derive``: the derivations of npvae's gradients, with the numbers of a small example filled in."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from npvae.course.derive import Derivation

HELP = "print the derivation of a forward pass and its gradient, with numbers to check with a pencil"
EXAMPLES = """examples:
  npvae derive                         # lists them
  npvae derive kl
  npvae derive mlp, relu
  npvae derive --html derivations.html # all of them as one page
  npvae derive kl --json

The words are those of the docstrings in npvae/core/; the results are what npvae's own functions return.
A derivation is also the solution of the exercise of that name: try npvae exercise first.
"""
_CHAIN = "mlp, ACTIVATION"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "name", metavar="NAME", nargs="*", help="a pair of functions; without it, all are listed"
    )
    parser.add_argument("--html", metavar="FILE", help="write a page, of one pair or of all, with MathML")
    parser.add_argument("--json", action="store_true", help="print the lines as JSON")


def run(args: argparse.Namespace) -> int:
    """Print or write one derivation, or all."""
    import json

    from npvae.cli.output import check_file
    from npvae.course.derive import derivation_numbers, derivation_text
    from npvae.course.derive_page import derivations_page
    from npvae.course.derive_pairs import NAMES, derive
    from npvae.writing import write_text_atomically

    if args.html is not None:
        check_file(Path(args.html), ".html")
    name = " ".join(args.name)
    derivations = [derive(name)] if name else [derive(each) for each in NAMES]
    if args.html is not None:
        write_text_atomically(Path(args.html), derivations_page(derivations))
        print(f"npvae derive: {args.html} written", file=sys.stderr)
    if args.json:
        print(json.dumps([derivation_numbers(derivation) for derivation in derivations]))
    elif name:
        print(derivation_text(derivations[0]))
    elif args.html is None:
        print(_listing({derivation.name: derivation for derivation in derivations}))
    return 0


def _listing(derivations: "dict[str, Derivation]") -> str:
    """Return all names by topic, each with what the function computes."""
    import textwrap

    from npvae.course.derive import WIDTH, summary_of
    from npvae.course.derive_pairs import ACTIVATIONS, TOPICS

    chains = {f"mlp, {name}" for name in ACTIVATIONS}
    width = max(map(len, [*derivations, _CHAIN]))
    lines: list[str] = []
    for topic, names in TOPICS.items():
        shown = {name: summary_of(derivations[name].forward.function) for name in names if name not in chains}
        if chains & set(names):
            shown[_CHAIN] = f"Two dense layers, each followed by ACTIVATION: {', '.join(ACTIVATIONS)}."
        lines += [topic]
        for name, about in shown.items():
            start = f"  {name:<{width}}  "
            lines += textwrap.wrap(about, WIDTH, initial_indent=start, subsequent_indent=" " * len(start))
        lines += [""]
    return "\n".join([*lines, "Begin with: npvae derive dense"])
