"""Check a student's file: import it, and check what its exercise asks for.

Nothing here trusts the file: whatever it raises becomes a remark. `process` adds limits of time and memory.
"""

import ast
from pathlib import Path

from npvae.checks.loading import load_module
from npvae.course.exercises.answer import Answer, Remark, error
from npvae.course.exercises.catalogue import EXERCISES
from npvae.course.exercises.exercise import Exercise
from npvae.course.exercises.network import check_network_file
from npvae.course.exercises.pairs import check_pairs
from npvae.course.exercises.training import check_training_file


def check_file(path: Path, exercise: Exercise) -> Answer:
    """Check a file in this process.

    Parameters
    ----------
    path : Path
    exercise : Exercise
        Which exercise it solves.

    Returns
    -------
    Answer
    """
    missing = [name for name in exercise.needs if not (path.parent / f"{name}.py").is_file()]
    if missing:
        return error(exercise.name, path.name, _missing(missing[0]))
    try:
        module = load_module(str(path))
    except ValueError as problem:
        cause = problem.__cause__
        if isinstance(cause, ModuleNotFoundError) and cause.name in EXERCISES:
            return error(exercise.name, path.name, _missing(cause.name))
        return error(exercise.name, path.name, str(problem).removeprefix(f"{path} "))
    if exercise.name == "vae":
        answer = Answer(exercise.name, tuple(check_network_file(module)))
        unfinished = [] if answer.passed else _unfinished(path)
        return Answer(exercise.name, tuple(unfinished)) if unfinished else answer
    if exercise.name == "digits":
        return check_training_file(module)
    return Answer(exercise.name, tuple(check_pairs(module, exercise)))


def _missing(name: str) -> str:
    return (
        f"it imports {name}.py, which has to be in the same folder; start with that exercise: npvae exercise "
        f"start {name}"
    )


def _unfinished(path: Path) -> list[Remark]:
    """Return a remark on each exercise that a file imports and that is not solved yet."""
    remarks = []
    for name in _imported(path):
        other = path.parent / f"{name}.py"
        if name != path.stem and other.is_file() and not check_file(other, EXERCISES[name]).passed:
            words = (
                f"{path.name} imports it, and it is not right yet; finish it first: npvae exercise check "
                f"{other.name}"
            )
            remarks.append(Remark(other.name, "wrong", words))
    return remarks


def _imported(path: Path) -> list[str]:
    """Return the names of the exercises that a file imports."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return [name for name in dict.fromkeys(names) if name in EXERCISES]
