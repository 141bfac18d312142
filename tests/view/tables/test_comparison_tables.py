"""The tables of a comparison: the right numbers in the right places, in 100 columns."""

import copy
import re
from dataclasses import replace

import numpy as np
import pytest

from npvae import VAE
from npvae.study import CONTROLS, SAMPLERS, WAYS
from npvae.study.experiment.cache import Cell
from npvae.study.findings import comparison_findings
from npvae.study.summary import summarise
from npvae.study.table import with_spread
from npvae.view.tables.comparison_tables import compare_text, heading, objective, tables
from npvae.view.tables.terms import LATENT_TERMS, ROW_TERMS, SAMPLE_TERMS
from tests.comparisons import enlarged, small_comparison, with_figure, with_quality

LONGEST = 100


@pytest.fixture(scope="module")
def comparison():
    return small_comparison()


def row(comparison, label, number=0):
    """The cells of the only row with this label in one of the tables, without it."""
    (cells,) = [cells for cells in tables(comparison)[number].rows if cells[0] == label]
    return list(cells[1:])


def headers(table):
    return [" ".join(name.split()) for name in table.header]


def longest(text):
    return max(map(len, text.splitlines()))


def test_heading(comparison):
    first, second = heading(comparison)
    assert first == "AE and VAE on halves: 120 training and 40 test samples"
    assert second == "network 12-6-2-6-12, 3 epochs, seed 0"
    large = enlarged(comparison, (2, 10), 3)
    assert heading(large)[1] == "network 12-6-D-6-12, D = 2, 10, 3 epochs, seeds 0, 1, 2"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, ""),
        ({"beta": 1.0, "n_draws": 1, "objective": "elbo", "kl_warmup_epochs": 0}, ""),
        ({"objective": "iwae", "n_draws": 5}, "; VAE: the importance-weighted bound, 5 draws of z"),
        ({"n_draws": 2}, "; VAE: 2 draws of z"),
        ({"beta": 0.25}, "; VAE: beta = 0.25"),
        ({"beta": 4.0}, "; VAE: beta = 4"),
        ({"kl_warmup_epochs": 1}, "; VAE: KL warm-up over 1 epoch"),
        ({"free_bits": 0.5}, "; VAE: 0.5 free nats per latent dimension"),
        (
            {"objective": "iwae", "n_draws": 3, "beta": 0.5, "kl_warmup_epochs": 2},
            "; VAE: the importance-weighted bound, 3 draws of z, beta = 0.5, KL warm-up over 2 epochs",
        ),
    ],
)
def test_the_objective_is_named_where_it_is_not_the_default(settings, said, comparison):
    X = np.random.default_rng(0).random((20, 12))
    vae = VAE(2, hidden=(6,), max_epochs=2, likelihood="bernoulli", n_threads=1, **settings).fit(X)
    assert objective(vae) == said
    study = replace(comparison.study("VAE", 2), estimator=vae)
    made = replace(comparison, studies=comparison.studies | {Cell(2, 0, "VAE"): study})
    assert heading(made)[1] == f"network 12-6-2-6-12, 3 and 2 epochs, seed 0{said}"


def test_one_epoch_is_in_the_singular(comparison):
    studies = dict(comparison.studies)
    for cell, study in studies.items():
        estimator = copy.copy(study.estimator)
        estimator.n_iter_ = 1
        studies[cell] = replace(study, estimator=estimator)
    assert ", 1 epoch, " in heading(replace(comparison, studies=studies))[1]


def test_the_objective_is_that_of_the_training(comparison):
    """Whatever the settings have become since."""
    vae = VAE(2, hidden=(6,), max_epochs=1, beta=0.5).fit(np.random.default_rng(0).random((20, 12)))
    for beta in (1.0, 3.0):
        assert objective(vae.set_params(beta=beta, objective="iwae", n_draws=7)) == "; VAE: beta = 0.5"


def test_the_text_is_sentences_heading_tables_and_findings(comparison):
    parts = compare_text(comparison).split("\n\n")
    assert " ".join(parts[0].split()) == " ".join(summarise(comparison).sentences)
    assert parts[1] == "\n".join(heading(comparison))
    assert parts[2:4] == [table.text() for table in tables(comparison)]
    said = [" ".join(text.split()) for text in re.split(r"(?m)^\* ", parts[4])[1:]]
    assert said == comparison_findings(comparison)
    assert len(parts) == 5


