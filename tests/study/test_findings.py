"""The sentences follow the numbers: here the numbers are made up."""

from dataclasses import replace

import pytest

from npvae.study.findings import comparison_findings
from tests.comparisons import enlarged, small_comparison, with_figure, with_quality

PRIOR, CODES, FITTED, NORMALITY, RECONSTRUCTION, CONTROLS = range(6)
GREY = "strictly between 0 and 1"


def with_frechet(comparison, latent_dim=2, **distances):
    """Other Frechet distances: of the VAE's prior ("vae") and of the AE's ways."""
    for way, distance in distances.items():
        kind, way = ("VAE", "prior") if way == "vae" else ("AE", way)
        comparison = with_quality(comparison, kind, latent_dim, way, frechet_classifier=distance)
    return comparison


@pytest.fixture(scope="module")
def comparison():
    """As after a good training: the VAE can be sampled from, the AE reconstructs better."""
    made = with_frechet(small_comparison(), prior=9.0, diagonal=4.5, full=4.25, mixture=1.5, vae=3.0)
    made = with_quality(made, "AE", 2, "prior", pixel_coverage=0.04)
    made = with_quality(made, "VAE", 2, "prior", pixel_coverage=0.48)
    for kind, norm, std, error in [("AE", 5.0, [1.25, 6.5], 2.5), ("VAE", 0.25, [0.875, 1.125], 3.5)]:
        made = with_figure(made, kind, 2, ("moments", "mean_norm"), norm)
        made = with_figure(made, kind, 2, ("moments", "std"), std)
        made = with_figure(made, kind, 2, ("reconstruction", "squared_error"), error)
    made = with_figure(made, "VAE", 2, ("normality", "classifier", "accuracy"), 0.53)
    made = with_figure(made, "VAE", 2, ("normality", "energy", "p_value"), 0.04)
    made = with_figure(made, "VAE", 2, ("posterior", "aggregate_kl", "lower", "value"), 0.11)
    made = with_figure(made, "VAE", 2, ("posterior", "aggregate_kl", "upper", "value"), 0.39)
    made = with_figure(made, "VAE", 2, ("posterior", "mutual_information", "value"), 2.0)
    made = with_figure(made, "VAE", 2, ("posterior", "most_information"), 3.5)
    return with_figure(made, "VAE", 2, ("posterior", "n_active"), 1)


def test_a_good_vae(comparison):
    said = comparison_findings(comparison)
    assert said[PRIOR] == (
        "Drawn from N(0, I), the VAE's samples are at a Frechet distance from real data 3.0 times smaller "
        "than the AE's; they cover 48% of it, the AE's 4%."
    )
    assert "5.0 and 1.25 to 6.50 for the AE, 0.2 and 0.88 to 1.12 for the VAE." in said[CODES]
    assert "1.5 with a mixture of 10, 9 with N(0, I), the VAE's with N(0, I) 3: better" in said[FITTED]
    assert "the VAE's z differ from it (p = 0.04; a classifier is right in 53%" in said[NORMALITY]
    assert "KL(q(z) || N(0, I)) between 0.1 and 0.4 nats)." in said[NORMALITY]
    assert "AE 2.5, VAE 3.5; of the VAE's latent units 1 of 2 are active." in said[RECONSTRUCTION]
    assert all(GREY in warning for warning in said[CONTROLS + 1 :])


@pytest.mark.parametrize(
    ("ae", "said"),
    [
        (1.5, "are at a Frechet distance from real data 2.0 times larger than the AE's;"),
        (3.0, "are at the same Frechet distance from real data as the AE's;"),
        (3.01, "are at the same Frechet distance from real data as the AE's;"),
        (2.99, "are at the same Frechet distance from real data as the AE's;"),
        (3.3, "are at a Frechet distance from real data 1.1 times smaller than the AE's;"),
        (0.0, "are at the same Frechet distance from"),  # nothing can be divided by it
    ],
)
def test_the_first_finding_turns_round(comparison, ae, said):
    assert said in comparison_findings(with_frechet(comparison, prior=ae))[PRIOR]


