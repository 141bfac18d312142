"""One run of the main job, looked at from all sides."""

import csv
import json
import re
from importlib.metadata import version

import numpy as np
import pytest
from scipy import stats

import npvae
from npvae.data import load_dataset
from npvae.study import PrincipalFeatures, frechet_distance, neighbour_metrics
from tests.cli.tools import assert_complete_png, contents, invoke

pytestmark = pytest.mark.usefixtures("quick_judges")

SETTINGS = ("--latent-dim", 2, "--epochs", 4, "--hidden", 16, "--seed", 3, "--beta", 0.5)
PICTURES = {"loss.png", "latent.png", "histograms.png", "samples.png", "reconstructions.png"}
PICTURES |= {"interpolation.png"}
PLANE_PICTURES = {"plane-ae.png", "plane-vae.png", "point.png"}
NAMES = {"AE": "ae-d2-seed3", "VAE": "vae-d2-seed3"}


def without_seconds(record):
    """A run's record without what the clock says."""
    for model in record["models"]:
        model["training"]["history"].pop("seconds")
    return record


def of(record, kind):
    (model,) = [model for model in record["models"] if model["model"] == kind]
    return model


@pytest.fixture(scope="module")
def run(tmp_path_factory, images, quick_judges):
    out = tmp_path_factory.mktemp("compare") / "made" / "here"
    result = invoke("compare", "--data", images, *SETTINGS, "--out", out)
    assert result.code == 0, result.err
    return out, result, json.loads((out / "run.json").read_text())


@pytest.fixture(scope="module")
def data(images):
    return load_dataset(images)


@pytest.fixture(scope="module")
def models(run):
    return {kind: npvae.load(run[0] / "models" / f"{name}.safetensors") for kind, name in NAMES.items()}


def test_stdout_is_the_tables_and_stderr_the_progress(run):
    out, result, _ = run
    lines = result.out.splitlines()
    sentences, heading = result.out.split("\n\n")[:2]
    assert sentences.startswith("Draw z from N(0, I) and decode it: ")
    assert heading.splitlines()[0] == "AE and VAE on bars: 150 training and 60 test samples"
    assert heading.splitlines()[1] == "network 30-16-2-16-30, 4 epochs, seed 3; VAE: beta = 0.5"
    assert max(len(line) for line in lines) <= 100
    assert lines == [line.rstrip() for line in lines]
    assert not re.search(r"batch/s|training ae|run\.json", result.out)
    for part in ("training ae-d2-seed3, 4 epochs", "training vae-d2-seed3", "batch/s", f"are in {out}"):
        assert part in result.err


def test_the_files(run):
    out, _, record = run
    others = {"run.json", "report.html", "explorer.html", "results.csv"}
    assert {path.name for path in out.iterdir() if path.is_file()} == PICTURES | PLANE_PICTURES | others
    assert {path.name for path in out.iterdir() if path.is_dir()} == {"models", "measured"}
    endings = (".json", ".safetensors")
    assert set(contents(out / "models")) == {n + e for n in NAMES.values() for e in endings}
    measured = {n + e for n in (*NAMES.values(), "controls") for e in (".json", ".npz")}
    assert set(contents(out / "measured")) == measured
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
    assert record["extent"] == {"latent_dims": [2], "seeds": [3], "samples": 60, "importance_samples": 1000}
    assert record["data"]["sha256"] == data.sha256
    assert (record["data"]["n_train"], record["data"]["n_test"]) == (150, 60)
    assert (record["data"]["n_features"], record["data"]["dtype"]) == (30, "uint8")
    assert record["versions"]["npvae"] == npvae.__version__
    for library in ("numpy", "numba", "scikit-learn", "matplotlib", "safetensors"):
        assert record["versions"][library] == version(library)


def test_settings_are_those_that_were_used(run, models):
    """Every setting, also those whose default depends on the data."""
    settings = run[2]["settings"]
    assert settings["batch_size"] == models["VAE"].batch_size == models["AE"].batch_size
    assert settings["epochs"] == models["VAE"].max_epochs == 4
    assert settings["draws"] == models["VAE"].n_draws == 1
    assert models["VAE"].random_state == 3


def test_histories(run, models):
    for kind, model in models.items():
        training = of(run[2], kind)["training"]
        assert training["history"] == model.history_
        assert {len(values) for values in training["history"].values()} == {4} == {training["epochs"]}
        assert training["stop_reason"] == "max_epochs"
        assert of(run[2], kind)["file"] == f"models/{NAMES[kind]}.safetensors"
    history = models["VAE"].history_
    total = np.array(history["reconstruction"]) + 0.5 * np.array(history["kl"])
    np.testing.assert_allclose(history["loss"], total, rtol=1e-5)


