"""What every drawing function keeps to: it uses what it is given, and touches nothing else."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from npvae.study import Traversal, latent_plane
from npvae.view import (
    draw_decoded_plane,
    draw_history,
    draw_image_grid,
    draw_image_rows,
    draw_interpolation,
    draw_latent_codes,
    draw_latent_comparison,
    draw_latent_histograms,
    draw_latent_point,
    draw_nearest,
    draw_samples,
    draw_trace,
    draw_traversal,
)
from tests.view.tables.test_trace import make

_RNG = np.random.default_rng(0)
_CODES, _IMAGES, _LABELS = _RNG.standard_normal((12, 2)), _RNG.random((12, 6)), np.arange(12) % 4
_PLANE = latent_plane(3)
_TRAVERSAL = Traversal(
    np.arange(2),
    _CODES[0],
    _CODES[:2, :1] * np.ones(3),
    np.ones(2),
    _PLANE[:2],
    _IMAGES.reshape(2, 6, 6)[:, :3],
)
_LOSSES = {"loss": [3.0, 2.0], "reconstruction": [2.5, 1.5], "kl": [0.5, 0.5]}

ONE_PANEL = {
    "codes": lambda **kw: draw_latent_codes(_CODES, _LABELS, _CODES, title="title", **kw),
    "codes of one dimension": lambda **kw: draw_latent_codes(_CODES[:, :1], _LABELS, _CODES[:, :1], **kw),
    "codes of five dimensions": lambda **kw: draw_latent_codes(_IMAGES[:, :5], _LABELS, **kw),
    "grid": lambda **kw: draw_image_grid(_IMAGES, (2, 3), title="title", **kw),
    "bar codes": lambda **kw: draw_image_grid(_IMAGES, **kw),
    "rows": lambda **kw: draw_image_rows({"a": _IMAGES, "b": _IMAGES}, (3, 2), title="title", **kw),
    "plane": lambda **kw: draw_decoded_plane(_RNG.random((3, 3, 6)), _PLANE, (2, 3), title="title", **kw),
    "interpolation": lambda **kw: draw_interpolation(
        {"a": _IMAGES}, _IMAGES[:2], (2, 3), title="title", **kw
    ),
    "traversal": lambda **kw: draw_traversal(_TRAVERSAL, (2, 3), title="title", subtitle="line", **kw),
    "traversal of bar codes": lambda **kw: draw_traversal(_TRAVERSAL, **kw),
    "nearest": lambda **kw: draw_nearest(
        _IMAGES, _IMAGES[:, None], _CODES[:, :1], (3, 2), title="title", **kw
    ),
}
PANELS = {
    "latent comparison": lambda **kw: draw_latent_comparison({"AE": _CODES, "VAE": _CODES}, _LABELS, **kw),
    "histograms": lambda **kw: draw_latent_histograms({"AE": _IMAGES[:, :5], "VAE": _IMAGES[:, :5]}, **kw),
    "trace": lambda **kw: draw_trace(make(), (2, 3), **kw),
    "samples": lambda **kw: draw_samples({"AE": _IMAGES, "VAE": _IMAGES}, (2, 3), **kw),
    "samples of bar codes": lambda **kw: draw_samples({"AE": _IMAGES, "VAE": _IMAGES}, **kw),
    "history": lambda **kw: draw_history({"VAE": _LOSSES}, **kw),
    "point": lambda **kw: draw_latent_point(
        (-2.5, 2), {"AE": _IMAGES[0]}, {"AE": _CODES}, _LABELS, (2, 3), **kw
    ),
}


@pytest.mark.parametrize("draw", [*ONE_PANEL.values(), *PANELS.values()], ids=[*ONE_PANEL, *PANELS])
def test_no_global_state_is_left_behind(draw):
    settings, open_figures = dict(mpl.rcParams), pyplot.get_fignums()
    made = draw()
    made = made if isinstance(made, tuple) else (made,)
    made[0].figure.draw_without_rendering()
    assert dict(mpl.rcParams) == settings
    assert pyplot.get_fignums() == open_figures
    assert len({ax.figure for ax in made}) == 1


@pytest.mark.parametrize("draw", ONE_PANEL.values(), ids=ONE_PANEL)
def test_axes_that_are_given_are_used_and_no_others(draw):
    figure = Figure(layout="constrained")
    given, other = figure.subplots(1, 2)
    other.plot([1, 2])
    before = other.get_children(), other.get_xlim(), other.get_title()
    assert draw(ax=given) is given
    assert given.has_data()
    assert (other.get_children(), other.get_xlim(), other.get_title()) == before
    assert figure.axes == [given, other]
    assert not figure.legends


@pytest.mark.parametrize("draw", PANELS.values(), ids=PANELS)
@pytest.mark.parametrize("layout", [None, "constrained"])
def test_a_figure_or_part_of_one_that_is_given_is_used(draw, layout):
    figure = Figure(figsize=(24, 6), layout=layout)
    left, right = figure.subfigures(1, 2)
    panels = draw(figure=left)
    assert list(panels) == left.axes
    assert not right.axes
    figure.draw_without_rendering()


@pytest.mark.parametrize("draw", [*ONE_PANEL.values(), *PANELS.values()], ids=[*ONE_PANEL, *PANELS])
def test_nothing_is_cut_off(draw):
    made = draw()
    canvas = FigureCanvasAgg((made[0] if isinstance(made, tuple) else made).figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())
    for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
        assert np.all(edge == 255)
