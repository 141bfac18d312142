"""Repeat table 1 of Burda et al. (2016) for one stochastic layer: VAE and IWAE with k draws on MNIST.

    python benchmarks/burda.py DATA --out FOLDER [--stages 5] [--k 1 5] [--objectives elbo iwae] [--jobs 1]

As in the paper: 784-200-200-50 tanh units and the mirror image, a Bernoulli decoder, pixels drawn anew for
every batch of 20, Glorot's initial weights, the training images' mean as the output bias (its logit, clipped
at 0.001 and 0.999), Adam, and stages i = 0, 1, ... of 3^i epochs, whose learning rates fall geometrically
from 1e-3 to 1e-4. The paper has 8 stages, 3280 epochs; the default here is 5, 121 epochs. -ln p(x) is
estimated from 5000 importance samples for every test image, and from fewer. The pixels of the test images are
drawn once, with a fixed seed; the authors' code (github.com/yburda/iwae) does the same in its one evaluation.

The paper's epsilon of Adam, 1e-4, goes with gradients that are sums over a batch in that code. Here they are
means, so it is 1e-4 / 20. Where code and paper differ, this follows the paper: beta1 is 0.9 (code: 0.99), and
Adam's second moments start at 0 (code: 1). Where this differs from the code: training takes all 60,000 images
(59,600), in a new order in each epoch (always the same); the ELBO's KL is in closed form (from the draws);
the encoder's second head is ln sigma^2 (ln sigma).

Standard errors are over test images. The paper's test images are the same, so its figures differ by less
than the standard errors suggest. The gain is the improvement over k = 1, with the standard error of the
differences per image.

FOLDER keeps the state of every run after each epoch, from which an interrupted run resumes bit for bit, a
model file after each stage, and the figures of finished runs, which are not repeated. All figures are in
burda.json; the picture is pictures/burda.png. Two jobs use two cores.
"""

import argparse
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from burda_runs import AT_STAGE_ENDS, N_SAMPLES, Job, finished, stage_ends
from joblib import Parallel, delayed
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from measuring import contents, described, write_json

from npvae.view.draw.save import save_figure
from npvae.view.draw.style import INK, TEXT_SIZE, new_figure, open_frame, set_title

PICTURE = Path(__file__).parent / "pictures" / "burda.png"
# Nats, for one stochastic layer. The two objectives are the same for k = 1.
PAPER = {
    ("elbo", 1): 86.76, ("elbo", 5): 86.47, ("elbo", 50): 86.35,
    ("iwae", 1): 86.76, ("iwae", 5): 85.54, ("iwae", 50): 84.78,
}  # fmt: skip
PAPER_EPOCHS = stage_ends(8)[-1]
NAMES = {"elbo": "VAE", "iwae": "IWAE"}
COLOURS = {
    ("elbo", 1): "#3f90da", ("elbo", 5): "#832db6", ("elbo", 50): "#717581",
    ("iwae", 1): "#3f90da", ("iwae", 5): "#e76300", ("iwae", 50): "#bd1f01",
}  # fmt: skip
LOWEST, HIGHEST = 84.0, 100.0  # of the picture, in nats; the first epochs are above it
LABEL_HEIGHT = 0.044  # parts of the picture


def positive(text: str) -> int:
    """Return a positive integer."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)


def mean_and_error(values: np.ndarray) -> str:
    """Return a mean over images with its standard error, as text."""
    return f"{values.mean():.2f} +- {values.std(ddof=1) / np.sqrt(len(values)):.2f}"


def show(runs: list[dict[str, Any]]) -> None:
    """Print -ln p(x) beside the paper's."""
    print("             epochs  -ln p(x), nats  paper  difference            gain  active units", end="")
    print(*(f"{f'K={n}':>6}" for n in N_SAMPLES[:-1]), " hours", sep="  ")
    base = [np.array(run["nats_of_images"]) for run in runs if run["k"] == 1]
    for run in runs:
        objective, k = run["objective"], run["k"]
        images, paper = np.array(run["nats_of_images"]), PAPER.get((objective, k))
        beside = f"{paper:5}  {images.mean() - paper:+10.2f}" if paper else f"{'-':>5}  {'-':>10}"
        gain = mean_and_error(base[0] - images) if base and k > 1 else ""
        fewer = "  ".join(f"{run['nats'][str(n)]:6.2f}" for n in N_SAMPLES[:-1])
        print(
            f"{NAMES[objective]:4} k={k:<4}  {run['epochs']:6}  {mean_and_error(images):>14}  {beside}  "
            f"{gain:>14}  {run['active_units']:12}  {fewer}  {run['hours']:5.2f}"
        )


