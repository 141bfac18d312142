"""``npvae quiz``: wrong gradients, and right ones that look wrong."""

import argparse
import json
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from npvae.course.quiz.item import Item, Outcome

HELP = "a quiz: wrong gradients, right ones that look wrong, and what training with them does"
EXAMPLES = """examples:
  npvae quiz                        # all questions; a letter answers, Enter only shows the answer, q ends
  npvae quiz noise-again            # one of them
  npvae quiz half --table           # after the answer, also the gradient checker's table
  npvae quiz --list
  npvae quiz --all --out slides/    # no questions asked: two slides for each, and captions.md
  npvae quiz --all --json

After each answer, the code goes through the gradient checker, and a small VAE is trained on digits with it
and with the right code (seconds). --out writes the loss curves and samples as pictures. Exit code 1: a
measurement does not agree with what the quiz says of it.
"""

_EPOCHS_SHOWN = (1, 2, 5, 10, 20, 40)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="which questions (default: all)")
    parser.add_argument("--list", action="store_true", help="list the questions")
    parser.add_argument("--all", action="store_true", help="ask nothing, show all answers")
    parser.add_argument("--table", action="store_true", help="show the gradient checker's tables too")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="write pictures, and their captions")
    parser.add_argument("--json", action="store_true", help="with --all: print the answers as JSON")


def run(args: argparse.Namespace) -> int:
    """Ask, or show all."""
    from npvae.course.quiz.items import ITEMS
    from npvae.writing import check_writable

    unknown = [name for name in args.names if name not in ITEMS]
    if unknown:
        raise ValueError(f"there is no question {unknown[0]!r}; there are {', '.join(ITEMS)}")
    if args.json and not args.all:
        raise ValueError("--json needs --all: it prints answers, and asks no questions")
    items = [ITEMS[name] for name in args.names or ITEMS]
    if args.list:
        for item in items:
            print(f"{item.name:<22}{item.title}")
        return 0
    if args.out is not None:
        for item in items:
            for picture in ("question", "answer"):
                check_writable(args.out / f"{item.name}-{picture}.png")
        check_writable(args.out / "captions.md")
    return _show_all(items, args) if args.all else _ask(items, args.out, args.table)


def _show_all(items: "list[Item]", args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from npvae.course.quiz.measure import measure
    from npvae.course.quiz.words import captions
    from npvae.writing import write_text_atomically

    outcomes = {}
    for item in tqdm(items, desc="training", file=sys.stderr, disable=None, leave=False):
        outcomes[item.name] = measure(item)
        if args.out is not None:
            _draw(item, outcomes[item.name], args.out)
    if args.out is not None:
        write_text_atomically(args.out / "captions.md", captions(items, outcomes))
    if args.json:
        print(json.dumps([_record(item, outcomes[item.name]) for item in items]))
    else:
        for item in items:
            print(f"{item.name}: {item.title}\n")
            print(textwrap.indent(item.code(), "    "), end="\n\n")
            print(_answer(item, outcomes[item.name], args.table), end="\n\n\n")
    return _agreement(items, outcomes)


def _agreement(items: "list[Item]", outcomes: "dict[str, Outcome]") -> int:
    """Return 1, and say why, where a measurement does not agree with what is said of it."""
    from npvae.course.quiz.measure import agrees

    wrong = [item.name for item in items if not agrees(item, outcomes[item.name])]
    if wrong:
        print(f"npvae quiz: measured otherwise than the quiz says: {', '.join(wrong)}", file=sys.stderr)
    return 1 if wrong else 0


def _ask(items: "list[Item]", out: Path | None, table: bool) -> int:
    from npvae.course.quiz.measure import measure

    right = asked = 0
    outcomes = {}
    for number, item in enumerate(items, 1):
        print(f"Question {number} of {len(items)} ({item.name}): {item.title}\n")
        print(_wrapped(item.setting), end="\n\n")
        print(textwrap.indent(item.code(), "    "), end="\n\n")
        letters = "abcdefgh"[: len(item.options)]
        for letter, option in zip(letters, item.options, strict=True):
            print(_wrapped(option, f"  {letter})  "))
        given = _letter(letters)
        if given in ("q", None):
            print()
            break
        verdict = f"It is {letters[item.right]}."
        if given:
            hit = letters.index(given) == item.right
            asked, right = asked + 1, right + hit
            verdict = "Yes." if hit else f"No, it is {letters[item.right]}."
        print(f"\n{verdict}\n", flush=True)
        print("npvae quiz: training with this code and with the right one ...", file=sys.stderr)
        outcomes[item.name] = measure(item)
        print(_answer(item, outcomes[item.name], table), end="\n\n")
        if out is not None:
            print(f"Picture: {_draw(item, outcomes[item.name], out)}\n")
    if asked:
        print(f"{right} of {asked} right")
    return _agreement([item for item in items if item.name in outcomes], outcomes)


def _letter(letters: str) -> str | None:
    """Read an answer: a letter, "q", "" for none; None at the end of the input."""
    while True:
        print(f"\n{letters[0]} to {letters[-1]}, Enter to see the answer, q to end: ", end="", flush=True)
        line = sys.stdin.readline()
        given = line.strip().lower()
        if not line:
            return None
        if given in ("", "q", *letters):
            return given
        print(f"{line.strip()!r} is no answer: type a letter from {letters[0]} to {letters[-1]}.")


def _answer(item: "Item", outcome: "Outcome", table: bool) -> str:
    from npvae.course.quiz.words import curve_table, in_words

    tables = [textwrap.indent(str(report), "  ") for report in outcome.reports] if table else []
    return "\n\n".join(
        [
            _wrapped(f"{item.options[item.right]} {item.explanation}"),
            _wrapped(in_words(outcome.reports)),
            *tables,
            _wrapped(item.told.format(**outcome.numbers)),
            curve_table(outcome, _EPOCHS_SHOWN),
        ]
    )


def _wrapped(text: str, start: str = "") -> str:
    return textwrap.fill(text, 100, initial_indent=start, subsequent_indent=" " * len(start))


def _record(item: "Item", outcome: "Outcome") -> dict[str, object]:
    from npvae.course.quiz.measure import agrees

    return {
        "name": item.name,
        "title": item.title,
        "code": item.code(),
        "options": list(item.options),
        "right": item.right,
        "is_bug": item.is_bug,
        "explanation": item.explanation,
        "checker": [json.loads(report.to_json()) for report in outcome.reports],
        "training": item.told.format(**outcome.numbers),
        "numbers": dict(outcome.numbers),
        "curves": {curve.label: curve.values.tolist() for curve in outcome.curves},
        "agrees": agrees(item, outcome),
    }


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _draw(item: "Item", outcome: "Outcome", folder: Path) -> Path:
    """Write the two slides of a question; return the second, with the answer."""
    from npvae.course.quiz.words import caption
    from npvae.view import save_figure
    from npvae.view.draw.quiz import draw_answer, draw_question

    title = f"What is wrong here, if anything? {_capital(item.title)}"
    question = draw_question(title, item.setting, item.code(), item.options)
    save_figure(question, folder / f"{item.name}-question.png")
    curves = {curve.label: (curve.values, curve.measured) for curve in outcome.curves}
    title = f"{_capital(item.title)}: {'wrong' if item.is_bug else 'right'}"
    path = folder / f"{item.name}-answer.png"
    save_figure(draw_answer(title, caption(item, outcome), curves, outcome.samples, (8, 8)), path)
    return path
