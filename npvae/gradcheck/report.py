"""Reports of checks, with an entry for each argument and each other check; as text, JSON and JUnit XML."""

from __future__ import annotations

import enum
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any, Literal
from xml.etree import ElementTree

Verdict = Literal["pass", "kink", "inconclusive", "fail"]


class Reason(enum.Enum):
    """The reason for a verdict that is not a plain "pass" or "fail"."""

    NONE = ""
    ZERO = "the gradient is exactly zero"
    SMALL = "the gradient is smaller than the oracle's error bar"
    EMPTY = "there are no entries"
    KINK = "there is no derivative"
    CROWDED = "several kinks meet"
    DISAGREE = "the oracles disagree"
    UNDEFINED = "the forward is not finite"
    WIDE = "the error bars are too wide"
    ROUNDING = "the difference may be rounding"
    ILL_CONDITIONED = "rounding of the arguments moves the gradient"
    NO_COMPLEX_STEP = "central differences alone"
    UNCONFIRMED = "the complex step alone"
    NOT_COMPARED = "nothing was compared"
    SLIGHT = "the gradient is wrong by little"

    @property
    def vacuous(self) -> bool:
        """Whether the numbers say nothing."""
        return self in (Reason.ZERO, Reason.SMALL, Reason.EMPTY)


_SEVERITY: tuple[Verdict, ...] = ("pass", "kink", "inconclusive", "fail")


def worst_verdict(verdicts: list[Verdict]) -> Verdict:
    """Return the most serious of several verdicts: fail, inconclusive, kink, pass, in this order."""
    return max(verdicts, key=_SEVERITY.index, default="pass")


@dataclass(frozen=True)
class Entry:
    """The verdict on the gradient of one argument.

    Attributes
    ----------
    name : str
        The argument's name.
    shape : tuple of int
        The argument's shape.
    verdict : {"pass", "kink", "inconclusive", "fail"}
        See `Report`.
    index : tuple of int or None
        The entry with the worst verdict and, among those, the largest error; None for a random projection, or
        if nothing could be compared.
    analytic, numeric : float
        The two values there. At a kink `numeric` is the mean of the one-sided slopes.
    error : float
        Relative error there: abs(analytic - numeric) over the largest numeric value of this argument. At a
        kink, the numerator is the distance from the interval between the one-sided slopes.
    error_bar : float
        The oracle's own error bar there, absolute.
    tolerance : float
        The largest abs(analytic - numeric) that passes there: the error bar plus the largest error that
        rounding may cause in the analytic gradient.
    method : str
        The oracle that was trusted: "complex step" or "central differences".
    errors : dict of str to float
        The largest relative error of this argument against each oracle that was used, without kinks.
    checked : str
        What was compared: how many entries, how many projections.
    hint : str
        What kind of error the numbers show, or why they are not conclusive; may be empty.
    reason : Reason
        The reason for the verdict, as a category.
    """

    name: str
    shape: tuple[int, ...]
    verdict: Verdict
    index: tuple[int, ...] | None = None
    analytic: float = math.nan
    numeric: float = math.nan
    error: float = math.nan
    error_bar: float = math.nan
    tolerance: float = math.nan
    method: str = ""
    errors: dict[str, float] = field(default_factory=dict)
    checked: str = ""
    hint: str = ""
    reason: Reason = Reason.NONE

    @property
    def recognised(self) -> bool:
        """Whether the hint describes the error of a wrong gradient."""
        return bool(self.hint) and self.reason in (Reason.NONE, Reason.SLIGHT)


@dataclass(frozen=True)
class Check:
    """One thing that was checked in addition to the gradients' values.

    Attributes
    ----------
    name : str
        What was checked: "repeatable", "stale cache", "N = 1", ...
    verdict : {"pass", "note", "inconclusive", "fail"}
        Notes are informational; some say why nothing was checked.
    detail : str
        What was found; empty for "pass".
    """

    name: str
    verdict: Literal["pass", "note", "inconclusive", "fail"]
    detail: str = ""


def one_cause(entries: Sequence[Entry]) -> list[Check]:
    """Note that several gradients that are slightly wrong may have one cause."""
    names = [entry.name for entry in entries if entry.reason is Reason.SLIGHT]
    if len(names) < 2:
        return []
    text = (
        f"{', '.join(names)} are all slightly off; a single constant in the forward may explain all of them"
    )
    return [Check("one cause", "note", text)]


