"""README's Python blocks, run one after the other as a reader would, and the output printed below them."""

import inspect
import re
import textwrap
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets

import npvae

README = Path(npvae.__file__).parent.parent / "README.md"
# Each Python block, and the block of output that follows it, if one does.
BLOCKS = re.findall(
    r"^```python\n(.*?)^```\n(?:\n```\n(.*?)^```)?",
    README.read_text(encoding="utf-8"),
    re.DOTALL | re.MULTILINE,
)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """What each block prints, and what is printed below it in README."""
    names, found = {"__name__": "readme"}, []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("readme"))
        for code, shown in BLOCKS:
            printed: list[str] = []
            names["print"] = lambda *values, out=printed: out.append(" ".join(map(str, values)))
            exec(code, names)
            found.append((code, "\n".join(printed), shown.rstrip("\n")))
    return found


def test_blocks_print_what_is_shown_below_them(outputs):
    """All but the gradient check's table, whose numbers are drawn."""
    compared = [(printed, shown) for code, printed, shown in outputs if shown and "check_layer" not in code]
    assert len(compared) == 2
    for printed, shown in compared:
        assert printed == shown


def test_the_layer_with_a_wrong_gradient_is_found_out(outputs):
    ((printed, shown),) = [(p, s) for code, p, s in outputs if "check_layer(Affine" in code]
    for table in (printed, shown):
        assert table.startswith("check_layer(Affine): FAIL\n")
        assert re.search(r"\n +b +\(3,\) +FAIL", table)
        assert len(re.findall(r"\n +[xW] .* pass ", table)) == 2
        assert "1/5 of the right value" in table


def test_readme_is_short():
    assert len(README.read_text(encoding="utf-8").split()) < 1200


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_the_docstring_of_load_opens_a_model_in_pytorch(likelihood, tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    X = (sklearn.datasets.load_digits().data[:500] / 16).astype(np.float32)
    monkeypatch.chdir(tmp_path)
    vae = npvae.VAE(3, hidden=(40,), likelihood=likelihood, max_epochs=3, tol=None, random_state=0).fit(X)
    vae.save("vae.safetensors")
    code = inspect.getdoc(npvae.load).split("::\n")[-1]
    names = {"x": torch.from_numpy(X)}
    exec(textwrap.dedent(code), names)
    x_hat = names["x_hat"] if likelihood == "gaussian" else torch.sigmoid(names["x_hat"])
    scale = np.abs(vae.transform(X)).max()
    np.testing.assert_allclose(names["mu"].numpy(), vae.transform(X), rtol=0, atol=1e-6 * scale)
    np.testing.assert_allclose(x_hat.numpy(), vae.reconstruct(X), rtol=1e-6, atol=1e-6)
