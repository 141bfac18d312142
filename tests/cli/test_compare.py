"""One run of the main job, looked at from all sides."""

import json
import re
from importlib.metadata import version

import numpy as np
import pytest
from scipy import stats

import npvae
from npvae.data import load_dataset
from npvae.study import PrincipalFeatures, coverage, frechet_distance
from tests.cli.tools import assert_complete_png, contents, invoke

SETTINGS = ("--epochs", 4, "--hidden", 16, "--seed", 3, "--beta", 0.5)
PICTURES = {"loss.png", "latent.png", "samples.png", "reconstructions.png", "interpolation.png"}
PLANE_PICTURES = {"plane-ae.png", "plane-vae.png", "point.png"}
MODELS = {"ae.safetensors", "vae.safetensors"}


def without_seconds(record):
    """A run's record without what the clock says."""
    for training in record["training"].values():
        training["history"].pop("seconds")
    return record


@pytest.fixture(scope="module")
def run(tmp_path_factory, images):
    out = tmp_path_factory.mktemp("compare") / "made" / "here"
    result = invoke("compare", "--data", images, *SETTINGS, "--out", out)
    assert result.code == 0, result.err
    return out, result, json.loads((out / "run.json").read_text())


@pytest.fixture(scope="module")
def data(images):
    return load_dataset(images)


@pytest.fixture(scope="module")
def models(run):
    return {kind: npvae.load(run[0] / f"{kind}.safetensors") for kind in ("ae", "vae")}


def test_stdout_is_the_table_and_stderr_the_progress(run):
    out, result, _ = run
    lines = result.out.splitlines()
    assert lines[0] == "AE and VAE on bars: 150 training and 60 test samples"
    assert lines[1] == "network 30-16-2-16-30, 4 and 4 epochs"
    assert max(len(line) for line in lines) <= 100
    assert lines == [line.rstrip() for line in lines]
    assert not re.search(r"batch/s|training the|run\.json", result.out)
    for part in ("training the AE", "training the VAE", "batch/s", f"are in {out}"):
        assert part in result.err


def test_the_files(run):
    out, _, record = run
    assert {path.name for path in out.iterdir()} == PICTURES | PLANE_PICTURES | MODELS | {"run.json"}
    assert set(record["pictures"]) == PICTURES | PLANE_PICTURES
    for name in record["pictures"]:
        assert_complete_png(out / name)


def test_run_json_says_what_was_run(run, images, data):
    _, _, record = run
    settings = record["settings"]
    assert settings["data"] == str(images)
    assert settings["seed"] == 3
    assert settings["beta"] == 0.5
    assert settings["hidden"] == [16]
    assert settings["latent_dim"] == 2
    assert record["data"]["sha256"] == data.sha256
    assert (record["data"]["n_train"], record["data"]["n_test"]) == (150, 60)
    assert (record["data"]["n_features"], record["data"]["dtype"]) == (30, "uint8")
    assert record["versions"]["npvae"] == npvae.__version__
    for library in ("numpy", "numba", "scikit-learn", "matplotlib", "safetensors"):
        assert record["versions"][library] == version(library)


def test_settings_are_those_that_were_used(run, models):
    """Every setting, also those whose default depends on the data."""
    settings = run[2]["settings"]
    assert settings["batch_size"] == models["vae"].batch_size == models["ae"].batch_size
    assert settings["epochs"] == models["vae"].max_epochs == 4


def test_histories(run, models):
    for kind, model in models.items():
        training = run[2]["training"][kind]
        assert training["history"] == model.history_
        assert {len(values) for values in training["history"].values()} == {4} == {training["epochs"]}
        assert training["stop_reason"] == "max_epochs"
        assert training["file"] == f"{kind}.safetensors"
    history = models["vae"].history_
    total = np.array(history["reconstruction"]) + 0.5 * np.array(history["kl"])
    np.testing.assert_allclose(history["loss"], total, rtol=1e-5)


def table_row(text, label):
    """The numbers of a line, a dash as None."""
    (line,) = [line for line in text.splitlines() if line.startswith(label)]
    return [None if word == "-" else float(word) for word in line[len(label) :].split()]


def test_the_table_shows_the_numbers_of_run_json(run):
    _, result, record = run
    ae, vae = record["results"]["ae"], record["results"]["vae"]
    rows = {
        "z: distance of its mean from 0": [ae["z"]["mean_norm"], vae["z"]["mean_norm"], 0],
        "z: smallest standard deviation": [min(ae["z"]["std"]), min(vae["z"]["std"]), 1],
        "z: largest standard deviation": [max(ae["z"]["std"]), max(vae["z"]["std"]), 1],
        "reconstruction: squared error": [ae["squared_error"], vae["squared_error"], None],
        "reconstruction: -ln p(x | code), bernoulli, nats": [
            ae["negative_log_likelihood"],
            vae["negative_log_likelihood"],
            None,
        ],
        "KL(q(z | x) || N(0, I)), nats": [None, vae["kl"], None],
        "minus ELBO, nats": [None, vae["test_loss"]],
    }
    for name, study in [("AE", ae), ("VAE", vae)]:
        for way, row in [("prior", f"{name}, z ~ N(0, I)"), ("full", f"{name}, z ~ full Gaussian, fitted")]:
            if way in study["samples"]:
                rows[row] = [study["samples"][way]["frechet"], study["samples"][way]["coverage"]]
    for label, numbers in rows.items():
        shown = table_row(result.out, label)
        assert [n is None for n in shown] == [n is None for n in numbers], label
        for got, expected in zip(shown, numbers, strict=True):
            assert got == (None if expected is None else pytest.approx(expected, abs=0.00501)), label
    assert ae["kl"] is None


