import json

import pytest

from npvae.cli.lab import LABORATORIES
from tests.cli.tools import assert_complete_png, assert_refused, invoke

SAID = {
    "estimators": [
        "no bias is seen",
        "87.00",
        "46.86",
        "sticking the landing is 0",
        "\n  score function: ",
        "\n  leave-one-out baseline: ",
        "\n  path: ",
        "\n  sticking the landing: ",
    ],
    "logvar": ["overflows above 88.72", "lives to 177.4", "3.3 times", "raw variance fails at step 1"],
    "pull": ["noise, no KL", "beta = 10", "KL, no noise", "The best samples", "\n  Active units: "],
    "steps": ["1. The AE's codes", "4. The VAE chooses sigma"],
    "collapse": ["cause: strong decoder", "free bits, 0.5 nats a unit", "negative"],
}


def test_they_are_listed():
    result = invoke("lab")
    assert (result.code, result.err) == (0, "")
    *listed, empty, last = result.out.splitlines()
    assert [line.split()[0] for line in listed] == list(LABORATORIES) == list(SAID)
    assert (empty, last) == ("", "Begin with: npvae lab pull")
    assert json.loads(invoke("lab", "--json").out) == LABORATORIES


# These cause posterior collapse on purpose: fit must not warn of it.
NO_WARNING = {"marks": pytest.mark.filterwarnings("error:Posterior collapse")}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, **(NO_WARNING if name in ("pull", "collapse") else {})) for name in LABORATORIES],
)
def test_text_and_picture(name, images, tmp_path):
    result = invoke("lab", name, "--data", images, "--out", tmp_path / "lab.png")
    assert result.code == 0
    for part in SAID[name]:
        assert part in result.out
    assert max(map(len, result.out.splitlines())) <= 100
    assert_complete_png(tmp_path / "lab.png")
    assert result.err.endswith(f"npvae lab: {tmp_path / 'lab.png'} written\n")
    if name == "estimators":  # the explanation stands below the first table that has the column
        assert result.out.index("Distance of the means:") < result.out.index("with 10 latent dimensions:")


def test_json_is_the_seeds(images):
    argv = ("lab", "steps", "--data", images, "--json")
    first, again, other = (json.loads(invoke(*argv, "--seed", seed).out) for seed in (1, 1, 2))
    for record in (first, again):
        for case in record["cases"].values():
            case["history"].pop("seconds")
    assert first == again
    assert first["control"] == other["control"]
    assert first["cases"] != other["cases"]
    assert first["cases"]["autoencoder"]["kl"] is None


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("dreams",), ["dreams", "estimators"]),
        (("pull", "--out", "lab.svg"), ["lab.svg", ".png"]),
        (("pull", "--seed", -1), ["--seed"]),
    ],
)
def test_bad_options(options, parts):
    assert_refused(invoke("lab", *options), *parts)


def test_data_out_of_the_unit_interval(features):
    assert_refused(invoke("lab", "pull", "--data", features), "[0, 1]")
