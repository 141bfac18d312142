"""The picture of a trace: its numbers, and arrows as wide as the gradients."""

import re

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyArrowPatch

from npvae.study.trace_record import trace_sections
from npvae.view.draw import trace as module
from npvae.view.draw.trace import draw_trace
from npvae.view.draw.trace_page import write_trace_page
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


@pytest.mark.parametrize(
    "options", [{}, {"n_average": 30}, {"reparameterized": False}, {"ae": True}, {"beta": 0.5}], ids=str
)
def test_text_fits_its_box_and_overlaps_no_other(options):
    """As it is drawn: every text in a box is inside it, and no two texts meet."""
    (graph,) = draw_trace(make(**options))
    graph.figure.draw_without_rendering()
    boxes = [patch.get_window_extent() for patch in graph.patches if not isinstance(patch, FancyArrowPatch)]
    places = [(text, text.get_window_extent()) for text in graph.texts]
    for i, (text, place) in enumerate(places):
        for other, another in places[i + 1 :]:
            assert not place.overlaps(another), (text.get_text(), other.get_text())
        for box in boxes:
            inside = box.x0 <= place.x0 < place.x1 <= box.x1 and box.y0 <= place.y0 < place.y1 <= box.y1
            assert inside or not box.overlaps(place), text.get_text()


def test_the_factors_of_the_chain_rule():
    """Each factor stands by the gradient that it leads to."""
    trace = make(beta=0.5)
    shown = texts(draw_trace(trace)[0])
    for d in (0, 1):
        mu, log_var, std = (trace.node(name, d) for name in ("mu", "log_var", "std"))
        assert f"{mu.from_reconstruction:+.3f}\nx 1" in shown
        assert f"{std.from_reconstruction:+.3f}\nx eps" in shown
        assert f"{log_var.from_reconstruction:+.3f}\nx std / 2" in shown
        assert f"{mu.from_kl:+.3f}\n= 0.5 mu" in shown
        assert f"{log_var.from_kl:+.3f}\n= 0.5 (std\u00b2 - 1) / 2" in shown


def test_the_average_is_in_picture_and_page(tmp_path):
    trace = make(n_average=30)
    (graph,) = draw_trace(trace)
    assert "30 draws of eps" in graph.get_title()
    for d in (0, 1):
        mean, deviation = trace.average.mu_mean[d], trace.average.mu_std[d]
        assert f"mean {mean:+.3f} \u00b1 {deviation:.3f}" in texts(graph)
    write_trace_page(trace, None, tmp_path / "trace.html")
    for text in (trace._repr_html_(), (tmp_path / "trace.html").read_text(encoding="utf-8")):
        assert "over 30 draws of eps" in text
        assert f"<td>{trace.average.mu_std[1]:.3f}</td>" in text


def test_all_dimensions_are_in_picture_and_page(tmp_path):
    trace = make(7)
    (graph,) = draw_trace(trace, show_all=True)
    assert [d for d in range(7) if any(text.startswith(f"z {d} =") for text in texts(graph))] == list(
        range(7)
    )
    for flag, n in ((True, 7), (False, 4)):
        write_trace_page(trace, None, tmp_path / "trace.html", show_all=flag)
        text = (tmp_path / "trace.html").read_text(encoding="utf-8")
        assert text.count("<caption>Latent dimension") == n
        assert ("4 of 7 latent dimensions" in text) == (not flag)
        assert ("All nodes" in text) == flag


def test_the_page_explains_the_cut_and_says_what_the_picture_shows(tmp_path):
    write_trace_page(make(reparameterized=False), None, tmp_path / "trace.html")
    text = (tmp_path / "trace.html").read_text(encoding="utf-8")
    assert "Without the reparameterization only the KL&#x27;s part reaches mu and log_var" in text
    (alternative,) = re.findall('alt="([^"]*)"', text)
    assert alternative.count("the KL alone pulls it") == 4  # mu and log_var of two dimensions


def test_the_page_holds_picture_and_tables(tmp_path):
    trace = make()
    write_trace_page(trace, (2, 3), tmp_path / "trace.html")
    text = (tmp_path / "trace.html").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert text.count("data:image/png;base64,") == 1
    for _, section in trace_sections(trace):
        assert section in text
    assert text.count("<h2>") == 3
    for part in ("http", 'src="/', "<script"):
        assert part not in text
