import numpy as np
import pytest

from npvae.study.laboratories.collapse import CollapseLaboratory, Outcome
from npvae.view.laboratories.collapse import draw, findings, text


def outcome(loss, used, kl=2.5):
    kl = kl if used else 0.0
    return Outcome(loss - kl, kl, loss, loss, used, np.full(5, kl / 5), [kl + 1, kl])


def laboratory(plain, warm, free):
    return CollapseLaboratory({"a cause": {"nothing": plain, "warm-up": warm, "free bits": free}}, 30)


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        ((outcome(20, 5), outcome(20.25, 5), outcome(20, 5)), "nothing to cure, 5 of 5 units are used"),
        ((outcome(20, 0), outcome(20, 0), outcome(21.5, 5)), "warm-up does not help"),
        (
            (outcome(20, 0), outcome(20, 0), outcome(21.5, 5)),
            "free bits bring 5 units into use and raise the",
        ),
        ((outcome(27, 0), outcome(25, 1), outcome(26, 5)), "warm-up brings 1 unit into use and lowers the"),
        ((outcome(27, 0), outcome(27.1, 1), outcome(26, 5)), "leaves the loss as it was"),
    ],
)
def test_findings_follow_the_numbers(outcomes, said):
    (sentence,) = findings(laboratory(*outcomes))
    assert said in sentence


def test_the_table_and_the_picture_have_all_numbers():
    result = laboratory(outcome(27.11, 0), outcome(25.22, 1), outcome(26.33, 5))
    (line,) = [line for line in text(result).splitlines() if line.startswith("  free bits")]
    assert line.split()[-5:] == ["2.50", "5", "23.83", "26.33", "26.33"]
    figure = draw(result)
    top, bottom = figure.axes
    assert [list(line.get_ydata()) for line in top.lines] == [[1.0, 0.0], [3.5, 2.5], [3.5, 2.5]]
    assert [label.get_text() for label in bottom.texts] == ["27.1\n0 used", "25.2\n1 used", "26.3\n5 used"]
