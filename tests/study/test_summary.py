"""The first sentences follow the numbers: here the numbers are made up."""

from dataclasses import replace

import numpy as np
import pytest

from npvae.study.summary import (
    class_noun,
    describe_draws,
    describe_shares,
    share_in_region,
    summarise,
    summarised_dims,
)
from tests.comparisons import enlarged, small_comparison, with_figure, with_quality

TEN = [str(digit) for digit in range(10)]
DRAWS, CODES, MERITS = range(3)


@pytest.fixture(scope="module")
def comparison():
    """As of digits, with ten classes of which the AE draws two."""
    made = small_comparison()
    data = replace(made.data, name="digits", y_train=np.arange(120) % 10)
    made = enlarged(replace(made, data=data, classifier_accuracy=0.97), (10, 2, 5), 1)
    few = (0.4, 0.02, 0.02, 0.02, 0.02, 0.02, 0.4, 0.04, 0.04, 0.02)
    for d in (2, 5, 10):
        for kind, shares in (("AE", few if d == 2 else (0.1,) * 10), ("VAE", (0.1,) * 10)):
            confidence = {"AE": 0.041 if d > 2 else 0.7, "VAE": 0.52}[kind]
            made = with_quality(made, kind, d, "prior", class_shares=shares, confidence=confidence)
        made = with_frechet(made, d, vae=7.3, prior=140.0, mixture=1.4, full=20.0, diagonal=21.0)
        for kind, error in (("AE", 0.5), ("VAE", 1.6)):
            made = with_figure(made, kind, d, ("reconstruction", "squared_error"), error)
    return made


def with_frechet(comparison, latent_dim, **distances):
    for way, distance in distances.items():
        kind, way = ("VAE", "prior") if way == "vae" else ("AE", way)
        comparison = with_quality(comparison, kind, latent_dim, way, frechet_classifier=distance)
    return comparison


def test_the_smallest_and_the_largest_dimension_are_summarised(comparison):
    assert summarised_dims(comparison) == (2, 10)
    assert summarised_dims(replace(comparison, latent_dims=(5,))) == (5,)


def test_the_title_names_the_classes(comparison):
    title = summarise(comparison).title
    assert title == "Draw from N(0, I): the VAE produces all ten digits, the AE mostly 0 and 6"


def test_where_draws_are_not_recognised_their_classes_say_little(comparison):
    made = with_quality(comparison, "AE", 2, "prior", confidence=0.25)
    assert summarise(made).title.endswith(
        "a classifier recognises 52 % of the VAE's draws with confidence, 25 % of the AE's"
    )
    made = with_quality(comparison, "AE", 2, "prior", confidence=0.27)
    assert summarise(made).title.endswith("the AE mostly 0 and 6")


def test_where_classes_do_not_differ_confidence_is_said(comparison):
    made = with_quality(comparison, "AE", 10, "prior", confidence=0.5)
    assert "recognises 52 % of the VAE's draws with confidence, 50 % of the AE's" in " ".join(
        summarise(made).sentences
    )


def test_every_dimension_has_its_contrast(comparison):
    said = summarise(comparison).sentences[DRAWS]
    assert "with two latent dimensions, the VAE produces all ten digits, the AE mostly 0 and 6;" in said
    assert "with ten latent dimensions, a classifier recognises 52 % of the VAE's draws with" in said
    assert "confidence, 4 % of the AE's." in said


def test_the_title_turns_round(comparison):
    few = comparison.study("AE", 2).samples["prior"].quality.class_shares
    made = with_quality(comparison, "VAE", 2, "prior", class_shares=few)
    made = with_quality(made, "AE", 2, "prior", class_shares=(0.1,) * 10)
    assert summarise(made).title.endswith("the VAE produces mostly 0 and 6, the AE all ten digits")


def test_other_data_have_classes(comparison):
    assert class_noun(comparison) == "digits"
    assert class_noun(replace(comparison, data=replace(comparison.data, name="shoes"))) == "classes"


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ([0.7] + [0.3 / 9] * 9, "mostly 0"),
        ([0.3, 0.02, 0.02, 0.02, 0.3, 0.02, 0.02, 0.0, 0.3, 0.02], "mostly 0, 4 and 8"),
        ([0.2] * 4 + [0.2 / 6] * 6, "mostly 0, 1, 2 and 3"),
        ([0.14] * 5 + [0.06] * 5, "all ten digits"),
        ([0.2] * 5 + [0.0] * 5, "mostly 0, 1, 2 and 3"),
        ([1 / 7] * 7 + [0.0] * 3, "seven of the ten digits"),
        ([0.111] * 9 + [0.001], "nine of the ten digits"),
        ([0.108] * 9 + [0.028], "all ten digits"),
        ([0.11] * 9 + [4 / 359], "nine of the ten digits"),
    ],
)
def test_shares_in_words(shares, said):
    assert describe_shares(np.array(shares), TEN, "digits") == said