@dataclass(frozen=True)
class Report:
    """The result of a check; `print(report)` shows it as a table.

    Attributes
    ----------
    title : str
        What was checked.
    entries : tuple of Entry
        One for each argument.
    seed : int
        The seed of the upstream gradient and of the sampled directions.
    reproduce : str
        The call that repeats the check.
    checks : tuple of Check
        What was checked in addition to the values: the protocol of forward and backward, and variations
        of the inputs.

    Notes
    -----
    The verdicts, of an entry and of the whole report (the most serious of its entries and checks):

    - "pass": the gradient agrees with the trusted oracle within the tolerance, everywhere it was compared.
    - "kink": as "pass", but at some entries the function has no derivative, and there the gradient lies
      between the slopes from the left and from the right. Correct code can do no better, so this passes.
    - "inconclusive": the oracles cannot decide. They contradict each other, or the gradient is smaller than
      their noise. It does not count as passed.
    - "fail": the gradient is wrong, or one of `checks` failed.
    """

    title: str
    entries: tuple[Entry, ...]
    seed: int
    reproduce: str
    checks: tuple[Check, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The most serious verdict of all entries and checks."""
        found = [check.verdict for check in self.checks]
        return worst_verdict(
            [entry.verdict for entry in self.entries]
            + [verdict for verdict in found if verdict == "fail" or verdict == "inconclusive"]
        )

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed or decided nothing."""
        return tuple(check for check in self.checks if check.verdict in ("fail", "inconclusive"))

    @property
    def notes(self) -> tuple[Check, ...]:
        """The checks that ended in a note."""
        return tuple(check for check in self.checks if check.verdict == "note")

    @property
    def passed(self) -> bool:
        """Whether the verdict is "pass" or "kink"."""
        return self.verdict in ("pass", "kink")

    @property
    def worst(self) -> Entry:
        """The entry with the most serious verdict and, among those, the largest error."""
        return max(
            self.entries,
            key=lambda entry: (
                _SEVERITY.index(entry.verdict),
                math.inf if math.isnan(entry.error) else entry.error,
            ),
        )

    def to_json(self) -> str:
        """Return the report as JSON; numbers that are not finite become null."""
        content = {
            "title": self.title,
            "verdict": self.verdict,
            "passed": self.passed,
            "seed": self.seed,
            "reproduce": self.reproduce,
            "entries": [asdict(entry) for entry in self.entries],
            "checks": [asdict(check) for check in self.checks],
        }
        return json.dumps(_finite(content), indent=2, allow_nan=False)

    def to_junit(self) -> str:
        """Return the report as JUnit XML: one test case for each argument and each check."""
        cases: list[tuple[str, str, str, str]] = [
            (
                f"gradient of {entry.name}",
                entry.verdict,
                f"{entry.hint or 'wrong'}; analytic {entry.analytic:.8g}, numeric {entry.numeric:.8g} "
                f"at {entry.index or 'a projection'}",
                entry.hint,
            )
            for entry in self.entries
        ]
        cases += [(check.name, check.verdict, check.detail, check.detail) for check in self.checks]
        bad = str(sum(case[1] in ("fail", "inconclusive") for case in cases))
        suite = ElementTree.Element(
            "testsuite", name=self.title, tests=str(len(cases)), failures=bad, errors="0", skipped="0"
        )
        properties = ElementTree.SubElement(suite, "properties")
        for name, value in (("seed", str(self.seed)), ("reproduce", self.reproduce)):
            ElementTree.SubElement(properties, "property", name=name, value=value)
        for name, verdict, message, remark in cases:
            case = ElementTree.SubElement(suite, "testcase", classname=self.title, name=name)
            if verdict in ("fail", "inconclusive"):
                failure = ElementTree.SubElement(case, "failure", type=verdict, message=_printable(message))
                failure.text = _printable(str(self))
            elif remark:
                ElementTree.SubElement(case, "system-out").text = _printable(remark)
        return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"

    def __str__(self) -> str:
        rows = [_HEADER, *(_row(entry) for entry in self.entries)]
        widths = [max(len(row[k]) for row in rows) for k in range(len(_HEADER))]
        lines = [self._head()]
        for row, entry in zip(rows, (None, *self.entries), strict=True):
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            lines.append(("  " + "  ".join(cells)).rstrip())
            if entry is not None and entry.hint:
                lines.append(f"      {entry.hint}")
        return "\n".join([*lines, *self._closing()])

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(name)}</th>" for name in _HEADER)
        rows = []
        for entry in self.entries:
            cells = "".join(f"<td>{escape(cell)}</td>" for cell in _row(entry))
            rows.append(f"<tr>{cells}</tr>")
            if entry.hint:
                rows.append(f'<tr><td colspan="{len(_HEADER)}">{escape(entry.hint)}</td></tr>')
        return (
            f"<p><strong>{escape(self._head())}</strong></p>\n"
            f"<table><thead><tr>{head}</tr></thead>\n<tbody>{''.join(rows)}</tbody></table>\n"
            f"<p>{'<br>'.join(escape(line) for line in self._closing())}</p>"
        )

    def _head(self) -> str:
        vacuous = sum(entry.reason.vacuous for entry in self.entries)
        told = f", {vacuous} of {len(self.entries)} gradients vacuous" if vacuous else ""
        return f"{self.title}: {self.verdict.upper()}{told}"

    def _closing(self) -> list[str]:
        """Return the lines below the table: other checks, notes, how to repeat it."""
        lines = []
        if self.failures:
            lines.append(f"other checks: {len(self.failures)} of {len(self.checks)} did not pass")
        elif self.checks:
            done = sum(check.verdict == "pass" for check in self.checks)
            lines.append(f"other checks: all {done} passed" + (", but see the notes" if self.notes else ""))
        for check in self.failures:
            lines.append(f"  {_loud(check.verdict)} {check.name}: {check.detail}")
        lines += [f"note: {check.name}: {check.detail}" for check in self.notes]
        return [*lines, f"reproduce: {self.reproduce}"]


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


def _loud(verdict: str) -> str:
    return verdict.upper() if verdict == "fail" else verdict


def _row(entry: Entry) -> tuple[str, ...]:
    if entry.index is not None:
        where = str(entry.index)
    else:
        where = "-" if math.isnan(entry.analytic) else "projection"
    return (
        entry.name,
        str(entry.shape),
        _loud(entry.verdict),
        where,
        f"{entry.analytic:.8g}",
        f"{entry.numeric:.8g}",
        f"{entry.error_bar:.1e}",
        f"{entry.error:.1e}",
        entry.method or "-",
        entry.checked or "-",
    )


def _finite(value: Any) -> Any:
    """Replace floats that JSON cannot hold by None, at any depth."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _printable(text: str) -> str:
    """Drop the control characters that XML cannot hold."""
    return "".join(c for c in text if c >= " " or c in "\n\t")
