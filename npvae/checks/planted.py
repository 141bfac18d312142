"""Run the catalogue of planted faults: count faults that are caught, and correct twins that are rejected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from npvae.checks.faults import FAULTS, Fault, Implementation, pair_of
from npvae.gradcheck import Report, check_vjp

SIZES = (2, 3, 10, 50, 400)


@dataclass
class FaultResult:
    """Results of the checks of one fault and of its correct twin.

    Attributes
    ----------
    fault : Fault
    runs : int
        Number of checks of each.
    missed : list of (size, seed)
        Checks in which the fault was not caught.
    alarms : list of (size, seed)
        Checks in which the correct twin was not cleared.
    """

    fault: Fault
    runs: int = 0
    missed: list[tuple[int, int]] = field(default_factory=list)
    alarms: list[tuple[int, int]] = field(default_factory=list)

    @property
    def as_expected(self) -> bool:
        """Whether the fault was caught every time and the correct twin cleared every time."""
        return not self.missed and not self.alarms


def check(implementation: Implementation, fault: Fault, size: int, seed: int) -> Report:
    """Check the faulty or the correct implementation of a fault.

    Parameters
    ----------
    implementation : Pair or class
        ``fault.wrong`` or ``fault.correct``.
    fault : Fault
        Determines the arguments, and which of them have a gradient.
    size : int
        The approximate width of the layers.
    seed : int
        Seed for the arguments and for everything random in the check.

    Returns
    -------
    Report
    """
    forward, backward = pair_of(implementation)
    args = fault.make_args(np.random.default_rng(seed), size)
    return check_vjp(forward, backward, args, wrt=fault.wrt, seed=seed)


def caught(fault: Fault, size: int, seed: int) -> bool:
    """Say whether the checker finds a fault: the verdict is "fail", or nothing can be checked at all.

    If the fault is not decidable (`Fault.decidable`), "inconclusive" is enough.
    """
    try:
        report = check(fault.wrong, fault, size, seed)
    except (ValueError, TypeError):  # a gradient so wrong that it is refused
        return True
    return report.verdict == "fail" or (not fault.decidable and not report.passed)


def cleared(fault: Fault, size: int, seed: int) -> bool:
    """Say whether the correct twin of a fault passes or, if the fault is not decidable, does not fail."""
    report = check(fault.correct, fault, size, seed)
    return report.passed or (not fault.decidable and report.verdict != "fail")


def run_planted_faults(
    seeds: Iterable[int], sizes: Sequence[int] = SIZES, names: Iterable[str] = FAULTS
) -> Iterator[list[FaultResult]]:
    """Check faults and their twins at every size with every seed.

    Parameters
    ----------
    seeds : iterable of int
    sizes : sequence of int
    names : iterable of str
        Which faults; all by default.

    Yields
    ------
    list of FaultResult
        After each seed, the results so far, one for each fault. It is the same list every time.

    Notes
    -----
    A correct twin that several faults share is checked only once for each size and seed.
    """
    results = [FaultResult(FAULTS[name]) for name in names]
    for seed in seeds:
        for size in sizes:
            twins: dict[tuple[object, ...], bool] = {}
            for row in results:
                fault = row.fault
                twin = (fault.correct, fault.make_args)
                if twin not in twins:
                    twins[twin] = cleared(fault, size, seed)
                row.runs += 1
                if not twins[twin]:
                    row.alarms.append((size, seed))
                if not caught(fault, size, seed):
                    row.missed.append((size, seed))
        yield results