def test_the_saved_models_give_the_numbers_again(run, models, data):
    results = run[2]["results"]
    X = data.X_test / 255
    for kind, model in models.items():
        probabilities = model.reconstruct(X)
        expected = results[kind]
        assert expected["squared_error"] == pytest.approx(
            ((X - probabilities) ** 2).sum(axis=1).mean(), rel=1e-4
        )
        cross_entropy = -(X * np.log(probabilities) + (1 - X) * np.log1p(-probabilities)).sum(axis=1)
        assert expected["negative_log_likelihood"] == pytest.approx(cross_entropy.mean(), rel=1e-4)
        assert expected["test_loss"] == pytest.approx(-model.score(data.X_test), rel=1e-6)
    codes = models["ae"].transform(X)
    np.testing.assert_allclose(results["ae"]["z"]["mean"], codes.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(results["ae"]["z"]["std"], codes.std(axis=0, ddof=1), rtol=1e-4)
    eigenvalues = np.linalg.eigvalsh(np.cov(codes, rowvar=False))[::-1]
    np.testing.assert_allclose(results["ae"]["z"]["covariance_eigenvalues"], eigenvalues, rtol=1e-3)
    mu, log_var = models["vae"].encode(X)
    kl = (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=1).mean() / 2
    assert results["vae"]["kl"] == pytest.approx(kl, rel=1e-4)


def test_the_quality_of_the_priors_samples_again(run, models, data):
    """All 60 test images are compared, so nothing about the choice of images is random."""
    results = run[2]["results"]
    assert results["n_compared"] == 60
    features = PrincipalFeatures.fit(data.X_train)
    for kind, model in models.items():
        images = model.sample(60, random_state=3)
        expected = results[kind]["samples"]["prior"]
        frechet = frechet_distance(features.transform(data.X_test), features.transform(images))
        assert expected["frechet"] == pytest.approx(frechet, rel=1e-4)
        assert expected["coverage"] == pytest.approx(coverage(data.X_test, images), abs=1e-9)


def test_the_vaes_loss_is_the_elbo_whatever_beta_is(run, models, data, rng):
    X = data.X_test / 255
    vae = models["vae"]
    mu, log_var = vae.encode(X)
    losses = []
    for _ in range(200):
        z = stats.norm.rvs(mu, np.exp(log_var / 2), random_state=rng)
        p = vae.inverse_transform(z)
        losses.append(-(X * np.log(p) + (1 - X) * np.log1p(-p)).sum(axis=1).mean())
    results = run[2]["results"]["vae"]
    assert abs(results["test_loss"] - np.mean(losses) - results["kl"]) < 5 * np.std(losses)


def test_the_same_seed_gives_the_same_run(run, images, tmp_path):
    """In another folder, and as --json, which prints run.json."""
    out, _, record = run
    result = invoke("compare", "--data", images, *SETTINGS, "--out", tmp_path, "--json")
    assert result.code == 0, result.err
    written = (tmp_path / "run.json").read_text()
    assert json.loads(result.out) == json.loads(written)
    assert without_seconds(json.loads(written)) == without_seconds(dict(record))
    for name in MODELS:
        ours, theirs = npvae.load(out / name), npvae.load(tmp_path / name)
        assert ours.params_.flat.tobytes() == theirs.params_.flat.tobytes()
    for name in record["pictures"]:
        assert (out / name).read_bytes() == (tmp_path / name).read_bytes(), name


def test_the_same_run_may_be_repeated_in_its_folder(run, images):
    out, first, _ = run
    again = invoke("compare", "--data", images, *SETTINGS, "--out", out)
    assert (again.code, again.out) == (0, first.out)


@pytest.mark.parametrize("other", [("--seed", 4), ("--beta", 0.6), ("--data", "digits"), ("--samples", 30)])
def test_another_run_is_refused_in_the_same_folder(run, images, other):
    before = contents(run[0])
    result = invoke("compare", "--data", images, *SETTINGS, "--out", run[0], *other)
    assert result.code == 2
    assert result.out == ""
    (line,) = result.err.splitlines()
    assert "holds a run with other settings or data" in line
    assert "--out" in line
    assert contents(run[0]) == before


@pytest.mark.usefixtures("no_pictures")
def test_other_data_of_the_same_name_are_refused(run, images, tmp_path, data):
    """The folder of the data was changed since: the hash tells."""
    out, changed = tmp_path / "out", tmp_path / "bars"
    changed.mkdir()
    for path in images.iterdir():
        (changed / path.name).write_bytes(path.read_bytes())
    argv = ("compare", "--data", changed, "--epochs", 1, "--hidden", "--out", out)
    assert invoke(*argv).code == 0
    X = data.X_test.reshape(-1, 6, 5).copy()
    X[0, 0, 0] += 1
    np.save(changed / "X_test.npy", X)
    assert "other settings or data" in invoke(*argv).err
