import re

import numpy as np
import pytest

from npvae.view.tables.half_blocks import half_blocks, side_by_side

PIXELS = {" ": (0, 0), "\u2580": (1, 0), "\u2584": (0, 1), "\u2588": (1, 1)}


@pytest.mark.parametrize("shape", [(4, 5), (5, 3), (1, 1)])
def test_the_characters_are_the_pixels(shape, rng):
    image = rng.random(shape)
    lines = half_blocks(image)
    pixels = np.array([[PIXELS[character] for character in line] for line in lines])
    shown = pixels.transpose(0, 2, 1).reshape(-1, shape[1])
    np.testing.assert_array_equal(shown[: shape[0]], image >= 0.5)
    np.testing.assert_array_equal(shown[shape[0] :], 0)


def test_grey_levels_are_colours_of_the_ramp():
    (line,) = half_blocks(np.array([[0.0, 1.0], [0.5, 2.0]]), colours=True)
    assert line == "\x1b[38;5;232;48;5;244m\u2580\x1b[38;5;255;48;5;255m\u2580\x1b[0m"


def test_the_range_is_what_is_black_and_white():
    assert half_blocks(np.array([[-3.0], [3.0]]), low=-4, high=4) == ["\u2584"]


def test_small_images_are_enlarged_and_stand_below_their_names():
    one = np.zeros((2, 2))
    one[0] = 1
    lines = side_by_side({"a": one, "other": np.ones((2, 2))}).splitlines()
    assert lines == [
        "a       other",
        "\u2588\u2588\u2588\u2588    \u2588\u2588\u2588\u2588",
        "        \u2588\u2588\u2588\u2588",
    ]
    coloured = side_by_side({"a": one, "other": one}, colours=True)
    assert [re.sub("\x1b.*?m", "", line).count("\u2580") for line in coloured.splitlines()] == [0, 8, 8]
