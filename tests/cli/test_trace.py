import json
import re

import numpy as np
import pytest

import npvae
from npvae.data import load_dataset
from npvae.study import trace_image
from npvae.study.trace_record import FORMULAS
from npvae.view.tables.trace import trace_text
from tests.cli.tools import assert_complete_png, assert_refused, invoke


@pytest.fixture(scope="module")
def vae(models):
    return npvae.load(models / "vae.safetensors")


def lines_of(text, d):
    """The lines of a latent dimension, as lists of the numbers in them."""
    (block,) = re.findall(rf"(?ms)^dim {d}: .*?(?=\n\n)", text)
    return [[float(n) for n in re.findall(r"[-+]?\d+\.\d+", line)] for line in block.splitlines()]


def test_an_image_and_noise_of_ones_own(models, images, vae):
    argv = ("--data", images, "--image", 7, "--eps", 0.5, -1)
    result = invoke("trace", models / "vae.safetensors", *argv)
    assert (result.code, result.err) == (0, "")
    x = load_dataset(images).X_test[7:8] / 255
    mu, log_var = vae.encode(x)
    std = np.exp(log_var / 2)
    for i, eps in enumerate([0.5, -1]):
        first, path, kl, total, differences, *_ = lines_of(result.out, i)
        z = mu[0, i] + std[0, i] * eps
        assert first == pytest.approx([mu[0, i], std[0, i], eps, z, log_var[0, i]], abs=1e-3)
        assert path[1] == path[0]
        assert kl == pytest.approx([mu[0, i], (std[0, i] ** 2 - 1) / 2], abs=1e-3)
        assert total == pytest.approx([path[1] + kl[0], path[2] + kl[1]], abs=2.1e-3)
        assert differences == pytest.approx(total, abs=1e-3)
    loss = float(re.search(r"= ([\d.]+) nats", result.out)[1])
    expected = vae.network_.loss(vae.params_, x, np.array([[0.5, -1.0]])).total
    assert loss == pytest.approx(expected, abs=6e-4)


def test_the_noise_is_the_seeds(models, images):
    argv = ("trace", models / "vae.safetensors", "--data", images)
    first, again, other = (invoke(*argv, "--seed", seed).out for seed in (1, 1, 2))
    assert first == again != other
    eps = np.random.default_rng(1).standard_normal(2)
    assert [lines_of(first, i)[0][2] for i in (0, 1)] == pytest.approx(eps, abs=6e-4)


def test_json(models, images, vae):
    argv = ("--data", images, "--image", 3, "--eps", 0, 2, "--json")
    record = json.loads(invoke("trace", models / "vae.safetensors", *argv).out)
    x = load_dataset(images).X_test[3] / np.float32(255)
    expected = trace_image(vae, x, [0.0, 2.0])
    assert record["loss"] == expected.loss
    assert (record["kind"], record["beta"], record["likelihood"]) == ("VAE", 1.0, "bernoulli")
    assert record["average"] is None
    assert len(record["image"]) == 30
    assert {node["name"] for node in record["nodes"]} == set(FORMULAS)
    assert [node["gradient"] for node in record["nodes"]] == [node.gradient for node in expected.nodes]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--objective", "iwae", "--draws", 3), "on the IWAE with 3 draws of z; shown is the ELBO with one"),
        (("--draws", 2), "on the ELBO with 2 draws of z; shown is the ELBO with one"),
        (
            ("--free-bits", 5),
            "with 5 free nats per latent dimension; shown is the plain ELBO, without free bits",
        ),
        (("--beta", 0.5), None),
    ],
)
def test_another_objective_than_that_shown_is_named(options, said, images, tmp_path):
    path = tmp_path / "m.safetensors"
    settings = ("--data", images, "--epochs", 1, "--hidden", 8, "--out", path)
    assert invoke("train", "vae", *settings, *options).code == 0
    for form in ((), ("--json",)):
        result = invoke("trace", path, "--data", images, "--eps", 1, 1, *form)
        assert result.code == 0
        message = f"npvae trace: the model was trained {said}\n" if said else ""
        assert result.err == message
    vae, x = npvae.load(path), load_dataset(images).X_test[0] / np.float32(255)
    (reconstruction, kl), _ = vae.network_.forward(vae.params_, x[None], np.ones((1, 2), np.float32))
    loss = reconstruction[0] + vae.beta * kl[0]
    assert json.loads(result.out)["loss"] == pytest.approx(loss, rel=1e-5)


