"""The table of a comparison whose numbers are made up here."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from npvae.data import Dataset
from npvae.study import CodeMoments, ReconstructionError, SampleQuality
from npvae.study.compare import Comparison, ModelStudy, Samples
from npvae.view.compare_table import compare_numbers, compare_table, findings

LABELS = {
    "prior": "N(0, I)",
    "diagonal": "diagonal Gaussian",
    "full": "full Gaussian",
    "mixture": "mixture of 10",
}


def made_samples(frechet, coverage=0.5, way="prior"):
    return Samples(
        way, LABELS[way], np.zeros((20, 2)), np.zeros((20, 6)), SampleQuality(frechet, coverage, 20, 20)
    )


def made_study(name, mean, std, squared_error, nats, loss, kl, samples):
    mean, std = np.array(mean), np.array(std)
    network = SimpleNamespace(n_features=6, hidden=(5, 4), latent_dim=2)
    return ModelStudy(
        name,
        SimpleNamespace(network_=network, n_iter_={"AE": 7, "VAE": 9}[name], likelihood="bernoulli"),
        np.zeros((20, 2)),
        CodeMoments(mean, float(np.linalg.norm(mean)), std, np.sort(std**2)[::-1], 20),
        ReconstructionError(squared_error, nats, 20),
        loss,
        kl,
        {sample.way: sample for sample in samples},
    )


@pytest.fixture
def comparison():
    """As after a good training: the VAE can be sampled from, the AE reconstructs better."""
    ways = [("prior", 9.0, 0.04), ("diagonal", 4.5, 0.3), ("full", 4.25, 0.31), ("mixture", 1.5, 0.62)]
    ae = made_study("AE", [3.0, 4.0], [1.25, 6.5], 2.5, 22.75, 22.76, np.nan, [
        made_samples(frechet, covered, way) for way, frechet, covered in ways
    ])  # fmt: skip
    vae = made_study("VAE", [0.0, 0.25], [0.875, 1.125], 3.5, 24.25, 27.125, 2.625, [made_samples(3.0, 0.48)])
    data = Dataset("toys", np.zeros((30, 6), np.float32), None, np.ones((20, 6), np.float32), None)
    return Comparison(data, ae, vae, SampleQuality(0.125, 0.97, 20, 20), 20)


def with_frechet(study, **values):
    """The study with other Frechet distances."""
    samples = {
        way: replace(s, quality=replace(s.quality, frechet=values.get(way, s.quality.frechet)))
        for way, s in study.samples.items()
    }
    return replace(study, samples=samples)


def row(comparison, label):
    (line,) = [line for line in compare_table(comparison).splitlines() if line.startswith(label + "  ")]
    return line[len(label) :].split()


def test_head(comparison):
    lines = compare_table(comparison).splitlines()
    assert lines[0] == "AE and VAE on toys: 30 training and 20 test samples"
    assert lines[1] == "network 6-5-4-2-4-5-6, 7 and 9 epochs"


def test_width(comparison):
    """Also with large numbers and a long name."""
    lines = compare_table(comparison).splitlines()
    assert max(map(len, lines)) <= 100
    large = replace(
        comparison,
        n_compared=5000,
        ae=replace(
            comparison.ae, test_loss=1e7, reconstruction=ReconstructionError(1234567.0, 7654321.0, 20)
        ),
    )
    assert max(map(len, compare_table(large).splitlines())) <= 100


def test_columns_stand_below_their_heads(comparison):
    lines = compare_table(comparison).splitlines()
    (head,) = [line for line in lines if line.startswith("Test samples")]
    (z,) = [line for line in lines if line.startswith("z: distance")]
    for name, number in [(" AE", "5.00"), ("VAE", "0.25"), ("N(0, I)", " 0")]:
        assert head.index(name) + len(name) == z.rindex(number) + len(number)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("z: distance of its mean from 0", ["5.00", "0.25", "0"]),
        ("z: smallest standard deviation", ["1.25", "0.88", "1"]),
        ("z: largest standard deviation", ["6.50", "1.12", "1"]),
        ("z: smallest eigenvalue of its covariance", ["1.56", "0.77", "1"]),
        ("z: largest eigenvalue of its covariance", ["42.25", "1.27", "1"]),
        ("reconstruction: squared error", ["2.50", "3.50", "-"]),
        ("reconstruction: -ln p(x | code), bernoulli, nats", ["22.75", "24.25", "-"]),
        ("KL(q(z | x) || N(0, I)), nats", ["-", "2.62", "-"]),
        ("minus ELBO, nats", ["-", "27.12"]),
        ("training images in place of samples", ["0.12", "0.970"]),
        ("AE, z ~ N(0, I)", ["9.00", "0.040"]),
        ("AE, z ~ diagonal Gaussian, fitted", ["4.50", "0.300"]),
        ("AE, z ~ mixture of 10, fitted", ["1.50", "0.620"]),
        ("VAE, z ~ N(0, I)", ["3.00", "0.480"]),
    ],
)
def test_rows(comparison, label, expected):
    assert row(comparison, label) == expected


def test_the_findings_end_the_table(comparison):
    text = " ".join(compare_table(comparison).split("\n\n")[-1].split())
    assert text == " ".join(findings(comparison))


def test_findings_of_a_good_vae(comparison):
    first, codes, fitted, errors = findings(comparison)
    assert "the VAE's samples are 3.0 times nearer to real" in first
    assert "cover 48%" in first
    assert "the AE's 4%" in first
    assert "5.0 from the origin" in codes
    assert "1.25 to 6.50" in codes
    assert "codes helps: with a mixture of 10 the distance is 1.50, with N(0, I) 9.00" in fitted
    assert "the larger squared error: 3.50 against 2.50" in errors


def test_the_first_finding_turns_round(comparison):
    better = replace(comparison, ae=with_frechet(comparison.ae, prior=1.5))
    assert "2.0 times further from real" in findings(better)[0]
    assert "nearer" not in findings(better)[0]


def test_no_difference_is_not_called_one(comparison):
    """Not "1.0 times further from"."""
    equal = replace(comparison, ae=with_frechet(comparison.ae, prior=3.01))
    assert "1.0 times" not in findings(equal)[0]


def test_the_best_fitted_distribution_is_named(comparison):
    other = replace(comparison, ae=with_frechet(comparison.ae, full=0.75))
    assert "with a full Gaussian the distance is 0.75" in findings(other)[2]


def test_fitting_that_did_not_help(comparison):
    useless = replace(comparison, ae=with_frechet(comparison.ae, prior=4.0, diagonal=8, full=8, mixture=8))
    assert "does not help" in findings(useless)[2]


def test_the_errors_turn_round(comparison):
    cheaper = replace(comparison.vae, reconstruction=ReconstructionError(2.0, 22.0, 20))
    assert "the smaller squared error: 2.00 against 2.50" in findings(replace(comparison, vae=cheaper))[3]


def test_numbers_are_json_and_those_of_the_comparison(comparison):
    numbers = json.loads(json.dumps(compare_numbers(comparison), allow_nan=False))
    assert numbers["n_compared"] == 20
    assert numbers["real"] == {"frechet": 0.125, "coverage": 0.97}
    assert numbers["ae"]["kl"] is None
    assert numbers["vae"]["kl"] == 2.625
    assert numbers["ae"]["z"]["mean"] == [3, 4]
    assert numbers["ae"]["z"]["mean_norm"] == 5
    assert numbers["ae"]["z"]["covariance_eigenvalues"] == [42.25, 1.5625]
    assert numbers["vae"]["z"]["std"] == [0.875, 1.125]
    assert numbers["vae"]["test_loss"] == 27.125
    assert numbers["ae"]["squared_error"] == 2.5
    assert numbers["ae"]["negative_log_likelihood"] == 22.75
    assert numbers["ae"]["samples"]["mixture"] == {"frechet": 1.5, "coverage": 0.62}
    assert list(numbers["vae"]["samples"]) == ["prior"]
    assert numbers["findings"] == findings(comparison)
