"""A comparison as one HTML file: findings, tables, pictures, settings; nothing is loaded from elsewhere."""

import base64
import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from npvae.persistence import write_atomically
from npvae.study.comparison import Comparison
from npvae.study.findings import comparison_findings
from npvae.study.table import escaped
from npvae.view.compare_table import heading, tables

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

_STYLE = """
:root { color-scheme: light; }
body { font: 17px/1.5 system-ui, sans-serif; color: #222; max-width: 1080px; margin: 2rem auto; }
body { padding: 0 1rem; }
h1 { font-size: 1.7rem; line-height: 1.2; } h2 { font-size: 1.25rem; margin-top: 2.2rem; }
table { border-collapse: collapse; font-size: 0.88rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: 0.3rem 0; }
th, td { padding: 0.18rem 0.6rem; text-align: right; font-weight: normal; vertical-align: bottom; }
thead th { border-bottom: 1.5px solid #222; font-weight: 600; } tbody tr { border-bottom: 1px solid #e4e4e4; }
th:first-child { text-align: left; } tr.group th { font-weight: 600; padding-top: 0.7rem; }
.wide { overflow-x: auto; } .note { font-size: 0.85rem; color: #555; margin-top: 0.2rem; }
figure { margin: 1.2rem 0; } figure img { max-width: 100%; height: auto; }
figcaption { font-size: 0.88rem; color: #444; } summary { cursor: pointer; }
pre { font-size: 0.8rem; overflow-x: auto; background: #f6f6f6; padding: 0.8rem; } li { margin: 0.3rem 0; }
"""


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
    parts = [
        f"<h1>{html.escape(title)}</h1><p>{html.escape(description)}</p>",
        "<h2>What it shows</h2><ul>",
        *(f"<li>{escaped(sentence)}</li>" for sentence in comparison_findings(comparison)),
        "</ul>",
        "<h2>Numbers</h2>",
        *(table.html() for table in tables(comparison)),
        "<h2>Pictures</h2>",
        *(_figure(folder / name, len(comparison.latent_dims) > 1) for name in pictures),
        "<h2>Settings</h2><details><summary>Every setting, version and the data's hash</summary>",
        f"<pre>{html.escape(json.dumps(record, indent=1))}</pre></details>",
    ]
    body = "\n".join(parts)
    page = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )

    def write(temporary: Path) -> None:
        temporary.write_text(page, encoding="utf-8")

    write_atomically(folder / "report.html", write)
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
