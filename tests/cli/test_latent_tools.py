"""`npvae interpolate`, `traverse`, `plane` and `nearest` on trained models."""

import json
import re

import numpy as np
import pytest

import npvae
from npvae.data import load_dataset
from npvae.study import decode_plane, interpolate_images, latent_plane, traverse
from tests.cli.tools import assert_complete_png, assert_refused, contents, invoke

KINDS = pytest.mark.parametrize("kind", ["vae", "ae"])
COMMANDS = {
    "interpolate": ("--from", 0, "--to", 3),
    "traverse": (),
    "plane": (),
    "nearest": (),
}


@pytest.fixture
def run(models, images, tmp_path):
    """Call a command on one of the models; return its result and the file that it wrote, or was to write."""

    def run(command, kind, *options, out="x.npy"):
        argv = (models / f"{kind}.safetensors", "--data", images, "--out", tmp_path / out)
        return invoke(command, *argv, *COMMANDS[command], *options), tmp_path / out

    return run


@pytest.fixture
def model(models):
    return lambda kind: npvae.load(models / f"{kind}.safetensors")


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("interpolate", ()),
        ("interpolate", ("--kind", "linear", "-n", 2, "--image-shape", 5, 6)),
        ("traverse", ()),
        ("traverse", ("--image", 3, "--dims", 2, "-n", 3, "--tail", 0.2)),
        ("plane", ("-n", 3)),
        ("plane", ("-n", 4, "--over", "codes")),
        ("nearest", ()),
        ("nearest", ("-n", 1, "-k", 1)),
    ],
)
@KINDS
def test_pictures(command, options, kind, run):
    result, out = run(command, kind, *options, out="new/x.png")
    assert (result.code, result.err) == (0, "")
    assert "x.png" in result.out
    assert_complete_png(out)


@KINDS
@pytest.mark.parametrize("way", ["linear", "spherical", "both"])
def test_ways_are_the_studys(kind, way, run, model, images):
    result, out = run("interpolate", kind, "--kind", way, "-n", 5)
    X = load_dataset(images).X_test
    ways = {name: interpolate_images(model(kind), X[0], X[3], 5, name) for name in ("linear", "spherical")}
    expected = np.stack(list(ways.values())) if way == "both" else ways[way]
    np.testing.assert_array_equal(np.load(out), expected)
    assert "5 points between test images 0 and 3 of bars" in result.out


@pytest.mark.parametrize("way", ["linear", "both"])
def test_several_models_between_the_same_images(way, models, images, model, tmp_path):
    paths = [models / f"{kind}.safetensors" for kind in ("ae", "vae")]
    argv = ("--data", images, "--from", 0, "--to", 3, "-n", 5, "--kind", way)
    assert invoke("interpolate", *paths, *argv, "--out", tmp_path / "x.npy").code == 0
    X = load_dataset(images).X_test
    ways = ("linear", "spherical")[: 1 + (way == "both")]
    expected = [[interpolate_images(model(k), X[0], X[3], 5, w) for w in ways] for k in ("ae", "vae")]
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), np.squeeze(expected))
    result = invoke("interpolate", *paths, *argv, "--out", tmp_path / "x.png")
    assert result.out.startswith("Autoencoder, VAE: 5 points")
    assert_complete_png(tmp_path / "x.png")
    twice = invoke("interpolate", paths[0], paths[0], *argv, "--out", tmp_path / "x.png")
    assert twice.out.startswith("1: ae, 2: ae: 5 points")


@KINDS
@pytest.mark.parametrize("image", [None, 7])
def test_traversals_are_the_studys(kind, image, run, model, images):
    X = load_dataset(images).X_test
    options = () if image is None else ("--image", image)
    result, out = run("traverse", kind, *options, "--dims", 2, 1, "-n", 5, "--tail", 0.1)
    x = None if image is None else X[image]
    expected = traverse(model(kind), x, X, dims=[1, 0], n_steps=5, tail=0.1)
    np.testing.assert_array_equal(np.load(out), expected.images)
    assert "dimensions 2, 1;" in result.out
    _, out = run("traverse", kind, *options)
    np.testing.assert_array_equal(np.load(out), traverse(model(kind), x, X).images)


@KINDS
def test_planes_are_the_studys(kind, run, model, images):
    _, out = run("plane", kind, "-n", 4)
    np.testing.assert_array_equal(np.load(out), decode_plane(model(kind), 4))
    result, out = run("plane", kind, "-n", 4, "--over", "codes")
    ends = re.search(r"z1 from (\S+) to (\S+), z2 from (\S+) to (\S+);", result.out).groups()
    if kind == "ae":
        codes = model(kind).transform(load_dataset(images).X_test)
        np.testing.assert_array_equal(np.load(out), decode_plane(model(kind), 4, codes))
        plane = latent_plane(4, codes)
        expected = [*plane[0, [0, -1], 0], *plane[[-1, 0], 0, 1]]
        np.testing.assert_allclose([float(end) for end in ends], expected, atol=0.0051)


def test_small_images_have_a_coarser_grid(run, tmp_path):
    assert "12 x 12 points" in run("plane", "vae")[0].out
    path = tmp_path / "m.safetensors"
    X = np.random.default_rng(0).random((40, 121))
    npvae.VAE(hidden=(), max_epochs=1, random_state=0).fit(X).save(path)
    assert "20 x 20 points" in invoke("plane", path, "--out", tmp_path / "x.npy").out


def test_a_plane_over_the_prior_reads_no_data(models, tmp_path):
    argv = (models / "vae.safetensors", "-n", 3, "--image-shape", 6, 5, "--data", "nowhere")
    assert invoke("plane", *argv, "--out", tmp_path / "x.png").code == 0


