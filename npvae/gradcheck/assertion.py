"""Gradient checks as assertions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .report import Report
from .vjp import check_vjp


def assert_passed(report: Report) -> Report:
    """Return a report that passed; raise an AssertionError with the printed report otherwise."""
    if not report.passed:
        raise AssertionError(f"\n{report}")
    return report


def assert_gradients(
    forward: Callable[..., tuple[Any, Any]],
    backward: Callable[[Any, Any], Any],
    args: Sequence[Any],
    **options: Any,
) -> Report:
    """Check a backward as `check_vjp` does, and raise unless it passes.

    Parameters
    ----------
    forward, backward, args, **options
        As for `check_vjp`.

    Returns
    -------
    Report

    Raises
    ------
    AssertionError
        With the printed report, when its verdict is neither "pass" nor "kink".
    """
    return assert_passed(check_vjp(forward, backward, args, **options))
