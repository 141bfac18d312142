import json
import re

import numpy as np
import pytest

import npvae
from npvae.data import load_dataset
from npvae.study.trace import FORMULAS, trace
from npvae.view.tables.trace import trace_table
from tests.cli.tools import assert_refused, invoke


@pytest.fixture(scope="module")
def vae(models):
    return npvae.load(models / "vae.safetensors")


def node_row(text, label):
    """The five numbers of a line of the table."""
    (line,) = [line for line in text.splitlines() if line.startswith(label + " ")]
    return [float(number) for number in line[len(label) :].split()[:5]]


def test_the_table_of_an_image_and_noise_of_ones_own(models, images, vae):
    argv = ("--data", images, "--image", 7, "--eps", 0.5, -1)
    result = invoke("trace", models / "vae.safetensors", *argv)
    assert (result.code, result.err) == (0, "")
    x = load_dataset(images).X_test[7:8] / 255
    mu, log_var = vae.encode(x)
    std = np.exp(log_var / 2)
    for i, eps in enumerate([0.5, -1]):
        assert node_row(result.out, f"eps[{i}]")[0] == eps
        assert node_row(result.out, f"mu[{i}]")[0] == pytest.approx(mu[0, i], abs=1e-5)
        assert node_row(result.out, f"std[{i}]")[0] == pytest.approx(std[0, i], abs=1e-5)
        assert node_row(result.out, f"z[{i}]")[0] == pytest.approx(mu[0, i] + std[0, i] * eps, abs=1e-5)
        _, gradient, from_reconstruction, from_kl, numeric = node_row(result.out, f"log_var[{i}]")
        assert gradient == pytest.approx(from_reconstruction + from_kl, abs=2e-6)
        assert gradient == pytest.approx(numeric, abs=2e-6)
        assert from_kl == pytest.approx((std[0, i] ** 2 - 1) / 2, abs=2e-6)
    loss = float(re.search(r"= ([\d.]+) nats", result.out)[1])
    expected = vae.network_.loss(vae.params_, x, np.array([[0.5, -1.0]])).total
    assert loss == pytest.approx(expected, rel=1e-5)


def test_the_noise_is_the_seeds(models, images):
    argv = ("trace", models / "vae.safetensors", "--data", images)
    first, again, other = (invoke(*argv, "--seed", seed).out for seed in (1, 1, 2))
    assert first == again != other
    eps = np.random.default_rng(1).standard_normal(2)
    assert [node_row(first, f"eps[{i}]")[0] for i in (0, 1)] == pytest.approx(eps, abs=1e-6)


def test_json(models, images, vae):
    argv = ("--data", images, "--image", 3, "--eps", 0, 2, "--json")
    record = json.loads(invoke("trace", models / "vae.safetensors", *argv).out)
    x = load_dataset(images).X_test[3] / np.float32(255)
    expected = trace(vae.network_, vae.params_, x, np.array([0.0, 2.0]))
    assert record["loss"] == expected.loss
    assert (record["beta"], record["likelihood"]) == (1.0, "bernoulli")
    assert {node["name"] for node in record["nodes"]} == set(FORMULAS)
    assert [node["gradient"] for node in record["nodes"]] == [node.gradient for node in expected.nodes]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--objective", "iwae", "--draws", 3), "the IWAE with 3 draws of z; shown is the ELBO with one"),
        (("--draws", 2), "the ELBO with 2 draws of z; shown is the ELBO with one"),
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
        message = f"npvae trace: the model was trained on {said}\n" if said else ""
        assert result.err == message
    vae, x = npvae.load(path), load_dataset(images).X_test[0] / np.float32(255)
    (reconstruction, kl), _ = vae.network_.forward(vae.params_, x[None], np.ones((1, 2), np.float32))
    loss = reconstruction[0] + vae.beta * kl[0]
    assert json.loads(result.out)["loss"] == pytest.approx(loss, rel=1e-5)


def test_without_a_model_one_is_trained(images):
    result = invoke("trace", "--data", images)
    assert result.code == 0
    assert "no model given" in result.err.splitlines()[0]
    assert len(trace_rows(result.out)) == 16


def trace_rows(text):
    return [line for line in text.splitlines() if re.match(r"[a-z_]+(\[\d+\])? +-?\d", line)]


def test_the_table_is_what_view_makes(models, images, vae):
    result = invoke("trace", models / "vae.safetensors", "--data", images, "--eps", 1, 1)
    x = load_dataset(images).X_test[0] / np.float32(255)
    assert result.out == trace_table(trace(vae.network_, vae.params_, x, np.ones(2))) + "\n"


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
    ],
)
def test_bad_options(options, parts, models, images):
    assert_refused(invoke("trace", models / "vae.safetensors", "--data", images, *options), *parts)


def test_an_autoencoder_has_no_noise(models, images):
    assert_refused(invoke("trace", models / "ae.safetensors", "--data", images), "Autoencoder", "VAE only")


def test_without_a_model_data_must_be_images(features):
    result = invoke("trace", "--data", features)
    assert result.code == 2
    assert "[0, 1]" in result.err.splitlines()[-1]
