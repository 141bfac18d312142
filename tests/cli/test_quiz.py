"""``npvae quiz``: with questions and without."""

import io
import json
from dataclasses import replace

import pytest

from npvae.course.quiz.items import ITEMS
from tests.cli.tools import assert_complete_png, assert_refused, invoke


def answered(monkeypatch, text, *argv):
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    return invoke("quiz", *argv)


def test_the_list():
    lines = invoke("quiz", "--list").out.splitlines()
    assert [line.split()[0] for line in lines] == list(ITEMS)


def test_questions_are_asked_and_answers_shown(monkeypatch, tmp_path):
    letter = "abcd"[ITEMS["half"].right]
    result = answered(monkeypatch, f"x\n{letter}\na\n\n", "half", "batch", "sum", "--out", tmp_path)
    assert result.code == 0
    questions = result.out.split("Question ")[1:]
    assert len(questions) == 3
    assert "\nYes.\n\nWrong: d_log_var is twice what it should be." in questions[0]
    assert questions[0].count("Enter to see the answer") == 2
    assert "'x' is no answer: type a letter from a to d." in questions[0]
    assert "check_vjp" not in questions[0]
    assert "twice the right value: a missing 1/2?" in " ".join(questions[0].split())
    assert "\nNo, it is b.\n\nWrong: the two terms" in questions[1]
    assert "\nIt is a.\n\nRight. Both terms" in questions[2]
    assert result.out.endswith("1 of 2 right\n")
    for name in ("half", "batch", "sum"):
        assert_complete_png(tmp_path / f"{name}-answer.png")


@pytest.mark.parametrize("text", ["q\n", ""])
def test_it_can_be_left(text, monkeypatch):
    result = answered(monkeypatch, text)
    assert result.code == 0
    assert result.out.count("Question ") == 1
    assert "right code" not in result.out


def test_all_without_questions(tmp_path, monkeypatch):
    result = answered(monkeypatch, "", "half", "negative", "--all", "--table", "--out", tmp_path)
    assert result.code == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        "captions.md", "half-question.png", "half-answer.png", "negative-question.png", "negative-answer.png",
    }  # fmt: skip
    for path in tmp_path.glob("*.png"):
        assert_complete_png(path)
    page = (tmp_path / "captions.md").read_text(encoding="utf-8")
    for name in ("half", "negative"):
        assert f"```python\n{ITEMS[name].code()}\n```" in page
    assert ITEMS["half"].options[2] in result.out
    assert "check_vjp(kl_forward, kl_backward_half): FAIL" in result.out


def test_json():
    (record,) = json.loads(invoke("quiz", "sum", "--all", "--json").out)
    assert (record["name"], record["is_bug"], record["agrees"]) == ("sum", False, True)
    assert [report["verdict"] for report in record["checker"]] == ["pass"]
    assert len(record["curves"]["summed"]) == 40
    assert abs(record["numbers"]["this"] - record["numbers"]["right"]) < 0.15


def test_a_measurement_that_disagrees_is_told(monkeypatch):
    monkeypatch.setitem(ITEMS, "sum", replace(ITEMS["sum"], holds=lambda numbers: numbers["this"] > 100))
    result = invoke("quiz", "sum", "--all")
    assert result.code == 1
    assert "measured otherwise than the quiz says: sum" in result.err


def test_what_is_refused(tmp_path):
    assert_refused(invoke("quiz", "none"), "no question 'none'", "half")
    assert_refused(invoke("quiz", "--json"), "--json needs --all")
    (tmp_path / "file").write_text("")
    assert_refused(invoke("quiz", "--all", "--out", tmp_path / "file"), "is a file")
