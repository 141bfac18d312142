"""README's Python blocks, run as they stand there."""

import re
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets

import npvae

README = Path(npvae.__file__).parent.parent / "README.md"
BLOCKS = re.findall(
    r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
)


def block(part):
    """The one block that contains this text."""
    (found,) = [text for text in BLOCKS if part in text]
    return found


@pytest.fixture(scope="module")
def digits():
    return (sklearn.datasets.load_digits().data / 16).astype(np.float32)


def test_the_layer_with_a_wrong_gradient_is_found_out(capsys):
    names = {"np": np}
    exec(block("class Affine"), names)
    exec(block("check_layer(Affine"), names)
    assert not names["report"].passed
    table = capsys.readouterr().out
    assert re.search(r"\n +b +\(3,\) +FAIL", table)
    assert len(re.findall(r"\n +[xW] .* pass ", table)) == 2


def test_the_estimator(digits, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {"X": digits[:150], "X_test": digits[150:200]}
    exec(block("npvae.VAE("), names)
    assert capsys.readouterr().out.startswith("VAE on 50 samples: 64 features, 20 latent dimensions")
    loaded = npvae.load("vae.safetensors")
    np.testing.assert_array_equal(loaded.transform(digits), names["vae"].transform(digits))


def opened_in_pytorch(vae, lines, X):
    """What README's lines make of a model's file: posterior means and reconstructions."""
    torch = pytest.importorskip("torch")
    vae.save("vae.safetensors")
    names = {"x": torch.from_numpy(X)}
    exec(lines, names)
    return names["mu"].numpy(), names["x_hat"].numpy()


@pytest.mark.parametrize("hidden", [(40,), (40, 20), ()])
def test_the_weights_open_in_pytorch(hidden, digits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    vae = npvae.VAE(3, hidden=hidden, likelihood="bernoulli", max_epochs=3, random_state=0).fit(digits)
    lines = block("safetensors.torch")
    assert len([line for line in lines.splitlines() if line and "import" not in line]) == 5
    mu, x_hat = opened_in_pytorch(vae, lines, digits)
    np.testing.assert_allclose(mu, vae.transform(digits), rtol=0, atol=1e-6)
    np.testing.assert_allclose(x_hat, vae.reconstruct(digits), rtol=0, atol=1e-6)
    assert np.ptp(mu) > 0.2 < np.ptp(x_hat)


def test_another_activation_and_likelihood_are_put_in_as_readme_says(digits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = {"activation": "tanh", "likelihood": "gaussian", "noise_variance": 0.1}
    vae = npvae.VAE(3, hidden=(40, 20), **settings, max_epochs=3, random_state=0).fit(digits)
    lines = block("safetensors.torch").replace("relu", "tanh").replace(".sigmoid()", "")
    mu, x_hat = opened_in_pytorch(vae, lines, digits)
    np.testing.assert_allclose(mu, vae.transform(digits), rtol=0, atol=1e-6)
    np.testing.assert_allclose(x_hat, vae.reconstruct(digits), rtol=0, atol=1e-6)
