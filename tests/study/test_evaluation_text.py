"""What is shown of evaluations whose numbers are made up here."""

import json
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from npvae.study import (
    Bracket,
    CodeMoments,
    Estimate,
    Evaluation,
    LogLikelihood,
    NormalityTests,
    PosteriorFigures,
    ReconstructionError,
    TwoSampleTest,
)
from npvae.study.evaluation import what_to_look_at
from npvae.study.jsonable import to_jsonable
from npvae.study.metrics.normality import SimulatedTest

COLLAPSE = "Posterior collapse: nothing is left of it."


@pytest.fixture
def of_vae():
    return Evaluation(
        kind="VAE",
        likelihood="bernoulli",
        latent_dim=3,
        n_features=12,
        n_samples=456,
        reconstruction=ReconstructionError(2.125, 33.25, 456),
        moments=CodeMoments(
            np.array([3.0, 4.0, 0.0]), 5.0, np.array([0.75, 1.5, 1.0]), np.array([2.5, 1.0, 0.5]), 456
        ),
        normality=NormalityTests(
            SimulatedTest(123.456, 0.01, 7.891),
            SimulatedTest(-0.00012, 0.43, 0.00034),
            TwoSampleTest(0.875, 0.025, 400),
            n_codes=321,
            n_null=99,
        ),
        posterior=PosteriorFigures(
            beta=0.5,
            objective="elbo",
            n_draws=1,
            elbo=Estimate(-41.25, 0.21),
            reconstruction=Estimate(35.75, 0.22),
            kl=Estimate(5.5, 0.031),
            log_likelihoods=(
                LogLikelihood(1, -41.5, 1.9, np.nan, 1.0, 77),
                LogLikelihood(250, -39.25, 1.8, 0.045, 12.5, 77),
            ),
            kl_per_dimension=np.array([1.25, 0.0, 4.25]),
            active=np.array([True, False, True]),
            n_active=2,
            mutual_information=Estimate(4.75, 0.015),
            most_information=np.log(456),
            aggregate_kl=Bracket(Estimate(0.625, 0.012), Estimate(0.75, 0.034)),
            n_paired=456,
        ),
        warnings=(COLLAPSE,),
    )  # fmt: skip


@pytest.fixture
def of_ae(of_vae):
    return replace(of_vae, kind="AE", posterior=None, warnings=())


def row(evaluation, label):
    (line,) = [line for line in evaluation.text("toys").splitlines() if line.startswith(label)]
    return line[len(label) :].split()


@pytest.mark.parametrize(
    ("label", "cells"),
    [
        ("ELBO (higher is better)", ["-41.25", "0.21"]),
        ("reconstruction, -ln p(x | z)", ["35.75", "0.22"]),
        ("KL(q(z | x) || N(0, I))", ["5.50", "0.031"]),
        ("K = 1 ", ["-41.50", "1.9", "-", "1.0"]),
        ("K = 250", ["-39.25", "1.8", "0.045", "12.5"]),
        ("distance of the mean from 0", ["0", "5.00"]),
        ("standard deviations", ["1", "0.75", "to", "1.50"]),
        ("eigenvalues of the covariance", ["1", "0.50", "to", "2.50"]),
        ("energy distance", ["123.5", "7.89", "0.01"]),
        ("MMD^2, inverse multiquadric kernel", ["-0.00012", "0.00034", "0.43"]),
        ("accuracy of a classifier, z vs N(0, I)", ["0.875", "0.541"]),
    ],
)
def test_rows(label, cells, of_vae):
    """0.541 is 1/2 and 1.645 standard errors."""
    assert row(of_vae, label) == cells


def test_sentences(of_vae):
    text = " ".join(of_vae.text("toys").split())
    for part in (
        "VAE on 456 samples of toys: 12 features, 3 latent dimensions, bernoulli likelihood, trained",
        "trained with beta = 0.5",
        "for 77 samples",
        "from the posterior mean, per sample: squared error 2.125",
        "-ln p(x | z) 33.25 nats",
        "2 of 3 latent dimensions",
        "4.25 1.25 0.00",
        "I(x; z): 4.75 +- 0.015 nats",
        "456 samples it cannot exceed 6.12",
        "between 0.62 +- 0.012 and 0.75 +- 0.034 nats",
        "321 z were compared with 99 sets",
        "p is at least 0.01",
        "400 held-out",
        f"Warning. {COLLAPSE}",
    ):
        assert part in text


def test_what_to_look_at(of_vae, of_ae):
    """0.541 is as far as the accuracy goes by chance."""
    head, elbo, used, prior = what_to_look_at(of_vae)
    assert head == "What to look at:"
    assert "ELBO -41.25 nats" in elbo
    assert "2 of 3 latent dimensions are used; the others add nothing." in used
    assert "z differs from N(0, I) (a classifier is right in 88 %" in prior
    accuracy = replace(of_vae.normality.classifier, accuracy=0.53)
    near = replace(of_vae, normality=replace(of_vae.normality, classifier=accuracy))
    assert "is hard to tell from N(0, I)" in what_to_look_at(near)[-1]
    _, error, prior = what_to_look_at(of_ae)
    assert "Squared error 2.125" in error
    assert "differs from N(0, I)" in prior
    text = " ".join(of_vae.text("toys").split())
    assert all(" ".join(line.split()) in text for line in what_to_look_at(of_vae))