@pytest.mark.parametrize("labels", [True, False])
def test_every_term_has_a_meaning(labels):
    latent, samples = tables(small_comparison((2, 3), labels=labels))
    assert [row[0] for row in latent.rows] == list(LATENT_TERMS)
    assert set(samples.header[1:]) <= set(SAMPLE_TERMS)
    assert labels == (set(samples.header[1:]) == set(SAMPLE_TERMS))
    labelled = [row[0] for row in samples.rows if any(row[1:])]
    for label in labelled:
        assert any(term in label for term in ROW_TERMS), label
    for term in ROW_TERMS:
        assert any(term in label for label in labelled), term


@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize("n_seeds", [1, 3])
@pytest.mark.parametrize("dims", [(2,), (2, 5, 10), (1, 2, 10, 100)])
def test_width(dims, n_seeds, labels):
    large = enlarged(small_comparison(labels=labels), dims, n_seeds)
    text = compare_text(large)
    assert longest(text) <= LONGEST
    assert text.splitlines() == [line.rstrip() for line in text.splitlines()]
    assert len(tables(large)) == (3 if len(dims) == 4 else 2)


@pytest.mark.parametrize("scale", [1e-3, 10.0, 1000.0])
def test_width_with_small_and_large_numbers(comparison, scale):
    """Also with spreads that have many digits, and that have few."""
    large = enlarged(comparison, (2, 5, 10), 3, scale=scale)
    for kind in WAYS:
        for seed in (0, 1, 2):  # 156.7891(4)
            path = ("reconstruction", "negative_log_likelihood")
            large = with_figure(large, kind, 5, path, 156.7891 * scale + 0.0007 * seed, seed=seed)
        large = with_quality(large, kind, 5, "full", frechet_classifier=123.4 * scale)
    assert longest(compare_text(large)) <= LONGEST


def test_columns_stand_below_their_heads(comparison):
    lines = compare_text(comparison).splitlines()
    (head,) = [line for line in lines if line.startswith("test samples")]
    (z,) = [line for line in lines if line.startswith("z: distance")]
    for name, cell in zip(("AE", "VAE"), row(comparison, "z: distance of its mean from 0"), strict=False):
        assert re.search(rf"\b{name}\b", head).end() == z.index(cell) + len(cell)


LATENT = {
    "z: distance of its mean from 0": lambda f: f["moments"]["mean_norm"],
    "z: smallest standard deviation": lambda f: min(f["moments"]["std"]),
    "z: largest standard deviation": lambda f: max(f["moments"]["std"]),
    "covariance: smallest eigenvalue": lambda f: min(f["moments"]["eigenvalues"]),
    "covariance: largest eigenvalue": lambda f: max(f["moments"]["eigenvalues"]),
    "classifier accuracy, z vs N(0, I)": lambda f: f["normality"]["classifier"]["accuracy"],
    "energy test against N(0, I): p": lambda f: f["normality"]["energy"]["p_value"],
    "MMD test against N(0, I): p": lambda f: f["normality"]["mmd"]["p_value"],
    "reconstruction: squared error": lambda f: f["reconstruction"]["squared_error"],
    "-ln p(x | code), nats": lambda f: f["reconstruction"]["negative_log_likelihood"],
}
POSTERIOR = {
    "KL(q(z | x) || N(0, I)), nats": lambda p: p["kl"]["value"],
    "KL(q(z) || N(0, I)), lower bound": lambda p: p["aggregate_kl"]["lower"]["value"],
    "KL(q(z) || N(0, I)), upper bound": lambda p: p["aggregate_kl"]["upper"]["value"],
    "I(x; z), nats": lambda p: p["mutual_information"]["value"],
    "active units": lambda p: p["n_active"],
    "negative ELBO, nats": lambda p: -p["elbo"]["value"],
    "negative ELBO (subset), nats": lambda p: -p["log_likelihoods"][0]["value"],
    "-ln p(x) (subset), nats": lambda p: -p["log_likelihoods"][-1]["value"],
}


def test_rows_of_the_latent_spaces():
    """Every one; of three dimensions, the right one in each column."""
    large = enlarged(small_comparison(), (1, 2, 30), 1)
    assert {cells[0] for cells in tables(large)[0].rows} == LATENT.keys() | POSTERIOR.keys()
    columns = [(kind, d) for d in (1, 2, 30) for kind in ("AE", "VAE")]
    wanted = [f"D = {d} {kind}" for kind, d in columns]
    assert headers(tables(large)[0]) == ["test samples", *wanted, "N(0, I)"]
    for label, figure in (LATENT | POSTERIOR).items():
        for (kind, d), shown in zip(columns, row(large, label), strict=False):
            figures = large.study(kind, d).figures
            if label in LATENT:
                assert float(shown) == pytest.approx(figure(figures), rel=0.006, abs=0.0051), label
            elif kind == "AE":
                assert shown == "-"
            else:
                value = figure(figures["posterior"])
                assert float(shown) == pytest.approx(value, rel=0.006, abs=0.0006), label


