"""Switch off one mechanism of the gradient checker at a time, and see what it is needed for.

    python benchmarks/gradcheck_ablation.py [--sizes 3 10 100] [--seeds 2] [--only NAME ...] [--out FILE.json]

The catalogue of planted faults is checked with the whole checker, and again with each mechanism of `OFF`
switched off. Prints, for each, the faults that are missed without it and the correct functions that are not
cleared, at one point or more. Exits 1 if the whole checker misses a fault or does not clear a correct
function.
"""

import argparse
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from measuring import write_json
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from npvae.checks.faults import pair_of
from npvae.checks.planted import run_planted_faults
from npvae.gradcheck.protocol import _CHECKS
from npvae.gradcheck.report import Reason
from npvae.gradcheck.variations import _VARIATIONS

Switch = Callable[[Any], Any]  # is told what it replaces, and returns what takes its place
WHOLE = "nothing"


def always(value: Any) -> Switch:
    """Replace a function by one that returns the same each time."""
    return lambda original: lambda *args, **options: value


def omitting(name: str) -> Switch:
    """Leave one entry out of a dict."""
    return lambda original: {key: value for key, value in original.items() if key != name}


def without_probes(single: bool) -> Switch:
    """Leave out single entries, or projections, where there are both."""

    def switch(choose_probes: Callable[..., Any]) -> Callable[..., Any]:
        def chosen(*args: Any) -> Any:
            probes = choose_probes(*args)
            return [p for p in probes if (p.index is None) == single] or probes

        return chosen

    return switch


def one_level(central_difference: Callable[..., Any]) -> Callable[..., Any]:
    """Take differences with the first step alone, and no finer ones."""
    return lambda phi, value, step, smallest, noise: central_difference(phi, value, step, step, noise)


def both_sides_alone(surroundings: Callable[..., Any]) -> Callable[..., Any]:
    """Know the slopes from the left and from the right at a kink, and none beside it."""

    def found(objective: Any, probe: Any, difference: Any, rng: Any) -> Any:
        half = difference.jump / 2
        ends = [difference.value - half, difference.value + half]
        return replace(surroundings(objective, probe, difference, rng), slopes=ends, crowded=False)

    return found


def always_confirmed(confirmed: Callable[..., bool]) -> Callable[..., bool]:
    """Take the numeric gradient for confirmed at any precision."""
    return lambda measurement, precision: True


def no_condition(condition: Callable[..., Any]) -> Callable[..., Any]:
    """Say that rounding of the arguments moves nothing."""
    return lambda case, *args, **options: np.zeros((1, len(case.positions)))


def no_terms(allowance: Callable[..., float]) -> Callable[..., float]:
    """Allow for the rounding of a gradient's own size alone, not of the terms that cancel in it."""
    return lambda dtype, scale, terms: allowance(dtype, scale, 0.0)


# What is switched off, and how: for each name in npvae.gradcheck, what takes its place.
OFF: dict[str, dict[str, Switch]] = {
    "complex step": {"measure._by_complex_step": always((None, "switched off"))},
    "float64 copies": {"objective.in_float64": always(None)},
    "finer steps": {"differences.central_difference": one_level},
    "noise estimates": {"differences.rounding_noise": always(0.0), "differences.noise_in_table": always(0.0)},
    "lie detection": {"judge._complex_step_lies": always(False)},
    "random projections": {"measure.choose_probes": without_probes(single=False)},
    "single entries of large arrays": {"measure.choose_probes": without_probes(single=True)},
    "neighbourhoods of kinks": {"measure.surroundings": both_sides_alone},
    "kinks term by term": {"kinks._slopes_by_term": always(([], np.zeros(0, np.intp)))},
    "slopes beside kinks": {"kinks.slopes_beside": always([])},
    "ties": {"measure.tied_directions": always([])},
    "rounding of terms that cancel": {"judge.allowance": no_terms},
    "second looks": {
        "objective.Objective.terms_close_by": lambda _: property(lambda self: self.terms_here),
        "case.Case.terms_close_by": lambda _: property(lambda self: self.terms),
    },
    "rounding of the upstream gradient": {"measure.Measurement.confirmed": always_confirmed},
    "conditioning": {"case.Case.condition": no_condition},
    "vacuous gradients": {"judge.Comparison._vacuous": always(Reason.NONE)},
    "a forward that does not repeat": {"checks.fresh_noise": always("")},
    **{f"protocol: {name}": {"protocol._CHECKS": omitting(name)} for name in _CHECKS},
    **{f"variation: {name}": {"variations._VARIATIONS": omitting(name)} for name in _VARIATIONS},
}


@contextmanager
def switched_off(name: str) -> Iterator[None]:
    """Run the checker without a mechanism within a with statement."""
    originals = []
    for path, switch in OFF.get(name, {}).items():
        module, *attributes = path.split(".")
        holder = importlib.import_module(f"npvae.gradcheck.{module}")
        for attribute in attributes[:-1]:
            holder = getattr(holder, attribute)
        original = vars(holder)[attributes[-1]]
        originals.append(partial(setattr, holder, attributes[-1], original))
        setattr(holder, attributes[-1], switch(original))
    try:
        yield
    finally:
        for restore in originals:
            restore()


def name_of(forward: Callable[..., Any]) -> str:
    """Return what a forward is called, without "forward"."""
    return forward.__qualname__.removesuffix("forward").rstrip("._")


def run(name: str, seeds: int, sizes: list[int]) -> dict[str, list[str]]:
    """Return the faults that are missed without a mechanism, and the correct functions not cleared."""
    with switched_off(name), threadpool_limits(1):
        *_, results = run_planted_faults(range(seeds), sizes)
    alarms = [name_of(pair_of(row.fault.correct).forward) for row in results if row.alarms]
    return {
        "missed": [row.fault.name for row in results if row.missed],
        "not cleared": list(dict.fromkeys(alarms)),
    }


def main() -> int:
    """Run the catalogue with everything, then without each, and print the table."""
    parser = argparse.ArgumentParser(description="Switch off mechanisms of the gradient checker.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[3, 10, 100])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=OFF, default=list(OFF), metavar="NAME")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="write all names as JSON")
    args = parser.parse_args()
    names = [WHOLE, *args.only]
    found = {}
    print("| without | faults missed | correct functions not cleared |\n| --- | --- | --- |")
    for name in tqdm(names, desc="switched off"):
        found[name] = run(name, args.seeds, args.sizes)
        cells = [", ".join(cell) or "-" for cell in found[name].values()]
        tqdm.write(f"| {name} | {' | '.join(cells)} |")
    write_json(args.out, {"sizes": args.sizes, "seeds": args.seeds, "without": found})
    idle = [name for name in names[1:] if found[name] == found[WHOLE]]
    print(f"\nneeded for none: {', '.join(idle) or 'each is needed'}")
    return 1 if any(found[WHOLE].values()) else 0


if __name__ == "__main__":
    sys.exit(main())
