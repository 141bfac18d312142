"""`npvae compare` on other shapes of latent space and data, and what it refuses."""

import argparse
import json
import subprocess
import sys

import numpy as np
import pytest

import npvae
from npvae import kernels
from npvae.cli import compare
from npvae.core import vae as core_vae
from tests.cli.tools import assert_complete_png, assert_refused, contents, invoke

pytestmark = pytest.mark.usefixtures("quick_judges")

QUICK = ("--latent-dim", 2, "--epochs", 1, "--hidden", 8, "--importance-samples", 5)
PLANE_PICTURES = {"plane-ae.png", "plane-vae.png", "point.png"}


@pytest.mark.parametrize("latent_dim", [1, 3])
def test_pictures_of_a_plane_need_a_plane(latent_dim, images, tmp_path):
    result = invoke("compare", "--data", images, *QUICK, "--latent-dim", latent_dim, "--out", tmp_path)
    assert result.code == 0, result.err
    record = json.loads((tmp_path / "run.json").read_text())
    assert {len(model["figures"]["moments"]["std"]) for model in record["models"]} == {latent_dim}
    pictures = {path.name for path in tmp_path.glob("*.png")}
    assert pictures == set(record["pictures"])
    assert pictures.isdisjoint(PLANE_PICTURES)
    assert {"latent.png", "samples.png"} < pictures
    for name in pictures:
        assert_complete_png(tmp_path / name)


def test_rows_that_are_no_images(features, tmp_path):
    argv = ("--data", features, "--likelihood", "gaussian", *QUICK, "--out", tmp_path)
    result = invoke("compare", *argv)
    assert result.code == 0, result.err
    assert "\n\nAE and VAE on features: 120 training and 30 test samples\n" in result.out
    assert "-ln p(x | code): gaussian likelihood" in " ".join(result.out.split())
    for path in tmp_path.glob("*.png"):
        assert_complete_png(path)
    assert not (tmp_path / "explorer.html").exists()
    assert npvae.load(tmp_path / "models" / "vae-d2-seed0.safetensors").likelihood == "gaussian"
    assert json.loads((tmp_path / "run.json").read_text())["classifier_accuracy"] is None


@pytest.mark.usefixtures("no_pictures")
def test_one_class_only(images, tmp_path):
    """As without labels: there is nothing for a classifier to learn."""
    data = tmp_path / "bars"
    data.mkdir()
    for part in ("train", "test"):
        X = np.load(images / f"X_{part}.npy")
        np.save(data / f"X_{part}.npy", X)
        np.save(data / f"y_{part}.npy", np.full(len(X), 3))
    result = invoke("compare", "--data", data, *QUICK, "--out", tmp_path / "out")
    assert result.code == 0, result.err
    assert "confi-" not in result.out
    assert "principal components of the data" in " ".join(result.out.split())


@pytest.mark.usefixtures("no_pictures")
def test_the_fewest_test_images(images, tmp_path):
    data = tmp_path / "bars"
    data.mkdir()
    np.save(data / "X_train.npy", np.load(images / "X_train.npy"))
    for n in (19, 20):
        np.save(data / "X_test.npy", np.load(images / "X_test.npy")[:n])
        result = invoke("compare", "--data", data, *QUICK, "--out", tmp_path / "out")
        if n == 19:
            assert_refused(result, "20 test samples", "150 and 19")
            assert not (tmp_path / "out").exists()
    assert result.code == 0, result.err
    assert "at least" not in result.err


@pytest.mark.usefixtures("no_pictures")
def test_fewer_samples(images, tmp_path):
    result = invoke("compare", "--data", images, *QUICK, "--samples", 25, "--json", "--out", tmp_path)
    record = json.loads(result.out)
    assert record["n_compared"] == 25 == record["extent"]["samples"]
    assert {quality["n"] for model in record["models"] for quality in model["samples"].values()} == {25}


@pytest.mark.parametrize("binarize", ["static", "dynamic"])
@pytest.mark.usefixtures("no_pictures")
def test_binarised(binarize, images, tmp_path):
    result = invoke("compare", "--data", images, *QUICK, "--binarize", binarize, "--out", tmp_path)
    assert result.code == 0, result.err
    ae = npvae.load(tmp_path / "models" / "ae-d2-seed0.safetensors")
    assert ae.dynamic_binarization == (binarize == "dynamic")
    assert "strictly between 0 and 1" not in result.out, "the test images are binary"
    assert json.loads((tmp_path / "run.json").read_text())["settings"]["binarize"] == binarize


def test_a_preset_is_one_dimension_unless_a_later_option_says_more():
    parser = argparse.ArgumentParser()
    compare.add_arguments(parser)
    assert parser.parse_args(["--preset", "stat453"]).latent_dim == [2]
    args = parser.parse_args(["--preset", "stat453", "--latent-dim", "5", "9"])
    assert (args.latent_dim, args.epochs, args.noise_variance) == ([5, 9], 50, "0.5")


