"""The laboratory of posterior collapse: causes and cures."""

import numpy as np
from matplotlib.figure import Figure

from npvae.counted import counted
from npvae.study.laboratories.collapse import CURES, FREE_BITS, LATENT_DIM, CollapseLaboratory, Outcome
from npvae.study.table import Table, wrapped
from npvae.view.draw.style import CLASS_COLOURS, TEXT_SIZE, TICK_SIZE, new_figure, open_frame, set_title

_COLOURS = dict(zip(CURES, (CLASS_COLOURS[i] for i in (8, 1, 0)), strict=True))
_CLEAR = 0.3  # nats: more than losses differ between seeds


def text(result: CollapseLaboratory) -> str:
    """Return a table for all causes and cures, and what it shows."""
    rows: list[tuple[str, ...]] = []
    for cause, of_cures in result.outcomes.items():
        rows.append((f"cause: {cause}", *[""] * 5))
        for cure, outcome in of_cures.items():
            rows.append(
                (
                    f"  {_cure_name(cure, result)}",
                    f"{outcome.kl:.2f}",
                    f"{outcome.used_units}",
                    f"{outcome.reconstruction:.2f}",
                    f"{outcome.negative_elbo:.2f}",
                    f"{outcome.loss:.2f}",
                )
            )
    table = Table(
        "Posterior collapse: causes, and what cures do",
        ("cure", "KL", f"used units\nof {LATENT_DIM}", "recon-\nstruction", "negative\nELBO", "loss"),
        rows,
        "Nats per test image, lower is better. The loss is reconstruction + beta * KL, the negative ELBO "
        "that of beta = 1; both are without free bits. Compare them within a cause, as likelihoods differ.",
    )
    return table.text() + "\n\n" + "\n".join(wrapped(line, "- ") for line in findings(result))


def findings(result: CollapseLaboratory) -> list[str]:
    """Return a sentence for each cause."""
    lines = []
    for cause, of_cures in result.outcomes.items():
        plain = of_cures["nothing"]
        if plain.used_units:
            lines.append(
                f"{cause}: nothing to cure, {plain.used_units} of {LATENT_DIM} units are used; cures change "
                f"the negative ELBO by {_spread(of_cures):.2f} nats at most."
            )
            continue
        what = [_effect(cure, of_cures[cure], plain) for cure in CURES[1:]]
        lines.append(f"{cause}: all units collapse. {'; '.join(what)}.")
    return lines


def _effect(cure: str, outcome: Outcome, plain: Outcome) -> str:
    plural = cure == "free bits"
    if not outcome.used_units:
        return f"{cure} {'do' if plural else 'does'} not help"
    change = outcome.loss - plain.loss
    s = "" if plural else "s"
    if change < -_CLEAR:
        verdict = f"lower{s} the loss by {-change:.1f} nats: training had been stuck"
    elif change > _CLEAR:
        verdict = f"raise{s} the loss by {change:.1f} nats: by this loss the collapse is the better solution"
    else:
        verdict = f"leave{s} the loss as it was"
    used = counted(outcome.used_units, "unit")
    return f"{cure} bring{s} {used} into use and {verdict}"


def _spread(of_cures: dict[str, Outcome]) -> float:
    values = [outcome.negative_elbo for outcome in of_cures.values()]
    return max(values) - min(values)


def _cure_name(cure: str, result: CollapseLaboratory) -> str:
    names = {
        "warm-up": f"warm-up, {counted(result.warmup_epochs, 'epoch')}",
        "free bits": f"free bits, {FREE_BITS:g} nats a unit",
    }
    return names.get(cure, cure)


def draw(result: CollapseLaboratory) -> Figure:
    """Draw for each cause the KL during training, and below it the negative ELBO."""
    n = len(result.outcomes)
    figure = new_figure(max(3.3 * n, 8), 7.6)
    panels = figure.subplots(2, n, squeeze=False, height_ratios=[1.2, 1])
    largest = max(max(o.kl_history) for of_cures in result.outcomes.values() for o in of_cures.values())
    for column, (cause, of_cures) in enumerate(result.outcomes.items()):
        top, bottom = panels[:, column]
        for cure, outcome in of_cures.items():
            epochs = np.arange(1, len(outcome.kl_history) + 1)
            top.plot(epochs, outcome.kl_history, color=_COLOURS[cure], linewidth=2.5, label=cure)
        top.set_ylim(-0.15, min(1.1 * largest, 8))
        top.set_xlabel("epoch", fontsize=TICK_SIZE)
        set_title(top, f"cause: {cause}", size=TEXT_SIZE + 1)
        values = [outcome.negative_elbo for outcome in of_cures.values()]
        bottom.scatter(range(len(CURES)), values, color=[_COLOURS[cure] for cure in CURES], s=170, zorder=3)
        for i, (value, outcome) in enumerate(zip(values, of_cures.values(), strict=True)):
            bottom.annotate(
                f"{value:.1f}\n{outcome.used_units} used", (i, value), (0, 10), textcoords="offset points",
                ha="center", fontsize=TICK_SIZE,
            )  # fmt: skip
        room = max(max(values) - min(values), 1)
        bottom.set_ylim(min(values) - 0.5 * room, max(values) + 0.9 * room)
        bottom.set_xlim(-0.6, len(CURES) - 0.4)
        bottom.grid(axis="y", color="#e4e4e4")
        bottom.set_xticks(range(len(CURES)), CURES)
        for ax in (top, bottom):
            open_frame(ax)
    panels[0, 0].set_ylabel("KL, nats per image", fontsize=TEXT_SIZE)
    panels[1, 0].set_ylabel("negative ELBO, nats", fontsize=TEXT_SIZE)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, [f"cure: {label}" for label in labels], loc="outside lower center", ncols=3, frameon=False,
        fontsize=TEXT_SIZE,
    )  # fmt: skip
    return figure
