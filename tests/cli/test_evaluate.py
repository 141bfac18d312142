"""`npvae evaluate` on trained models."""

import json

import numpy as np
import pytest

import npvae
from npvae.data import load_dataset
from npvae.study import evaluate, finished, judge_model, reconstruction_error
from npvae.study.finished import FinishedParts
from npvae.study.jsonable import to_jsonable
from npvae.study.metrics.quality import SampleJudge
from npvae.study.posterior import log_marginal
from npvae.view.tables.samples import judged_table
from tests.cli.tools import assert_refused, contents, invoke

FEW = ("--importance-samples", 20, "--images", 15)


def test_the_table_of_a_vae(models, images):
    result = invoke("evaluate", models / "vae.safetensors", "--data", images, *FEW)
    assert result.code == 0
    assert result.out.startswith("VAE on 60 samples of bars: 30 features, 2 latent dimensions, bernoulli")
    for part in ("ELBO", "K = 1 ", "K = 10 ", "K = 20 ", "for 15 samples", "Active units", "energy"):
        assert part in result.out
    assert max(map(len, result.out.splitlines())) <= 100
    assert "cross-entropies" in result.out
    assert {line.split(": ")[0] for line in result.err.splitlines()} == {"npvae evaluate"}
    assert len(result.err.splitlines()) == 5


def test_print_shows_what_the_command_prints(models, images):
    shown = evaluate(
        npvae.load(models / "vae.safetensors"),
        load_dataset(images).X_test,
        n_importance_samples=20,
        n_images=15,
    )
    result = invoke("evaluate", models / "vae.safetensors", "--data", images, *FEW)
    assert result.out == shown.text("bars") + "\n"
    assert result.out.split("\n\n", 1)[1] == str(shown).split("\n\n", 1)[1] + "\n"


def test_the_table_of_an_autoencoder(models, images):
    result = invoke("evaluate", models / "ae.safetensors", "--data", images)
    assert result.code == 0
    assert result.out.startswith("Autoencoder on 60 samples of bars")
    assert "ELBO" not in result.out
    assert len(result.err.splitlines()) == 2


@pytest.mark.parametrize("kind", ["vae", "ae"])
def test_json_is_what_the_function_measures(kind, models, images):
    path = models / f"{kind}.safetensors"
    result = invoke("evaluate", path, "--data", images, "--seed", 3, "--json", *FEW)
    assert result.code == 0
    expected = evaluate(
        npvae.load(path), load_dataset(images).X_test, n_importance_samples=20, n_images=15, random_state=3
    )
    found = json.loads(result.out)
    assert (found.pop("model"), found.pop("data")) == (str(path), "bars")
    assert found == to_jsonable(expected)


def test_binarised_data(models, images):
    result = invoke(
        "evaluate", models / "vae.safetensors", "--data", images, "--binarize", "static", "--json", *FEW
    )
    numbers = json.loads(result.out)
    X = load_dataset(images, binarize="static").X_test
    assert set(np.unique(X)) <= {0, 255}
    error = reconstruction_error(npvae.load(models / "vae.safetensors"), X)
    assert numbers["reconstruction"]["squared_error"] == error.squared_error
    assert not any("cross-entropies" in warning for warning in numbers["warnings"])


@pytest.mark.usefixtures("quick_judges")
def test_samples_are_judged_where_asked_for(models, images):
    path = models / "vae.safetensors"
    result = invoke("evaluate", path, "--data", images, "--samples", 40, *FEW)
    judged = judge_model(npvae.load(path), load_dataset(images), n_samples=40)
    assert result.out.endswith(judged_table(judged).text() + "\n")
    assert max(map(len, result.out.splitlines())) <= 100


@pytest.fixture
def of_features(features, tmp_path):
    """A model of data that are split at random."""
    path = tmp_path / "m.safetensors"
    argv = ("--data", features, "--likelihood", "gaussian", "--epochs", 1, "--hidden", 8, "--out", path)
    assert invoke("train", "vae", *argv, "--seed", 4).code == 0
    return path


def test_the_split_has_a_seed_of_its_own(of_features, features):
    """So that another --seed draws again, but measures on the same data."""
    argv = ("evaluate", of_features, "--data", features, "--json", *FEW)
    found = {
        (split, seed): json.loads(invoke(*argv, "--split-seed", split, "--seed", seed).out)
        for split, seed in [(4, 0), (4, 1), (0, 1)]
    }
    model = npvae.load(of_features)
    for (split, seed), numbers in found.items():
        X = load_dataset(features, seed=split).X_test
        expected = evaluate(model, X, n_importance_samples=20, n_images=15, random_state=seed)
        assert {name: numbers[name] for name in to_jsonable(expected)} == to_jsonable(expected)
    assert found[4, 0]["reconstruction"] == found[4, 1]["reconstruction"] != found[0, 1]["reconstruction"]
    assert found[4, 0]["normality"] != found[4, 1]["normality"]
    assert json.loads(invoke(*argv).out) == json.loads(invoke(*argv, "--split-seed", 0, "--seed", 0).out)


