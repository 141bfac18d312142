"""Lines over latent dimensions: that they show the comparison's numbers."""

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

from npvae.view.draw.metrics import COLOURS, STYLES, draw_metrics
from tests.comparisons import enlarged, small_comparison, with_figure, with_quality

DIMS = (2, 10, 50)


@pytest.fixture(scope="module", params=["with labels", "without labels"])
def comparison(request):
    made = enlarged(small_comparison(labels=request.param == "with labels"), DIMS, 3)
    for seed, error in enumerate([1.0, 2.0, 6.0]):
        made = with_figure(made, "VAE", 10, ("reconstruction", "squared_error"), error, seed=seed)
    return made


@pytest.fixture(scope="module")
def panels(comparison):
    return draw_metrics(comparison)


def lines(ax):
    """Heights by colour and style, of the lines with a point at every latent dimension."""
    found = {}
    for container in ax.containers:
        line = container.lines[0]
        found[line.get_color(), line.get_linestyle()] = line.get_ydata()
    return found


def test_quality_panels(comparison, panels):
    labelled = np.isfinite(comparison.classifier_accuracy)
    frechet = "frechet_classifier" if labelled else "frechet"
    for ax, field in zip(panels, [frechet, "pixel_coverage", "two_sample_accuracy"], strict=False):
        drawn = lines(ax)
        assert len(drawn) == len(COLOURS) * len(STYLES)
        for kind, colour in COLOURS.items():
            for way, style in STYLES.items():
                means = [comparison.qualities(kind, d, way, field).mean() for d in DIMS]
                np.testing.assert_allclose(drawn[colour, style], means)
        real = getattr(comparison.controls["training images"], field)
        assert any(np.allclose(line.get_ydata(), real) for line in ax.get_lines() if line.get_lw() == 1)
    assert ("classifier features" in panels[0].get_title()) == labelled
    assert panels[0].get_yscale() == "log"


def test_reconstruction_panel(comparison, panels):
    drawn = lines(panels[3])
    assert len(drawn) == 2
    for kind, colour in COLOURS.items():
        errors = [comparison.figures(kind, d, "reconstruction", "squared_error").mean() for d in DIMS]
        np.testing.assert_allclose(drawn[colour, "-"], errors)


def test_bars_reach_from_the_least_seed_to_the_greatest(panels):
    (container,) = [c for c in panels[3].containers if c.lines[0].get_color() == COLOURS["VAE"]]
    (bars,) = container.lines[2]
    np.testing.assert_allclose(bars.get_segments()[1][:, 1], [1, 6])
    assert container.lines[0].get_ydata()[1] == 3


def test_every_dimension_has_its_place(panels):
    for ax in panels:
        assert [label.get_text() for label in ax.get_xticklabels()] == ["2", "10", "50"]
        assert ax.get_xlabel() == "latent dimensions"
        low, high = ax.get_xlim()
        assert low < 0 < 2 < high


def test_the_legend_names_models_ways_and_controls(panels):
    (legend,) = panels[0].get_figure().legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts[:2] == ["AE", "VAE"]
    assert len(texts) == 2 + len(STYLES) + 1
    assert texts[-1] == "training images in place of samples"


def test_nothing_is_cut_off(panels):
    """All text lies within the figure, and no panel's title on another's."""
    figure = panels[0].get_figure()
    figure.draw_without_rendering()
    width, height = figure.get_size_inches() * figure.dpi
    boxes = [ax.title.get_window_extent() for ax in panels]
    for box in [*boxes, figure.legends[0].get_window_extent()]:
        assert 0 <= box.x0 < box.x1 <= width
        assert 0 <= box.y0 < box.y1 <= height
    assert not boxes[0].overlaps(boxes[1])
    assert not boxes[2].overlaps(boxes[3])


def test_seeds_that_agree():
    """The mean of three times 0.1 is not 0.1: still no bar of negative length."""
    made = enlarged(small_comparison(), DIMS, 3)
    made = with_quality(made, "AE", 10, "full", pixel_coverage=0.1, two_sample_accuracy=0.7)
    assert np.mean([0.1] * 3) != 0.1
    drawn = lines(draw_metrics(made)[1])
    assert drawn[COLOURS["AE"], STYLES["full"]][1] == pytest.approx(0.1)


def test_a_figure_of_ones_own(comparison):
    figure = Figure(figsize=(10, 8), layout="constrained")
    axes = draw_metrics(comparison, figure=figure)
    assert all(ax.get_figure() is figure for ax in axes)
    assert len(axes) == 4 == len(figure.axes)
    assert pyplot.get_fignums() == []
