import numpy as np
import pytest

from npvae.view import draw_interpolation


def test_ways_stand_between_their_ends(rng):
    paths = {"linear": rng.random((4, 6)), "spherical": rng.random((4, 6), dtype=np.float32)}
    ends = rng.integers(256, size=(2, 6), dtype=np.uint8)
    ax = draw_interpolation(paths, ends, (3, 2), title="title")
    values = np.ma.filled(ax.images[0].get_array().astype(float), np.nan)
    tiles = [[values[4 * r : 4 * r + 3, 3 * c : 3 * c + 2] for c in range(6)] for r in range(2)]
    for row, path in zip(tiles, paths.values(), strict=True):
        np.testing.assert_allclose(row[0], ends[0].reshape(3, 2) / 255, rtol=1e-6)
        np.testing.assert_allclose(row[5], ends[1].reshape(3, 2) / 255, rtol=1e-6)
        np.testing.assert_allclose(row[1:5], path.reshape(4, 3, 2), rtol=1e-6)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["linear", "spherical"]
    names = ["from", "0%", "33%", "67%", "100%", "to"]
    assert [label.get_text() for label in ax.get_xticklabels()] == names
    assert [(f.get_x(), f.get_y(), f.get_width(), f.get_height()) for f in ax.patches] == [
        (-0.5, -0.5, 1, 2),
        (4.5, -0.5, 1, 2),
    ]


def test_shapes_that_contradict_each_other(rng):
    path = rng.random((4, 6))
    with pytest.raises(ValueError, match="same shape"):
        draw_interpolation({"a": path, "b": path[:3]}, path[:2], (3, 2))
    for ends in (path[:3], path[:2, :5], path[0]):
        with pytest.raises(ValueError, match=r"need ends of shape \(2, D\)"):
            draw_interpolation({"a": path}, ends, (3, 2))
