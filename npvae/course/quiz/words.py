"""Answers of the quiz as text: what the checker says, what training does, captions for slides."""

from collections.abc import Mapping, Sequence

from npvae.course.quiz.item import Item, Outcome
from npvae.gradcheck import Entry, Report


def in_words(reports: Sequence[Report]) -> str:
    """Say in a sentence or two what the gradient checker says of each pair."""
    if all(report.passed for report in reports):
        return f"The gradient checker passes {'it' if len(reports) == 1 else 'each pair'}."
    said = []
    for report in reports:
        wrong = [entry for entry in report.entries if entry.verdict == "fail"]
        said += [f"the gradient of {entry.name} is wrong ({entry.hint or _at(entry)})" for entry in wrong]
        if not any(entry.hint for entry in wrong):
            said += [check.detail for check in report.failures[:1]]
    return f"The gradient checker fails it: {'; '.join(said)}."


def _at(entry: Entry) -> str:
    where = "along a direction" if entry.index is None else f"at {list(entry.index)}"
    return f"{where} it is {entry.analytic:.6g} and should be {entry.numeric:.6g}"


def caption(item: Item, outcome: Outcome) -> str:
    """Return the caption of an answer: why, what the checker says, what training does."""
    return f"{item.explanation} {in_words(outcome.reports)} {item.told.format(**outcome.numbers)}"


def captions(items: Sequence[Item], outcomes: Mapping[str, Outcome]) -> str:
    """Return all questions and answers as Markdown, with the names of their pictures."""
    parts = ["# Quiz: which of these gradients are wrong?"]
    for item in items:
        options = "\n".join(
            f"- {letter}) {option}" for letter, option in zip("abcdefgh", item.options, strict=False)
        )
        parts += [
            f"## {item.title}",
            f"`{item.name}-question.png`, `{item.name}-answer.png`",
            item.setting,
            f"```python\n{item.code()}\n```",
            options,
            f"Answer: {'abcdefgh'[item.right]}) {caption(item, outcomes[item.name])}",
        ]
    return "\n\n".join(parts) + "\n"


def curve_table(outcome: Outcome, epochs: Sequence[int]) -> str:
    """Return the curves as text, a line for each of them and a column for each of some epochs."""
    head = "loss after epoch"
    width = max(len(head), *(len(curve.label) for curve in outcome.curves))
    lines = [f"{head:<{width}}" + "".join(f"{epoch:>10}" for epoch in epochs)]
    for curve in outcome.curves:
        values = (curve.values[epoch - 1] for epoch in epochs)
        lines.append(f"{curve.label:<{width}}" + "".join(f"{_number(value):>10}" for value in values))
    return "\n".join([*lines, "(nats per image, on test images; what is reported, on training images)"])


def _number(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 1e5 else f"{value:.1e}"
