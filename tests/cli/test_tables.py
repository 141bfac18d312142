"""`npvae encode` and `npvae score` on trained models."""

import io
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import sklearn.datasets
from PIL import Image

import npvae
from npvae.data import load_dataset, read_csv
from tests.cli.tools import assert_refused, contents, invoke

KINDS = pytest.mark.parametrize("kind", ["vae", "ae"])
COMMANDS = pytest.mark.parametrize("command", ["encode", "score"])


def measured(command, model, X):
    return model.transform(X) if command == "encode" else model.score_samples(X)[:, None]


def names(command, kind):
    prefix = {"vae": "vae", "ae": "autoencoder"}[kind]
    return [f"{prefix}0", f"{prefix}1"] if command == "encode" else ["score"]


@pytest.fixture
def path(models):
    return lambda kind: models / f"{kind}.safetensors"


@KINDS
@COMMANDS
def test_it_is_what_the_estimator_says_of_the_test_part(command, kind, path, images, tmp_path):
    model, X = npvae.load(path(kind)), load_dataset(images).X_test
    expected = measured(command, model, X)
    assert expected.shape == (60, len(names(command, kind)))
    argv = (command, path(kind), "--data", images)
    for out in (tmp_path / "new" / "x.csv", tmp_path / "x.npy"):
        result = invoke(*argv, "--out", out)
        assert (result.code, result.err) == (0, "")
        assert "of 60 samples of bars, " in result.out
        assert result.out.endswith(f"written to {out}\n")
    assert np.load(tmp_path / "x.npy").dtype == np.float32
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy").reshape(60, -1), expected)
    table = pd.read_csv(tmp_path / "new" / "x.csv")
    assert list(table.columns) == names(command, kind)
    np.testing.assert_array_equal(table.to_numpy(np.float32), expected)
    printed = invoke(*argv)
    assert (printed.code, printed.err) == (0, "")
    assert printed.out == (tmp_path / "new" / "x.csv").read_text()


def test_scores_are_a_vector_in_an_npy_file(path, images, tmp_path):
    invoke("score", path("vae"), "--data", images, "--out", tmp_path / "x.npy")
    scores = np.load(tmp_path / "x.npy")
    assert scores.shape == (60,)
    said = invoke("score", path("vae"), "--data", images, "--out", tmp_path / "x.csv").out
    assert f"mean {scores.mean():.2f} nats" in said


@COMMANDS
def test_other_parts(command, path, images):
    model, data = npvae.load(path("vae")), load_dataset(images)
    parts = {"train": data.X_train, "test": data.X_test}
    parts["all"] = np.concatenate([data.X_train, data.X_test])
    for part, X in parts.items():
        out = invoke(command, path("vae"), "--data", images, "--part", part).out
        found = pd.read_csv(io.StringIO(out)).to_numpy(np.float32)
        np.testing.assert_allclose(found, measured(command, model, X), rtol=1e-5, atol=1e-5)


@pytest.fixture
def of_features(features, tmp_path):
    path = tmp_path / "m.safetensors"
    argv = ("--data", features, "--likelihood", "gaussian", "--epochs", 1, "--hidden", 8, "--out", path)
    assert invoke("train", "vae", *argv).code == 0
    return path


@COMMANDS
@pytest.mark.parametrize("form", ["csv", "npy", "npz"])
def test_a_single_file_is_taken_row_by_row(command, form, of_features, features, tmp_path):
    X, model = np.load(features).astype(np.float32), npvae.load(of_features)
    new = tmp_path / f"new.{form}"
    write = {
        "csv": lambda: np.savetxt(new, X, delimiter=",", fmt="%.9g"),
        "npy": lambda: np.save(new, X),
        "npz": lambda: np.savez(new, X),
    }
    write[form]()
    out = invoke(command, of_features, "--data", new).out
    np.testing.assert_array_equal(
        pd.read_csv(io.StringIO(out)).to_numpy(np.float32), measured(command, model, X)
    )
    test = invoke(command, of_features, "--data", new, "--part", "test", "--split-seed", 3).out
    np.testing.assert_allclose(
        pd.read_csv(io.StringIO(test)).to_numpy(np.float32),
        measured(command, model, load_dataset(features, seed=3).X_test),
        rtol=1e-5,
        atol=1e-5,
    )


