"""``npvae derive``: the derivations of npvae's gradients, with the numbers of a small example filled in."""

import argparse
from pathlib import Path

HELP = "print the derivation of a forward pass and its gradient, with numbers to check with a pencil"
EXAMPLES = """examples:
  npvae derive                         # lists them
  npvae derive kl
  npvae derive mlp, relu
  npvae derive --html derivations.html # all of them as one page
  npvae derive kl --json

The words are those of the docstrings in npvae/core/; the results are what npvae's own functions return.
"""


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
    import textwrap

    from npvae.cli.output import check_file
    from npvae.course.derive import derivation_numbers, derivation_text, summary_of
    from npvae.course.derive_page import derivations_page
    from npvae.course.derive_pairs import NAMES, derive
    from npvae.persistence import write_text_atomically

    if args.html is not None:
        check_file(Path(args.html), ".html")
    name = " ".join(args.name)
    derivations = [derive(name)] if name else [derive(each) for each in NAMES]
    if args.html is not None:
        write_text_atomically(Path(args.html), derivations_page(derivations))
    if args.json:
        print(json.dumps([derivation_numbers(derivation) for derivation in derivations]))
    elif name:
        print(derivation_text(derivations[0]))
    elif args.html is None:
        width = max(map(len, NAMES))
        for derivation in derivations:
            about = textwrap.shorten(summary_of(derivation.forward.function), 78, placeholder=" ...")
            print(f"{derivation.name:<{width}}  {about}")
    return 0
