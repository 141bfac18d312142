import json
import math

import numpy as np
import pytest

from npvae.gradcheck import Entry, Report, check_vjp


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
