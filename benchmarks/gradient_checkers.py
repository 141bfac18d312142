"""Compare gradient checkers on the same planted faults: detection rates, false alarms, seconds.

Every wrong backward of npvae's catalogue, and every correct twin, is given to npvae.gradcheck,
torch.autograd.gradcheck (slow and fast mode), JAX's check_grads, autograd's check_grads and
scipy.optimize.check_grad. Peers that are not installed are skipped, and so are faults at points where nothing
can be decided, as the peers have no third verdict.

    python benchmarks/gradient_checkers.py [--seeds 5] [--sizes 2 10 40] [--out FILE.json]

Prints for each fault how often each checker caught it, then the totals. Exits 1 if npvae missed a fault or
failed a correct twin.
"""

import argparse
import json
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from gradient_peers import Flat, installed, passes
from tqdm import tqdm

from npvae.checks.faults import FAULTS, Fault, Implementation, pair_of

DECIDABLE = [fault for fault in FAULTS.values() if fault.decidable]


def flat(implementation: Implementation, fault: Fault, size: int, seed: int) -> Flat:
    """Return one implementation of a fault with its arguments, as the peers want it."""
    args = fault.make_args(np.random.default_rng(seed), size)
    return Flat(*pair_of(implementation), args, fault.wrt)


def main() -> int:
    """Run every checker on every fault and twin."""
    parser = argparse.ArgumentParser(description="Compare gradient checkers on the same planted faults.")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2, 10, 40])
    parser.add_argument("--out", type=Path, help="write every count as JSON")
    args = parser.parse_args()
    checkers = installed()
    caught: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    alarms: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    seconds: dict[str, float] = defaultdict(float)
    points = [(size, seed) for seed in range(args.seeds) for size in args.sizes]
    for size, seed in tqdm(points, desc="seeds and sizes"):
        for fault in DECIDABLE:
            for name, checker in checkers.items():
                wrong, correct = (flat(i, fault, size, seed) for i in (fault.wrong, fault.correct))
                started = time.perf_counter()
                caught[fault.name][name] += not passes(checker, wrong, seed)
                alarms[fault.name][name] += not passes(checker, correct, seed)
                seconds[name] += time.perf_counter() - started
    runs = len(points)
    print(f"caught, of {runs} runs" + " " * 20 + "".join(f"{name:>12}" for name in checkers))
    for fault_name, counts in caught.items():
        print(f"{fault_name:<38}" + "".join(f"{counts[name]:>12}" for name in checkers))
    total = {
        "faults caught every time": lambda name: sum(row[name] == runs for row in caught.values()),
        "faults never caught": lambda name: sum(row[name] == 0 for row in caught.values()),
        "wrong gradients caught, %": lambda name: (
            100 * sum(row[name] for row in caught.values()) / runs / len(DECIDABLE)
        ),
        "correct ones not passed, %": lambda name: (
            100 * sum(row[name] for row in alarms.values()) / runs / len(DECIDABLE)
        ),
        "seconds": lambda name: seconds[name],
    }
    print()
    for title, number in total.items():
        print(f"{title:<38}" + "".join(f"{number(name):>12.4g}" for name in checkers))
    if args.out is not None:
        content = {"runs": runs, "caught": caught, "alarms": alarms, "seconds": seconds}
        args.out.write_text(json.dumps(content, indent=1))
    right = all(row["npvae"] == runs for row in caught.values()) and not any(
        row["npvae"] for row in alarms.values()
    )
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
