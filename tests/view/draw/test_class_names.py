import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from npvae.view.draw.class_names import move_apart, readable_on


@given(centres=arrays(float, (6, 2), elements=st.floats(-3, 3)))
def test_boxes_end_up_apart(centres):
    extents = np.full((6, 2), [2.0, 1.0])
    moved = move_apart(centres, extents)
    gaps, rises = np.abs(moved[:, None] - moved).transpose(2, 0, 1)
    apart = (gaps > 2 - 0.02) | (rises > 1 - 0.02)
    assert apart[~np.eye(6, dtype=bool)].all()
    np.testing.assert_allclose(moved.mean(axis=0), centres.mean(axis=0), atol=1e-9)


def test_boxes_that_do_not_overlap_stay():
    centres = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, -1.0]])
    np.testing.assert_array_equal(move_apart(centres, np.full((3, 2), [2.0, 1.0])), centres)


@pytest.mark.parametrize(
    ("colour", "expected"), [("white", "black"), ("black", "white"), ("yellow", "black"), ("navy", "white")]
)
def test_text_contrasts_with_its_ground(colour, expected):
    assert readable_on(colour) == expected
