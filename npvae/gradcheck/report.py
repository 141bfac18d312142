"""What a check found: one entry for each argument, and one line for everything else that was looked at."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

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
class Check:
    """One thing that was looked at beside the gradients' values.

    Attributes
    ----------
    name : str
        What was looked at: "repeatable", "stale cache", "read-only inputs", ...
    verdict : {"pass", "note", "inconclusive", "fail"}
        A note is no reproach: something that the reader may want to know, or why nothing was looked at.
    detail : str
        What was found; empty for "pass".
    """

    name: str
    verdict: Literal["pass", "note", "inconclusive", "fail"]
    detail: str = ""


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
        What was looked at beside the gradients' values: the protocol of forward and backward, and variations
        of the inputs.

    Notes
    -----
    The verdicts, of an entry and of the whole report (the most serious of its entries and checks):

    - "pass": the gradient agrees with the trusted oracle within the tolerance, everywhere it was compared.
    - "kink": as "pass", but at some entries the function has no derivative, and there the gradient lies
      between the slopes from the left and from the right. Correct code can do no better: it counts as passed.
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
        from .rendering import as_json

        return as_json(self)

    def to_junit(self) -> str:
        """Return the report as JUnit XML: one test case for each argument and each check."""
        from .rendering import as_junit

        return as_junit(self)

    def __str__(self) -> str:
        from .rendering import as_table

        return as_table(self)
