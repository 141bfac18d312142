"""What a check found: one entry for each argument, as a table and as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Verdict = Literal["pass", "kink", "inconclusive", "fail"]

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
        Where the gradient is worst; None for a random projection, or where nothing could be compared.
    analytic, numeric : float
        The two values there. At a kink `numeric` is the mean of the one-sided slopes.
    error : float
        Relative error there: abs(analytic - numeric) over the largest numeric value of this argument. At a
        kink, the distance to the interval between the one-sided slopes takes the place of the numerator.
    error_bar : float
        The oracle's own error bar there, absolute.
    tolerance : float
        The largest abs(analytic - numeric) that passes there: the error bar, and what rounding in the
        analytic gradient may amount to.
    method : str
        The oracle that was trusted: "complex step" or "central differences".
    errors : dict of str to float
        The largest relative error of this argument against each oracle that was used, kinks left out.
    checked : str
        What was compared: how many entries, how many projections.
    hint : str
        What the numbers look like, or why they say little; may be empty.
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

    Notes
    -----
    The verdicts, of an entry and of the whole report (its most serious entry's):

    - "pass": the gradient agrees with the trusted oracle within the tolerance, everywhere it was compared.
    - "kink": as "pass", but at some entries the function has no derivative, and there the gradient lies
      between the slopes from the left and from the right. Correct code can do no better: it counts as passed.
    - "inconclusive": the oracles cannot decide. They contradict each other, or the gradient is smaller than
      their noise. It does not count as passed.
    - "fail": the gradient is wrong.
    """

    title: str
    entries: tuple[Entry, ...]
    seed: int
    reproduce: str

    @property
    def verdict(self) -> Verdict:
        """The most serious verdict of all entries."""
        return worst_verdict([entry.verdict for entry in self.entries])

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
        }
        return json.dumps(_finite(content), indent=2, allow_nan=False)

    def __str__(self) -> str:
        header = (
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
        rows = [header, *(_row(entry) for entry in self.entries)]
        widths = [max(len(row[k]) for row in rows) for k in range(len(header))]
        lines = [f"{self.title}: {self.verdict.upper()}"]
        for row, entry in zip(rows, (None, *self.entries), strict=True):
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            lines.append(("  " + "  ".join(cells)).rstrip())
            if entry is not None and entry.hint:
                lines.append(f"      {entry.hint}")
        lines.append(f"reproduce: {self.reproduce}")
        return "\n".join(lines)


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


def _finite(value: Any) -> Any:
    """Replace floats that JSON cannot hold by None, at any depth."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
