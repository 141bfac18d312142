"""`npvae sample`, `reconstruct` and `info` on trained models."""

import json
import re

import numpy as np
import pytest

import npvae
from npvae import view
from npvae.data import load_dataset
from npvae.persistence import load_model
from tests.cli.tools import assert_complete_png, assert_refused, contents, invoke

KINDS = pytest.mark.parametrize("kind", ["vae", "ae"])


@KINDS
def test_samples_are_the_estimators(kind, models, tmp_path):
    model, out = npvae.load(models / f"{kind}.safetensors"), tmp_path / "new" / "s.npy"
    result = invoke("sample", models / f"{kind}.safetensors", "-n", 7, "--seed", 4, "--out", out)
    assert result == (0, f"7 decoded, written to {out}\n", "")
    samples = np.load(out)
    assert samples.dtype == np.float32
    np.testing.assert_array_equal(samples, model.sample(7, random_state=4))
    invoke("sample", models / f"{kind}.safetensors", "-n", 7, "--seed", 5, "--out", out)
    assert np.any(np.load(out) != samples)


@KINDS
def test_a_point_of_ones_own(kind, models, tmp_path):
    out = tmp_path / "s.npy"
    assert invoke("sample", models / f"{kind}.safetensors", "--z", -2.5, 2, "--out", out).code == 0
    expected = npvae.load(models / f"{kind}.safetensors").inverse_transform([[-2.5, 2]])
    np.testing.assert_allclose(np.load(out), expected, rtol=1e-6)


@pytest.mark.parametrize("options", [(), ("--image-shape", 6, 5), ("--z", 1, -1), ("-n", 1)])
def test_pictures_of_samples(options, models, tmp_path):
    assert invoke("sample", models / "vae.safetensors", "--out", tmp_path / "s.png", *options).code == 0
    assert_complete_png(tmp_path / "s.png")