@COMMANDS
def test_one_row_is_enough(command, of_features, features, tmp_path):
    X = np.load(features)[:1].astype(np.float32)
    (tmp_path / "one.csv").write_text(",".join(map(str, X[0].tolist())))
    found = pd.read_csv(io.StringIO(invoke(command, of_features, "--data", tmp_path / "one.csv").out))
    np.testing.assert_array_equal(found.to_numpy(np.float32), measured(command, npvae.load(of_features), X))


def test_a_folder_of_images_is_taken_by_name(path, images, tmp_path):
    X = load_dataset(images).X_test[:3]
    for name, x in zip("bca", X, strict=True):
        Image.fromarray(x.reshape(6, 5)).save(tmp_path / f"{name}.png")
    table = pd.read_csv(io.StringIO(invoke("encode", path("vae"), "--data", tmp_path).out))
    np.testing.assert_array_equal(table.to_numpy(np.float32), npvae.load(path("vae")).transform(X[[2, 0, 1]]))


def test_all_digits_are_in_the_order_of_scikit_learn(tmp_path):
    X = (sklearn.datasets.load_digits().data / 16).astype(np.float32)
    model = npvae.Autoencoder(hidden=(), max_epochs=1, random_state=0).fit(X)
    model.save(tmp_path / "m.safetensors")
    found = pd.read_csv(io.StringIO(invoke("encode", tmp_path / "m.safetensors", "--part", "all").out))
    np.testing.assert_array_equal(found.to_numpy(np.float32), model.transform(X))


def test_log_variances_come_after_the_means(path, images, tmp_path):
    mu, log_var = npvae.load(path("vae")).encode(load_dataset(images).X_test)
    argv = ("encode", path("vae"), "--data", images, "--log-var")
    table = pd.read_csv(io.StringIO(invoke(*argv).out))
    assert list(table.columns) == ["vae0", "vae1", "vae0_log_var", "vae1_log_var"]
    np.testing.assert_array_equal(table.to_numpy(np.float32), np.concatenate([mu, log_var], axis=1))
    assert_refused(
        invoke("encode", path("ae"), "--data", images, "--log-var"), "--log-var", "VAE", "Autoencoder"
    )


def test_binarised_data(path, images):
    X = load_dataset(images, binarize="static").X_test
    out = invoke("score", path("vae"), "--data", images, "--binarize", "static").out
    expected = npvae.load(path("vae")).score_samples(X)
    np.testing.assert_array_equal(pd.read_csv(io.StringIO(out)).score.to_numpy(np.float32), expected)


def test_codes_can_be_data_again(path, images, tmp_path):
    """What npvae writes, npvae reads."""
    out = tmp_path / "codes.csv"
    invoke("encode", path("vae"), "--data", images, "--out", out)
    expected = npvae.load(path("vae")).transform(load_dataset(images).X_test)
    np.testing.assert_array_equal(read_csv(out).X, expected)


@COMMANDS
@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--out", "x.txt"), ["x.txt", ".csv or .npy"]),
        (("--out", "x"), [".csv or .npy"]),
        (("--data", "digits"), ["30 features", "digits has 64"]),
        (("--data", "nowhere.csv"), ["nowhere.csv"]),
        (("--part", "validation"), ["--part", "'validation'"]),
        pytest.param(("--split-seed", -1), ["--split-seed"], id="a negative seed"),
    ],
)
def test_bad_options(command, options, parts, path, images, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert_refused(invoke(command, path("vae"), "--data", images, "--out", "x.csv", *options), *parts)
    assert contents(tmp_path) == {}


@COMMANDS
def test_a_wrong_table_gets_one_line(command, of_features, tmp_path):
    (tmp_path / "new.csv").write_text("a,b\n1,2\n3,many\n")
    result = invoke(command, of_features, "--data", tmp_path / "new.csv")
    assert_refused(result, "new.csv: line 3, column 2 (b): 'many' is not a finite number")


def test_scores_of_data_outside_of_a_bernoulli_models_range_are_refused(path, tmp_path):
    np.savetxt(tmp_path / "x.csv", np.full((4, 30), 7.0), delimiter=",")
    assert_refused(invoke("score", path("vae"), "--data", tmp_path / "x.csv"), "[0, 1]")


@COMMANDS
def test_a_reader_that_has_seen_enough_is_no_error(command, path, images):
    argv = [sys.executable, "-m", "npvae", command, path("ae"), "--data", images, "--part", "all"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
