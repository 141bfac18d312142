"""A comparison as one HTML file: findings, tables, pictures, settings; nothing is loaded from elsewhere."""

import base64
import html
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from npvae.persistence import write_text_atomically
from npvae.study.comparison import Comparison
from npvae.study.findings import comparison_findings
from npvae.study.table import escaped
from npvae.view.tables.comparison_tables import heading, tables

_CAPTIONS = {
    "metrics": "How well each model can be sampled and how well it reconstructs, over latent dimensions.",
    "latent": "Codes of the test images (of more than two dimensions, their two principal components), and "
    "N(0, I): where the crosses fall is where samples are drawn.",
    "samples": "Samples of every kind, not chosen.",
    "reconstructions": "Test images and their reconstructions.",
    "interpolation": "From one test image to another along a straight line in the latent space.",
    "plane-ae": "The AE's plane, decoded where N(0, I) lies.",
    "plane-vae": "The VAE's plane, decoded where N(0, I) lies.",
    "point": "An arbitrary point of the plane, and what each model decodes it to.",
    "loss": "The losses during training.",
}


def write_report(
    comparison: Comparison, record: Mapping[str, Any], pictures: Sequence[str], folder: Path
) -> Path:
    """Write ``report.html``.

    Parameters
    ----------
    comparison : Comparison
    record : mapping
        What is to be known of the run: settings, versions, machine, data; in JSON's types.
    pictures : sequence of str
        File names in `folder`, as `write_pictures` returns them; they become a part of the page.
    folder : Path

    Returns
    -------
    Path
        Of the file, which is replaced atomically if it exists.
    """
    title, description = heading(comparison)
    several = len(comparison.latent_dims) > 1
    template = Template(files("npvae.view.report").joinpath("template.html").read_text(encoding="utf-8"))
    page = template.substitute(
        title=html.escape(title),
        description=html.escape(description),
        findings="\n".join(f"<li>{escaped(text)}</li>" for text in comparison_findings(comparison)),
        tables="\n".join(table.html() for table in tables(comparison)),
        pictures="\n".join(_figure(folder / name, several) for name in pictures),
        record=html.escape(json.dumps(record, indent=1)),
    )

    write_text_atomically(folder / "report.html", page)
    return folder / "report.html"


def _figure(path: Path, several: bool) -> str:
    kind, _, dimension = path.stem.partition("-d") if several else (path.stem, "", "")
    caption = _CAPTIONS[kind]
    if dimension:
        caption = f"{dimension} latent dimension{'s' * (dimension != '1')}. {caption}"
    image = base64.b64encode(path.read_bytes()).decode("ascii")
    alternative = html.escape(caption)
    return (
        f'<figure><img src="data:image/png;base64,{image}" alt="{alternative}" loading="lazy">'
        f"<figcaption>{alternative}</figcaption></figure>"
    )
