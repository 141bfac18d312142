"""``npvae exercise``: derive the gradients yourself, with a checker that answers in words."""

import argparse
import json
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from npvae.counted import counted

if TYPE_CHECKING:
    from npvae.course.exercises.answer import Answer
    from npvae.course.exercises.exercise import Exercise
    from npvae.course.exercises.notebook import Notebook
    from npvae.course.exercises.process import Limits

HELP = "derive the gradients of a VAE yourself: exercises with a checker that answers in words"
EXAMPLES = """examples:
  npvae exercise                           # the list of exercises, in order
  npvae exercise start kl                  # writes kl.py: the question, the forward pass, dots to replace
  npvae exercise check kl.py               # says what is wrong, and where, without the solution
  npvae exercise check kl.py --hint        # and gives the next of three hints
  npvae exercise status                    # which exercises in this folder are solved
  npvae exercise grade submissions/ --csv grades.csv

Each action has its own --help. You need NumPy and the chain rule; the exercises build on each other, and the
last one trains a VAE with your gradients. Exit code 0: solved; 1: not solved yet; 2: usage or bad input.
"""

_NEXT = {
    "unfilled": "Replace the dots, and check again.",
    "wrong": "Not right yet.",
    "error": "It cannot be checked yet.",
    "limit": "It was ended.",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    actions.add_parser("list", help="list the exercises (the default)")
    start = actions.add_parser("start", help="write the file of an exercise")
    start.add_argument("names", nargs="+", metavar="NAME", help="which exercises")
    start.add_argument("--folder", type=Path, default=Path(), help="where to (default: here)")
    check = actions.add_parser("check", help="check a file")
    check.add_argument("file", type=Path, metavar="FILE", help="the file of an exercise; .py may be left out")
    check.add_argument(
        "--hint", action="store_true", help="give the next of three hints, unless it is solved"
    )
    _add_limits(check, 60)
    check.add_argument("--json", action="store_true", help="print the answer as JSON")
    status = actions.add_parser("status", help="show which exercises are solved")
    status.add_argument("folder", type=Path, nargs="?", default=Path(), help="default: here")
    status.add_argument("--json", action="store_true", help="print it as JSON")
    grade = actions.add_parser(
        "grade",
        help="check all files in a folder, and print a table",
        description="Check all files in a folder and its subfolders; a subfolder stands for a student. Each "
        "file runs in a process of its own. The limits protect from accidents, not from malice: grade files "
        "of people whom you do not trust in a container. Exit code 1: not all are solved.",
    )
    grade.add_argument("folder", type=Path, metavar="FOLDER")
    grade.add_argument(
        "--csv", type=Path, metavar="FILE", help="write a line for each file, with all remarks"
    )
    _add_limits(grade, 60)
    grade.add_argument("--json", action="store_true", help="print everything as JSON")


def _add_limits(parser: argparse.ArgumentParser, seconds: int) -> None:
    from npvae.cli.options import at_least

    parser.add_argument(
        "--seconds", type=at_least(2), default=seconds, metavar="S",
        help=f"end a check after this time (default: {seconds})",
    )  # fmt: skip
    parser.add_argument(
        "--megabytes", type=at_least(700), default=3000, metavar="M",
        help="memory that a check may use, on Linux (default: 3000)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Do one of the actions."""
    actions = {"start": _start, "check": _check, "status": _status, "grade": _grade}
    return actions[args.action](args) if args.action in actions else _list()


def _list() -> int:
    from npvae.course.exercises.catalogue import EXERCISES
    from npvae.course.exercises.notebook import Notebook

    for number, exercise in enumerate(EXERCISES.values(), 1):
        print(f"{number:>3}  {exercise.name:<16}{exercise.title}")
    notebook = Notebook.open(Path())
    following = notebook.next_after()
    if following is None:
        print("\nAll are solved in this folder.")
    elif notebook.notes:
        print(f"\nThe next one: {_command_for(following, Path())}")
    else:
        print("\nBegin with: npvae exercise start dense")
    return 0


def _command_for(exercise: "Exercise", folder: Path) -> str:
    """Return the command that begins an exercise, or that checks it where it is begun."""
    path = folder / exercise.file_name
    if path.is_file():
        return f"npvae exercise check {path}"
    option = f" --folder {folder}" if folder != Path() else ""
    return f"npvae exercise start {exercise.name}{option}"


def _start(args: argparse.Namespace) -> int:
    from npvae.course.exercises.notebook import start

    for exercise in [_named(name) for name in args.names]:
        path = start(exercise, args.folder)
        print(f"{path}: {exercise.title}. Open it, replace the dots, then: npvae exercise check {path}")
    return 0


def _named(name: str) -> "Exercise":
    from npvae.course.exercises.catalogue import EXERCISES

    if name not in EXERCISES:
        raise ValueError(f"there is no exercise {name!r}; there are {', '.join(EXERCISES)}")
    return EXERCISES[name]


def _limits(args: argparse.Namespace) -> "Limits":
    from npvae.course.exercises.process import Limits

    return Limits(args.seconds, args.megabytes)


def _check(args: argparse.Namespace) -> int:
    from npvae.course.exercises.catalogue import EXERCISES
    from npvae.course.exercises.notebook import Notebook, exercise_of
    from npvae.course.exercises.process import check_in_process

    file = args.file if args.file.suffix or args.file.is_file() else args.file.with_suffix(".py")
    if not file.is_file():
        begin = f"; to begin: npvae exercise start {file.stem}" if file.stem in EXERCISES else ""
        raise ValueError(f"{file}: no such file{begin}")
    exercise = exercise_of(file)
    if exercise is None:
        raise ValueError(
            f"{file}: which exercise is this? Write '# npvae exercise NAME' in its first line; NAME is "
            f"one of {', '.join(EXERCISES)}"
        )
    notebook = Notebook.open(file.parent)
    checked = check_in_process(file, exercise, _limits(args))
    answer = checked.answer
    notebook.record(exercise, file, answer.passed)
    hint = notebook.take_hint(exercise, answer) if args.hint and not answer.passed else None
    if checked.printed.strip():
        print(f"{file.name} printed:\n{textwrap.indent(checked.printed.rstrip(), '  ')}\n", file=sys.stderr)
    picture = _draw(file, answer)
    if args.json:
        print(json.dumps({"file": str(file), **answer.as_dict(), "hint": hint and hint[1]}))
    else:
        print(_in_words(file, exercise, answer, picture, hint, notebook))
    notebook.save()  # last: in a folder that cannot be written to, the answer is given all the same
    return 0 if answer.passed else 1


def _draw(file: Path, answer: "Answer") -> Path | None:
    if not answer.samples:
        return None
    import numpy as np

    from npvae.view import save_figure
    from npvae.view.draw.training import draw_training

    path = file.with_suffix(".png")
    try:
        save_figure(draw_training(answer.losses, np.array(answer.samples), (8, 8)), path)
    except OSError as error:  # the answer is given all the same
        print(f"npvae exercise: the picture could not be written: {error}", file=sys.stderr)
        return None
    return path


def _in_words(
    file: Path,
    exercise: "Exercise",
    answer: "Answer",
    picture: Path | None,
    hint: tuple[int, str] | None,
    notebook: "Notebook",
) -> str:
    lines = [f"{file.name}: {exercise.title}", ""]
    width = max(len(remark.subject) for remark in answer.remarks)
    said = {"passed": "right", "unfilled": "not written yet", "wrong": "wrong", "error": "", "limit": ""}
    for remark in answer.remarks:
        text = ": ".join(filter(None, (said[remark.outcome], remark.words)))
        lines += _wrapped(f"  {remark.subject:<{width}}  ", text)
    lines.append("")
    if answer.losses:
        lines.append(f"The loss on test images after training: {answer.losses[-1]:.1f} nats per image.")
    if picture is not None:
        lines.append(f"Your samples are in {picture}.")
    if answer.passed:
        lines += ["Solved.", *_after(exercise, notebook)]
        return "\n".join(lines)
    if answer.outcome == "wrong" and exercise.checked_on():
        lines += [*_wrapped("Checked on an example: ", f"{exercise.checked_on()}."), ""]
    lines.append(_NEXT[answer.outcome])
    if hint is not None:
        lines += _wrapped(f"Hint {hint[0]} of {len(exercise.hints)}: ", hint[1])
    else:
        lines.append(f"A hint: npvae exercise check {file} --hint")
    return "\n".join(lines)


def _wrapped(start: str, text: str) -> list[str]:
    return textwrap.wrap(text, 100, initial_indent=start, subsequent_indent=" " * len(start)) or [start]


def _after(exercise: "Exercise", notebook: "Notebook") -> list[str]:
    """Say where its derivation is, and which exercise comes next."""
    following = notebook.next_after(exercise)
    lines = [f"The derivation, to compare: npvae derive {exercise.derivation}"] if exercise.derivation else []
    if following is None:
        return [*lines, "All exercises are solved."]
    return [*lines, f"The next one: {_command_for(following, notebook.folder)}"]


def _status(args: argparse.Namespace) -> int:
    from npvae.course.exercises.catalogue import EXERCISES
    from npvae.course.exercises.notebook import Note, Notebook

    if not args.folder.is_dir():
        raise ValueError(f"{args.folder}: no such folder")
    notebook = Notebook.open(args.folder)
    rows = []
    for name, exercise in EXERCISES.items():
        note = notebook.notes.get(name, Note())
        rows.append(
            {"exercise": name, "state": notebook.state(exercise), "checks": note.checks, "hints": note.hints}
        )
    if args.json:
        print(json.dumps(rows))
        return 0
    words = {"changed": "changed since it passed", "passed": "solved"}
    for number, row in enumerate(rows, 1):
        state = words.get(str(row["state"]), str(row["state"]))
        used = f"{counted(row['checks'], 'check')}, {counted(row['hints'], 'hint')}" if row["checks"] else ""
        print(f"{number:>3}  {row['exercise']:<16}{state:<26}{used}".rstrip())
    print(f"\n{sum(row['state'] == 'passed' for row in rows)} of {len(rows)} solved")
    return 0


def _grade(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from npvae.course.exercises.grading import as_csv, as_table, grade, submissions
    from npvae.writing import check_writable, write_text_atomically

    if args.csv is not None:
        check_writable(args.csv)
    if not args.folder.is_dir():
        raise ValueError(f"{args.folder}: no such folder")
    found = submissions(args.folder)
    runs = grade(found, _limits(args))
    progress = tqdm(runs, desc="grading", total=len(found), file=sys.stderr, disable=None, leave=False)
    grades = list(progress)
    if args.csv is not None:
        write_text_atomically(args.csv, as_csv(grades))
    if args.json:
        rows = [
            {"student": g.submission.student, "file": str(g.submission.path), **g.answer.as_dict()}
            for g in grades
        ]
        print(json.dumps(rows))
    else:
        print(as_table(grades))
    return 0 if all(g.answer.passed for g in grades) else 1