def test_without_a_model_one_is_trained(images):
    result = invoke("trace", "--data", images)
    assert result.code == 0
    assert "no model given" in result.err.splitlines()[0]
    assert len(lines_of(result.out, 1)) == 7


@pytest.mark.parametrize("options", [(), ("--all",)])
def test_the_text_is_what_view_makes(options, models, images, vae):
    result = invoke("trace", models / "vae.safetensors", "--data", images, "--eps", 1, 1, *options)
    x = load_dataset(images).X_test[0]
    expected = trace_text(trace_image(vae, x, [1.0, 1.0]), (6, 5), show_all=bool(options))
    assert result.out == expected + "\n"


def test_averages_and_the_cut_path(models, images, vae):
    argv = ("trace", models / "vae.safetensors", "--data", images, "--json")
    record = json.loads(invoke(*argv, "--average", 50, "--seed", 3).out)
    x = load_dataset(images).X_test[0]
    expected = trace_image(vae, x, n_average=50, random_state=3).average
    assert record["average"]["n"] == 50
    assert record["average"]["mu_std"] == expected.mu_std.tolist()
    record = json.loads(invoke(*argv, "--without-reparameterization").out)
    assert not record["reparameterized"]
    for node in record["nodes"]:
        if node["name"] in ("mu", "log_var"):
            assert node["from_reconstruction"] == 0


@pytest.mark.parametrize("kind", ["vae", "ae"])
@pytest.mark.parametrize("ending", [".png", ".html"])
def test_a_picture_or_a_page(kind, ending, models, images, tmp_path):
    out = tmp_path / "new" / f"trace{ending}"
    result = invoke("trace", models / f"{kind}.safetensors", "--data", images, "--out", out)
    assert result.code == 0
    assert str(out) in result.err
    if ending == ".png":
        assert_complete_png(out)
    else:
        assert "data:image/png;base64," in out.read_text(encoding="utf-8")


def test_an_autoencoder(models, images):
    ae = npvae.load(models / "ae.safetensors")
    result = invoke("trace", models / "ae.safetensors", "--data", images, "--image", 2)
    code = ae.transform(load_dataset(images).X_test[2:3])[0]
    for d in (0, 1):
        assert lines_of(result.out, d)[0] == pytest.approx([code[d]], abs=6e-4)


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--image", 60), ["--image", "from 0 to 59", "60"]),
        (("--image", -1), ["--image", "from 0 to 59", "-1"]),
        pytest.param(("--eps", 1), ["--eps", "2"], id="too little noise"),
        pytest.param(("--eps", 1, 2, 3), ["--eps", "2"], id="too much noise"),
        pytest.param(("--eps", "nan", 1), ["--eps"], id="noise of nan"),
        (("--eps", "much"), ["--eps", "'much'"]),
        pytest.param(("--seed", -1), ["seed"], id="a negative seed"),
        pytest.param(("--data", "digits"), ["64", "30"], id="data of another width"),
        (("--average", 1), ["--average", "at least 2"]),
        (("--learning-rate", 0), ["--learning-rate", "positive"]),
        (("--out", "x.jpg"), ["x.jpg", ".png", ".html"]),
    ],
)
def test_bad_options(options, parts, models, images):
    assert_refused(invoke("trace", models / "vae.safetensors", "--data", images, *options), *parts)


@pytest.mark.parametrize("options", [("--eps", 1, 1), ("--average", 5), ("--without-reparameterization",)])
def test_an_autoencoder_has_no_noise(options, models, images):
    result = invoke("trace", models / "ae.safetensors", "--data", images, *options)
    assert_refused(result, options[0], "Autoencoder")


def test_without_a_model_data_must_be_images(features):
    result = invoke("trace", "--data", features)
    assert result.code == 2
    assert "[0, 1]" in result.err.splitlines()[-1]
