"""A comparison as one HTML file, from first screen to settings, which loads nothing else."""

import base64
import html
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from PIL import Image

from npvae.study.comparison import Comparison
from npvae.study.findings import comparison_findings
from npvae.study.summary import summarise
from npvae.study.table import Table, escaped
from npvae.view.report.captions import alternative, caption
from npvae.view.report.first_screen import first_screen, legend
from npvae.view.report.pictures import value_range_of
from npvae.view.tables.comparison_tables import heading, tables
from npvae.view.tables.terms import LATENT_TERMS, ROW_TERMS, SAMPLE_TERMS
from npvae.writing import write_text_atomically


def write_report(
    comparison: Comparison,
    record: Mapping[str, Any],
    pictures: Sequence[str],
    folder: Path,
    *,
    explorer: str | None = None,
) -> Path:
    """Write ``report.html``.

    Parameters
    ----------
    comparison : Comparison
    record : mapping
        The run's settings, versions, machine and data, in JSON's types.
    pictures : sequence of str
        File names in `folder`, as `write_pictures` returns them; they become a part of the page.
    folder : Path
    explorer : str, optional
        File name in `folder` of the explorer page, to which the page links.

    Returns
    -------
    Path
        Of the file, which is replaced atomically if it exists.
    """
    summary = summarise(comparison)
    template = Template(files("npvae.view.report").joinpath("template.html").read_text(encoding="utf-8"))
    page = template.substitute(
        title=html.escape(summary.title),
        description=" ".join(f"{html.escape(line)}." for line in heading(comparison)),
        first_screen=first_screen(comparison, value_range_of(comparison)),
        legend=legend(comparison),
        explorer="" if explorer is None else _explorer_link(explorer),
        sentences="\n".join(f"<li>{escaped(text)}</li>" for text in summary.sentences),
        findings="\n".join(f"<li>{escaped(text)}</li>" for text in comparison_findings(comparison)),
        tables="\n".join(_table(table) for table in tables(comparison)),
        pictures="\n".join(_figure(comparison, folder / name) for name in pictures),
        record=html.escape(json.dumps(record, indent=1)),
    )

    write_text_atomically(folder / "report.html", page)
    return folder / "report.html"


def _explorer_link(name: str) -> str:
    return (
        f'<p><a href="{html.escape(name)}">Explore both models</a>: pick points of the latent space, follow '
        "a gradient, train a network in the page.</p>"
    )


def _table(table: Table) -> str:
    """Return a table, folded, with what its terms mean."""
    labels = [row[0] for row in table.rows]
    terms = {label: LATENT_TERMS[label] for label in labels if label in LATENT_TERMS}
    if terms:
        columns = ", ".join(dict.fromkeys(name.split("\n")[0] for name in table.header[1:-1]))
        name = f"Latent spaces and losses: {columns}"
    else:
        name = "Quality of samples and controls"
        terms = dict(SAMPLE_TERMS[header] for header in table.header if header in SAMPLE_TERMS)
        terms |= {term: text for term, text in ROW_TERMS.items() if any(term in label for label in labels)}
    entries = "\n".join(f"<dt>{escaped(term)}</dt><dd>{escaped(text)}</dd>" for term, text in terms.items())
    return (
        f"<details>\n<summary>{html.escape(name)}</summary>\n{table.html()}\n"
        f"<h3>What the terms mean</h3>\n<dl>\n{entries}\n</dl>\n</details>"
    )


def _figure(comparison: Comparison, path: Path) -> str:
    several = len(comparison.latent_dims) > 1
    name, _, dimension = path.stem.partition("-d") if several else (path.stem, "", "")
    latent_dim = int(dimension) if dimension else None
    text = alternative(comparison, name, latent_dim or comparison.latent_dims[0])
    with Image.open(path) as picture:
        width, height = picture.size
    image = base64.b64encode(path.read_bytes()).decode("ascii")
    return (
        f'<figure><img src="data:image/png;base64,{image}" width="{width}" height="{height}" '
        f'alt="{html.escape(text)}" loading="lazy">'
        f"<figcaption>{html.escape(caption(name, latent_dim))} {html.escape(text)}</figcaption></figure>"
    )
