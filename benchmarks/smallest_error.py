"""Find the smallest relative error in a gradient that each checker detects, and draw it over the size.

The function is a square dense layer of n units. In one case every entry of dW is wrong by a factor of
1 + error, in the other only the last entry. Errors are tried in steps of half a decade from 1 to 1e-13.

    python benchmarks/smallest_error.py [--sizes 2 10 50 200 400] [--seeds 3] [--out smallest_error.png]

Checkers that perturb one entry at a time are skipped if there are more than --entries entries.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from gradient_peers import Checker, Flat, installed, passes
from matplotlib.figure import Figure
from tqdm import tqdm

from npvae.checks.faults.dense import dense_args, dense_backward, dense_forward
from npvae.gradcheck import check_vjp

ERRORS = 10.0 ** -np.arange(0, 13.5, 0.5)
KINDS = ("every entry wrong", "one entry wrong")


def by_differences_alone(pair: Flat, seed: int) -> bool:
    """Check with npvae.gradcheck a function that refuses complex numbers."""

    def forward(*args: np.ndarray) -> Any:
        if any(np.iscomplexobj(arg) for arg in args):
            raise TypeError("real numbers only")
        return dense_forward(*args)

    return check_vjp(forward, pair.original_backward, pair.inputs, seed=seed).passed


def wrong_by(error: float, kind: str) -> Callable[[Any, Any], Any]:
    """Return the dense layer's backward with an error in dW."""

    def backward(dy: Any, cache: Any) -> Any:
        dx, dW, db = dense_backward(dy, cache)
        if kind == KINDS[0]:
            dW *= 1 + error
        else:
            dW[-1, -1] *= 1 + error
        return dx, dW, db

    return backward


def smallest(checker: Checker, kind: str, size: int, seed: int) -> float:
    """Return the smallest error that is caught together with all larger ones; NaN if not even 1 is."""
    args = dense_args(np.random.default_rng(seed), size)

    def catches(k: int) -> bool:
        return not passes(checker, Flat(dense_forward, wrong_by(ERRORS[k], kind), args, None), seed)

    if not passes(checker, Flat(dense_forward, dense_backward, args, None), seed) or not catches(0):
        return float("nan")
    low, high = 0, len(ERRORS)  # ERRORS[low] is caught, ERRORS[high] is not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if catches(middle) else (low, middle)
    return float(ERRORS[low])


def draw(results: dict[str, dict[str, dict[int, float]]], path: Path) -> None:
    """Draw one panel for each kind of error, one line for each checker."""
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    for ax, (kind, lines) in zip(figure.subplots(1, 2, sharey=True), results.items(), strict=True):
        for name, values in lines.items():
            sizes = [size for size, value in values.items() if np.isfinite(value)]
            errors = [values[size] for size in sizes]
            style = "--" if name == "npvae, differences" else "-"  # it lies upon npvae's other line
            ax.loglog(sizes, errors, style, marker="o", label=name)
        ax.set(title=f"dense layer, {kind}", xlabel="units")
        ax.set_xticks(list(lines["npvae"]), [str(size) for size in lines["npvae"]])
        ax.minorticks_off()
        ax.grid(alpha=0.3)
    figure.axes[0].set_ylabel("smallest relative error detected")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right center")
    figure.savefig(path, dpi=130)


def main() -> int:
    """Search, print, draw."""
    parser = argparse.ArgumentParser(description="Find the smallest error that each checker detects.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[2, 10, 50, 200, 400])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--entries", type=int, default=3000, help="limit for dense checkers (default: 3000)")
    parser.add_argument("--out", type=Path, default=Path("smallest_error.png"))
    args = parser.parse_args()
    results: dict[str, dict[str, dict[int, float]]] = {}
    checkers = {**installed(), "npvae, differences": Checker("npvae", by_differences_alone, False)}
    jobs = [(kind, name, size) for kind in KINDS for name in checkers for size in args.sizes]
    for kind, name, size in tqdm(jobs):
        if checkers[name].dense and size**2 > args.entries:
            continue
        found = [smallest(checkers[name], kind, size, seed) for seed in range(args.seeds)]
        detected = [value for value in found if np.isfinite(value)]
        value = float(np.median(detected)) if len(detected) == len(found) else float("nan")
        results.setdefault(kind, {}).setdefault(name, {})[size] = value
    for kind, lines in results.items():
        print(f"{kind:<20}" + "".join(f"{f'n = {size}':>12}" for size in args.sizes))
        for name, values in lines.items():
            cells = (values.get(size) for size in args.sizes)
            texts = ("-" if v is None else "missed" if np.isnan(v) else f"{v:.0e}" for v in cells)
            print(f"  {name:<18}" + "".join(f"{text:>12}" for text in texts))
    draw(results, args.out)
    args.out.with_suffix(".json").write_text(json.dumps(results, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