@pytest.mark.usefixtures("quick_judges")
def test_the_fewest_and_the_most_samples(models, images):
    for given, n in [((10,), 10), ((), 60)]:
        argv = ("--data", images, "--json", *FEW, "--samples", *given)
        numbers = json.loads(invoke("evaluate", models / "ae.safetensors", *argv).out)
        assert f'"n": {n}' in json.dumps(numbers)


def test_threads_make_no_difference(models, images):
    argv = ("evaluate", models / "vae.safetensors", "--data", images, "--json", *FEW)
    assert invoke(*argv, "--threads", 1).out == invoke(*argv, "--threads", 2).out


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--importance-samples", 0), ["--importance-samples", "at least 1"]),
        (("--images", 0), ["--images", "at least 1"]),
        (("--seed", -1), ["--seed", "from 0 to"]),
        (("--split-seed", -1), ["--split-seed", "from 0 to"]),
        (("--samples", 9), ["--samples", "at least 10", "'9'"]),
        (("--samples", 0), ["--samples", "at least 10", "'0'"]),
        (("--samples", -1), ["--samples", "at least 10", "'-1'"]),
        (("--samples", "all"), ["--samples", "at least 10", "'all'"]),
        (("--samples", 61), ["n_samples", "from 10 to 60"]),
        (("--threads", 0), ["--threads", "at least 1"]),
        (("--binarize", "dynamic"), ["--binarize"]),
        (("--data", "nowhere"), ["nowhere"]),
        (("--data", "digits"), ["30 features", "64"]),
    ],
)
def test_bad_options(options, parts, models, images, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    argv = ("--data", images, *options)
    assert_refused(invoke("evaluate", models / "vae.safetensors", *argv), *parts)
    assert contents(tmp_path) == {}


def test_a_file_that_is_no_model(tmp_path):
    (tmp_path / "m.safetensors").write_bytes(b"hello")
    assert_refused(invoke("evaluate", tmp_path / "m.safetensors"), "m.safetensors")


PARTS = 3 * 3 + 4 + 6  # three numbers of draws for three blocks of images, four controls, six samplers


@pytest.fixture
def evaluation(models, images, tmp_path, monkeypatch):
    """Arguments of an evaluation, a list of what it measures, and at how many of them Ctrl-C is pressed."""
    monkeypatch.setattr(log_marginal, "_ROWS", 5)
    measured, last = [], [PARTS + 1]

    def note(owner, name):
        original = getattr(owner, name)

        def function(*arguments, **settings):
            if len(measured) == last[0]:
                raise KeyboardInterrupt
            measured.append(name)
            return original(*arguments, **settings)

        monkeypatch.setattr(owner, name, function)

    note(log_marginal, "_sum_weights")
    note(SampleJudge, "judge")
    model = tmp_path / "m.safetensors"
    model.write_bytes((models / "vae.safetensors").read_bytes())
    argv = ("evaluate", model, "--data", images, *FEW, "--samples", 10, "--json", "--threads", 1)
    return argv, measured, last


@pytest.mark.usefixtures("quick_judges")
@pytest.mark.parametrize("n_done", [4, 15])  # during ln p(x), and while samples are judged
def test_an_interrupted_evaluation_goes_on_to_the_same_figures(n_done, evaluation):
    argv, measured, last = evaluation
    kept = argv[1].with_suffix(".evaluation")
    expected = invoke(*argv)
    assert len(measured) == PARTS
    measured.clear()
    last[0] = n_done
    assert invoke(*argv, "--resume").code == 130
    assert kept.exists()
    measured.clear()
    last[0] = PARTS
    result = invoke(*argv, "--resume")
    assert (result.code, result.out) == (0, expected.out)
    assert f"goes on from {kept}" in result.err
    assert len(measured) == PARTS - n_done
    assert not kept.exists()


def test_another_evaluation_or_a_damaged_file_is_refused(evaluation, models):
    argv, _, last = evaluation
    last[0] = 4
    kept = argv[1].with_suffix(".evaluation")
    assert invoke(*argv, "--resume").code == 130
    before = kept.read_bytes()
    assert_refused(invoke(*argv, "--resume", "--seed", 5), f"{kept} is of another", "seed 0 (now 5)")
    argv[1].write_bytes((models / "ae.safetensors").read_bytes())
    assert_refused(invoke(*argv, "--resume"), f"{kept} is of another measurement: model ")
    argv[1].write_bytes((models / "vae.safetensors").read_bytes())
    assert kept.read_bytes() == before
    for damaged in (b"", b"[1]", before[:-9], before.replace(b"from row 0", b"from row 9")):
        kept.write_bytes(damaged)
        assert_refused(invoke(*argv, "--resume"), f"{kept} is damaged", "delete it to start anew")


def test_parts_that_cannot_be_kept_do_not_end_the_measurement(tmp_path, monkeypatch):
    monkeypatch.setattr(finished, "_SECONDS", -1)
    parts = FinishedParts(tmp_path / "file" / "x.evaluation", {})
    (tmp_path / "file").write_text("")
    with pytest.warns(RuntimeWarning, match="finished parts could not be kept"):
        assert parts("one", lambda: 1) == 1