def test_spreads_are_over_the_seeds(comparison):
    large = enlarged(comparison, (2,), 3)
    for seed, error in enumerate([2.5, 3.0, 3.5]):
        large = with_figure(large, "AE", 2, ("reconstruction", "squared_error"), error, seed=seed)
    assert row(large, "reconstruction: squared error")[0] == "3.0(5)"
    assert all("standard deviation over the seeds" in t.note for t in tables(large))
    assert not any("In brackets" in table.note for table in tables(comparison))


SHARES = ["pixel_coverage", "feature_precision", "feature_recall", "two_sample_accuracy", "near_copies"]
OF_CLASSIFIER = ["confidence", "class_imbalance"]


@pytest.mark.parametrize("labels", [True, False])
def test_rows_of_samples_and_controls(labels):
    """Without labels, the Frechet distance is in principal components, and the classifier's columns go."""
    comparison = small_comparison(labels=labels)
    fields = ["frechet_classifier", *SHARES, *OF_CLASSIFIER] if labels else ["frechet", *SHARES]
    table = tables(comparison)[-1]
    assert headers(table)[:4] == ["samples", "Frechet distance", "pixel coverage", "feature preci- sion"]
    assert headers(table)[6:] == ["near copies", *(["confi- dent", "class imbal- ance"] if labels else [])]
    halves = ("half of the test images, 20", comparison.controls["shuffled halves"])
    expected = [halves, *((CONTROLS[n].label, q) for n, q in comparison.controls.items() if q.n == 40)]
    assert len(expected) == len(CONTROLS)
    for kind in WAYS:
        for way, samples in comparison.study(kind, 2).samples.items():
            label = f"{kind}, z ~ N(0, I)" if way == "prior" else f"{kind}, {SAMPLERS[way].label}"
            expected.append((label, samples.quality))
    for label, quality in expected:
        values = [getattr(quality, field) for field in fields]
        shown = [float(cell) for cell in row(comparison, label, -1)]
        assert shown == pytest.approx(values, rel=0.006, abs=0.0006), label
    assert [cells[0] for cells in table.rows if any(cells[1:])] == [label for label, _ in expected]
    assert ("features of a classifier" in table.note) == labels
    assert ("principal components of the data" in table.note) != labels
    assert ("Confident:" in table.note) == labels


def test_one_class_only_is_without_labels():
    assert len(tables(small_comparison(n_classes=1))[-1].header) == 7


def test_notes_say_what_was_compared(comparison):
    latent, samples = tables(replace(comparison, n_compared=1234, classifier_accuracy=0.9876))
    assert samples.note.startswith("1234 of each")
    assert "98.8 % on the test samples" in samples.note
    assert "one of 1234 training images" in samples.note
    for fact in ("bernoulli likelihood", "exceed 3.69", "40 images, 20 importance samples"):  # ln 40 = 3.689
        assert fact in latent.note
    assert "gaussian likelihood" in tables(small_comparison(tabular=True))[0].note


def test_a_figure_that_is_missing_for_one_seed_is_a_dash(comparison):
    large = enlarged(comparison, (2,), 3)
    large = with_figure(large, "VAE", 2, ("posterior", "kl", "value"), None, seed=1)
    assert row(large, "KL(q(z | x) || N(0, I)), nats")[:2] == ["-", "-"]


@pytest.mark.parametrize(
    "values", [[156.7893, 156.7881, 156.7889], [0.5, 0.5001], [12345.6, 12346.7, 12344.0]]
)
def test_a_mean_has_at_most_five_digits(values):
    """However small its spread: by hand 0.0006, 0.00007, 1.3."""
    mean, spread = re.fullmatch(r"([\d.]+)\((\d+)\)", with_spread(np.array(values))).groups()
    assert len(mean.replace(".", "")) <= 5
    unit = 10.0 ** -len(mean.partition(".")[2])
    assert abs(float(mean) - np.mean(values)) <= 0.51 * unit
    assert abs(int(spread) * unit - np.std(values, ddof=1)) <= 0.51 * unit
