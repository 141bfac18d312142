"""Check a file in a process of its own, with limits of time and memory: it is a stranger's code.

The limits protect from accidents: endless loops, huge arrays, files that exit or print without end. They do
not protect from malice: the process may read and write what its user may, and a file that sets out to forge
its answer can. Whoever cannot trust the authors should grade inside a container.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from npvae.course.exercises.answer import Answer, Remark, error
from npvae.course.exercises.catalogue import EXERCISES
from npvae.course.exercises.exercise import Exercise

MOST_OUTPUT: Final = 4_000_000  # bytes that a submission may print, or write to any one file


@dataclass(frozen=True)
class Limits:
    """What a check may use.

    Parameters
    ----------
    seconds : float
        Of wall-clock time, npvae's own start of about a second included.
    megabytes : int
        Of address space, npvae's own, about 500, included. Kept on Linux only.
    """

    seconds: float = 60.0
    megabytes: int = 3000


@dataclass(frozen=True)
class Checked:
    """An answer, and what the file printed."""

    answer: Answer
    printed: str


def check_in_process(path: Path, exercise: Exercise, limits: Limits) -> Checked:
    """Check a file in a new process, which is ended when it takes too long.

    Parameters
    ----------
    path : Path
    exercise : Exercise
    limits : Limits

    Returns
    -------
    Checked
        Whatever the file does: what keeps it from being checked is a remark.
    """
    with tempfile.TemporaryDirectory(prefix="npvae-exercise-") as name:
        folder = Path(name)
        answer, printed = folder / "answer.json", folder / "printed.txt"
        command = [sys.executable, "-m", __name__, str(path.resolve()), exercise.name, str(answer)]
        with printed.open("wb") as output:
            process = subprocess.Popen(
                [*command, str(limits.megabytes)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=_environment(),
                start_new_session=True,  # so that what it starts can be ended with it
            )
            try:
                process.wait(limits.seconds)
            except subprocess.TimeoutExpired:
                words = f"it did not end within {limits.seconds:g} seconds: is there a loop that never ends?"
                return Checked(
                    Answer(exercise.name, (Remark(path.name, "limit", words),)), _beginning_of(printed)
                )
            finally:
                _end(process)
        try:
            found = Answer.from_json(answer.read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError, TypeError):
            found = error(exercise.name, path.name, _how_it_ended(process.returncode))
        return Checked(found, _beginning_of(printed))


def _environment() -> dict[str, str]:
    """Return the environment of the process: one thread, no compiled kernels, no files left behind."""
    folders = [str(Path(__file__).resolve().parents[3]), os.environ.get("PYTHONPATH", "")]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, folders)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "NPVAE_KERNELS": "reference",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it has started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):  # all of them have ended
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _beginning_of(printed: Path) -> str:
    with printed.open("rb") as file:
        return file.read(20_000).decode("utf-8", "replace")


def _how_it_ended(code: int) -> str:
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        return f"it crashed (signal {name}) before the check was done"
    return f"it ended the process (exit code {code}) before the check was done"


def main(argv: list[str]) -> None:
    """Check a file in this process and write the answer: what `check_in_process` starts.

    Parameters
    ----------
    argv : list of str
        The file, the exercise, where to write the answer, megabytes.
    """
    path, name, answer, megabytes = argv
    from npvae.course.exercises.check import check_file  # before memory is limited

    _limit(int(megabytes))
    sys.argv = [path]
    sys.path.insert(0, str(Path(path).parent))  # where the other exercises are
    try:
        found = check_file(Path(path), EXERCISES[name])
    except MemoryError as problem:
        words = f"it asks for more memory than the limit of {megabytes} MB ({problem})"
        found = Answer(name, (Remark(Path(path).name, "limit", words),))
    except BaseException as problem:  # a stranger's code may raise anything
        found = error(name, Path(path).name, f"it raises {type(problem).__name__}: {problem}")
    Path(answer).write_text(found.to_json(), encoding="utf-8")
    with contextlib.suppress(Exception):  # the file may have replaced or closed them
        sys.stdout.flush()
    os._exit(0)  # without what the file has put off until exit


def _limit(megabytes: int) -> None:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    with contextlib.suppress(ValueError, OSError):  # macOS refuses some
        resource.setrlimit(resource.RLIMIT_AS, (megabytes * 2**20, megabytes * 2**20))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_OUTPUT, MOST_OUTPUT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main(sys.argv[1:])
