"""What a check of an exercise found, in words, and as JSON between processes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Outcome = Literal["passed", "unfilled", "wrong", "error", "limit"]


@dataclass(frozen=True)
class Remark:
    """One finding.

    Attributes
    ----------
    subject : str
        What it is about: a gradient, a function, the file.
    outcome : {"passed", "unfilled", "wrong", "error", "limit"}
    words : str
        What is wrong and what to look at; empty where there is nothing to say.
    """

    subject: str
    outcome: Outcome
    words: str = ""


@dataclass(frozen=True)
class Answer:
    """All that a check found.

    Attributes
    ----------
    exercise : str
    remarks : tuple of Remark
    losses : tuple of float
        Of the training exercise: the loss of each epoch on the test images, in nats per image.
    samples : tuple of tuples of float
        Of the training exercise: the images that were drawn, D pixels each.
    """

    exercise: str
    remarks: tuple[Remark, ...]
    losses: tuple[float, ...] = field(default=())
    samples: tuple[tuple[float, ...], ...] = field(default=())

    @property
    def outcome(self) -> Outcome:
        """The most serious outcome of all remarks."""
        found = {remark.outcome for remark in self.remarks}
        order: tuple[Outcome, ...] = ("limit", "error", "wrong", "unfilled")
        return next((outcome for outcome in order if outcome in found), "passed")

    @property
    def passed(self) -> bool:
        """Whether the exercise is solved."""
        return self.outcome == "passed"

    def as_dict(self) -> dict[str, Any]:
        """Return it in JSON's types."""
        return {"passed": self.passed, "outcome": self.outcome, **asdict(self)}

    def to_json(self) -> str:
        """Return it as JSON."""
        return json.dumps(self.as_dict())

    @classmethod
    def from_json(cls, text: str) -> Answer:
        """Return what `to_json` was made of.

        Raises
        ------
        ValueError, KeyError, TypeError
            The text is something else.
        """
        content = json.loads(text)
        return cls(
            content["exercise"],
            tuple(Remark(**remark) for remark in content["remarks"]),
            tuple(content["losses"]),
            tuple(map(tuple, content["samples"])),
        )


def error(exercise: str, subject: str, words: str) -> Answer:
    """Return the answer for a file that cannot be run."""
    return Answer(exercise, (Remark(subject, "error", words),))
