"""Measure and plot how training time per sample grows with data and network size, for npvae and JAX.

    python benchmarks/scaling.py [--rounds 5] [--quick] [--picture scaling.png] [--out FILE.json]

One thing at a time is varied, from a VAE of 784-400-20 at batch 128 on 8192 random images: the number of
images, the batch size, the width of the hidden layers, the latent dimensions, the number of hidden layers on
each side, and the number of threads. The number of threads is set by the cores that the process may use (on
Linux). All points and both trainers take turns, each in a fresh process, which trains for some epochs and
returns the median; the first epoch, which includes compiling, is not counted. JAX runs each epoch as one
jitted scan. Prints microseconds per sample, and draws the medians over the rounds with their range.
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator
from measuring import (
    CORES_CAN_BE_SET,
    Row,
    add_options,
    compared,
    conclude,
    contents,
    cores,
    in_turns,
    installed,
    on_cores,
    run_json,
)

from npvae.view.draw.save import save_figure
from npvae.view.draw.style import INK, MODEL_COLOURS, TEXT_SIZE, new_figure, open_frame

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
    figure = new_figure(12, 6.75)
    panels = figure.subplots(2, -(-len(content["base"]) // 2), sharey=True)
    for ax, name in zip(panels.flat, content["base"], strict=True):
        draw_panel(ax, name, curve(content, name), content["base"][name])
    for ax in panels[:, 0]:
        ax.set_ylabel("µs per sample", fontsize=TEXT_SIZE, color=INK)
    panels[0, 0].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))  # for all: they share it
    panels[0, 0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panels[0, 0].yaxis.set_minor_locator(NullLocator())
    lines, names = panels[0, 0].get_legend_handles_labels()
    figure.legend(
        lines, names, loc="outside upper right", ncols=len(names), frameon=False, fontsize=TEXT_SIZE
    )
    figure.suptitle(title(content["base"]), x=0.01, ha="left", fontsize=TEXT_SIZE, color=INK)
    save_figure(figure, path)


def title(base: Point) -> str:
    """Say what is drawn, and what all panels have in common."""
    return (
        "Training time per sample, lower is better. Each panel varies one thing;\n"
        f"large dots: VAE of 784-{base['hidden units']}-{base['latent dimensions']}, "
        f"batch {base['batch size']}, {base['images']} images, {base['threads']} threads"
    )


def draw_panel(ax: Axes, name: str, line: list[tuple[int, dict[str, list[float]]]], base: int) -> None:
    """Draw one curve of each trainer: medians, and the range over the rounds."""
    values = [value for value, _ in line]
    sizes = [9 if value == base else 5 for value in values]
    for trainer in line[0][1]:
        times, colour = [found[trainer] for _, found in line], COLOURS[trainer]
        middle = [statistics.median(found) for found in times]
        ax.fill_between(values, list(map(min, times)), list(map(max, times)), color=colour, alpha=0.2, lw=0)
        ax.loglog(values, middle, linewidth=2, color=colour)
        ax.scatter(values, middle, [size**2 for size in sizes], color=colour, zorder=3)
        ax.plot([], [], marker="o", linewidth=2, color=colour, label=trainer)
    ax.xaxis.set_major_locator(FixedLocator(values))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel(name, fontsize=TEXT_SIZE, color=INK)
    ax.grid(axis="y", color=INK, alpha=0.15, linewidth=0.8)
    open_frame(ax)


def rows(content: dict[str, Any]) -> list[Row]:
    """Return the report's lines from what --out wrote: all points."""
    found = []
    for name in content["base"]:
        for value, times in curve(content, name):
            what = f"a step's time per sample, {name} {value}"
            peers = [trainer for trainer in times if trainer != "npvae"]
            found += [compared(what, "us", times["npvae"], peer, times[peer]) for peer in peers]
    return found


def main() -> None:
    """Measure, write, print, draw."""
    parser = argparse.ArgumentParser(description="Draw how a training step's time grows.")
    parser.add_argument("--quick", action="store_true", help="two points a curve, to see whether it works")
    parser.add_argument("--picture", type=Path, default=PICTURE, help=f"default: pictures/{PICTURE.name}")
    add_options(parser)
    args = parser.parse_args()
    trainers = installed(COLOURS)
    jobs = [(json.dumps(point), trainer) for point in points(args.quick) for trainer in trainers]
    results = in_turns(jobs, measure, args.rounds, "scaling")
    found = [
        {"point": point, "microseconds": {t: results[json.dumps(point), t] for t in trainers}}
        for point in points(args.quick)
    ]
    content = contents("scaling", base=BASE, points=found)
    conclude(content, rows(content), args.out)
    draw(content, args.picture)


if __name__ == "__main__":
    main()