def table_row(text, label):
    """The numbers of a line, a dash as None."""
    (line,) = [line for line in text.splitlines() if line.startswith(label + "  ")]
    return [None if word == "-" else float(word) for word in line[len(label) :].split()]


def test_the_tables_show_the_numbers_of_run_json(run):
    _, result, record = run
    ae, vae = (of(record, kind) for kind in ("AE", "VAE"))
    a, v = ae["figures"], vae["figures"]
    posterior = v["posterior"]
    rows = {
        "z: distance of its mean from 0": [a["moments"]["mean_norm"], v["moments"]["mean_norm"], 0],
        "z: smallest standard deviation": [min(a["moments"]["std"]), min(v["moments"]["std"]), 1],
        "covariance: largest eigenvalue": [max(m["moments"]["eigenvalues"]) for m in (a, v)] + [1],
        "reconstruction: squared error": [m["reconstruction"]["squared_error"] for m in (a, v)],
        "-ln p(x | code), nats": [m["reconstruction"]["negative_log_likelihood"] for m in (a, v)],
        "KL(q(z | x) || N(0, I)), nats": [None, posterior["kl"]["value"]],
        "negative ELBO, nats": [None, -posterior["elbo"]["value"]],
        "negative ELBO (subset), nats": [None, -posterior["log_likelihoods"][0]["value"]],
        "-ln p(x) (subset), nats": [None, -posterior["log_likelihoods"][-1]["value"]],
        "I(x; z), nats": [None, posterior["mutual_information"]["value"]],
        "MMD test against N(0, I): p": [m["normality"]["mmd"]["p_value"] for m in (a, v)],
    }
    columns = (
        "frechet_classifier",
        "pixel_coverage",
        "feature_precision",
        "feature_recall",
        "two_sample_accuracy",
    )
    sets = {"AE, z ~ N(0, I)": ae["samples"]["prior"], "VAE, z ~ N(0, I)": vae["samples"]["prior"]}
    sets |= {
        "AE, mixture of 10": ae["samples"]["mixture"],
        "training images": record["controls"]["training images"],
        "half of the test images, 30": record["controls"]["shuffled halves"],
    }
    for label, quality in sets.items():
        rows[label] = [quality[name] for name in columns]
    for label, numbers in rows.items():
        shown = table_row(result.out, label)[: len(numbers)]
        assert [n is None for n in shown] == [n is None for n in numbers], label
        for got, expected in zip(shown, numbers, strict=True):
            wanted = None if expected is None else pytest.approx(expected, rel=0.0051, abs=0.00051)
            assert got == wanted, label
    assert a["posterior"] is None


def test_results_csv_has_the_numbers_of_run_json(run):
    """As one would look them up."""
    out, _, record = run
    with (out / "results.csv").open(newline="") as file:
        rows = {tuple(row[:5]): float(row[5]) for row in list(csv.reader(file))[1:]}
    for kind in NAMES:
        model = of(record, kind)
        error = rows[kind, "2", "3", "", "reconstruction.squared_error"]
        assert error == model["figures"]["reconstruction"]["squared_error"]
        assert rows[kind, "2", "3", "full", "pixel_coverage"] == model["samples"]["full"]["pixel_coverage"]
    kl = of(record, "VAE")["figures"]["posterior"]["kl_per_dimension"]
    assert [rows["VAE", "2", "3", "", f"posterior.kl_per_dimension.{i}"] for i in (0, 1)] == kl
    assert rows["classifier", "", "", "", "accuracy"] == record["classifier_accuracy"]
    control = record["controls"]["independent pixels"]["frechet"]
    assert rows["control", "", "", "independent pixels", "frechet"] == control


def test_report_html_is_of_this_run(run):
    out, _, record = run
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "AE and VAE on bars: 150 training and 60 test samples" in page
    assert record["data"]["sha256"] in page
    assert page.count("data:image/png;base64,") == len(record["pictures"]) + 2
    assert str(out) not in page


def test_findings(run):
    _, result, record = run
    said = " ".join(result.out.split("\n\n")[-1].split())
    assert said == " ".join(f"* {sentence}" for sentence in record["findings"])


