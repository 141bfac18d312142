"""`npvae explore` on trained models."""

import npvae
from tests.cli.tools import assert_refused, contents, invoke


def test_it_writes_one_file(models, images, tmp_path):
    out = tmp_path / "new" / "explorer.html"
    result = invoke(
        "explore", models / "ae.safetensors", models / "vae.safetensors", "--data", images, "-o", out
    )
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"{out}: ")
    text = out.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert text.rstrip().endswith("</html>")
    assert [path.name for path in out.parent.iterdir()] == ["explorer.html"]


def test_what_does_not_fit_is_refused(models, images, tmp_path):
    ae, vae = models / "ae.safetensors", models / "vae.safetensors"
    other = tmp_path / "other.safetensors"
    X = npvae.load(ae).inverse_transform([[0.0, 0.0], [1.0, 1.0]])
    npvae.VAE(3, hidden=(), likelihood="gaussian", max_epochs=1, tol=None, random_state=0).fit(X).save(other)
    before = contents(tmp_path)
    out = ("--data", images, "-o", tmp_path / "x.html")
    assert_refused(invoke("explore", vae, ae, *out), "vae.safetensors", "AE_MODEL", "first")
    assert_refused(invoke("explore", ae, ae, *out), "ae.safetensors", "VAE_MODEL", "second")
    assert_refused(invoke("explore", ae, other, *out), "2", "3", "--latent-dim")
    assert_refused(invoke("explore", ae, vae, "-o", tmp_path / "x.html"), "30", "digits", "64")
    assert_refused(invoke("explore", ae, vae, "--data", images, "-o", tmp_path / "x.png"), ".html")
    assert_refused(invoke("explore", ae, vae, *out, "--image-shape", 4, 4), "--image-shape", "16", "30")
    assert contents(tmp_path) == before