def test_the_best_fitted_distribution_is_named(comparison):
    fitted = comparison_findings(with_frechet(comparison, full=0.75))[FITTED]
    assert "0.75 with a full Gaussian, 9 with" in fitted


def test_a_fit_that_is_not_as_good_as_the_vaes_prior(comparison):
    fitted = comparison_findings(with_frechet(comparison, diagonal=8.0, full=8.5, mixture=8.25))[FITTED]
    assert "8 with a diagonal Gaussian" in fitted
    assert "3: not better than the VAE's prior" in fitted


def test_reconstructions_are_no_fitted_distribution(comparison):
    """They need an image: nothing new is drawn."""
    made = with_quality(comparison, "AE", 2, "reconstructions", frechet_classifier=0.001)
    assert comparison_findings(made)[FITTED] == comparison_findings(comparison)[FITTED]


def test_a_large_p_is_no_proof(comparison):
    made = with_figure(comparison, "VAE", 2, ("normality", "energy", "p_value"), 0.31)
    assert "were not found to differ from it (p = 0.31;" in comparison_findings(made)[NORMALITY]


def test_equal_deviations_are_said_once(comparison):
    made = with_figure(comparison, "VAE", 2, ("moments", "std"), [0.991, 0.994])
    assert "0.2 and 0.99 for the VAE." in comparison_findings(made)[CODES]


@pytest.mark.parametrize(
    ("accuracy", "said"),
    [
        (0.53, "0.530 (1/2 within 4 standard errors of 0.010: yes), as it should; one covers 97% of"),
        (0.47, "0.470 (1/2 within 4 standard errors of 0.010: yes), as it should"),
        (0.55, "no), which it should not: the figures are not to be trusted"),
        (0.45, "no), which it should not: the figures are not to be trusted"),
    ],
)
def test_the_controls(comparison, accuracy, said):
    halves = replace(
        comparison.controls["shuffled halves"],
        two_sample_accuracy=accuracy, two_sample_error=0.01, pixel_coverage=0.968,
    )  # fmt: skip
    made = replace(comparison, controls=comparison.controls | {"shuffled halves": halves})
    assert said in comparison_findings(made)[CONTROLS]


def test_without_labels_the_distance_is_that_in_principal_components():
    made = small_comparison(labels=False)
    made = with_quality(made, "AE", 2, "prior", frechet=12.0)
    made = with_quality(made, "VAE", 2, "prior", frechet=3.0)
    assert "real data 4.0 times smaller than" in comparison_findings(made)[PRIOR]


def test_means_over_the_seeds(comparison):
    """2, 3 and 7 have the mean 4, whose quarter is 1."""
    made = enlarged(comparison, (2,), 3)
    made = with_frechet(made, vae=1.0)
    for seed, distance in enumerate([2.0, 3.0, 7.0]):
        one = with_frechet(replace(made, seeds=(seed,)), prior=distance)
        made = replace(one, seeds=made.seeds)
    assert "real data 4.0 times smaller than" in comparison_findings(made)[PRIOR]


def test_every_latent_dimension_has_its_say(comparison):
    made = enlarged(comparison, (2, 10), 1)
    made = with_frechet(made, 2, prior=6.0, vae=3.0)
    made = with_frechet(made, 10, prior=3.0, vae=12.0)
    said = comparison_findings(made)
    lines = said[PRIOR].splitlines()
    assert lines[0] == "Drawn from N(0, I), the VAE's samples are"
    assert lines[1].startswith("D = 2: at a Frechet distance from real data 2.0 times smaller")
    assert lines[2].startswith("D = 10: at a Frechet distance from real data 4.0 times larger")
    for sentence in (said[CODES], said[FITTED], said[NORMALITY]):
        assert [line.split(":")[0] for line in sentence.splitlines()[1:]] == ["D = 2", "D = 10"]
    assert "at D = 2, 10: AE" in said[RECONSTRUCTION]
    assert "units 1 of 2, 1 of 10 are active" in said[RECONSTRUCTION]


