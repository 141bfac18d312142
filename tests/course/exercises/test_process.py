"""Files of strangers: whatever they do ends in an answer, and in time."""

import os
import sys
import time

import pytest

from npvae.course.exercises.catalogue import EXERCISES
from npvae.course.exercises.check import check_file
from npvae.course.exercises.process import Limits, check_in_process
from tests.course.exercises.solutions import solution

KL = EXERCISES["kl"]
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")


def check(tmp_path, *, before="", inside="", limits=Limits()):  # noqa: B008
    """Check a right solution with code at its top, or at the beginning of its backward."""
    text = solution("kl", replaced={"mu, log_var = cache\n": f"{inside}\n    mu, log_var = cache\n"})
    path = tmp_path / "kl.py"
    path.write_text(f"{before}\n{text}", encoding="utf-8")
    return check_in_process(path, KL, limits)


def test_an_orderly_file(tmp_path):
    checked = check(tmp_path, before='print("loaded")')
    assert checked.answer.passed
    assert checked.printed == "loaded\n"
    assert [path.name for path in tmp_path.iterdir()] == ["kl.py"]  # nothing is left behind


@pytest.mark.parametrize(
    ("code", "outcome", "words"),
    [
        ({"before": "import sys; sys.exit(0)"}, "error", "SystemExit"),
        ({"inside": "import sys; sys.exit(0)"}, "error", "SystemExit"),
        ({"inside": "import os; os._exit(0)"}, "error", "it ended the process (exit code 0)"),
        ({"inside": "import os; os.kill(os.getpid(), 11)"}, "error", "crashed (signal SIGSEGV)"),
        ({"before": "1 / 0"}, "error", "ZeroDivisionError: division by zero (line 1 of kl.py)"),
        ({"inside": "raise KeyboardInterrupt"}, "error", "KeyboardInterrupt"),
        ({"inside": "return kl_backward(d_kl, cache)"}, "error", "RecursionError"),
        ({"inside": "input()"}, "error", "EOFError"),
        ({"inside": "while True: print('x' * 10000)"}, "error", "OSError"),
        pytest.param({"inside": "np.ones(10**10)"}, "limit", "memory", marks=on_linux),
        pytest.param({"before": "x = [0] * 10**10"}, "error", "MemoryError", marks=on_linux),
    ],
)  # fmt: skip
def test_what_strangers_do(code, outcome, words, tmp_path):
    answer = check(tmp_path, **code).answer
    assert answer.outcome == outcome, answer
    assert words in answer.remarks[0].words


def test_a_loop_without_end_and_what_it_started_are_ended(tmp_path):
    child = tmp_path / "child"
    code = (
        "import subprocess, sys\n"
        f"p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(child)!r}, 'w').write(str(p.pid))\n"
        "while True: pass"
    )
    started = time.perf_counter()
    answer = check(tmp_path, before=code, limits=Limits(seconds=2)).answer
    assert time.perf_counter() - started < 10
    assert answer.outcome == "limit"
    assert "within 2 seconds: is there a loop" in answer.remarks[0].words
    for _ in range(50):  # until the system has taken note
        if not os.path.exists(f"/proc/{child.read_text()}"):
            break
        time.sleep(0.1)
    else:
        if sys.platform == "linux":
            with open(f"/proc/{child.read_text()}/stat") as file:
                assert file.read().split()[2] == "Z"  # ended, and waits for its parent


@pytest.mark.parametrize(
    "code", ["import sys; sys.stdout.close()", "import sys; sys.stdout = None", "print = 1"]
)
def test_a_file_that_breaks_its_output_can_be_right(code, tmp_path):
    assert check(tmp_path, before=code).answer.passed


def test_threads_and_exit_handlers_do_not_delay_it(tmp_path):
    code = "import atexit, threading, time\natexit.register(time.sleep, 60)\n"
    code += "threading.Thread(target=time.sleep, args=(60,)).start()"
    started = time.perf_counter()
    assert check(tmp_path, before=code).answer.passed
    assert time.perf_counter() - started < 20


@pytest.mark.parametrize(
    ("replaced", "subject", "words"),
    [
        ({"params[name] -= learning_rate": "params[name] += learning_rate"}, "update", "move uphill"),
        ({"params[name] -= learning_rate * velocity": "params[name] -= learning_rate * grads"}, "update",
         "with the gradient, not with the velocity"),
        ({"+ grads[name]": "+ (1 - momentum) * grads[name]"}, "update", "scaled by 1 - momentum"),
        ({"velocity[name] = momentum": "v = momentum", "* velocity[name]\n": "* v\n"},
         "update", "does not hold the new velocity"),
        ({"rng.standard_normal((n, latent_dim))": "rng.random((n, latent_dim))"}, "sample",
         "have mean 0.51 and standard deviation 0.29"),
        ({"rng.standard_normal((n, latent_dim))": "0.01 * rng.standard_normal((n, latent_dim))"}, "sample",
         "standard deviation 0.01"),
        ({"rng.standard_normal((n, latent_dim))": "3**0.5 * rng.uniform(-1, 1, (n, latent_dim))"}, "sample",
         "but are not normal"),
        ({"p = 1 / (1 + np.exp(-logits))": "p = logits"}, "sample", "these are logits"),
        ({"np.maximum(c, 0) @": "c @"}, "sample", "is there a ReLU"),
        ({' + params["output.b"]': ""}, "sample", "are both biases added"),
    ],
)  # fmt: skip
def test_mistakes_in_the_last_exercise(replaced, subject, words, tmp_path, monkeypatch):
    (tmp_path / "vae.py").write_text(solution("vae"), encoding="utf-8")
    path = tmp_path / "digits.py"
    path.write_text(solution("digits", replaced=replaced), encoding="utf-8")
    monkeypatch.delitem(sys.modules, "vae", raising=False)
    answer = check_file(path, EXERCISES["digits"])
    sys.modules.pop("vae")
    said = {remark.subject: remark.words for remark in answer.remarks}
    assert answer.outcome == "wrong"
    assert words in said[subject], answer
    assert answer.losses == ()  # it is not trained
