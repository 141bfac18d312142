"""Tables as text for the terminal and as HTML, and numbers with their standard deviation."""

import html
import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MOST_COLUMNS = 100  # characters in a line of text
_MOST_DIGITS = 5  # significant digits of a mean


@dataclass(frozen=True)
class Table:
    """Rows of text under a header.

    Parameters
    ----------
    title : str
    header : sequence of str
        Column titles, which may contain line breaks. The first column is aligned left, the others right.
    rows : sequence of sequences of str
        Each as long as the header. A row in which only the first cell has text is a heading.
    note : str
        Explanation, shown below the table.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def text(self) -> str:
        """Return the table as text, at most 100 characters wide if the cells are short enough."""
        headers = [name.split("\n") for name in self.header]
        depth = max(map(len, headers))
        lines = [[([""] * depth + name)[i - depth] for name in headers] for i in range(depth)]
        full = [row for row in self.rows if any(row[1:])] or [self.header]
        widths = [max(len(line[j]) for line in lines + full) for j in range(len(self.header))]
        widths[0] = max(widths[0], *(len(row[0]) for row in full))
        space = MOST_COLUMNS - sum(widths)
        gap = min(3, max(1, space // max(len(widths) - 1, 1)))
        shown = [self.title] if self.title else []
        for line in [*lines, *self.rows]:
            cells = [cell.rjust(width + gap) for cell, width in zip(line[1:], widths[1:], strict=True)]
            shown.append((line[0].ljust(widths[0]) + "".join(cells)).rstrip())
        return "\n".join([*shown, *([wrapped(self.note)] if self.note else [])])

    def html(self) -> str:
        """Return the table as an HTML element."""
        head = "".join(f"<th>{escaped(name)}</th>" for name in self.header)
        body = []
        for row in self.rows:
            if any(row[1:]):
                cells = "".join(f"<td>{escaped(cell)}</td>" for cell in row[1:])
                body.append(f'<tr><th scope="row">{escaped(row[0])}</th>{cells}</tr>')
            else:
                body.append(f'<tr class="group"><th colspan="{len(row)}">{escaped(row[0])}</th></tr>')
        title = f"<caption>{escaped(self.title)}</caption>" if self.title else ""
        note = f'<p class="note">{escaped(self.note)}</p>' if self.note else ""
        rows = "\n".join(body)
        table = f"<table>{title}<thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table>"
        return f'<div class="wide" tabindex="0">{table}</div>{note}'


def with_spread(values: np.ndarray, *, decimals: int | None = None) -> str:
    """Format the mean over seeds, with the standard deviation of the last digit in brackets.

    Parameters
    ----------
    values : (n,) array
        One value for each seed. NaN means that the figure does not apply, and gives a dash.
    decimals : int, optional
        Decimals of a mean that has no spread. By default three significant digits, at most three decimals.

    Examples
    --------
    >>> with_spread(np.array([23.1, 23.8, 24.9]))
    '23.9(9)'
    >>> with_spread(np.array([0.8713])), with_spread(np.array([156.4, 171.9, 160.2]))
    ('0.871', '163(8)')
    >>> with_spread(np.array([1180.0, 2290.0])), with_spread(np.array([np.nan]))
    ('1700(800)', '-')
    """
    values = np.asarray(values, dtype=np.float64)
    if not np.isfinite(values).all():
        return "-"
    mean = float(values.mean())
    digits_before = 1 + math.floor(math.log10(abs(mean))) if mean else 1
    if decimals is None:
        decimals = min(3, max(0, 3 - max(digits_before, 0)))
    if len(values) == 1:
        return f"{mean:.{decimals}f}"
    spread = float(values.std(ddof=1))
    finest = max(-3, digits_before - _MOST_DIGITS)
    if spread < 0.5 * 10.0**finest:
        return f"{mean:.{decimals}f}(0)"
    place = max(math.floor(math.log10(spread)), finest)
    if round(spread / 10.0**place) == 10:
        place += 1
    if place >= 0:
        unit = 10.0**place
        return f"{round(mean / unit) * unit:.0f}({round(spread / unit) * unit:.0f})"
    return f"{mean:.{-place}f}({round(spread / 10.0**place)})"


def wrapped(text: str, bullet: str = "") -> str:
    """Wrap text to 100 columns, with a hanging indent after the bullet; line breaks are kept."""
    lines: list[str] = []
    for line in text.split("\n"):
        first = bullet if not lines else " " * (len(bullet) + 2)
        lines += textwrap.wrap(line, MOST_COLUMNS, initial_indent=first, subsequent_indent=" " * len(first))
    return "\n".join(lines)


def escaped(text: str) -> str:
    """Escape text for HTML, keeping its line breaks."""
    return html.escape(text).replace("\n", "<br>")
