"""All numbers of a comparison, for JSON and CSV files."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from npvae.study.comparison import Comparison
from npvae.study.findings import comparison_findings
from npvae.study.jsonable import to_jsonable
from npvae.study.summary import summarise

_HEADER = ("model", "latent_dim", "seed", "samples", "figure", "value")


def comparison_numbers(comparison: Comparison) -> dict[str, Any]:
    """Return every number of a comparison in JSON's types.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    dict
        Keys n_compared, classifier_accuracy, controls, models, summary (a title and three sentences) and
        findings. `models` is a list with the identity, file, training, figures and sample quality of each
        model.
    """
    models = []
    for cell, study in sorted(comparison.studies.items()):
        estimator = study.estimator
        training = {
            "epochs": estimator.n_iter_,
            "stop_reason": estimator.stop_reason_,
            "history": estimator.history_,
        }
        identity = {"model": cell.kind, "latent_dim": cell.latent_dim, "seed": cell.seed}
        file = f"models/{cell.name}.safetensors"
        models.append(identity | {"file": file, "training": training} | study.numbers())
    summary = summarise(comparison)
    return {
        "n_compared": comparison.n_compared,
        "classifier_accuracy": to_jsonable(comparison.classifier_accuracy),
        "controls": to_jsonable(comparison.controls),
        "models": models,
        "summary": [summary.title, *summary.sentences],
        "findings": comparison_findings(comparison),
    }


def comparison_csv(comparison: Comparison) -> str:
    """Return all numbers of a comparison as CSV, one number a row, for a data frame or a spreadsheet.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    str
        Columns model, latent_dim, seed, samples, figure, value. `samples` names the sampler or the control
        that a figure describes; it is empty for figures of the model itself. Parts of a figure's name are
        separated by dots; entries of a vector are counted from 0; true and false are 1 and 0. Figures that do
        not apply have no row. Training histories are only in `comparison_numbers`.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_HEADER)
    writer.writerows(
        ("classifier", "", "", "", *row)
        for row in _flat({"accuracy": to_jsonable(comparison.classifier_accuracy)})
    )
    for name, quality in comparison.controls.items():
        writer.writerows(("control", "", "", name, *row) for row in _flat(to_jsonable(quality)))
    for cell, study in sorted(comparison.studies.items()):
        identity = (cell.kind, cell.latent_dim, cell.seed)
        numbers = study.numbers()
        writer.writerows((*identity, "", *row) for row in _flat(numbers["figures"]))
        for way, quality in numbers["samples"].items():
            writer.writerows((*identity, way, *row) for row in _flat(quality))
    return text.getvalue()


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Yield the name and value of each number in a nested JSON value."""
    if isinstance(value, dict | list):
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        for key, entry in entries:
            yield from _flat(entry, f"{name}.{key}" if name else str(key))
    elif isinstance(value, int | float):
        yield name, int(value) if isinstance(value, bool) else value
