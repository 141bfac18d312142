"""A comparison as JSON and as CSV: every number, once."""

import csv
import io
import json
from collections import Counter

import numpy as np
import pytest

from npvae.study import CONTROLS, WAYS
from npvae.study.findings import comparison_findings
from npvae.study.results import comparison_csv, comparison_numbers
from npvae.study.summary import summarise
from tests.comparisons import enlarged, small_comparison


@pytest.fixture(scope="module", params=["with labels", "without labels"])
def comparison(request):
    return small_comparison((3, 2), (4, 0), labels=request.param == "with labels")


@pytest.fixture(scope="module")
def numbers(comparison):
    return json.loads(json.dumps(comparison_numbers(comparison), allow_nan=False))


def leaves(value, *path):
    """The numbers within a plain value and where they stand, by recursion."""
    if isinstance(value, dict):
        value = list(value.items())
    elif isinstance(value, list):
        value = list(enumerate(value))
    elif isinstance(value, int | float):
        return [(".".join(path), float(value))]
    else:
        return []
    return [leaf for name, entry in value for leaf in leaves(entry, *path, str(name))]


def test_models_are_in_order(numbers):
    cells = [(m["latent_dim"], m["seed"], m["model"]) for m in numbers["models"]]
    assert cells == [(d, seed, kind) for d in (2, 3) for seed in (0, 4) for kind in ("AE", "VAE")]
    assert numbers["models"][-1]["file"] == "models/vae-d3-seed4.safetensors"


def test_numbers_are_those_of_the_comparison(comparison, numbers):
    assert numbers["n_compared"] == 40
    accuracy = comparison.classifier_accuracy
    assert numbers["classifier_accuracy"] == (None if np.isnan(accuracy) else accuracy)
    assert numbers["findings"] == comparison_findings(comparison)
    summary = summarise(comparison)
    assert numbers["summary"] == [summary.title, *summary.sentences]
    assert list(numbers["controls"]) == list(CONTROLS)
    for name, quality in comparison.controls.items():
        assert numbers["controls"][name]["frechet"] == quality.frechet
    for model in numbers["models"]:
        study = comparison.study(model["model"], model["latent_dim"], model["seed"])
        assert model["figures"] == study.figures
        assert tuple(model["samples"]) == WAYS[model["model"]]
        for way, quality in model["samples"].items():
            assert quality["pixel_coverage"] == study.samples[way].quality.pixel_coverage
        estimator = study.estimator
        training = {"epochs": 3, "stop_reason": "max_epochs", "history": estimator.history_}
        assert model["training"] == training


def test_csv_has_every_number_once(comparison, numbers):
    rows = list(csv.DictReader(io.StringIO(comparison_csv(comparison))))
    wanted = [
        ("classifier", "", "", "", *leaf) for leaf in leaves(numbers["classifier_accuracy"], "accuracy")
    ]
    assert len(wanted) == (not np.isnan(comparison.classifier_accuracy))
    wanted += [
        ("control", "", "", name, *leaf)
        for name, quality in numbers["controls"].items()
        for leaf in leaves(quality)
    ]
    for m in numbers["models"]:
        cell = (m["model"], str(m["latent_dim"]), str(m["seed"]))
        wanted += [(*cell, "", *leaf) for leaf in leaves(m["figures"])]
        for way, quality in m["samples"].items():
            wanted += [(*cell, way, *leaf) for leaf in leaves(quality)]
    got = [(*list(row.values())[:-1], float(row["value"])) for row in rows]
    assert Counter(got) == Counter(wanted)
    assert len({row[:-1] for row in got}) == len(got), "a name that stands for two numbers"
    assert list(rows[0]) == ["model", "latent_dim", "seed", "samples", "figure", "value"]


def test_csv_reads_as_a_data_frame_would(comparison):
    """One number in a row: no word such as True or nan in the last column, no missing cell."""
    lines = comparison_csv(comparison).split("\n")
    assert lines.pop() == ""
    values = np.loadtxt(io.StringIO("\n".join(lines)), delimiter=",", skiprows=1, usecols=5)
    assert np.isfinite(values).all()
    assert {line.count(",") for line in lines} == {5}
    active = [line.rpartition(",")[2] for line in lines if ",posterior.active.0," in line]
    assert len(active) == 4
    assert set(active) <= {"0", "1"}


def test_csv_of_more_models_is_longer_by_their_rows():
    one, more = (comparison_csv(enlarged(small_comparison(), (2,), n)).count("\n") for n in (1, 3))
    text = comparison_csv(small_comparison())
    others = text.count("\ncontrol,") + text.count("\nclassifier,")
    assert more - 1 - others == 3 * (one - 1 - others)