@pytest.mark.usefixtures("no_pictures")
def test_the_folder_has_a_default(images, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert invoke("compare", "--data", images, *QUICK).code == 0
    assert (tmp_path / "npvae-compare" / "run.json").is_file()


@pytest.mark.parametrize(
    ("argv", "parts"),
    [
        (("--data", "no/such/place"), ["no/such/place", "'digits'"]),
        (("--latent-dim", 0), ["latent_dim", "[1, inf)", "Got 0"]),
        pytest.param(("--latent-dim", 2, 0), ["latent_dim", "[1, inf)", "Got 0"], id="the second latent dim"),
        (("--seeds", 0), ["--seeds", "from 1 to 10000", "0"]),
        (("--seeds", 10**12), ["--seeds", "from 1 to 10000", "1000000000000"]),
        (("--jobs", 0), ["--jobs", "at least 1", "0"]),
        (("--importance-samples", 0), ["--importance-samples", "at least 1", "0"]),
        (("--latent-dim", "two"), ["--latent-dim", "'two'"]),
        (("--hidden", 0), ["hidden", "positive"]),
        (("--activation", "swish"), ["swish", "relu"]),
        (("--likelihood", "poisson"), ["--likelihood", "poisson", "bernoulli"]),
        (("--beta", -1), ["beta", "[0.0, inf)", "Got -1"]),
        (("--objective", "iwae", "--draws", 1), ["iwae", "more draws"]),
        (("--draws", 0), ["--draws", "at least 1", "'0'"]),
        (("--epochs", 0), ["max_epochs", "[1, inf)", "Got 0"]),
        (("--batch-size", -1), ["batch_size", "[1, inf)"]),
        pytest.param(("--batch-size", 0), ["batch_size", "[1, inf)"], id="batch size 0"),
        (("--learning-rate", "nan"), ["learning_rate", "nan"]),
        (("--max-grad-norm", 0), ["max_grad_norm", "(0.0, inf]"]),
        (("--kl-warmup-epochs", -1), ["kl_warmup_epochs", "[0, inf)"]),
        (("--free-bits", -1), ["free_bits", "[0.0, inf)"]),
        pytest.param(("--seed", -1), ["seed"], id="a negative seed"),
        pytest.param(("--seed", 2**32 - 1), ["--seed", "from 0 to"], id="a seed without successors"),
        (("--split-seed", 2**32), ["--split-seed", "from 0 to"]),
        (("--threads", 10**9), ["n_threads", "[1, 1024]"]),
        (("--latent-dim", 2, 10**12), ["not enough memory", "latent_dim=1000000000000", "GiB"]),
        (("--hidden", 10**15), ["not enough memory", "hidden=(1000000000000000,)", "GiB"]),
        (("--binarize", "yes"), ["--binarize", "yes", "static"]),
        (("--binarize", "dynamic", "--likelihood", "gaussian"), ["binar", "bernoulli"]),
    ],
)
def test_bad_options(argv, parts, images, tmp_path):
    """Found before anything is trained or written."""
    out = tmp_path / "out"
    data = () if "--data" in argv else ("--data", images)
    assert_refused(invoke("compare", *data, *QUICK, "--out", out, *argv), *parts)
    assert not out.exists()


def test_data_out_of_range_of_the_likelihood(features, tmp_path):
    bernoulli = ("--likelihood", "bernoulli")
    result = invoke("compare", "--data", features, *bernoulli, *QUICK, "--out", tmp_path / "out")
    assert result.code == 2
    assert "--likelihood" in result.err.splitlines()[-1] or 'likelihood="gaussian"' in result.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("n_samples", [9, 61, 0, -5])
def test_a_number_of_samples_that_cannot_be_is_found_before_training(n_samples, images, tmp_path):
    result = invoke("compare", "--data", images, *QUICK, "--samples", n_samples, "--out", tmp_path / "out")
    assert result.code == 2
    assert "from 10 to 60" in result.err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ['{"a": 1}', "[]", "not JSON", "\x00"])
def test_a_foreign_run_json_is_left_alone(text, images, tmp_path):
    (tmp_path / "run.json").write_text(text)
    result = invoke("compare", "--data", images, *QUICK, "--out", tmp_path)
    assert_refused(result, "run.json", "--out")
    assert contents(tmp_path) == {"run.json": text.encode()}


@pytest.mark.parametrize("name", ["vae-d2-seed0.safetensors", "other.safetensors"])
def test_models_of_somebody_else_are_left_alone(name, images, models, tmp_path):
    """A folder with models and no run.json: they are not this command's to replace."""
    (tmp_path / "models").mkdir()
    model = tmp_path / "models" / name
    model.write_bytes((models / "vae.safetensors").read_bytes())
    before = model.read_bytes()
    assert_refused(invoke("compare", "--data", images, *QUICK, "--out", tmp_path), name, "run.json", "--out")
    assert contents(tmp_path / "models") == {name: before}
    assert [path.name for path in tmp_path.iterdir()] == ["models"]


