"""`npvae animate`: a GIF of both latent planes over training."""

import numpy as np
import pytest
from PIL import Image

import npvae
from npvae.cli import animate
from npvae.data import load_dataset
from npvae.view.draw import animation
from tests.cli.tools import assert_refused, contents, invoke

QUICK = ("--epochs", 3, "--hidden", 8, "--seed", 2)


@pytest.fixture(autouse=True)
def coarse(monkeypatch):
    monkeypatch.setattr(animation, "_DPI", 20)


def test_the_codes_are_those_of_each_epoch(images, tmp_path, monkeypatch):
    given = []
    write = animation.write_latent_animation
    monkeypatch.setattr(
        animation, "write_latent_animation", lambda *a, **k: given.append(a) or write(*a, **k)
    )
    out = tmp_path / "new" / "x.gif"
    result = invoke("animate", "--data", images, *QUICK, "--out", out)
    assert result.code == 0, result.err
    assert "3 frames, written to" in result.out
    with Image.open(out) as gif:
        assert gif.n_frames == 3
    ((_, codes, labels),) = given
    data = load_dataset(images)
    np.testing.assert_array_equal(labels, data.y_test)
    settings = {"hidden": (8,), "likelihood": "bernoulli", "batch_size": 32, "tol": None, "random_state": 2}
    for name, cls in (("AE", npvae.Autoencoder), ("VAE", npvae.VAE)):
        for epochs in (1, 3):
            model = cls(2, max_epochs=epochs, **settings).fit(data.X_train)
            expected = model.transform(data.X_test[: animate.MOST_CODES])
            np.testing.assert_allclose(codes[name][epochs - 1], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--out", "x.png"), ["x.png", ".gif"]),
        (("--latent-dim", 1), ["--latent-dim", "at least 2"]),
        (("--frames", 1), ["--frames", "at least 2"]),
    ],
)
def test_bad_options(options, parts, images, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert_refused(invoke("animate", "--data", images, *QUICK, "--out", "x.gif", *options), *parts)
    assert contents(tmp_path) == {}
