"""What a folder of exercises has passed, and how many hints were taken: a small JSON file beside them."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from npvae.course.exercises.answer import Answer
from npvae.course.exercises.catalogue import EXERCISES
from npvae.course.exercises.exercise import Exercise
from npvae.reading import reading
from npvae.writing import write_text_atomically

NOTEBOOK: Final = ".npvae-exercises.json"
_MARK: Final = re.compile(r"^# npvae exercise (\w+)\s*$", re.MULTILINE)


@dataclass
class Note:
    """What is known of one exercise.

    Attributes
    ----------
    checks : int
        How often it was checked.
    hints : int
        How many hints were taken.
    passed : str
        SHA-256 of the file that passed; empty if none has.
    """

    checks: int = 0
    hints: int = 0
    passed: str = ""


@dataclass
class Notebook:
    """The notes of a folder.

    Attributes
    ----------
    folder : Path
    notes : dict of Note
        By the names of exercises.
    """

    folder: Path
    notes: dict[str, Note] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path) -> Notebook:
        """Read the notes of a folder; there need not be any.

        Raises
        ------
        ValueError
            The file is not a notebook's.
        """
        path = folder / NOTEBOOK
        if not path.exists():
            return cls(folder)
        try:
            with reading(path):
                content = json.loads(path.read_text(encoding="utf-8"))
            notes = {name: Note(**note) for name, note in content.items()}
        except (ValueError, TypeError, AttributeError) as problem:
            raise ValueError(f"{path} is damaged; delete it to begin with new notes") from problem
        return cls(folder, notes)

    def record(self, exercise: Exercise, path: Path, passed: bool) -> None:
        """Note that a file was checked, and whether it passed."""
        note = self.notes.setdefault(exercise.name, Note())
        note.checks += 1
        if passed:
            note.passed = digest(path)

    def take_hint(self, exercise: Exercise, answer: Answer) -> tuple[int, str]:
        """Return the number, from 1, and the text of the next hint about the first thing that is not right.

        When all are taken, it is the last one again or, where the hints are about different things, the one
        about that thing.
        """
        note = self.notes.setdefault(exercise.name, Note())
        first = next((remark.subject for remark in answer.remarks if remark.outcome != "passed"), "")
        about = next((n for letters, n in exercise.hint_for.items() if first.startswith(letters)), 1)
        number = max(note.hints + 1, about)
        if number > len(exercise.hints):
            number = about if exercise.hint_for else len(exercise.hints)
        note.hints = max(note.hints, number)
        return number, exercise.hints[number - 1]

    def next_after(self, exercise: Exercise | None = None) -> Exercise | None:
        """Return the first exercise behind another that is not solved, or else the first before it.

        Returns
        -------
        Exercise or None
            None where all are solved.
        """
        names = list(EXERCISES)
        start = names.index(exercise.name) + 1 if exercise else 0
        order = names[start:] + names[:start]
        return next((EXERCISES[n] for n in order if not self.notes.get(n, Note()).passed), None)

    def save(self) -> None:
        """Write the notes."""
        content = {name: asdict(note) for name, note in self.notes.items()}
        write_text_atomically(self.folder / NOTEBOOK, json.dumps(content, indent=1) + "\n")

    def state(self, exercise: Exercise) -> str:
        """Return "passed", "changed" since it passed, "started" or "not started"."""
        path = self.folder / exercise.file_name
        passed = self.notes.get(exercise.name, Note()).passed
        if not path.is_file():
            return "not started"
        if not passed:
            return "started"
        return "passed" if digest(path) == passed else "changed"


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def exercise_of(path: Path) -> Exercise | None:
    """Say which exercise a file solves: by the line ``# npvae exercise NAME``, else by its own name.

    Returns
    -------
    Exercise or None
        None where it is neither.
    """
    with reading(path):
        text = path.read_bytes().decode("utf-8", "replace")
    marked = _MARK.search(text)
    return EXERCISES.get(marked[1] if marked else path.stem)


def start(exercise: Exercise, folder: Path) -> Path:
    """Write the file of an exercise.

    Returns
    -------
    Path

    Raises
    ------
    FileExistsError
        There is one already; it is left as it is.
    """
    path = folder / exercise.file_name
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(exercise.template())
    except FileExistsError:
        raise FileExistsError(
            f"{path} is there already, and is left as it is; to start again, rename it first"
        ) from None
    return path
