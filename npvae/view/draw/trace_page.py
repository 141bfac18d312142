"""A trace as one HTML file: its picture, and its tables under headings."""

import base64
import html
import io
from pathlib import Path

from npvae.study.trace_record import Trace, pull_texts, shown_dimensions, trace_sections
from npvae.view.draw.tiles import ImageShape
from npvae.view.draw.trace import draw_trace
from npvae.writing import write_text_atomically

_STYLE = """:root{color-scheme:light dark;--ink:#1c1c20;--quiet:#55565e;--page:#fff;--line:#d4d6de}
@media(prefers-color-scheme:dark){:root{--ink:#ececf1;--quiet:#b3b4be;--page:#16171b;--line:#3c3e48}}
body{font:17px/1.5 system-ui,sans-serif;max-width:1180px;margin:1rem auto;padding:0 1rem;
background:var(--page);color:var(--ink)}h1{font-size:1.6rem}h2{font-size:1.2rem;margin:1.6rem 0 .4rem}
.picture{overflow-x:auto}.picture img{display:block;width:100%;min-width:900px;height:auto;background:#fff;
border-radius:8px}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin-top:.8rem}
th,td{padding:.15rem .6rem;text-align:right;font-weight:normal;vertical-align:bottom}
thead th{border-bottom:1.5px solid var(--ink);font-weight:600}tbody tr{border-bottom:1px solid var(--line)}
th:first-child{text-align:left}caption{text-align:left;font-weight:600}.wide{overflow-x:auto}
.note{color:var(--quiet);margin-top:.3rem}"""


def write_trace_page(trace: Trace, image_shape: ImageShape, path: Path, *, show_all: bool = False) -> None:
    """Write a picture of a trace and its tables as one HTML file.

    Parameters
    ----------
    trace : Trace
    image_shape : (height, width) or None
    path : Path
        Replaced atomically if it exists.
    show_all : bool
        Show every latent dimension, not only the four that matter most, and a table of all nodes.
    """
    file = io.BytesIO()
    graph = draw_trace(trace, image_shape, show_all=show_all)[0]
    figure = graph.figure.get_figure(root=True)
    assert figure is not None, "a new figure"
    figure.savefig(file, format="png", dpi=110, metadata={"Software": None})
    picture = base64.b64encode(file.getvalue()).decode("ascii")
    title = f"The path of one image through {'a VAE' if trace.kind == 'VAE' else 'an AE'}"
    sections = "\n".join(
        f"<section><h2>{html.escape(heading)}</h2>\n{text}</section>"
        for heading, text in trace_sections(trace, show_all=show_all)
    )
    write_text_atomically(
        path,
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n<body><main>"
        f"<h1>{html.escape(title)}</h1>\n"
        f'<div class="picture" tabindex="0"><img src="data:image/png;base64,{picture}" '
        f'alt="{html.escape(_finding(trace, show_all=show_all))}"></div>\n'
        f"{sections}</main></body></html>\n",
    )


def _finding(trace: Trace, *, show_all: bool) -> str:
    """Say what the picture shows, for those who cannot see it."""
    dims = shown_dimensions(trace, show_all=show_all)
    texts = [f"Dimension {d}: {' '.join(pull_texts(trace, d))}" for d in dims]
    return f"Graph of the gradients on their way back to the encoder. {' '.join(texts)}"
