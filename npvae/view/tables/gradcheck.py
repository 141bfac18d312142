"""Gradient checks as tables for the terminal, at most 100 columns wide."""

import math
import textwrap
from collections.abc import Sequence

from npvae.checks.own import DTYPES, Label
from npvae.checks.planted import FaultResult
from npvae.gradcheck import Report
from npvae.kernels import CHOICES

_COLUMNS = [(dtype, choice) for dtype in DTYPES for choice in CHOICES]


def own_table(results: Sequence[tuple[Label, Report]]) -> str:
    """Format npvae's own checks as text: one line per part, one column per dtype and set of kernels.

    Parameters
    ----------
    results : sequence of (Label, Report)
        From `npvae.checks.own.run_own_checks`.

    Returns
    -------
    str
        Followed by the full reports of checks that did not pass, which may be wider.
    """
    by_part: dict[str, dict[tuple[str, str], Report]] = {}
    for label, report in results:
        by_part.setdefault(label.part, {})[label.dtype, label.kernels] = report
    failed = [(label, report) for label, report in results if not report.passed]
    passed = len(results) - len(failed)
    lines = [
        "Largest relative error of a gradient, by dtype and kernels",
        f"{'':<46}" + "".join(f"{dtype:>13}" for dtype, _ in _COLUMNS),
        f"{'':<46}" + "".join(f"{choice:>13}" for _, choice in _COLUMNS),
    ]
    for part, reports in by_part.items():
        cells = (_cell(reports.get(column)) for column in _COLUMNS)
        lines.append(f"{part:<46}" + "".join(f"{cell:>13}" for cell in cells))
    lines += ["", f"{passed} of {len(results)} checks passed"]
    for label, report in failed:
        lines += ["", str(label), str(report)]
    return "\n".join(line.rstrip() for line in lines)


def planted_table(results: Sequence[FaultResult]) -> str:
    """Format the results of planted faults as text: two lines per fault, and a summary by group.

    Parameters
    ----------
    results : sequence of FaultResult
        From `npvae.checks.planted.run_planted_faults`.

    Returns
    -------
    str
    """
    lines = [f"{'planted fault':<40}{'caught':>14}{'correct twin cleared':>26}"]
    group = ""
    for row in results:
        if row.fault.group != group:
            group = row.fault.group
            lines += ["", group]
        caught = f"{row.runs - len(row.missed)} of {row.runs}"
        cleared = f"{row.runs - len(row.alarms)} of {row.runs}"
        remark = "" if row.as_expected else "   <--"
        name = row.fault.name + (" *" if not row.fault.decidable else "")
        lines.append(f"  {name:<38}{caught:>14}{cleared:>26}{remark}")
        lines += textwrap.wrap(row.fault.story, 94, initial_indent="      ", subsequent_indent="      ")
    if not all(row.fault.decidable for row in results):
        lines += [
            "",
            '* cannot be decided: "inconclusive" counts as caught for the fault, and as cleared for its twin',
        ]
    groups: dict[str, list[FaultResult]] = {}
    for row in results:
        groups.setdefault(row.fault.group, []).append(row)
    lines += ["", f"{'':<24}{'faults':>8}{'checks':>10}{'caught':>10}{'correct twins not cleared':>28}"]
    for name, rows in [*groups.items(), ("all", list(results))]:
        runs = sum(row.runs for row in rows)
        missed = sum(len(row.missed) for row in rows)
        alarms = sum(len(row.alarms) for row in rows)
        lines.append(f"{name:<24}{len(rows):>8}{runs:>10}{runs - missed:>10}{alarms:>28}")
    for row in results:
        for what, places in (("missed", row.missed), ("its correct twin was not cleared", row.alarms)):
            if places:
                size, seed = places[0]
                lines.append(f"{row.fault.name}: {what}, first at size {size} with seed {seed}")
    return "\n".join(line.rstrip() for line in lines)


def _cell(report: Report | None) -> str:
    if report is None:
        return "-"
    if not report.passed:
        return report.verdict.upper()
    errors = [entry.error for entry in report.entries if not math.isnan(entry.error)]
    return f"{max(errors, default=0.0):.0e}"
