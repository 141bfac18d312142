"""Run the catalogue of planted faults: count those that are caught, and correct twins that do not pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from npvae.checks.faults import FAULTS, Fault, Implementation, pair_of
from npvae.gradcheck import Report, check_vjp

SIZES = (2, 3, 10, 50, 400)


@dataclass
class Kills:
    """What became of one fault, and of the correct function beside it.

    Attributes
    ----------
    fault : Fault
    runs : int
        How often each of the two was checked.
    missed : list of (size, seed)
        Where the fault was not caught.
    alarms : list of (size, seed)
        Where the correct twin did not pass.
    """

    fault: Fault
    runs: int = 0
    missed: list[tuple[int, int]] = field(default_factory=list)
    alarms: list[tuple[int, int]] = field(default_factory=list)

    @property
    def as_it_should_be(self) -> bool:
        """Whether the fault was caught every time and the correct twin passed every time."""
        return not self.missed and not self.alarms


def check(implementation: Implementation, fault: Fault, size: int, seed: int) -> Report:
    """Check the faulty or the correct implementation of a fault.

    Parameters
    ----------
    implementation : Pair or class
        ``fault.wrong`` or ``fault.correct``.
    fault : Fault
        Says which arguments to make, and which of them have a gradient.
    size : int
        About how many units wide.
    seed : int
        Draws the arguments and everything in the check.

    Returns
    -------
    Report
    """
    forward, backward = pair_of(implementation)
    args = fault.make_args(np.random.default_rng(seed), size)
    return check_vjp(forward, backward, args, wrt=fault.wrt, seed=seed)


def caught(fault: Fault, size: int, seed: int) -> bool:
    """Say whether the checker finds a fault: the verdict is "fail", or nothing can be checked at all."""
    try:
        return check(fault.wrong, fault, size, seed).verdict == "fail"
    except (ValueError, TypeError):  # a gradient so wrong that it is refused
        return True


def run_planted_faults(
    seeds: Iterable[int], sizes: Sequence[int] = SIZES, names: Iterable[str] = FAULTS
) -> Iterator[list[Kills]]:
    """Check faults and their twins at every size with every seed.

    Parameters
    ----------
    seeds : iterable of int
    sizes : sequence of int
    names : iterable of str
        Which faults; all by default.

    Yields
    ------
    list of Kills
        The counts up to now, one for each fault, after each seed. The list is the same one every time.

    Notes
    -----
    Several faults have one correct twin; it is checked once for all of them.
    """
    kills = [Kills(FAULTS[name]) for name in names]
    for seed in seeds:
        for size in sizes:
            passed: dict[tuple[object, ...], bool] = {}
            for row in kills:
                fault = row.fault
                twin = (fault.correct, fault.make_args)
                if twin not in passed:
                    passed[twin] = check(fault.correct, fault, size, seed).passed
                row.runs += 1
                if not passed[twin]:
                    row.alarms.append((size, seed))
                if not caught(fault, size, seed):
                    row.missed.append((size, seed))
        yield kills
