"""The panels that report.html opens with show the comparison's numbers."""

import base64
import io
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from npvae.study.summary import class_shares, summarised_dims
from npvae.view.draw.latent import picture_axes
from npvae.view.report.first_screen import bars, draws, first_screen, legend, scatter
from tests.comparisons import N_TEST, small_comparison


def parsed(text):
    return ElementTree.fromstring(text.replace("&nbsp;", " "))


def numbers(text):
    return np.array([float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)])


@pytest.mark.parametrize("latent_dim", [2, 5])
def test_dots_circles_and_crosses_have_one_scale(latent_dim, rng):
    codes, samples = 3 * rng.standard_normal((30, latent_dim)) + 2, rng.standard_normal((4, latent_dim))
    labels = np.arange(30) % 3
    svg = parsed(scatter(codes, labels, samples, "said <&> here"))
    assert svg.get("aria-label") == "said <&> here"
    dots, rings = (svg.find(f"g[@class='{name}']") for name in ("dots", "rings"))
    cross = svg.find("path[@class='cross']")
    circles = [(float(c.get("cx")), float(c.get("cy")), float(c.get("r"))) for c in rings]
    origin, scale = np.array(circles[0][:2]), circles[0][2]
    assert [c[2] / scale for c in circles] == pytest.approx([1, 2, 3], rel=0.02)
    axes = picture_axes(codes)
    for k, path in enumerate(dots):
        places = numbers(path.get("d")).reshape(-1, 3)[:, :2]
        expected = origin + (codes[labels == k] @ axes) * [scale, -scale]
        np.testing.assert_allclose(places, expected, atol=0.2 + 0.003 * scale * 12)
    middles = np.array([numbers(part)[:2] + 3 for part in cross.get("d").split("M")[1:]])
    np.testing.assert_allclose(middles, origin + (samples @ axes) * [scale, -scale], atol=0.5)
    assert [text.text for text in svg.iter("text")] == ["0", "1", "2"]
    for text in (*middles, *[numbers(p.get("d")).reshape(-1, 3)[:, :2] for p in dots]):
        assert np.all((text >= 0) & (text <= 320))


def test_dots_without_labels_have_one_colour(rng):
    svg = parsed(scatter(rng.standard_normal((9, 2)), None, rng.standard_normal((2, 2)), ""))
    assert len(svg.find("g[@class='dots']")) == 1
    assert list(svg.iter("text")) == []


def test_draws_are_the_images(rng):
    images = rng.random((11, 12))
    element = parsed(draws(images, (3, 4), (0.0, 1.0), "what they are").replace('">', '"/>'))
    assert element.get("alt") == "what they are"
    with Image.open(io.BytesIO(base64.b64decode(element.get("src").partition(",")[2]))) as picture:
        pixels = np.asarray(picture)
    assert pixels.shape == (int(element.get("height")), int(element.get("width")), 2)
    for k in range(11):
        top, left = k // 8 * 4, k % 8 * 5
        shown = pixels[top : top + 3, left : left + 4]
        np.testing.assert_allclose(shown[:, :, 0].ravel() / 255, images[k], atol=0.003)
        assert np.all(shown[:, :, 1] == 255)
    assert np.all(pixels[4:, 15:, 1] == 0), "no image there"


def test_bars_are_as_high_as_the_shares():
    shares, confident = np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.0, 0.2])
    svg = parsed(bars(shares, confident, ["a", "b<", "a long name that has no room"], 40, 0.5, "said"))
    for name, values in (("all", shares), ("sure", confident)):
        heights = [float(r.get("height")) for r in svg.iter("rect") if r.get("class") == name]
        np.testing.assert_allclose(np.array(heights) / max(heights), values / values.max(), atol=0.01)
        bottoms = [float(r.get("y")) + float(r.get("height")) for r in svg.iter("rect")]
        np.testing.assert_allclose(bottoms, bottoms[0], atol=0.11)
    texts = [text.text for text in svg.iter("text")]
    assert texts[::2] == ["20", "12", "8"]
    assert texts[1::2][:2] == ["a", "b<"]
    assert texts[-1].endswith("\u2026")


def test_the_section_of_each_dimension():
    comparison = small_comparison((3, 2), (4, 0))
    page = parsed(f"<div>{_closed(first_screen(comparison, (0.0, 1.0)))}</div>")
    sections = page.findall("section")
    assert len(sections) == 2
    assert [section.find("h2").text.split(":")[0] for section in sections] == [
        "Two latent dimensions",
        "Three latent dimensions",
    ]
    for section, d in zip(sections, summarised_dims(comparison), strict=True):
        panels = section.findall(".//article")
        assert [panel.find("h3").text for panel in panels] == [
            "Autoencoder (AE)",
            "Variational autoencoder (VAE)",
        ]
        for panel, kind in zip(panels, ("AE", "VAE"), strict=True):
            counts = [float(t.text) for t in panel.findall(".//figure[@class='bars']//text")[::2]]
            expected = class_shares(comparison, kind, d) * N_TEST
            np.testing.assert_allclose(counts, expected, atol=0.51)
            assert panel.find(".//figure[@class='draws']/img").get("alt")


def _closed(text):
    return re.sub(r"(<img [^>]*[^/])>", r"\1/>", text)


def test_without_labels_there_are_no_bars():
    comparison = small_comparison(labels=False)
    text = first_screen(comparison, None)
    assert 'class="bars"' not in text
    assert 'class="plane"' in text
    assert "classifier" not in legend(comparison)
    key = legend(small_comparison())
    assert 'class="key sure"></span>with more than 95&nbsp;% confidence' in key


def test_one_dimension_has_no_plane():
    assert 'class="plane"' not in first_screen(small_comparison((1,)), (0.0, 1.0))


def test_rows_that_are_no_images():
    comparison = small_comparison(tabular=True)
    low, high = comparison.data.value_range
    assert first_screen(comparison, (low, high)).count("<img ") == 2
    named = replace(comparison, data=replace(comparison.data, name="a<b"))
    assert "a<b" not in first_screen(named, (low, high))


def test_class_names_are_no_html(monkeypatch):
    monkeypatch.setattr("npvae.study.summary._RECOGNISED", 0.0)  # so that they are named
    comparison = small_comparison()
    tags = {part: np.array(["<i>", "<b>"])[getattr(comparison.data, part)] for part in ("y_train", "y_test")}
    text = first_screen(replace(comparison, data=replace(comparison.data, **tags)), (0.0, 1.0))
    assert "ostly &lt;" in text
    assert "<i>" not in text
    assert "<b>" not in text