def with_p_values(comparison, *p_values):
    """As many seeds as values, with these of the energy test."""
    made = enlarged(comparison, (2,), len(p_values))
    for seed, p_value in enumerate(p_values):
        path = ("normality", "energy", "p_value")
        made = with_figure(made, "VAE", 2, path, p_value, seed=seed)
    return made


@pytest.mark.parametrize(
    ("p_values", "said"),
    [
        ((0.01, 0.05, 0.06), "z differ from it (p at most 0.05 with 2 of 3 seeds; a classifier"),
        ((0.9, 0.01, 0.9), "z differ from it (p at most 0.05 with 1 of 3 seeds; a classifier"),
        ((0.01, 0.01), "z differ from it (p at most 0.05 with 2 of 2 seeds; a classifier"),
        ((0.06, 0.06), "z were not found to differ from it (p at most 0.05 with 0 of 2 seeds; a classifier"),
    ],
)
def test_p_values_are_counted_and_not_averaged(comparison, p_values, said):
    assert said in comparison_findings(with_p_values(comparison, *p_values))[NORMALITY]


@pytest.mark.parametrize(
    ("information", "said"),
    [
        (2.99, "KL(q(z) || N(0, I)) between 0.1 and 0.4 nats)."),
        (3.01, "KL(q(z) || N(0, I)) at least 0.1 and, of so few images, not known to be below 0.4 nats)."),
        (3.5, "KL(q(z) || N(0, I)) at least 0.1 and, of so few images, not known to be below 0.4 nats)."),
    ],
)
def test_near_its_cap_the_mutual_information_limits_the_upper_end(comparison, information, said):
    """The cap is 3.5 nats; within half a nat of it the upper end is no more than a lower one."""
    made = with_figure(comparison, "VAE", 2, ("posterior", "mutual_information", "value"), information)
    assert said in comparison_findings(made)[NORMALITY]


def test_each_dimension_has_its_own_upper_end(comparison):
    made = enlarged(comparison, (2, 10), 1)
    for d, information in [(2, 1.0), (10, 3.4)]:
        made = with_figure(made, "VAE", d, ("posterior", "most_information"), 3.5)
        made = with_figure(made, "VAE", d, ("posterior", "mutual_information", "value"), information)
    lines = comparison_findings(made)[NORMALITY].splitlines()
    assert ["not known to be below" in line for line in lines[1:]] == [False, True]


def test_a_warning_of_all_models_is_said_once_without_their_names(comparison):
    made = enlarged(comparison, (2, 10), 2)
    for kind in ("AE", "VAE"):
        for d in (2, 10):
            made = with_figure(made, kind, d, ("warnings",), ["Beware."])
    assert comparison_findings(made)[CONTROLS + 1 :] == ["Beware."]


def test_warnings_of_some_models_name_them(comparison):
    """Of every seed, not of the first alone; each once, in the order of the models."""
    made = enlarged(comparison, (2, 10), 2)
    for kind in ("AE", "VAE"):
        made = with_figure(made, kind, 2, ("warnings",), ["Everywhere."])
        made = with_figure(made, kind, 10, ("warnings",), ["Everywhere."])
    made = with_figure(made, "VAE", 10, ("warnings",), ["Everywhere.", "Beware."])
    made = with_figure(made, "VAE", 2, ("warnings",), ["Everywhere.", "Beware.", "Alone."], seed=1)
    assert comparison_findings(made)[CONTROLS + 1 :] == [
        "Everywhere.",
        "vae-d2-seed1, vae-d10-seed0, vae-d10-seed1: Beware.",
        "vae-d2-seed1: Alone.",
    ]


def test_without_warnings_nothing_is_added(comparison):
    made = comparison
    for kind in ("AE", "VAE"):
        made = with_figure(made, kind, 2, ("warnings",), [])
    assert len(comparison_findings(made)) == CONTROLS + 1


def test_sentences_end(comparison):
    for sentence in comparison_findings(comparison):
        assert sentence[0].isupper() or sentence[0].isdigit()
        assert sentence.endswith(".")
