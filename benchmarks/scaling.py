"""Measure and draw how a training step's time per sample grows with what is trained, for npvae and JAX.

    python benchmarks/scaling.py [--rounds 2] [--quick] [--picture scaling.png] [--out FILE.json]

One thing at a time is varied, from a VAE of 784-400-20 at batch 128 on 8192 random images: the number of
images, the batch size, the width of the hidden layers, the latent dimensions, the number of hidden layers on
each side, and the number of threads. The last is set by the cores that the process may use, which both
heed (on Linux). All points and both trainers take turns, each in a fresh process. It trains for some epochs
and returns the median; the first, with all that is compiled in it, is not counted. JAX runs each epoch as one
jitted scan. Prints microseconds per sample, and draws the medians over the rounds.
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from measuring import (
    CORES_CAN_BE_SET,
    Row,
    add_options,
    compared,
    cores,
    in_turns,
    installed,
    machine,
    on_cores,
    run_json,
    show,
    write_json,
)

from npvae.view.save import save_figure
from npvae.view.style import INK, MODEL_COLOURS, TEXT_SIZE, TICK_SIZE, halo, new_figure, open_frame

SCRIPT = Path(__file__).with_name("scaling_peers.py")
PICTURE = Path(__file__).parent / "pictures" / "scaling.png"
COLOURS = {"npvae": MODEL_COLOURS[1], "JAX": MODEL_COLOURS[3]}

BASE = {
    "images": 8192,
    "batch size": 128,
    "hidden units": 400,
    "latent dimensions": 20,
    "hidden layers": 1,
    "threads": cores(),
}
CURVES = {
    "images": [512, 2048, 8192, 32768],
    "batch size": [8, 32, 128, 512, 2048],
    "hidden units": [25, 100, 400, 1600],
    "latent dimensions": [2, 20, 200],
    "hidden layers": [1, 2, 4, 8],
    "threads": [n for n in (1, 2, 4, 8, 16, 32, 64) if n < cores() and CORES_CAN_BE_SET] + [cores()],
}

Point = dict[str, int]


def points(quick: bool) -> list[Point]:
    """Return the base and all points that differ from it in one thing."""
    found = [BASE]
    for name, values in CURVES.items():
        others = [BASE | {name: value} for value in values if value != BASE[name]]
        found += others[:1] if quick else others
    return found


def measure(job: tuple[str, str]) -> float:
    """Return the microseconds per sample of one point, given as JSON, and one trainer."""
    point, trainer = job
    with on_cores(json.loads(point)["threads"]):
        return run_json([SCRIPT, trainer, point])


def curve(content: dict[str, Any], name: str) -> list[tuple[int, dict[str, list[float]]]]:
    """Return the values of one thing, ascending, each with every trainer's times."""
    base = content["base"]
    found = [
        (entry["point"][name], entry["microseconds"])
        for entry in content["points"]
        if all(entry["point"][other] == base[other] for other in base if other != name)
    ]
    return sorted(found, key=lambda pair: pair[0])


def draw(content: dict[str, Any], path: Path) -> None:
    """Draw a panel for each thing varied, a line for each trainer."""
    figure = new_figure(11, 3)
    panels = figure.subplots(1, len(content["base"]), sharey=True)
    for ax, name in zip(panels, content["base"], strict=True):
        draw_panel(ax, name, curve(content, name))
    panels[0].set_ylabel("µs per sample", fontsize=TICK_SIZE, color=INK)
    save_figure(figure, path)


def draw_panel(ax: Axes, name: str, line: list[tuple[int, dict[str, list[float]]]]) -> None:
    """Draw one curve of each trainer."""
    values = [value for value, _ in line]
    for trainer in line[0][1]:
        times = [statistics.median(found[trainer]) for _, found in line]
        ax.loglog(values, times, marker="o", markersize=4, linewidth=2, color=COLOURS[trainer])
    ax.set_xlabel(name, fontsize=TICK_SIZE, color=INK)
    open_frame(ax)


def rows(content: dict[str, Any]) -> list[Row]:
    """Return the report's lines from what --out wrote: all points."""
    found = []
    for name in content["base"]:
        for value, times in curve(content, name):
            what = f"a step's time per sample, {value} {name}"
            peers = [trainer for trainer in times if trainer != "npvae"]
            found += [compared(what, "us", times["npvae"], peer, times[peer]) for peer in peers]
    return found


def main() -> None:
    """Measure, write, print, draw."""
    parser = argparse.ArgumentParser(description="Draw how a training step's time grows.")
    parser.add_argument("--quick", action="store_true", help="two points a curve, to see whether it works")
    parser.add_argument("--picture", type=Path, default=PICTURE, help=f"default: pictures/{PICTURE.name}")
    add_options(parser, rounds=2)
    args = parser.parse_args()
    trainers = installed(COLOURS)
    jobs = [(json.dumps(point), trainer) for point in points(args.quick) for trainer in trainers]
    results = in_turns(jobs, measure, args.rounds, "scaling")
    found = [
        {"point": point, "microseconds": {t: results[json.dumps(point), t] for t in trainers}}
        for point in points(args.quick)
    ]
    content = {"machine": machine(), "base": BASE, "points": found}
    write_json(args.out, content)
    print(content["machine"])
    show(rows(content))
    draw(content, args.picture)


if __name__ == "__main__":
    main()