def test_many_classes_are_counted():
    shares = np.r_[np.full(20, 0.05), np.zeros(80)]
    assert describe_shares(shares, [str(k) for k in range(100)], "classes") == "mostly 14 classes"


def test_codes_are_counted_where_the_prior_is(comparison):
    """In one dimension 99 % of N(0, 1) is within 2.576; in ten within 4.82."""
    studies = dict(comparison.studies)
    for cell, study in studies.items():
        codes = np.zeros((4, cell.latent_dim))
        codes[:3, 0] = [2.9, 3.1, 4.9]
        studies[cell] = replace(study, codes=codes)
    made = replace(comparison, studies=studies)
    assert share_in_region(made, "AE", 2) == 0.5  # within 3.03
    assert share_in_region(made, "AE", 10) == 0.75
    said = summarise(made).sentences[CODES]
    assert said.endswith(
        "50 % and 75 % of the AE's codes with two and ten dimensions, and 50 % and 75 % of the VAE's."
    )


@pytest.mark.parametrize(
    ("inside", "conclusion"),
    [
        ({2: 98, 10: 98}, "."),
        ({2: 100, 10: 100}, "."),
        ({2: 0, 10: 0}, ": draws reach none of the AE's codes."),
        ({2: 42, 10: 42}, ": draws reach hardly any of the other 58 % of the AE's codes."),
        (
            {2: 42, 10: 0},
            ": draws reach hardly any of the other 58 % of the AE's codes with two latent dimensions and "
            "none of the AE's codes with ten latent dimensions.",
        ),
        (
            {2: 98, 10: 42},
            ": draws reach nearly all of the AE's codes with two latent dimensions and hardly any of the "
            "other 58 % of the AE's codes with ten latent dimensions.",
        ),
    ],
)
def test_what_draws_reach_follows_from_the_codes_outside(comparison, inside, conclusion):
    """Only the AE's codes that lie outside the region of N(0, I) are out of the draws' reach."""
    studies = dict(comparison.studies)
    for cell, study in studies.items():
        n_inside = inside.get(cell.latent_dim, 100) if cell.kind == "AE" else 100
        codes = np.zeros((100, cell.latent_dim))
        codes[n_inside:] = 9.0
        studies[cell] = replace(study, codes=codes)
    said = summarise(replace(comparison, studies=studies)).sentences[CODES]
    _, _, rest = said.partition("of the VAE's")
    assert rest == conclusion


def test_classes_of_draws_are_named_where_enough_are_recognised(comparison):
    assert describe_draws(comparison, "AE", 10) == "The classifier is confident in only 4 % of the draws"
    said = describe_draws(comparison, "VAE", 10)
    assert said == "All ten digits; the classifier is confident in 52 % of the draws"


@pytest.mark.parametrize(("ae", "vae", "is_said"), [(0.17, 0.0, True), (0.1, 0.17, False), (0.6, 0.1, False)])
def test_more_epochs_are_advised_where_neither_model_draws_well(comparison, ae, vae, is_said):
    made = with_quality(comparison, "AE", 10, "prior", confidence=ae)
    made = with_quality(made, "VAE", 10, "prior", confidence=vae)
    text = "Few draws of either model are recognised with ten latent dimensions: train for more epochs"
    assert (text in summarise(made).sentences[DRAWS]) == is_said


def test_the_merits_of_the_ae(comparison):
    said = summarise(comparison).sentences[MERITS]
    assert said.startswith(
        "The AE reconstructs better (squared error 0.50 against 1.60, with ten latent dimensions)"
    )
    assert (
        "are better than the VAE's from N(0, I) (Fréchet distance 1.40 against 7.30; lower is better)."
        in said
    )
    worse = with_frechet(comparison, 10, mixture=30.0)
    assert (
        "are not as good as the VAE's from N(0, I) (Fréchet distance 20.0 against"
        in summarise(worse).sentences[MERITS]
    )
    worse = with_figure(comparison, "AE", 10, ("reconstruction", "squared_error"), 2.0)
    assert "reconstructs no better (squared error 2.00 against" in summarise(worse).sentences[MERITS]


def test_without_labels_coverage_is_said():
    made = small_comparison(labels=False)
    made = with_quality(made, "AE", 2, "prior", pixel_coverage=0.04)
    made = with_quality(made, "VAE", 2, "prior", pixel_coverage=0.48)
    assert (
        summarise(made).title
        == "Draw from N(0, I): the VAE's draws cover 48 % of the real data, the AE's 4 %"
    )


def test_figures_are_means_over_the_seeds(comparison):
    made = with_quality(enlarged(comparison, (2,), 2), "AE", 2, "prior", confidence=0.5)
    for seed, share in enumerate((0.0, 1.0)):
        one = replace(made, seeds=(seed,))
        shares = (share, 1 - share, *[0.0] * 8)
        made = replace(with_quality(one, "AE", 2, "prior", class_shares=shares), seeds=made.seeds)
    assert "the AE mostly 0 and 1" in summarise(made).title