def test_the_saved_models_give_the_numbers_again(run, models, data):
    X = data.X_test / 255
    for kind, model in models.items():
        probabilities = model.reconstruct(X)
        figures = of(run[2], kind)["figures"]
        reconstruction = figures["reconstruction"]
        squared = ((X - probabilities) ** 2).sum(axis=1).mean()
        assert reconstruction["squared_error"] == pytest.approx(squared, rel=1e-4)
        cross_entropy = -(X * np.log(probabilities) + (1 - X) * np.log1p(-probabilities)).sum(axis=1)
        assert reconstruction["negative_log_likelihood"] == pytest.approx(cross_entropy.mean(), rel=1e-4)
    codes, moments = models["AE"].transform(X), of(run[2], "AE")["figures"]["moments"]
    np.testing.assert_allclose(moments["mean"], codes.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(moments["std"], codes.std(axis=0, ddof=1), rtol=1e-4)
    eigenvalues = np.linalg.eigvalsh(np.cov(codes, rowvar=False))[::-1]
    np.testing.assert_allclose(moments["eigenvalues"], eigenvalues, rtol=1e-3)
    mu, log_var = models["VAE"].encode(X)
    kl = (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=1).mean() / 2
    posterior = of(run[2], "VAE")["figures"]["posterior"]
    assert posterior["kl"]["value"] == pytest.approx(kl, rel=1e-4)
    assert posterior["elbo"]["value"] == pytest.approx(models["VAE"].score(data.X_test), rel=1e-6)


def test_the_quality_of_the_priors_samples_again(run, models, data):
    """All 60 test images are compared, so nothing about the choice of images is random."""
    assert run[2]["n_compared"] == 60
    features = PrincipalFeatures.fit(data.X_train)
    for kind, model in models.items():
        images = model.sample(60, random_state=3)
        expected = of(run[2], kind)["samples"]["prior"]
        frechet = frechet_distance(features.transform(data.X_test), features.transform(images))
        assert expected["frechet"] == pytest.approx(frechet, rel=1e-4)
        assert expected["pixel_coverage"] == neighbour_metrics(data.X_test, images).coverage


def test_the_elbo_is_that_of_beta_one(run, models, data, rng):
    X = data.X_test / 255
    vae = models["VAE"]
    mu, log_var = vae.encode(X)
    losses = []
    for _ in range(200):
        z = stats.norm.rvs(mu, np.exp(log_var / 2), random_state=rng)
        p = vae.inverse_transform(z)
        losses.append(-(X * np.log(p) + (1 - X) * np.log1p(-p)).sum(axis=1).mean())
    posterior = of(run[2], "VAE")["figures"]["posterior"]
    elbo = -np.mean(losses) - posterior["kl"]["value"]
    assert abs(posterior["elbo"]["value"] - elbo) < 5 * np.std(losses)
    assert posterior["beta"] == 0.5


def test_the_same_seed_gives_the_same_run(run, images, tmp_path):
    """In another folder, and as --json, which prints run.json."""
    out, _, record = run
    result = invoke("compare", "--data", images, *SETTINGS, "--out", tmp_path, "--json")
    assert result.code == 0, result.err
    written = (tmp_path / "run.json").read_text()
    assert json.loads(result.out) == json.loads(written)
    expected = without_seconds(json.loads((out / "run.json").read_text()))
    assert without_seconds(json.loads(written)) == expected
    for name in NAMES.values():
        ours, theirs = (npvae.load(folder / "models" / f"{name}.safetensors") for folder in (out, tmp_path))
        assert ours.params_.flat.tobytes() == theirs.params_.flat.tobytes()
    for name in [*record["pictures"], "results.csv", "report.html"]:
        assert (out / name).read_bytes() == (tmp_path / name).read_bytes(), name


def test_the_same_run_may_be_repeated_in_its_folder(run, images):
    out, first, _ = run
    before = {name: (out / name).read_bytes() for name in ("run.json", "results.csv", "report.html")}
    again = invoke("compare", "--data", images, *SETTINGS, "--out", out)
    assert (again.code, again.out) == (0, first.out)
    assert before == {name: (out / name).read_bytes() for name in before}


def everything(folder):
    """The bytes and the time of every file below a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


@pytest.mark.parametrize(
    "other", [("--seed", 4), ("--beta", 0.6), ("--data", "digits"), ("--hidden", 16, 16), ("--epochs", 5)]
)
def test_another_run_is_refused_in_the_same_folder(run, images, other):
    before = everything(run[0])
    result = invoke("compare", "--data", images, *SETTINGS, "--out", run[0], *other)
    assert result.code == 2
    assert result.out == ""
    (line,) = result.err.splitlines()
    assert "holds a run with other settings or data" in line
    assert "--out" in line
    assert everything(run[0]) == before


@pytest.mark.usefixtures("no_pictures")
def test_other_data_of_the_same_name_are_refused(images, tmp_path, data):
    """The folder of the data was changed since: the hash tells."""
    out, changed = tmp_path / "out", tmp_path / "bars"
    changed.mkdir()
    for path in images.iterdir():
        (changed / path.name).write_bytes(path.read_bytes())
    quick = ("--latent-dim", 1, "--epochs", 1, "--hidden", "--importance-samples", 1)
    argv = ("compare", "--data", changed, *quick, "--out", out)
    assert invoke(*argv).code == 0
    X = data.X_test.reshape(-1, 6, 5).copy()
    X[0, 0, 0] += 1
    np.save(changed / "X_test.npy", X)
    before = everything(out)
    assert "other settings or data" in invoke(*argv).err
    assert everything(out) == before
