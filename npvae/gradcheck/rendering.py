"""A report as a table, as JSON and as JUnit XML."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any
from xml.etree import ElementTree

from .report import Entry, Report

_HEADER = (
    "argument",
    "shape",
    "verdict",
    "worst at",
    "analytic",
    "numeric",
    "+-",
    "rel. error",
    "method",
    "checked",
)


def as_table(report: Report) -> str:
    """Show a report: a row for each argument, a line on the checks, notes, how to repeat it."""
    rows = [_HEADER, *(_row(entry) for entry in report.entries)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(_HEADER))]
    vacuous = sum(entry.hint.startswith("vacuous") for entry in report.entries)
    told = f", {vacuous} of {len(report.entries)} gradients vacuous" if vacuous else ""
    lines = [f"{report.title}: {report.verdict.upper()}{told}"]
    for row, entry in zip(rows, (None, *report.entries), strict=True):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append(("  " + "  ".join(cells)).rstrip())
        if entry is not None and entry.hint:
            lines.append(f"      {entry.hint}")
    lines += _check_lines(report)
    lines.append(f"reproduce: {report.reproduce}")
    return "\n".join(lines)


def _check_lines(report: Report) -> list[str]:
    if not report.checks:
        return []
    if not report.failures:
        done = sum(check.verdict == "pass" for check in report.checks)
        lines = [f"other checks: all {done} passed" + (", but see the notes" if report.notes else "")]
    else:
        lines = [f"other checks: {len(report.failures)} of {len(report.checks)} did not pass"]
        for check in report.failures:
            word = check.verdict.upper() if check.verdict == "fail" else check.verdict
            lines.append(f"  {word} {check.name}: {check.detail}")
    return lines + [f"note: {check.name}: {check.detail}" for check in report.notes]


def _row(entry: Entry) -> tuple[str, ...]:
    if entry.index is not None:
        where = str(entry.index)
    else:
        where = "-" if math.isnan(entry.analytic) else "projection"
    return (
        entry.name,
        str(entry.shape),
        entry.verdict.upper() if entry.verdict == "fail" else entry.verdict,
        where,
        f"{entry.analytic:.8g}",
        f"{entry.numeric:.8g}",
        f"{entry.error_bar:.1e}",
        f"{entry.error:.1e}",
        entry.method or "-",
        entry.checked or "-",
    )


def as_json(report: Report) -> str:
    """Return a report as JSON; numbers that are not finite become null."""
    content = {
        "title": report.title,
        "verdict": report.verdict,
        "passed": report.passed,
        "seed": report.seed,
        "reproduce": report.reproduce,
        "entries": [asdict(entry) for entry in report.entries],
        "checks": [asdict(check) for check in report.checks],
    }
    return json.dumps(_finite(content), indent=2, allow_nan=False)


def _finite(value: Any) -> Any:
    """Replace floats that JSON cannot hold by None, at any depth."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def as_junit(report: Report) -> str:
    """Return a report as JUnit XML: one test case for each argument and each check."""
    cases: list[tuple[str, str, str, str]] = [
        (
            f"gradient of {entry.name}",
            entry.verdict,
            f"{entry.hint or 'wrong'}; analytic {entry.analytic:.8g}, numeric {entry.numeric:.8g} "
            f"at {entry.index or 'a projection'}",
            entry.hint,
        )
        for entry in report.entries
    ]
    cases += [(check.name, check.verdict, check.detail, check.detail) for check in report.checks]
    bad = [case for case in cases if case[1] in ("fail", "inconclusive")]
    suite = ElementTree.Element(
        "testsuite", name=report.title, tests=str(len(cases)), failures=str(len(bad)), errors="0", skipped="0"
    )
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (("seed", str(report.seed)), ("reproduce", report.reproduce)):
        ElementTree.SubElement(properties, "property", name=name, value=value)
    for name, verdict, message, remark in cases:
        case = ElementTree.SubElement(suite, "testcase", classname=report.title, name=name)
        if verdict in ("fail", "inconclusive"):
            failure = ElementTree.SubElement(case, "failure", type=verdict, message=_printable(message))
            failure.text = _printable(str(report))
        elif remark:
            ElementTree.SubElement(case, "system-out").text = _printable(remark)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _printable(text: str) -> str:
    """Drop the control characters that XML cannot hold."""
    return "".join(c for c in text if c >= " " or c in "\n\t")