@KINDS
def test_a_point_is_shown_among_the_codes(kind, models, images, tmp_path, monkeypatch):
    drawn = []
    draw = view.draw_latent_point
    monkeypatch.setattr(view, "draw_latent_point", lambda *a, **k: drawn.append(a) or draw(*a, **k))
    argv = (models / f"{kind}.safetensors", "--z", -2.5, 2, "--out", tmp_path / "s.png")
    assert invoke("sample", *argv, "--data", images).code == 0
    ((point, (image,), (codes,), labels, shape),) = [
        (p, i.values(), c.values(), y, s) for p, i, c, y, s in drawn
    ]
    model, data = npvae.load(models / f"{kind}.safetensors"), load_dataset(images)
    assert (list(point), shape) == ([-2.5, 2], (6, 5))
    np.testing.assert_allclose(image, model.inverse_transform([[-2.5, 2]])[0], rtol=1e-6)
    np.testing.assert_array_equal(codes, model.transform(data.X_test))
    np.testing.assert_array_equal(labels, data.y_test)
    assert_complete_png(tmp_path / "s.png")
    assert invoke("sample", *argv).code == 0
    assert len(drawn) == 1, "data of another model"
    assert_refused(invoke("sample", *argv, "--data", "digits"), "30", "64", "--data")


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("-n", 0), ["at least 1", "0"]),
        (("-n", "many"), ["--samples", "'many'"]),
        (("--z", 1), ["2 numbers", "latent_dim=2"]),
        (("--z", 1, 2, 3), ["2 numbers", "latent_dim=2"]),
        pytest.param(("--z", "nan", 1), ["z"], id="z of nan"),
        (("--image-shape", 4, 4), ["--image-shape", "16", "30"]),
        pytest.param(("--image-shape", -6, -5), ["--image-shape"], id="a negative image shape"),
        pytest.param(("--seed", -1), ["seed"], id="a negative seed"),
        (("--out", "s.jpg"), ["s.jpg", ".png", ".npy"]),
        (("--out", "s"), [".png", ".npy"]),
    ],
)
def test_bad_options_of_sample(options, parts, models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert_refused(invoke("sample", models / "vae.safetensors", "--out", "s.png", *options), *parts)
    assert contents(tmp_path) == {}


@KINDS
def test_reconstructions_are_the_estimators(kind, models, images, tmp_path):
    out = tmp_path / "r.npy"
    result = invoke("reconstruct", models / f"{kind}.safetensors", "--data", images, "--out", out)
    assert (result.code, result.err) == (0, "")
    model, X = npvae.load(models / f"{kind}.safetensors"), load_dataset(images).X_test
    expected = model.reconstruct(X)
    np.testing.assert_array_equal(np.load(out), expected)
    assert f"{type(model).__name__} on 60 test samples of bars" in result.out
    error = float(re.search(r"squared error ([\d.]+)", result.out)[1])
    assert error == pytest.approx(((X / 255 - expected) ** 2).sum(axis=1).mean(), abs=6e-4)


def test_reconstruct_splits_the_data_by_its_seed(models, tmp_path):
    model = tmp_path / "m.safetensors"
    npvae.Autoencoder(hidden=(), max_epochs=1, random_state=0).fit(load_dataset("digits").X_train).save(model)
    for seed in (0, 1):
        assert invoke("reconstruct", model, "--split-seed", seed, "--out", tmp_path / f"{seed}.npy").code == 0
    assert np.load(tmp_path / "0.npy").shape == (359, 64)
    expected = npvae.load(model).reconstruct(load_dataset("digits", seed=1).X_test)
    np.testing.assert_array_equal(np.load(tmp_path / "1.npy"), expected)


@pytest.mark.parametrize("options", [(), ("-n", 1), ("-n", 40), ("--image-shape", 5, 6)])
def test_pictures_of_reconstructions(options, models, images, tmp_path):
    argv = ("--data", images, "--out", tmp_path / "r.png", *options)
    assert invoke("reconstruct", models / "vae.safetensors", *argv).code == 0
    assert_complete_png(tmp_path / "r.png")


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        pytest.param(("-n", 0), ["--images", "at least 1"], id="no images"),
        pytest.param(("-n", -5), ["--images", "at least 1"], id="minus five images"),
        pytest.param(("-n", 41), ["--images", "at most 40"], id="more than a row can show"),
        (("--image-shape", 4, 4), ["--image-shape", "16", "30"]),
        (("--out", "r.txt"), ["r.txt", ".png", ".npy"]),
        (("--data", "nowhere"), ["nowhere"]),
    ],
)
def test_bad_options_of_reconstruct(options, parts, models, images, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    argv = (models / "vae.safetensors", "--data", images, "--out", "r.png", *options)
    assert_refused(invoke("reconstruct", *argv), *parts)
    assert contents(tmp_path) == {}


def test_data_of_another_width(models, tmp_path):
    """Whose image shape does not fit either, but nobody gave one."""
    result = invoke("reconstruct", models / "vae.safetensors", "--out", tmp_path / "r.png")
    assert_refused(result, "64", "30")
    assert "--image-shape" not in result.err


@KINDS
def test_info(kind, models):
    path = models / f"{kind}.safetensors"
    result, model = invoke("info", path), npvae.load(path)
    assert (result.code, result.err) == (0, "")
    for part in (type(model).__name__, "30 features", "3 epochs", "hidden", npvae.__version__):
        assert part in result.out
    assert f"parameters ({model.params_.flat.size} of float32)" in result.out
    for name, values in model.params_.items():
        row = rf"{re.escape(name)} +{' x '.join(map(str, values.shape))} +std {values.std():.4f}"
        assert re.search(row, result.out), name
    loss = re.search(r"\bloss +([\d.]+) nats", result.out)[1]
    assert float(loss) == pytest.approx(model.history_["loss"][-1], abs=6e-4)


@KINDS
def test_info_as_json(kind, models):
    path = models / f"{kind}.safetensors"
    record, (network, params, metadata) = json.loads(invoke("info", path, "--json").out), load_model(path)
    assert record["network"]["hidden"] == [12] == list(network.hidden)
    assert record["parameters"] == {name: list(view.shape) for name, view in params.items()}
    assert record["training"]["history"] == metadata["training"]["history"]
    assert record["hyperparameters"]["max_epochs"] == 3


@pytest.mark.parametrize("command", ["sample", "reconstruct", "info", "trace"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "missing", "a folder", "another's"])
def test_files_that_are_no_models(command, damage, models, tmp_path):
    path = tmp_path / "m.safetensors"
    whole = (models / "vae.safetensors").read_bytes()
    if damage == "a folder":
        path.mkdir()
    elif damage == "another's":
        from safetensors.numpy import save_file

        save_file({"W": np.zeros(3)}, path)
    elif damage != "missing":
        path.write_bytes({"truncated": whole[:-100], "empty": b"", "text": b"hello"}[damage])
    out = ("--out", tmp_path / "x.png") if command in ("sample", "reconstruct") else ()
    assert_refused(invoke(command, path, *out), "m.safetensors")
    assert not (tmp_path / "x.png").exists()


def test_one_of_a_kind_is_singular(tmp_path):
    data, model = tmp_path / "X.npy", tmp_path / "m.safetensors"
    np.save(data, np.linspace(0, 1, 5, dtype=np.float32)[:, None])
    argv = ("--data", data, "--latent-dim", 1, "--hidden", "--epochs", 1, "--out", model)
    assert ": 1 epoch, test loss " in (trained := invoke("train", "vae", *argv).out)
    assert "(1 sample)" in trained
    assert "1 feature," in (shown := invoke("info", model).out)
    assert " 1 epoch," in shown
