import json
import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from npvae.gradcheck import Check, Entry, Report, check_vjp


def report_of(*verdicts):
    entries = tuple(Entry(f"arg{k}", (2,), verdict) for k, verdict in enumerate(verdicts))
    return Report("a check", entries, 0, "check()")


@pytest.mark.parametrize(
    ("verdicts", "overall", "passed"),
    [
        (["pass", "pass"], "pass", True),
        (["pass", "kink"], "kink", True),
        (["kink", "inconclusive"], "inconclusive", False),
        (["inconclusive", "fail", "pass"], "fail", False),
    ],
)
def test_the_most_serious_verdict_counts(verdicts, overall, passed):
    report = report_of(*verdicts)
    assert report.verdict == overall
    assert report.passed is passed
    assert report.worst.verdict == overall


def product_report():
    def forward(a, b):
        return a * b, (a, b)

    def backward(dy, cache):
        a, b = cache
        da = dy * b
        da[1, 2] = 7.5
        return da, (dy * a)[:, :2]

    rng = np.random.default_rng(0)
    return check_vjp(forward, backward, [rng.normal(size=(2, 3)), rng.normal(size=(2, 3))], seed=5)


def test_the_table_shows_what_matters():
    text = str(product_report())
    first, header, *rows = text.splitlines()
    assert first == "check_vjp(forward, backward): FAIL"
    assert header.split()[:3] == ["argument", "shape", "verdict"]
    for part in ("a ", "(2, 3)", "FAIL", "(1, 2)", "7.5", "complex step"):
        assert part in rows[0]
    assert "1 of 6" in rows[1]
    assert "shape (2, 2)" in text
    assert rows[-1] == "reproduce: check_vjp(forward, backward, args, seed=5)"


def test_a_notebook_shows_what_print_shows():
    report = product_report()
    page = report._repr_html_()
    root = ElementTree.fromstring(f"<div>{page.replace('<br>', '<br/>')}</div>")
    words = " ".join(" ".join(root.itertext()).split())
    for line in str(report).splitlines():
        for part in re.split(r"\s{2,}", line.strip()):
            assert part in words, part
    assert len(root.findall(".//tbody/tr")) >= len(report.entries)


def test_html_is_escaped():
    report = Report("a <check>", (Entry("a<b", (2,), "pass"),), 0, "check('<>')")
    assert "<check>" not in report._repr_html_()
    assert "a&lt;b" in report._repr_html_()


def test_json_round_trip():
    report = product_report()
    content = json.loads(report.to_json())
    assert content["verdict"] == "fail"
    assert content["passed"] is False
    assert content["seed"] == 5
    assert content["reproduce"] == report.reproduce
    assert len(content["entries"]) == len(report.entries) == 2
    for found, entry in zip(content["entries"], report.entries, strict=True):
        assert (found["name"], tuple(found["shape"])) == (entry.name, entry.shape)
        assert found["verdict"] == entry.verdict
        assert found["hint"] == entry.hint
        assert found["errors"] == entry.errors
    assert content["entries"][0]["index"] == [1, 2]
    assert content["entries"][0]["analytic"] == 7.5
    assert math.isnan(report.entries[1].analytic)
    assert content["entries"][1]["analytic"] is None


def report_with_checks(*verdicts):
    checks = tuple(Check(f"check {k}", verdict, f"detail {k}") for k, verdict in enumerate(verdicts))
    return Report("a check", (Entry("x", (2,), "pass"),), 7, "check()", checks)


@pytest.mark.parametrize(
    ("verdicts", "overall"),
    [
        (["pass", "note"], "pass"),
        (["inconclusive", "note"], "inconclusive"),
        (["pass", "fail", "inconclusive"], "fail"),
    ],
)
def test_checks_count(verdicts, overall):
    report = report_with_checks(*verdicts)
    assert report.verdict == overall
    assert report.passed is (overall == "pass")


def test_checks_are_summed_up_in_a_line():
    assert "other checks: all 2 passed, but see the notes\nnote: check 2: detail 2\nreproduce" in str(
        report_with_checks("pass", "pass", "note")
    )
    text = str(report_with_checks("pass", "fail", "note"))
    assert "1 of 3 did not pass" in text
    assert "FAIL check 1: detail 1" in text
    assert json.loads(report_with_checks("pass").to_json())["checks"] == [
        {"name": "check 0", "verdict": "pass", "detail": "detail 0"}
    ]


def test_junit():
    suite = ElementTree.fromstring(report_with_checks("pass", "fail", "note", "inconclusive").to_junit())
    assert suite.tag == "testsuite"
    assert (suite.get("tests"), suite.get("failures")) == ("5", "2")
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == [
        "gradient of x",
        "check 0",
        "check 1",
        "check 2",
        "check 3",
    ]
    assert [case.find("failure") is not None for case in cases] == [False, False, True, False, True]
    assert cases[2].find("failure").get("message") == "detail 1"
    assert {p.get("name"): p.get("value") for p in suite.iter("property")}["seed"] == "7"