@KINDS
def test_neighbours_are_the_nearest_training_images(kind, run, model, images):
    result, out = run("nearest", kind, "-n", 6, "-k", 4, "--seed", 3, "--json")
    record, data = json.loads(result.out), load_dataset(images)
    samples = model(kind).sample(6, random_state=3)
    rows = np.load(out)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows[:, 0], samples)
    X = data.X_train / np.float32(255)
    distances = np.linalg.norm(X[None].astype(float) - samples[:, None], axis=2)
    np.testing.assert_array_equal(record["indices"], np.argsort(distances, axis=1, kind="stable")[:, :4])
    np.testing.assert_allclose(record["distances"], np.sort(distances, axis=1)[:, :4], rtol=1e-10)
    np.testing.assert_array_equal(rows[:, 1:], X[record["indices"]])
    test_distances = np.linalg.norm(X[None] - data.X_test[:, None] / np.float64(255), axis=2).min(axis=1)
    np.testing.assert_allclose(sorted(record["test_distances"]), np.sort(test_distances), rtol=1e-6)


def test_what_nearest_prints(run):
    result, _ = run("nearest", "vae", "-n", 3, "-k", 2, "--seed", 1)
    record = json.loads(run("nearest", "vae", "-n", 3, "-k", 2, "--seed", 1, "--json")[0].out)
    _, *lines, last = result.out.splitlines()
    assert len(lines) == 3
    for sample, line in enumerate(lines):
        number, *pairs = re.findall(r"[\d.]+", line)
        assert int(number) == sample
        assert [int(i) for i in pairs[::2]] == record["indices"][sample]
        np.testing.assert_allclose([float(d) for d in pairs[1::2]], record["distances"][sample], atol=0.0051)
    samples, test = re.search(r"samples ([\d.]+), test images ([\d.]+)", last).groups()
    assert float(samples) == pytest.approx(np.median(np.array(record["distances"])[:, 0]), abs=0.0051)
    assert float(test) == pytest.approx(np.median(record["test_distances"]), abs=0.0051)


def test_the_seed_of_the_draws_leaves_the_split_alone(tmp_path):
    """Else training images of the model would count as test images."""
    path, data = tmp_path / "m.safetensors", load_dataset("digits")
    npvae.VAE(hidden=(), max_epochs=1, random_state=0).fit(data.X_train).save(path)
    for options, split in (((), 0), (("--seed", 5), 0), (("--split-seed", 5), 5)):
        argv = ("nearest", path, "-n", 2, "-k", 3, "--json", "--out", tmp_path / "x.npy", *options)
        (indices, rows) = json.loads(invoke(*argv).out)["indices"], np.load(tmp_path / "x.npy")
        np.testing.assert_array_equal(rows[:, 1:], load_dataset("digits", seed=split).X_train[indices])


@pytest.mark.parametrize(
    ("command", "options", "parts"),
    [
        ("interpolate", ("-n", 1), ["--images", "at least 2"]),
        ("interpolate", ("-n", 41, "--out", "x.png"), ["--images", "at most 40"]),
        ("interpolate", ("--from", 60), ["--from", "0 to 59", "60"]),
        ("interpolate", ("--to", -1), ["--to", "at least 0"]),
        ("interpolate", ("--kind", "cubic"), ["--kind", "cubic"]),
        ("traverse", ("--image", 60), ["--image", "0 to 59", "60"]),
        ("traverse", ("--dims", 0), ["--dims", "at least 1"]),
        ("traverse", ("--dims", 1, 3), ["--dims", "from 1 to 2", "3"]),
        ("traverse", ("-n", 4), ["--images", "odd", "4"]),
        ("traverse", ("--tail", 0.5), ["--tail", "0.5"]),
        ("traverse", ("--tail", "nan"), ["--tail", "nan"]),
        ("traverse", ("-n", 21, "--out", "x.png"), ["at most 20"]),
        ("plane", ("-n", 0), ["--side", "at least 1"]),
        ("plane", ("-n", 41, "--out", "x.png"), ["--side", "at most 40"]),
        ("plane", ("-n", 70, "--over", "codes", "--image-shape", 4, 4), ["--image-shape", "16", "30"]),
        ("nearest", ("-n", 0), ["--samples", "at least 1"]),
        ("nearest", ("-k", 151), ["--neighbours", "at most 150"]),
        ("nearest", ("-n", 21, "--out", "x.png"), ["at most 20", "21"]),
        ("nearest", ("-k", 11, "--out", "x.png"), ["with 10", "11"]),
    ],
)
def test_bad_options(command, options, parts, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert_refused(run(command, "vae", *options)[0], *parts)
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("command", COMMANDS)
def test_files_and_data_that_do_not_fit(command, models, images, tmp_path):
    options, path = COMMANDS[command], models / "vae.safetensors"
    argv = (command, path, "--data", images, *options)
    assert_refused(invoke(*argv, "--out", tmp_path / "x.jpg"), "x.jpg", ".png", ".npy")
    over = ("--over", "codes") if command == "plane" else ()
    result = invoke(command, path, *options, *over, "--out", tmp_path / "x.png")
    assert_refused(result, "64", "30", "--data")
    assert_refused(invoke(command, tmp_path / "m", *options, "--out", tmp_path / "x.png"), "m")
    assert contents(tmp_path) == {}


def test_only_two_dimensions_are_a_plane(tmp_path):
    path = tmp_path / "m.safetensors"
    X = np.random.default_rng(0).random((40, 4))
    npvae.VAE(latent_dim=3, hidden=(), max_epochs=1, random_state=0).fit(X).save(path)
    result = invoke("plane", path, "--out", tmp_path / "x.png")
    assert_refused(result, "3 latent dimensions", "2", "npvae traverse")
