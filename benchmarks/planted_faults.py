"""Plant every fault of the catalogue many times, and count how often the checker detects it.

For each seed a size from 2 to 400 units is drawn, small ones more often; every wrong backward is checked, and
every correct twin. Finished seeds are kept in the result file, and a second run goes on from there.

    python benchmarks/planted_faults.py [--seeds 1000] [--largest 400] [--workers 2] [--out FILE.json]

Prints the detection rates; exits 1 unless all faults were detected and no correct twin failed.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from npvae.checks.faults import FAULTS
from npvae.checks.planted import FaultResult, run_planted_faults
from npvae.view.tables.gradcheck import planted_table

SAVE_EVERY = 20  # seeds


def size_of(seed: int, largest: int) -> int:
    """Draw a size from 2 to `largest`, its logarithm uniform."""
    return round(float(np.exp(np.random.default_rng([seed, 1]).uniform(np.log(2), np.log(largest)))))


def run_seed(seed: int, largest: int) -> dict[str, Any]:
    """Check all faults and twins at one seed."""
    started = time.perf_counter()
    size = size_of(seed, largest)
    with threadpool_limits(1):
        (results,) = run_planted_faults([seed], [size])
    return {
        "seed": seed,
        "size": size,
        "missed": [row.fault.name for row in results if row.missed],
        "alarms": [row.fault.name for row in results if row.alarms],
        "seconds": time.perf_counter() - started,
    }


def total(results: Iterable[dict[str, Any]]) -> list[FaultResult]:
    """Add up the seeds' results, fault by fault."""
    by_fault = {name: FaultResult(fault) for name, fault in FAULTS.items()}
    for result in results:
        place = (result["size"], result["seed"])
        for row in by_fault.values():
            row.runs += 1
        for name in result["missed"]:
            by_fault[name].missed.append(place)
        for name in result["alarms"]:
            by_fault[name].alarms.append(place)
    return list(by_fault.values())


def load(path: Path, largest: int) -> dict[int, dict[str, Any]]:
    """Read the finished seeds of an earlier run of the same catalogue."""
    if not path.exists():
        return {}
    content = json.loads(path.read_text())
    if content["faults"] != list(FAULTS) or content["largest"] != largest:
        raise SystemExit(f"{path} holds another catalogue or other sizes: give another --out")
    return {result["seed"]: result for result in content["results"]}


def save(path: Path, done: dict[int, dict[str, Any]], largest: int) -> None:
    """Write the finished seeds, all or nothing."""
    content = {"faults": list(FAULTS), "largest": largest, "results": [done[seed] for seed in sorted(done)]}
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(content))
    temporary.replace(path)


def main() -> int:
    """Run the seeds that are missing and print the table."""
    parser = argparse.ArgumentParser(description="Plant every fault of the catalogue again and again.")
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--largest", type=int, default=400, help="units of the widest functions")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("planted_faults.json"))
    args = parser.parse_args()
    wanted = range(args.first, args.first + args.seeds)
    done = load(args.out, args.largest)
    missing = [seed for seed in wanted if seed not in done]
    with ProcessPoolExecutor(args.workers) as pool:
        results = pool.map(run_seed, missing, [args.largest] * len(missing))
        for count, result in enumerate(tqdm(results, total=len(missing), desc="seeds"), 1):
            done[result["seed"]] = result
            if count % SAVE_EVERY == 0:
                save(args.out, done, args.largest)
    save(args.out, done, args.largest)
    selected = [done[seed] for seed in wanted]
    faults = total(selected)
    print(planted_table(faults))
    sizes = sorted(result["size"] for result in selected)
    seconds = sum(result["seconds"] for result in selected)
    print(f"seeds {wanted[0]} to {wanted[-1]}, sizes {sizes[0]} to {sizes[-1]}, {seconds:.0f} s of one core")
    return 0 if all(row.as_expected for row in faults) else 1


if __name__ == "__main__":
    sys.exit(main())
