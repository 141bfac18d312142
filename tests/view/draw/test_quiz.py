from itertools import pairwise

import numpy as np
import pytest

from npvae.view.draw.quiz import draw_answer, draw_question
from npvae.view.draw.training import draw_training


def texts(figure):
    return {text.get_text(): text for text in figure.texts}


@pytest.mark.parametrize("n_lines", [2, 12, 22])
def test_a_question_fits_on_its_slide(n_lines):
    code = "\n".join(["    value = np.sum(x) + 1"] * n_lines)
    options = ["Right.", "Wrong: " + "a long reason " * 10, "Wrong.", "Wrong: short"]
    figure = draw_question("A title", "A setting. " * 15, code, options)
    figure.draw_without_rendering()
    assert code in texts(figure)
    boxes = [text.get_window_extent() for text in figure.texts]
    for box in boxes:
        assert box.x1 <= figure.bbox.x1
        assert box.y0 >= figure.bbox.y0
    for above, below in pairwise(boxes):  # none lies on another
        assert below.y1 <= above.y0 + 2


def test_an_answer_shows_curves_samples_and_caption():
    right = np.linspace(30, 25, 10)
    curves = {
        "right code": (right, True),
        "this code": (right * 10.0 ** np.arange(10), True),
        "reported": (right - 1, False),
    }
    samples = {name: np.random.default_rng(0).random((9, 64)) for name in ("right code", "this code")}
    figure = draw_answer("Title", "A caption. " * 40, curves, samples, (8, 8))
    figure.draw_without_rendering()
    ax, *panels = figure.axes
    assert [line.get_linestyle() for line in ax.lines] == ["-", "-", "--"]
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["right code: 25.0", "this code: 2.5e+10, far above", "reported: 24.0"]
    low, high = ax.get_ylim()
    assert low < 24
    assert 30 < high < 60  # the curve that leaves does not flatten the others
    assert [panel.get_title() for panel in panels] == ["Samples: right code", "Samples: this code"]
    caption = figure.texts[1].get_window_extent()
    assert caption.y0 >= 0
    assert caption.x1 <= figure.bbox.x1
    assert caption.y1 < ax.get_window_extent().y0


def test_a_training_shows_its_losses_and_samples():
    figure = draw_training([30.0, 26.0, 25.04], np.zeros((4, 64)), (8, 8))
    left, right = figure.axes
    np.testing.assert_array_equal(left.lines[0].get_xydata(), [(1, 30), (2, 26), (3, 25.04)])
    assert left.get_title() == "Loss on test images: 25.0"
    assert len(right.images) == 1
