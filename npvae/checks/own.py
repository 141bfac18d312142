"""Checks of npvae itself with its own gradient checker."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from npvae import kernels
from npvae.checks.kernel_twins import check_twins, twin_names
from npvae.checks.networks import check_case, network_cases
from npvae.checks.pairs import check_pair, pair_cases
from npvae.gradcheck import Report

DTYPES = ("float64", "float32")


class Label(NamedTuple):
    """What was checked: which part, in which dtype, on which kernels."""

    part: str
    dtype: str
    kernels: str

    def __str__(self) -> str:
        return f"{self.part} ({self.dtype}, {self.kernels} kernels)"


class OwnCheck(NamedTuple):
    """A check that has not been run yet."""

    label: Label
    run: Callable[[int], Report]  # from a seed


def own_checks() -> list[OwnCheck]:
    """Return all checks of npvae without running them.

    Every pair and every network is checked in both dtypes, on the compiled kernels and on their NumPy twins.
    Every compiled kernel is compared with its twin.
    """
    parts: dict[str, Callable[[npt.DTypeLike, int], Report]] = {}
    parts |= {name: partial(check_pair, case) for name, case in pair_cases().items()}
    parts |= {name: partial(check_case, network) for name, network in network_cases().items()}
    checks = [
        OwnCheck(Label(name, dtype, choice), partial(_run_on, choice, check, dtype))
        for name, check in parts.items()
        for dtype in DTYPES
        for choice in kernels.CHOICES
    ]
    twins = [
        OwnCheck(Label(f"twin {name}", dtype, "compiled"), partial(check_twins, name, np.dtype(dtype)))
        for name in twin_names()
        for dtype in DTYPES
    ]
    return checks + twins


def iterate_own_checks(seed: int) -> Iterator[tuple[Label, Report]]:
    """Run the checks one after another.

    Parameters
    ----------
    seed : int
        Seed for all arguments and directions.

    Yields
    ------
    label : Label
    report : Report
    """
    for check in own_checks():
        yield check.label, check.run(seed)


def run_own_checks(seed: int) -> list[tuple[Label, Report]]:
    """Run all checks; see `iterate_own_checks`."""
    return list(iterate_own_checks(seed))


def _run_on(
    choice: str, check: Callable[[npt.DTypeLike, int], Report], dtype: npt.DTypeLike, seed: int
) -> Report:
    with kernels.using(choice):
        return check(np.dtype(dtype), seed)
