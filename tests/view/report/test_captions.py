"""What alternative texts say is what was measured."""

import re

import numpy as np
import pytest

from npvae.view.report.captions import CAPTIONS, alternative, caption
from tests.comparisons import enlarged, small_comparison, with_figure, with_quality


def numbers(text):
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)]


@pytest.fixture(scope="module")
def comparison():
    return enlarged(small_comparison(), (2, 5), 2)


@pytest.mark.parametrize("name", CAPTIONS)
def test_every_picture_has_a_sentence(name, comparison):
    text = alternative(comparison, name, 2)
    assert text.endswith(".")
    assert text[0].isupper() or text[0].isdigit()
    assert text != alternative(comparison, {"latent": "loss"}.get(name, "latent"), 2)


def test_qualities_and_errors(comparison):
    made = with_quality(comparison, "AE", 5, "prior", frechet_classifier=123.4)
    assert 123 in numbers(alternative(made, "metrics", 2))
    made = with_figure(made, "VAE", 2, ("reconstruction", "squared_error"), 1.25)
    error = made.figures("AE", 2, "reconstruction", "squared_error").mean()
    assert numbers(alternative(made, "reconstructions", 2)) == pytest.approx([error, 1.25], rel=0.01)
    made = with_figure(made, "AE", 2, ("moments", "std"), [0.5, 3.5])
    assert numbers(alternative(made, "histograms", 2))[:2] == [0.5, 3.5]


def test_the_point_and_the_losses(comparison):
    codes = comparison.study("AE", 2).codes
    distance = np.linalg.norm(codes - [-2.5, 2.0], axis=1).min()
    assert numbers(alternative(comparison, "point", 2))[2] == pytest.approx(distance, abs=0.006)
    losses = comparison.study("VAE", 2).estimator.history_["loss"]
    found = numbers(alternative(comparison, "loss", 2))[2:]
    assert found == pytest.approx([losses[0], losses[-1]], abs=0.06)


def test_captions_name_the_dimension_if_there_are_several():
    assert caption("samples", None) == CAPTIONS["samples"]
    assert caption("samples", 1) == f"1 latent dimension. {CAPTIONS['samples']}"
    assert caption("samples", 10).startswith("10 latent dimensions. ")
