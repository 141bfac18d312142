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


def test_the_estimator_and_its_weights_in_pytorch(digits, tmp_path, monkeypatch, capsys):
    """One block after the other, as a reader would run them."""
    monkeypatch.chdir(tmp_path)
    names = {"X": digits[:150], "X_test": digits[150:200]}
    exec(block("npvae.VAE("), names)
    assert capsys.readouterr().out.startswith("VAE on 50 samples: 64 features, 20 latent dimensions")
    vae, loaded = names["vae"], npvae.load("vae.safetensors")
    np.testing.assert_array_equal(loaded.transform(digits), vae.transform(digits))

    torch = pytest.importorskip("torch")
    lines = block("safetensors.torch")
    assert len([line for line in lines.splitlines() if line and "import" not in line]) == 5
    opened = {"x": torch.from_numpy(digits[:150])}
    exec(lines, opened)
    scale = np.abs(vae.transform(digits[:150])).max()
    np.testing.assert_allclose(opened["mu"].numpy(), vae.transform(digits[:150]), rtol=0, atol=1e-6 * scale)
    np.testing.assert_allclose(opened["x_hat"].numpy(), vae.reconstruct(digits[:150]), rtol=1e-6, atol=1e-6)


def test_weights_of_binary_pixels_in_pytorch(digits, tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    vae = npvae.VAE(3, hidden=(40,), likelihood="bernoulli", max_epochs=3, random_state=0).fit(digits)
    vae.save("vae.safetensors")
    names = {"x": torch.from_numpy(digits)}
    exec(block("safetensors.torch"), names)
    p = torch.sigmoid(names["x_hat"]).numpy()
    np.testing.assert_allclose(p, vae.reconstruct(digits), rtol=0, atol=1e-6)