@pytest.fixture
def with_pictures(images, tmp_path, monkeypatch):
    """Run the command with blank files for pictures, `NAME-dZ.png`; return those that are there then."""
    out = tmp_path / "out"

    def drawn(comparison, folder):
        names = [f"latent-d{d}.png" for d in comparison.latent_dims]
        for name in names:
            (folder / name).write_bytes(name.encode())
        return names

    monkeypatch.setattr("npvae.view.report.pictures.write_pictures", drawn)
    monkeypatch.setattr("npvae.view.report.page.write_report", lambda *arguments, **options: None)

    def run(*argv):
        result = invoke("compare", "--data", images, *QUICK, "--jobs", 1, "--out", out, *argv)
        return result.code, {path.name for path in out.glob("*.png")}

    return run


def test_pictures_that_are_not_drawn_any_more_are_removed(with_pictures, tmp_path):
    """Those of the run before; nobody else's."""
    assert with_pictures("--latent-dim", 2, 3) == (0, {"latent-d2.png", "latent-d3.png"})
    (tmp_path / "out" / "mine.png").touch()
    assert with_pictures("--latent-dim", 3) == (0, {"latent-d3.png", "mine.png"})
    assert json.loads((tmp_path / "out" / "run.json").read_text())["pictures"] == ["latent-d3.png"]
    (tmp_path / "out" / "latent-d3.png").unlink()  # one that is gone already is nothing to fail for
    assert with_pictures("--latent-dim", 2) == (0, {"latent-d2.png", "mine.png"})


def test_pictures_are_remembered_by_a_run_that_does_not_end(with_pictures, tmp_path, monkeypatch):
    """It draws nothing, so those from before stay; the next run to end removes what it does not draw."""
    assert with_pictures("--latent-dim", 2, 3)[0] == 0
    with monkeypatch.context() as patch:
        # Of another version: all is to be made again, and run.json is replaced.
        patch.setattr("npvae.version.__version__", "99.0")

        def fails(*arguments, **settings):
            raise ValueError("no")

        patch.setattr("npvae.study.comparison.study_model", fails)
        code, pictures = with_pictures("--latent-dim", 2)
        assert (code, pictures) == (2, {"latent-d2.png", "latent-d3.png"})
        assert "models" not in json.loads((tmp_path / "out" / "run.json").read_text())
    assert with_pictures("--latent-dim", 2) == (0, {"latent-d2.png"})


def test_a_folder_that_cannot_be_made_is_found_before_training(images, tmp_path):
    (tmp_path / "file").touch()
    assert_refused(invoke("compare", "--data", images, *QUICK, "--out", tmp_path / "file"), "file")


def test_divergence_of_the_second_model(images, tmp_path, monkeypatch):
    """The AE is complete; of the VAE there are the parameters from before the bad step."""
    reparameterize = core_vae.reparameterize_forward
    calls = []

    def spoiled(mu, log_var, eps):
        calls.append(mu)
        return reparameterize(mu, log_var + (np.nan if len(calls) == 3 else 0), eps)

    monkeypatch.setattr(core_vae, "reparameterize_forward", spoiled)
    with kernels.using("reference"):  # the compiled step does not ask the core
        result = invoke("compare", "--data", images, *QUICK, "--batch-size", 50, "--out", tmp_path)
    assert result.code == 2
    assert result.out == ""
    last, before = result.err.splitlines()[-1], result.err.splitlines()[-2]
    assert "not finite in epoch 1, batch 3" in last
    path = tmp_path / "models" / "vae-d2-seed0.safetensors"
    assert str(path) in before
    assert set(contents(path.parent)) == {
        "ae-d2-seed0.safetensors",
        "ae-d2-seed0.json",  # the mark of a model that is complete
        "vae-d2-seed0.safetensors",
    }
    assert {p.name for p in tmp_path.iterdir()} == {"models", "measured", "run.json"}
    vae = npvae.load(path)
    assert vae.stop_reason_ == "diverged"
    assert np.isfinite(vae.params_.flat).all()
    monkeypatch.undo()
    result = invoke("compare", "--data", images, *QUICK, "--batch-size", 50, "--out", tmp_path)
    assert result.code == 0, result.err
    assert npvae.load(path).stop_reason_ == "max_epochs"
    assert "training ae" not in result.err


HOLD = """
import sys
from pathlib import Path
from npvae.cli.run_folder import held_folder
with held_folder(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.mark.parametrize("ends", ["by itself", "killed"])
def test_a_folder_that_another_run_writes_into_is_refused(ends, images, tmp_path, monkeypatch):
    """A lock file that a killed run has left is no obstacle."""
    folder = tmp_path / "run"
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        result = invoke("compare", "--data", images, "--out", folder)
        assert_refused(result, f"another run is writing into {folder}/ (process {other.pid} on ")
        if ends == "killed":
            other.kill()
    assert folder.exists() == (ends == "killed")
    monkeypatch.setattr("npvae.cli.compare._compare", lambda args: 0)
    assert invoke("compare", "--data", images, "--out", folder).code == 0
    assert not (folder / ".npvae.lock").exists()
