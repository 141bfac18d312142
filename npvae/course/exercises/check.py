"""Check a student's file: import it, and check what its exercise asks for.

Nothing here trusts the file: whatever it raises becomes a remark. `process` adds limits of time and memory.
"""

from pathlib import Path

from npvae.checks.loading import load_module
from npvae.course.exercises.answer import Answer, error
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
        words = (
            f"it imports {missing[0]}.py, which has to be in the same folder; start with that exercise: "
            f"npvae exercise start {missing[0]}"
        )
        return error(exercise.name, path.name, words)
    try:
        module = load_module(str(path))
    except ValueError as problem:
        return error(exercise.name, path.name, str(problem).removeprefix(f"{path} "))
    if exercise.name == "vae":
        return Answer(exercise.name, tuple(check_network_file(module)))
    if exercise.name == "digits":
        return check_training_file(module)
    return Answer(exercise.name, tuple(check_pairs(module, exercise)))
