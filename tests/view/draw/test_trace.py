"""The picture of a trace: its numbers, and arrows as wide as the gradients."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyArrowPatch

from npvae.view.draw import trace as module
from npvae.view.draw.trace import draw_trace, write_trace_page
from tests.view.tables.test_trace import make


def texts(ax):
    return [text.get_text() for text in ax.texts]


def arrows(ax):
    return [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]


def widths(ax, colour):
    """Of the arrows of a colour; their areas' narrow sides."""
    return sorted(
        arrow.get_arrowstyle().tail_width
        for arrow in arrows(ax)
        if np.allclose(arrow.get_facecolor()[:3], to_rgb(colour))
    )


def test_every_number_is_there():
    trace = make()
    (graph,) = draw_trace(trace)
    shown = "\n".join(texts(graph))
    for d in (0, 1):
        for name in ("mu", "log_var", "std", "z"):
            node = trace.node(name, d)
            assert f"{name} {d} = {node.value:.3f}\n{node.gradient:+.3f}" in shown
        assert f"eps {d} = {trace.node('eps', d).value:.3f}" in shown
        for name in ("mu", "log_var"):
            assert f"{trace.node(name, d).from_kl:+.3f}" in shown
            assert f"{trace.node(name, d).from_reconstruction:+.3f}" in shown
    graph.figure.draw_without_rendering()


def test_widths_grow_with_the_root_of_the_gradient():
    trace = make()
    (graph,) = draw_trace(trace)
    largest = max(abs(node.gradient) for node in trace.nodes if node.width == 2)
    gradients = [trace.node(name, d).from_kl for name in ("mu", "log_var") for d in (0, 1)]
    expected = np.clip(
        module._WIDEST * np.sqrt(np.abs(gradients) / largest), module._THINNEST, module._WIDEST
    )
    np.testing.assert_allclose(widths(graph, module._KL), sorted(expected))


def test_without_the_reparameterization_the_path_is_cut():
    (whole,), (cut,) = (draw_trace(make(reparameterized=flag)) for flag in (True, False))
    assert texts(cut).count("x") == 6  # z to mu, z to std, std to log_var; of two dimensions
    assert "x" not in texts(whole)
    assert len(arrows(whole)) - len(arrows(cut)) == 6
    assert len(widths(whole, module._KL)) == len(widths(cut, module._KL)) == 4


@pytest.mark.parametrize("latent_dim", [1, 7])
@pytest.mark.parametrize("ae", [False, True])
def test_at_most_four_dimensions_and_images(latent_dim, ae):
    trace = make(latent_dim, ae=ae)
    left, graph, right = draw_trace(trace, (2, 3))
    name = "code" if ae else "z"
    drawn = [d for d in range(latent_dim) if any(text.startswith(f"{name} {d} =") for text in texts(graph))]
    assert drawn == trace.most_important(4)
    np.testing.assert_allclose(np.ravel(left.get_images()[0].get_array()), trace.image)
    np.testing.assert_allclose(np.ravel(right.get_images()[0].get_array()), trace.reconstructed)


def test_the_page_holds_picture_and_tables(tmp_path):
    trace = make()
    write_trace_page(trace, (2, 3), tmp_path / "trace.html")
    text = (tmp_path / "trace.html").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert text.count("data:image/png;base64,") == 1
    assert trace._repr_html_() in text
    for part in ("http", 'src="/', "<script"):
        assert part not in text
