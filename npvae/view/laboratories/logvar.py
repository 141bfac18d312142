"""The laboratory of the encoder's second output: ranges, rounding, and training."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from npvae.study.laboratories.logvar import DTYPES, HEADS, LogvarLaboratory, Trained
from npvae.study.table import Table, wrapped
from npvae.view.draw.style import CLASS_COLOURS, INK, TEXT_SIZE, TICK_SIZE, new_figure, open_frame, set_title

_COLOURS = dict(zip(HEADS, (CLASS_COLOURS[i] for i in (0, 1, 6, 4, 2)), strict=True))
_FAR = 1e4  # ranges are drawn to here
_SHOWN = np.linspace(-30, 120, 1501, dtype=np.float32)


def text(result: LogvarLaboratory) -> str:
    """Return tables of ranges and of training, and what they show."""
    ranges = Table(
        "Outputs a for which sigma is finite and above 0, and for which the KL is finite",
        ("head", "sigma of a", "dtype", "sigma from", "to", "KL from", "to"),
        [
            (name, HEADS[name].formula, dtype, *(f"{end:.4g}" for end in ends))
            for name, of_dtypes in result.ranges.items()
            for dtype, ends in of_dtypes.items()
        ],
        "Raw sigma and raw variance: a below 0 is a negative standard deviation, or a variance without one.",
    )
    trained = Table(
        f"Training in float32, learning rate {result.learning_rate:g}: loss in nats per image",
        ("head", "first\nepoch", "last\nepoch", "failed\nat step", "a below 0\nin the end",
         "from a = 0:\nlast epoch", "failed\nat step"),
        [
            (name, *_losses(run, first=True), _negative(name, run), *_losses(again))
            for (name, run), again in zip(
                result.trained.items(), result.trained_from_zero.values(), strict=True
            )
        ],
        "The head starts about sigma = 1, and in the last two columns about a = 0, as a layer's output does.",
    )  # fmt: skip
    tables = "\n\n".join(table.text() for table in (ranges, trained))
    return tables + "\n\n" + "\n".join(wrapped(line, "- ") for line in findings(result))


def findings(result: LogvarLaboratory) -> list[str]:
    """Return sentences about the numbers."""
    single, ranges = result.kl_errors["float32"], result.ranges
    log_variance, softplus = ranges["log-variance"]["float32"], ranges["softplus"]["float32"]
    lines = [
        f"float32's exp(log_var) overflows above {result.exp_to['float32']:.2f}, but sigma = exp(log_var / "
        f"2) lives to {log_variance.std_to:.1f}. The KL needs the variance, so it ends at "
        f"{log_variance.kl_to:.2f}.",
        f"ln(1 + exp(a)) as written gives sigma = 0 below a = {softplus.std_from:.1f} in float32, where the "
        f"1 swallows the exponential, and infinity above {softplus.std_to:.1f}. Written without overflow it "
        f"lasts to {ranges['stable softplus']['float32'].std_from:.0f}.",
        f"(exp(v) - 1 - v) / 2 at v = 1e-4 is {single['exp(v) - 1']:.1f} times the right KL in float32; with "
        f"expm1 it is {single['expm1(v)']:.4f} times.",
    ]
    for start, runs in [("sigma = 1", result.trained), ("a = 0", result.trained_from_zero)]:
        failed = {name: run.failed_at for name, run in runs.items() if run.failed_at is not None}
        lines.append(
            f"Started about {start}, "
            + (
                "; ".join(f"{name} fails at step {step}" for name, step in failed.items())
                if failed
                else "all train"
            )
            + "; trained log-variances of the log-variance head lie in "
            f"[{runs['log-variance'].least:.1f}, {runs['log-variance'].largest:.1f}]."
        )
    return lines


def _negative(name: str, run: Trained) -> str:
    return f"{100 * run.negative:.2f} %" if np.isfinite(HEADS[name].least) else "-"


def _losses(run: Trained, *, first: bool = False) -> list[str]:
    shown = ([run.losses[0], run.losses[-1]] if first else [run.losses[-1]]) if run.losses else []
    missing = (2 if first else 1) - len(shown)
    failed = "-" if run.failed_at is None else str(run.failed_at)
    return [*(f"{loss:.2f}" for loss in shown), *["-"] * missing, failed]


def draw(result: LogvarLaboratory) -> Figure:
    """Draw sigma as a function of a in float32, the ranges of a, and the losses."""
    figure = new_figure(17, 6.4)
    curves, ranges, losses = figure.subplots(1, 3, width_ratios=[1.1, 1, 1])
    with np.errstate(all="ignore"):
        for name, head in HEADS.items():
            std = head.std(_SHOWN)
            good = np.isfinite(std) & (std > 0)
            style = "--" if name == "stable softplus" else "-"
            curves.plot(_SHOWN[good], std[good], style, color=_COLOURS[name], linewidth=2.5, label=name)
            ends = _SHOWN[good][[0, -1]]
            for a, edge in zip(ends, (_SHOWN[0], _SHOWN[-1]), strict=True):
                if a != edge:
                    curves.plot(a, std[a == _SHOWN], "x", color=_COLOURS[name], markersize=11, mew=3)
    curves.set_yscale("log")
    curves.set_xlabel("output a of the head", fontsize=TEXT_SIZE)
    set_title(curves, "σ in float32", "cross: 0, infinity or NaN beyond", TEXT_SIZE + 1)
    curves.legend(fontsize=TICK_SIZE, frameon=False, loc="upper left")
    _draw_ranges(ranges, result)
    for runs, style in [(result.trained, "-"), (result.trained_from_zero, ":")]:
        for name, run in runs.items():
            epochs = np.arange(1, len(run.losses) + 1)
            losses.plot(epochs, run.losses, style, color=_COLOURS[name], linewidth=2)
            if run.failed_at is not None:
                at = (epochs[-1], run.losses[-1]) if run.losses else (1, losses.get_ylim()[1])
                label = f"{name}: not\nfinite at step {run.failed_at}"
                losses.plot(*at, "x", color=_COLOURS[name], markersize=12, mew=3.5, clip_on=False)
                losses.annotate(
                    label, at, (16, -8) if not run.losses else (26, 40), textcoords="offset points",
                    fontsize=TICK_SIZE, color=_COLOURS[name], arrowprops={"arrowstyle": "-", "color": INK},
                )  # fmt: skip
    losses.set_xlabel("epoch", fontsize=TEXT_SIZE)
    losses.set_ylabel("loss, nats per image", fontsize=TEXT_SIZE)
    subtitle = "solid: from σ = 1; dotted: from a = 0"
    set_title(losses, "training", subtitle, TEXT_SIZE + 1)
    for ax in (curves, ranges, losses):
        open_frame(ax)
    return figure


def _draw_ranges(ax: Axes, result: LogvarLaboratory) -> None:
    """Draw the a between which sigma is finite and positive, on a scale that is linear about 0."""
    places = []
    for i, (name, of_dtypes) in enumerate(result.ranges.items()):
        for j, dtype in enumerate(DTYPES):
            y, ends = -i - 0.36 * j, of_dtypes[dtype]
            places.append((y, f"{name}, {dtype}" if j == 0 else dtype))
            usable = np.clip([ends.std_from, ends.std_to], -_FAR, _FAR)
            ax.plot(usable, [y, y], color=_COLOURS[name], linewidth=9 - 4 * j, solid_capstyle="butt")
            ax.plot(np.clip([ends.kl_from, ends.kl_to], -_FAR, _FAR), [y, y], color=INK, linewidth=1.5)
    ax.set_xscale("symlog", linthresh=20)
    ax.set_xlim(-_FAR, _FAR)
    ax.set_xticks([-1000, -100, -10, 0, 10, 100, 1000])
    ax.set_yticks([y for y, _ in places], [label for _, label in places])
    ax.set_xlabel("output a of the head", fontsize=TEXT_SIZE)
    set_title(ax, "where σ is usable", "thin line: where the KL is finite", TEXT_SIZE + 1)
