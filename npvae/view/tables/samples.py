"""Sample quality as a table: one row per set of samples, one column per metric."""

from collections.abc import Callable, Mapping

import numpy as np

from npvae.study.experiment.controls import CONTROLS
from npvae.study.experiment.judging import JudgedModel
from npvae.study.metrics.quality import SampleQuality, frechet_field
from npvae.study.sampling.samplers import SAMPLERS
from npvae.study.table import Table, with_spread

Figures = Callable[[str], np.ndarray]  # from the name of a field of SampleQuality to its value for every seed

# Fields of SampleQuality with their headers, after the Frechet distance; the last two need a classifier.
_SHARES = (
    ("pixel_coverage", "pixel\ncoverage"),
    ("feature_precision", "feature\npreci-\nsion"),
    ("feature_recall", "feature\nrecall"),
    ("two_sample_accuracy", "two-\nsample"),
    ("near_copies", "near\ncopies"),
    ("confidence", "confi-\ndent"),
    ("class_imbalance", "class\nimbal-\nance"),
)


def samples_table(
    groups: Mapping[str, Mapping[str, Figures]], n: int, classifier_accuracy: float, note: str = ""
) -> Table:
    """Return the table of samples.

    Parameters
    ----------
    groups : mapping
        From each heading to a mapping from labels to figures, the rows below it.
    n : int
        Number of samples in each set.
    classifier_accuracy : float
        Accuracy on the test samples of the classifier whose features are used; NaN if there is none.
    note : str
        Added to the explanation of the columns.

    Returns
    -------
    Table
    """
    labelled = bool(np.isfinite(classifier_accuracy))
    frechet = frechet_field(classifier_accuracy)
    shares = _SHARES if labelled else _SHARES[:-2]
    header = ("samples", "Frechet\ndistance", *(name for _, name in shares))
    rows: list[tuple[str, ...]] = []
    for heading, sets in groups.items():
        rows.append((heading, *[""] * (len(header) - 1)))
        for label, figures in sets.items():
            cells = [with_spread(figures(field), decimals=3) for field, _ in shares]
            rows.append((label, with_spread(figures(frechet)), *cells))
    return Table("", header, rows, _note(n, classifier_accuracy) + note)


def judged_table(judged: JudgedModel) -> Table:
    """Return the table of one model's samples and the controls."""
    groups = {
        "controls": control_rows(judged.controls, judged.n_compared),
        f"samples of the {judged.kind}": {
            way_label(way): single(quality) for way, quality in judged.samples.items()
        },
    }
    return samples_table(groups, judged.n_compared, judged.classifier_accuracy)


def control_rows(controls: Mapping[str, SampleQuality], n: int) -> dict[str, Figures]:
    """Return the controls' figures by label; the label includes the number of images if it is not n."""
    return {
        CONTROLS[name].label + ("" if quality.n == n else f", {quality.n}"): single(quality)
        for name, quality in controls.items()
    }


def single(quality: SampleQuality) -> Figures:
    """Return the figures of one set of samples."""
    return lambda field: np.array([getattr(quality, field)], dtype=np.float64)


def way_label(way: str) -> str:
    """Return the name of a sampler in tables."""
    return f"z ~ {SAMPLERS[way].label}" if way == "prior" else SAMPLERS[way].label


def _note(n: int, classifier_accuracy: float) -> str:
    features, sure = "principal components of the data", ""
    if np.isfinite(classifier_accuracy):
        right = f"{100 * classifier_accuracy:.1f} %"
        features = f"features of a classifier with an accuracy of {right} on the test samples"
        sure = (
            " Confident: share of samples classified with > 95 % confidence. Class imbalance: total "
            "variation distance between the class frequencies of samples and data, best 0."
        )
    return (
        f"{n} of each, compared with as many test samples. Frechet distance (lower is better), feature "
        f"precision and recall (higher) in {features}; pixel coverage (higher) in the data themselves. "
        "Two-sample: accuracy of a classifier, samples vs data, best 0.5. Near copies: share of samples "
        f"nearer to one of {n} training images than 99 % of the test samples are, 0.01 by chance; the "
        "control of training images shows its value for copies. Reconstructions are of training images."
        f"{sure}"
    )
