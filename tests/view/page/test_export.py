"""The file: its parts, its size, what it forbids; and what is refused."""

import base64
import hashlib
import html
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from npvae.data import Dataset, load_dataset, load_digits
from npvae.estimators import VAE, Autoencoder
from npvae.view import explore
from npvae.view.page.export import SCRIPTS, explorer_page, page_script, write_explorer
from npvae.view.page.packing import ArrayPacker, quantize
from npvae.view.page.source_lines import source_lines
from tests.view.page.browsing import train


def test_only_its_own_script_and_style_may_run(explorer):
    text = explorer.read_text(encoding="utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text).group(1)
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    for tag in ("script", "style"):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    code = text.replace("http://www.w3.org/2000/svg", "")  # the name of SVG's elements, which is not loaded
    for forbidden in ("http:", "https:", "src=", "@import", "url(", "eval(", "innerHTML", "fetch("):
        assert forbidden not in code, forbidden


def test_every_source_is_part_of_the_script():
    script = page_script()
    assert all(f"\n// {name}\n" in script for name in SCRIPTS)
    (engine,) = re.findall(r"// engine.js\n(.*?)// random.js\n", script, re.DOTALL)
    assert engine.count("\n") < 250
    assert "Float32Array" not in script


def test_digits_stay_below_450_kb(explorer):
    assert explorer.stat().st_size < 450_000


@pytest.mark.skipif(
    "NPVAE_DATA" not in os.environ, reason="NPVAE_DATA is unset: see tests/data/test_mnist.py"
)
def test_mnist_stays_below_3_7_mb(tmp_path):
    """784-400-2; the weights' values hardly matter, so one epoch on a part of the data is enough."""
    data = load_dataset(Path(os.environ["NPVAE_DATA"]) / "mnist")
    part = replace(data, X_train=data.X_train[:500], y_train=data.y_train[:500])
    models = [train(cls, 2, part.X_train, hidden=(400,), max_epochs=1) for cls in (Autoencoder, VAE)]
    assert write_explorer(tmp_path / "mnist.html", *models, part).stat().st_size < 3_700_000


def test_a_file_is_replaced_and_the_same_again(models, tmp_path):
    path = tmp_path / "explorer.html"
    path.write_text("old")
    first = write_explorer(path, *models, load_digits()).read_bytes()
    assert write_explorer(path, *models, load_digits()).read_bytes() == first
    assert [entry.name for entry in tmp_path.iterdir()] == ["explorer.html"]


def test_names_of_classes_cannot_leave_their_block(bars, tmp_path, rng):
    X = rng.random((60, 12), dtype=np.float32)
    y = np.array(["</script><b>", "b"])[np.arange(60) % 2]
    data = Dataset("</title><i>", X[:40], y[:40], X[40:], y[40:], (3, 4))
    models = [train(cls, 2, X[:40], hidden=(), max_epochs=1) for cls in (Autoencoder, VAE)]
    text = write_explorer(tmp_path / "x.html", *models, data).read_text(encoding="utf-8")
    assert "</script><b>" not in text
    assert "</title><i>" not in text
    (block,) = re.findall(r'<script type="application/json" id="description">(.*?)</script>', text, re.DOTALL)
    assert json.loads(block)["images"]["classes"] == ["</script><b>", "b"]


def test_models_that_do_not_fit_are_refused(models, tmp_path, rng):
    digits, path = load_digits(), tmp_path / "x.html"
    three = train(VAE, 3, digits.X_train, hidden=(), max_epochs=1)
    with pytest.raises(ValueError, match="the AE has 2 and the VAE 3"):
        write_explorer(path, models[0], three, digits)
    X = rng.random((40, 7), dtype=np.float32)
    other = Dataset("others", X[:20], None, X[20:], None, None)
    with pytest.raises(ValueError, match="64 features, but others has 7"):
        write_explorer(path, *models, other)
    small = [train(cls, 2, X[:20], hidden=(), max_epochs=1) for cls in (Autoencoder, VAE)]
    with pytest.raises(ValueError, match="rows of 7 numbers"):
        write_explorer(path, *small, other)
    assert not path.exists()


def test_weights_that_float16_cannot_hold_are_refused():
    with pytest.raises(ValueError, match="65,504"):
        ArrayPacker().add_float16(np.array([1e5]))


def test_quantized_numbers(rng):
    X = rng.normal(size=(50, 20))
    indices, levels = quantize(X)
    assert len(levels) == 256
    assert np.abs(levels[indices] - X).max() <= np.ptp(X) / 510 * (1 + 1e-12)
    pixels = rng.integers(256, size=(3, 4), dtype=np.uint8)
    np.testing.assert_array_equal(quantize(pixels)[0], pixels)
    np.testing.assert_array_equal(quantize(pixels)[1] * 255, np.arange(256))


def test_source_lines_are_in_the_files():
    lines = source_lines()
    assert lines["z"]["code"] == "z = mu + std * eps"
    assert lines["z_backward"]["code"] == "return dz.copy(), dz * eps * std / 2"
    assert all(line["where"].startswith("npvae/core/") for line in lines.values())


def test_explore_is_the_page_in_a_frame(models):
    data = load_digits()
    frame = explore(*models, data, height=500)
    (inside,) = re.findall(r'srcdoc="(.*?)"', frame._repr_html_(), re.DOTALL)
    assert html.unescape(inside) == frame.page == explorer_page(*models, data)
