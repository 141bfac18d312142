"""Check all submissions in a folder, each in a process of its own."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from npvae.course.exercises.answer import Answer
from npvae.course.exercises.catalogue import EXERCISES
from npvae.course.exercises.exercise import Exercise
from npvae.course.exercises.notebook import exercise_of
from npvae.course.exercises.process import Limits, check_in_process

MARKS = {"passed": "yes", "unfilled": "empty", "wrong": "no", "error": "error", "limit": "limit"}


@dataclass(frozen=True)
class Submission:
    """A file that was handed in.

    Attributes
    ----------
    student : str
        The folder that it is in, relative to the folder that is graded; for a file of that folder itself,
        its name without that of the exercise.
    path : Path
    exercise : Exercise
    """

    student: str
    path: Path
    exercise: Exercise


@dataclass(frozen=True)
class Grade:
    """A submission and the answer to it."""

    submission: Submission
    answer: Answer


def submissions(folder: Path) -> list[Submission]:
    """Find all files that solve an exercise, in a folder and the folders in it.

    Raises
    ------
    ValueError
        There is none.
    """
    found = []
    for path in sorted(folder.rglob("*.py")):
        exercise = exercise_of(path) if path.is_file() else None
        if exercise is None:
            continue
        place = path.parent.relative_to(folder)
        name = path.stem.replace(exercise.name, "").strip("-_. ") or path.stem
        found.append(Submission(str(place) if place.parts else name, path, exercise))
    if not found:
        raise ValueError(
            f"{folder}: no file here begins with '# npvae exercise NAME' or has the name of an exercise"
        )
    return found


def grade(found: list[Submission], limits: Limits) -> Iterator[Grade]:
    """Check submissions one after another.

    Yields
    ------
    Grade
    """
    for submission in found:
        checked = check_in_process(submission.path, submission.exercise, limits)
        yield Grade(submission, checked.answer)


def as_table(grades: list[Grade]) -> str:
    """Return a line for each student and a column for each exercise that somebody handed in, as text."""
    names = [name for name in EXERCISES if any(g.submission.exercise.name == name for g in grades)]
    rows = [("student", *names, "passed")]
    for student in dict.fromkeys(g.submission.student for g in grades):
        own = {g.submission.exercise.name: g.answer for g in grades if g.submission.student == student}
        marks = (MARKS[own[name].outcome] if name in own else "-" for name in names)
        rows.append((student, *marks, str(sum(answer.passed for answer in own.values()))))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([first.ljust(widths[0]), *map(str.rjust, others, widths[1:])]) for first, *others in rows
    ]
    meaning = (
        "empty: dots were left; error: it cannot be run; limit: too much time or memory; -: not handed in"
    )
    return "\n".join([*lines, f"({meaning})"])


def as_csv(grades: list[Grade]) -> str:
    """Return a line for each submission: student, exercise, file, outcome, and what was found."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["student", "exercise", "file", "passed", "outcome", "remarks"])
    for g in grades:
        remarks = "; ".join(f"{r.subject}: {r.words}" for r in g.answer.remarks if r.words)
        writer.writerow(
            [
                g.submission.student, g.submission.exercise.name, g.submission.path.name,
                int(g.answer.passed), g.answer.outcome, remarks,
            ]
        )  # fmt: skip
    return text.getvalue()
