"""``npvae exercise`` as students and teachers use it."""

import csv
import json

import numpy as np
import pytest

from npvae.course.derive_pairs import NAMES
from npvae.course.exercises import process
from npvae.course.exercises.catalogue import EXERCISES
from npvae.course.exercises.check import check_file
from tests.cli.tools import assert_complete_png, assert_refused, invoke
from tests.course.exercises.solutions import SOLUTIONS, solution


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def at_once(monkeypatch):
    """Check in this process, without limits, which takes a tenth of the time."""
    monkeypatch.setattr(
        process,
        "check_in_process",
        lambda path, exercise, limits: process.Checked(check_file(path, exercise), ""),
    )


def states():
    return {row["exercise"]: row["state"] for row in json.loads(invoke("exercise", "status", "--json").out)}


def test_the_list_is_in_order():
    lines = invoke("exercise").out.splitlines()
    assert [line.split()[1] for line in lines[: len(EXERCISES)]] == list(EXERCISES)
    assert invoke("exercise", "list").out == invoke("exercise").out


def test_from_start_to_solved(folder, at_once):
    assert states()["kl"] == "not started"
    assert invoke("exercise", "start", "kl").code == 0
    text = (folder / "kl.py").read_text(encoding="utf-8")
    assert text == EXERCISES["kl"].template()
    assert states()["kl"] == "started"

    result = invoke("exercise", "check", "kl.py")
    assert result.code == 1
    assert "d_log_var  not written yet" in result.out
    assert "A hint: npvae exercise check kl.py --hint" in result.out

    for number in (1, 2, 3, 3):  # the last one again
        out = invoke("exercise", "check", "kl.py", "--hint").out
        assert f"Hint {number} of 3: " in out
        assert EXERCISES["kl"].hints[number - 1][:40] in out

    wrong = solution("kl", replaced={"- 1) / 2": "- 1)"})
    (folder / "kl.py").write_text(wrong, encoding="utf-8")
    result = invoke("exercise", "check", "kl.py")
    assert result.code == 1
    assert "d_mu       right\n" in result.out
    assert "d_log_var  wrong: it is twice the right value: the 1/2 in front" in result.out
    assert "Checked on an example: mu of shape (5, 3), log_var of shape (5, 3)." in result.out
    assert SOLUTIONS["kl"]["d_log_var = ..."].split(" = ")[1] not in result.out

    (folder / "kl.py").write_text(solution("kl"), encoding="utf-8")
    result = invoke("exercise", "check", "kl.py", "--hint")
    assert result.code == 0
    assert "Solved.\nThe derivation, to compare: npvae derive kl\n" in result.out
    assert result.out.endswith("The next one: npvae exercise start bernoulli\n")
    assert "Hint" not in result.out  # none is used up
    assert states()["kl"] == "passed"
    assert (
        "  5  kl              solved                    7 checks, 3 hints" in invoke("exercise", "status").out
    )

    (folder / "kl.py").write_text(wrong, encoding="utf-8")
    assert states()["kl"] == "changed"


def test_the_next_one_is_the_next_that_is_not_solved(folder, at_once):
    assert invoke("exercise").out.endswith("Begin with: npvae exercise start dense\n")
    for name in ("kl", "reparameterize"):
        (folder / f"{name}.py").write_text(solution(name), encoding="utf-8")
        out = invoke("exercise", "check", name).out  # without .py
    assert out.endswith("The next one: npvae exercise start bernoulli\n")
    invoke("exercise", "start", "dense")
    assert invoke("exercise").out.endswith("The next one: npvae exercise check dense.py\n")
    assert "1 check, 0 hints" in invoke("exercise", "status").out


def test_what_is_solved_stays_solved_while_a_file_that_it_imports_is_not(folder):
    vae = solution("vae", replaced={"dh * (a > 0)": "relu_backward(dh, a)"})
    vae = vae.replace("import numpy as np", "import numpy as np\nfrom relu import relu_backward")
    (folder / "vae.py").write_text(vae, encoding="utf-8")
    for relu, code in ((solution("relu"), 0), (EXERCISES["relu"].template(), 1)):
        (folder / "relu.py").write_text(relu, encoding="utf-8")
        assert invoke("exercise", "check", "vae.py").code == code
        assert states()["vae"] == "passed"


def test_the_hints_begin_at_what_is_wrong_first(folder, at_once):
    wrong = solution("vae", replaced={"dh * (a > 0)": "dh"})
    (folder / "vae.py").write_text(wrong, encoding="utf-8")
    out = invoke("exercise", "check", "vae.py", "--hint").out
    assert "Hint 3 of 3: h is read by both heads" in out
    assert "Checked on an example: 4 samples, 7 pixels, 5 hidden units, 3 latent dimensions." in out
    wrong = solution("vae", replaced={"dz + mu / n": "dz"})
    (folder / "vae.py").write_text(wrong, encoding="utf-8")
    assert "Hint 2 of 3: " in invoke("exercise", "check", "vae.py", "--hint").out


@pytest.mark.parametrize("exercise", [e for e in EXERCISES.values() if e.derivation], ids=lambda e: e.name)
def test_each_derivation_that_is_named_exists(exercise):
    assert exercise.derivation in NAMES