def test_a_collapsed_vae(of_vae):
    none = replace(of_vae.posterior, n_active=0, active=np.zeros(3, dtype=bool))
    assert (
        "0 of 3 latent dimensions are used; z says nothing about x: posterior collapse."
        in what_to_look_at(replace(of_vae, posterior=none))[2]
    )


@pytest.mark.parametrize(
    ("objective", "n_draws", "said"),
    [
        ("elbo", 1, "trained with beta = 0.5"),
        ("elbo", 4, "trained with beta = 0.5 on the ELBO with 4 draws of z"),
        ("iwae", 5, "trained with beta = 0.5 on the IWAE with 5 draws of z"),
    ],
)
def test_another_objective_is_named(objective, n_draws, said, of_vae):
    made = replace(of_vae, posterior=replace(of_vae.posterior, objective=objective, n_draws=n_draws))
    head = " ".join(made.text("toys").partition("\n\n")[0].split())
    assert head.endswith(f"bernoulli likelihood, {said}")
    found = to_jsonable(made)["posterior"]
    assert (found["objective"], found["n_draws"]) == (objective, n_draws)


def test_an_autoencoder_has_no_posterior(of_ae):
    text = of_ae.text("toys")
    assert text.startswith("Autoencoder on 456 samples of toys: 12 features, 3 latent dimensions")
    assert "from the code, per sample" in text
    for word in ("ELBO", "KL", "ln p(x), in nats", "Active", "I(x; z)", "posterior", "beta", "Warning"):
        assert word not in text
    assert row(of_ae, "energy distance") == ["123.5", "7.89", "0.01"]


def test_width(of_vae):
    """Also with many dimensions, a long name and large numbers."""
    large = replace(
        of_vae,
        latent_dim=200,
        warnings=("A long sentence about the figures. " * 10,),
        moments=replace(of_vae.moments, mean_norm=123456.0, std=np.array([0.1, 123456.0])),
        normality=replace(of_vae.normality, energy=SimulatedTest(2.9e9, 0.01, 1234.5)),
        posterior=replace(
            of_vae.posterior,
            kl_per_dimension=np.linspace(0, 12, 200),
            elbo=Estimate(-1234567.25, 1234.5),
            aggregate_kl=Bracket(Estimate(1e5, 1234.0), Estimate(1e6, 1234.0)),
        ),
    )
    for evaluation in (of_vae, large):
        lines = evaluation.text("a-folder-with-a-rather-long-name").splitlines()
        assert max(map(len, lines)) <= 100
        assert not any(line.endswith(" ") for line in lines)


class Cells(HTMLParser):
    """The texts between the tags of a page, and the tags that are open at its end."""

    def __init__(self, page):
        super().__init__()
        self.texts, self.open = [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.mark.parametrize("kind", ["VAE", "AE"])
def test_a_notebook_shows_the_words_that_print_shows(kind, of_vae, of_ae):
    evaluation = {"VAE": of_vae, "AE": of_ae}[kind]
    cells = Cells(evaluation._repr_html_())
    assert cells.open == []
    assert Counter(" ".join(cells.texts).split()) == Counter(str(evaluation).split())
    assert evaluation._repr_html_().count("<table>") == {"VAE": 4, "AE": 2}[kind]
    assert str(evaluation) == evaluation.text()
    assert evaluation._repr_html_() == evaluation.html()


def test_the_name_of_the_data_can_be_left_out(of_vae):
    named, unnamed = of_vae.text("toys"), str(of_vae)
    assert " ".join(unnamed.split()) == " ".join(named.split()).replace(" of toys:", ":", 1)


def test_html_is_escaped(of_vae):
    hostile = replace(of_vae, warnings=("<script>alert('x & y')</script>",))
    page = hostile.html("<b>toys</b>")
    assert "<script>" not in page
    assert "<b>" not in page
    texts = "".join(Cells(page).texts)
    assert "<script>alert('x & y')</script>" in texts
    assert "samples of <b>toys</b>: 12 features" in texts


def test_numbers(of_vae, of_ae):
    """All of them, as JSON knows them."""
    numbers = json.loads(json.dumps(to_jsonable(of_vae), allow_nan=False))
    assert numbers["posterior"]["log_likelihoods"][0]["sampling_error"] is None
    assert numbers["posterior"]["log_likelihoods"][1]["effective_sample_size"] == 12.5
    assert numbers["posterior"]["aggregate_kl"]["lower"] == {"value": 0.625, "standard_error": 0.012}
    assert numbers["posterior"]["active"] == [True, False, True]
    assert numbers["normality"]["energy"] == {"statistic": 123.456, "p_value": 0.01, "null_quantile": 7.891}
    assert numbers["normality"]["classifier"]["accuracy"] == 0.875
    assert numbers["moments"]["std"] == [0.75, 1.5, 1.0]
    assert numbers["warnings"] == [COLLAPSE]
    assert to_jsonable(of_ae)["posterior"] is None