def draw(runs: list[dict[str, Any]], path: Path) -> None:
    """Draw -ln p(x) over the epochs, a line for each run, and what the paper reached with it."""
    figure = new_figure(12, 6.75)
    ax = figure.add_subplot()
    for run in runs:
        draw_run(ax, run)
    ax.set_ylim(LOWEST, max(HIGHEST, *(run["nats"][str(max(N_SAMPLES))] + 1 for run in runs)))
    keys = {(run["objective"], run["k"]) for run in runs}
    draw_paper(ax, {key: value for key, value in PAPER.items() if key in keys})
    ax.plot([], [], "o-", color=INK, markersize=6, label=f"npvae after each stage, $K$ = {AT_STAGE_ENDS}")
    ax.plot([], [], "o", color=INK, markersize=11, label=f"npvae in the end, $K$ = {max(N_SAMPLES)}")
    ax.plot([], [], "D", color=INK, markersize=9, label=f"the paper, {PAPER_EPOCHS} epochs, $K$ = 5000")
    ax.legend(loc="upper right", frameon=False, fontsize=TEXT_SIZE)
    ends = stage_ends(8)
    ax.xaxis.set_major_locator(FixedLocator(ends))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("epochs", fontsize=TEXT_SIZE, color=INK)
    ax.set_ylabel("$-\\ln p(x)$ of the test images, nats", fontsize=TEXT_SIZE, color=INK)
    ax.grid(axis="y", color=INK, alpha=0.15, linewidth=0.8)
    open_frame(ax)
    set_title(ax, "VAE and IWAE with $k$ draws of $z$", "MNIST; Burda et al. (2016), table 1")
    save_figure(figure, path)


def draw_run(ax: Axes, run: dict[str, Any]) -> None:
    """Draw the ends of a run's stages, and with a large dot its end from more importance samples."""
    key = run["objective"], run["k"]
    colour, epochs, values = COLOURS.get(key, INK), run["stage_ends"], run["nats_at_stage_ends"]
    ax.semilogx(epochs, values, "o-", color=colour, linewidth=2.5, markersize=6)
    ax.plot(
        epochs[-1], np.mean(run["nats_of_images"]), "o", color=colour, markersize=11, markeredgecolor="white"
    )


def draw_paper(ax: Axes, published: dict[tuple[str, int], float]) -> None:
    """Draw the paper's figures as horizontal lines up to the end of its training, with labels beside."""
    lowest = 0.0
    for key, value in sorted(published.items(), key=lambda item: item[1]):
        colour, lowest = COLOURS[key], max(value, lowest)
        ax.hlines(value, 1, PAPER_EPOCHS, color=colour, linestyle=":", linewidth=1.5)
        ax.plot(PAPER_EPOCHS, value, "D", color=colour, markersize=9)
        ax.annotate(
            f"{NAMES[key[0]]}, $k$ = {key[1]}: {value}", (PAPER_EPOCHS, value), (1.5 * PAPER_EPOCHS, lowest),
            color=colour, fontsize=TEXT_SIZE, va="center", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "shrinkA": 2, "shrinkB": 7, "relpos": (0, 0.5)},
        )  # fmt: skip
        lowest += LABEL_HEIGHT * (ax.get_ylim()[1] - LOWEST)


def main() -> None:
    """Train and test what is missing, write, print, draw."""
    parser = argparse.ArgumentParser(description="Repeat table 1 of Burda et al. (2016).")
    parser.add_argument("data", help="a folder with MNIST, or what else load_dataset takes")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="keep all here; go on from it"
    )
    parser.add_argument(
        "--stages", type=int, default=5, choices=range(2, 9), help="8 in the paper; default: 5"
    )
    parser.add_argument(
        "--k", type=positive, nargs="+", default=[1, 5], metavar="K", help="draws; default: 1 5"
    )
    parser.add_argument("--objectives", nargs="+", choices=NAMES, default=list(NAMES), help="default: both")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--jobs", type=positive, default=1, help="trainings at the same time; default: 1")
    parser.add_argument("--images", type=positive, metavar="N", help="test images to use; default: all")
    parser.add_argument("--train-images", type=positive, metavar="N", help="the first N only; default: all")
    parser.add_argument("--picture", type=Path, default=PICTURE, help=f"default: pictures/{PICTURE.name}")
    args = parser.parse_args()
    objectives = sorted(args.objectives)
    pairs = {(objectives[0] if k == 1 else objective, k) for objective, k in product(objectives, args.k)}
    jobs = [
        Job(objective, k, args.stages, args.seed, args.data, args.train_images, args.images, args.out)
        for objective, k in sorted(pairs, key=lambda pair: -pair[1])  # the longest first
    ]
    runs = Parallel(args.jobs)(delayed(finished)(job) for job in jobs)
    runs.sort(key=lambda run: (run["k"] > 1, run["objective"], run["k"]))
    content = contents(
        "burda", runs=[{name: run[name] for name in run if name != "nats_of_images"} for run in runs]
    )
    write_json(args.out / "burda.json", content)
    print(described(content["machine"]))
    show(runs)
    draw(runs, args.picture)


if __name__ == "__main__":
    main()