def test_json_of_a_check(folder, at_once):
    invoke("exercise", "start", "relu")
    result = invoke("exercise", "check", "relu.py", "--json", "--hint")
    answer = json.loads(result.out)
    assert result.code == 1
    assert (answer["passed"], answer["outcome"], answer["exercise"]) == (False, "unfilled", "relu")
    assert answer["hint"] == EXERCISES["relu"].hints[0]
    (folder / "relu.py").write_text(solution("relu"), encoding="utf-8")
    answer = json.loads(invoke("exercise", "check", "relu.py", "--json").out)
    assert answer["passed"] is True
    assert answer["remarks"] == [{"subject": "dx", "outcome": "passed", "words": ""}]


def test_start_overwrites_nothing(folder):
    (folder / "kl.py").write_text("mine", encoding="utf-8")
    assert_refused(invoke("exercise", "start", "kl"), "kl.py is there already", "rename it")
    assert (folder / "kl.py").read_text(encoding="utf-8") == "mine"
    assert invoke("exercise", "start", "dense", "relu", "--folder", folder / "new").code == 0
    assert {path.name for path in (folder / "new").iterdir()} == {"dense.py", "relu.py"}


def test_what_is_refused(folder):
    assert_refused(invoke("exercise", "start", "lstm"), "no exercise 'lstm'", "dense, relu")
    assert_refused(invoke("exercise", "check", "kl.py"), "kl.py: no such file", "npvae exercise start kl")
    assert_refused(invoke("exercise", "check", "ada.py"), "ada.py: no such file")
    (folder / "mine.py").write_text("x = 1", encoding="utf-8")
    assert_refused(invoke("exercise", "check", "mine.py"), "which exercise", "# npvae exercise NAME")
    (folder / ".npvae-exercises.json").write_text("[1]", encoding="utf-8")
    assert_refused(invoke("exercise", "status"), "damaged", "delete it")
    assert_refused(invoke("exercise", "status", folder / "none"), "no such folder")
    assert_refused(invoke("exercise", "grade", folder / "none"), "no such folder")
    (folder / "empty").mkdir()
    assert_refused(invoke("exercise", "grade", folder / "empty"), "no file here")


def test_a_renamed_file_is_known_by_its_first_line_and_its_prints_are_shown(folder):
    (folder / "ada-3.py").write_text(f"print('here')\n{solution('dense')}", encoding="utf-8")
    result = invoke("exercise", "check", "ada-3.py")
    assert result.code == 0
    assert result.err == "ada-3.py printed:\n  here\n\n"


def test_a_class_is_graded(folder):
    """Students in folders of their own, and files beside them; one of them never ends."""
    for name, files in {
        "ada": {"relu.py": solution("relu"), "kl.py": solution("kl")},
        "bob": {
            "relu.py": solution("relu", replaced={"(x > 0)": "(x < 0)"}),
            "kl.py": EXERCISES["kl"].template(),
        },
        "eve": {"kl.py": f"{EXERCISES['kl'].template()}\nwhile True: pass", "notes.py": "1 / 0"},
    }.items():
        (folder / "class" / name).mkdir(parents=True)
        for file, text in files.items():
            (folder / "class" / name / file).write_text(text, encoding="utf-8")
    (folder / "class" / "relu_dan.py").write_text("# npvae exercise relu\n1 / 0", encoding="utf-8")
    result = invoke("exercise", "grade", "class", "--csv", "grades.csv", "--seconds", 6)
    assert result.code == 1
    rows = {line.split()[0]: line.split()[1:] for line in result.out.splitlines() if line[0] != " "}
    assert rows["ada"] == ["yes", "yes", "2"]
    assert rows["bob"] == ["no", "empty", "0"]
    assert rows["eve"] == ["-", "limit", "0"]
    assert rows["dan"] == ["error", "-", "0"]
    with open("grades.csv", encoding="utf-8", newline="") as file:
        lines = {(row["student"], row["exercise"]): row for row in csv.DictReader(file)}
    assert len(lines) == 6
    assert lines["ada", "kl"]["passed"] == "1"
    assert lines["eve", "kl"]["outcome"] == "limit"
    assert "passed on where x is negative" in lines["bob", "relu"]["remarks"]
    assert "ZeroDivisionError" in lines["dan", "relu"]["remarks"]
    assert not list((folder / "class").rglob(".npvae*"))  # grading leaves no notes, and no caches
    assert not list((folder / "class").rglob("__pycache__"))

    result = invoke("exercise", "grade", folder / "class" / "ada", "--json")
    assert result.code == 0
    assert [(g["student"], g["exercise"], g["passed"]) for g in json.loads(result.out)] == [
        ("kl", "kl", True), ("relu", "relu", True),
    ]  # fmt: skip


def test_the_last_exercise_trains_with_ones_own_functions_and_draws_samples(folder):
    (folder / "digits.py").write_text(solution("digits"), encoding="utf-8")
    result = invoke("exercise", "check", "digits.py")
    assert result.code == 1
    assert "it imports vae.py, which has to be in the same folder" in " ".join(result.out.split())

    (folder / "vae.py").write_text(solution("vae"), encoding="utf-8")
    result = invoke("exercise", "check", "digits.py", "--json")
    assert result.code == 0
    answer = json.loads(result.out)
    assert len(answer["losses"]) == 40
    assert answer["losses"][-1] < 25 < answer["losses"][0] - 2
    samples = np.array(answer["samples"])
    assert samples.shape == (64, 64)
    assert samples.min() >= 0
    assert samples.max() <= 1
    assert samples.std(axis=0).max() > 0.2  # not all the same
    assert_complete_png(folder / "digits.png")
