"""All derivations as one HTML page, with formulas in MathML; nothing is loaded from elsewhere."""

import html
import re
from collections.abc import Sequence
from itertools import starmap

from npvae.course.derive import EXACT, Derivation, Line, Part, place_of, remarks, summary_of, words_of
from npvae.course.derive_formulas import Formula, alone, written

_STYLE = """
:root { color-scheme: light; }
body { font: 17px/1.5 system-ui, sans-serif; color: #222; max-width: 960px; margin: 2rem auto; }
body { padding: 0 1rem; }
h1 { font-size: 1.7rem; line-height: 1.2; }
h2 { font-size: 1.3rem; margin: 2.6rem 0 0.4rem; border-top: 1px solid #ddd; padding-top: 1.2rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 0.3rem; }
code { font-size: 0.92em; overflow-wrap: anywhere; }
pre { font-size: 0.85rem; line-height: 1.45; overflow-x: auto; background: #f6f6f6; }
pre { padding: 0.8rem; margin: 0.4rem 0; }
nav ul { columns: 13rem; padding-left: 1.2rem; } nav a { color: #1b5fa0; }
.wide { overflow-x: auto; padding-bottom: 0.2rem; }
table { border-collapse: collapse; } td { padding: 0.28rem 0.15rem; vertical-align: middle; }
td:first-child { text-align: right; white-space: nowrap; } td.said { text-align: left; color: #444; }
math { font-size: 1.12rem; } td { white-space: nowrap; } td.said { white-space: normal; padding-top: 0.7rem; }
.numbers math { color: #1b5fa0; } .result math { font-weight: 600; }
"""


def derivations_page(derivations: Sequence[Derivation]) -> str:
    """Return the page as HTML."""
    contents = "\n".join(
        f'<li><a href="#{_anchor(d.name)}">{html.escape(d.name)}</a></li>' for d in derivations
    )
    sections = "\n".join(_section(derivation) for derivation in derivations)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>npvae: derivations in letters and numbers</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>Derivations in letters and numbers</h1>
<p>Each pair of functions in <code>npvae/core/</code>, forward and backward: first the words of its docstring,
then the formulas with the numbers of a small example filled in (blue), to check with a pencil. The result of
each line is what npvae's own function returns. Numbers are rounded to six digits.</p>
<nav><ul>
{contents}
</ul></nav>
{sections}
</body>
</html>
"""


def _anchor(name: str) -> str:
    return re.sub("[^a-z_]+", "-", name)


def _section(derivation: Derivation) -> str:
    summary = html.escape(summary_of(derivation.forward.function))
    parts = "\n".join(
        _part(title, part, words_of(derivation, part))
        for title, part in (("Forward", derivation.forward), ("Backward", derivation.backward))
    )
    name = html.escape(derivation.name)
    return (
        f'<section id="{_anchor(derivation.name)}">\n<h2>{name}</h2>\n<p>{summary}</p>\n{parts}\n</section>'
    )


def _part(title: str, part: Part, words: str) -> str:
    pre = f"<pre>{html.escape(words)}</pre>\n" if words else ""
    rows = "\n".join(starmap(_rows, zip(part.lines, remarks(part.lines), strict=True)))
    return (
        f"<h3>{title}: <code>{html.escape(place_of(part.function))}</code></h3>\n"
        f"{pre}"
        f"<p>With {html.escape(part.given)}:</p>\n"
        f'<div class="wide"><table>\n{rows}\n</table></div>'
    )


def _rows(line: Line, said: str) -> str:
    """Return an equation as rows: a remark, in letters, in numbers where these differ, and the result."""
    left = "" if line.left is None else _math(line.left)
    rows = [f'<tr><td class="said" colspan="2">{html.escape(said)}</td></tr>'] if said else []
    letters, numbers = alone(line.formula), alone(line.formula, filled=True)
    sign = "≈" if line.tolerance > EXACT else "="
    result = written(line.computed)
    shown = [("", "=", line.formula.mathml())]
    if numbers not in (letters, result):
        shown.append((' class="numbers"', "=", line.formula.mathml(filled=True)))
    if result != letters:
        shown.append((' class="result"', sign, f"<mn>{result.replace('-', '&#x2212;')}</mn>"))
    for i, (kind, equals, formula) in enumerate(shown):
        first = left if i == 0 else ""
        rows.append(
            f"<tr{kind}><td>{first}</td>"
            f'<td><math displaystyle="true"><mo>{equals}</mo><mrow>{formula}</mrow></math></td></tr>'
        )
    return "\n".join(rows)


def _math(formula: Formula) -> str:
    return f'<math displaystyle="true">{formula.mathml()}</math>'
