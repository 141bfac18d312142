import dataclasses
import math

import numpy as np
import pytest

from npvae.study import CONTROLS, WAYS, JudgedModel, SampleQuality
from npvae.view.tables.samples import control_rows, judged_table, samples_table, single


def quality(n=5, **figures):
    """Every figure another number; those given as they are."""
    names = [field.name for field in dataclasses.fields(SampleQuality) if field.name != "n"]
    return SampleQuality(
        **dict(zip(names, np.linspace(0.111, 0.888, len(names)), strict=True)) | figures, n=n
    )


def test_every_column_shows_its_figure():
    shown = quality(
        frechet=7.0, frechet_classifier=23.4, pixel_coverage=0.25, feature_precision=0.5, feature_recall=0.75,
        two_sample_accuracy=0.625, near_copies=0.125, confidence=0.375, class_imbalance=0.0625,
    )  # fmt: skip
    table = samples_table({"some": {"these": single(shown)}}, 5, 0.978)
    names = [name.replace("-\n", "").replace("\n", " ") for name in table.header]
    assert dict(zip(names, table.rows[1], strict=True)) == {
        "samples": "these", "Frechet distance": "23.4", "pixel coverage": "0.250",
        "feature precision": "0.500", "feature recall": "0.750", "twosample": "0.625", "near copies": "0.125",
        "confident": "0.375", "class imbalance": "0.062",
    }  # fmt: skip
    assert table.rows[0] == ("some", *[""] * 8)
    assert "97.8 %" in table.note


def test_without_a_classifier_the_distance_is_in_principal_components():
    shown = quality(frechet=7.0, frechet_classifier=math.nan, confidence=math.nan, class_imbalance=math.nan)
    table = samples_table({"some": {"these": single(shown)}}, 5, math.nan)
    assert table.rows[1][1] == "7.00"
    assert len(table.header) == 7
    assert "-" not in table.rows[1]
    assert "%" not in table.note.replace("99 %", "")


@pytest.mark.parametrize("kind", ["AE", "VAE"])
def test_a_judged_model(kind):
    judged = JudgedModel(
        kind, 5, 0.9, {name: quality() for name in CONTROLS}, {way: quality() for way in WAYS[kind]}
    )
    text = judged_table(judged).text()
    assert max(map(len, text.splitlines())) <= 100
    labels = [line[:26].strip() for line in text.splitlines()]
    for name in ("controls", f"samples of the {kind}", "z ~ N(0, I)", "mixture of 10", "reconstructions"):
        assert name in labels
    assert ("aggregate posterior" in labels) == (kind == "VAE")


def test_controls_of_another_number_of_images_say_so():
    controls = {name: quality() for name in CONTROLS} | {
        "shuffled halves": quality(n=2, pixel_coverage=0.375)
    }
    rows = control_rows(controls, 5)
    assert list(rows) == [
        "half of the test images, 2",
        "training images",
        "Gaussian in PCA's space",
        "independent pixels",
    ]
    assert rows["half of the test images, 2"]("pixel_coverage") == [0.375]
    assert list(control_rows(controls, 2))[:2] == ["half of the test images", "training images, 5"]
    judged = JudgedModel("AE", 5, 0.9, controls, {way: quality() for way in WAYS["AE"]})
    assert [row[0] for row in judged_table(judged).rows[1:5]] == list(rows)
