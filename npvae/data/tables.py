"""CSV files with one sample per row."""

import csv
import re
from pathlib import Path

import numpy as np

from npvae.data.dataset import Samples
from npvae.printable import printable
from npvae.reading import reading

_MOST_SHOWN = 40  # characters of a cell or a name


def read_csv(path: str | Path) -> Samples:
    """Read a table of numbers, with or without a header of column names.

    Parameters
    ----------
    path : str or Path
        UTF-8 text, with or without a byte order mark. Fields are separated by commas, or by semicolons or
        tabs if the first line contains any, and may be quoted. The first line is a header if one of its
        fields is not a number. Blank lines are ignored.

    Returns
    -------
    samples : Samples
        Named after the file, float32, without labels. Column names are not kept.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        A cell is empty or not a finite number, a line has another number of fields than the first, no line
        has numbers, or the file is not CSV text in UTF-8. Two common mistakes with pandas are rejected as
        well: a column of row numbers, which has an empty name, and a header 0, 1, 2, ..., which looks like a
        sample.
    """
    path = Path(path)
    try:
        with reading(path):
            rows = _read_rows(path)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: not CSV text in UTF-8 ({error}); save it in that format") from error
    if not rows:
        raise ValueError(f"{path}: there are no lines of numbers; the file must have one sample per line")
    return Samples(path.stem, np.stack(rows))


def _read_rows(path: Path) -> list[np.ndarray]:
    names: list[str] = []
    rows: list[np.ndarray] = []
    width = 0
    with path.open(encoding="utf-8-sig", newline="") as file, np.errstate(over="ignore"):
        delimiter = _delimiter(next((line for line in file if line.strip()), ""))
        file.seek(0)
        reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True, strict=True)
        for cells in filter(None, reader):
            place = f"{path}: line {reader.line_num}"
            if not width:
                width = len(cells)
                names = _header(cells, place)
                if names:
                    continue
            if len(cells) != width:
                raise ValueError(
                    f"{place} has {len(cells)} fields, but the first line has {width}; "
                    "all lines must have the same number"
                )
            row = np.array([_number(cell) for cell in cells], dtype=np.float32)  # None becomes NaN
            if not np.isfinite(row).all():
                column = int(np.argmin(np.isfinite(row)))
                name = f" ({printable(names[column], _MOST_SHOWN)})" if names else ""
                cell = cells[column].strip()
                what = f"{cell[:_MOST_SHOWN]!r} is not a finite number" if cell else "the cell is empty"
                raise ValueError(
                    f"{place}, column {column + 1}{name}: {what}; replace missing values, encode text as "
                    "numbers, or remove the row or the column"
                )
            rows.append(row)
    return rows


def _delimiter(line: str) -> str:
    outside_quotes = re.sub(r'"[^"]*"', "", line)
    return next((character for character in ";\t" if character in outside_quotes), ",")


def _header(cells: list[str], place: str) -> list[str]:
    """Return the names of the columns, or nothing if the line is a sample."""
    values = [_number(cell) for cell in cells]
    if len(cells) > 2 and not cells[0].strip() and values[1:] == list(range(len(cells) - 1)):
        raise ValueError(
            f"{place} is an empty field followed by 0, 1, 2, ..., the header that pandas writes for row "
            "numbers and unnamed columns; write the file with index=False, header=False"
        )
    if all(value is not None or not cell.strip() for value, cell in zip(values, cells, strict=True)):
        if len(cells) > 2 and values == list(range(len(cells))):
            raise ValueError(
                f"{place} is 0, 1, 2, ..., which is the header that pandas writes for columns without names; "
                "write the file with header=False, or add a line of column names if this is a sample"
            )
        return []
    for column, cell in enumerate(cells):
        if not cell.strip():
            raise ValueError(
                f"{place}: column {column + 1} has no name, like the row numbers that pandas writes; "
                "write the file with index=False, or name the column"
            )
    return cells


def _number(cell: str) -> float | None:
    """Return the number in a cell (1 for true, 0 for false), or None for text (1_000 counts as text)."""
    truth = {"true": 1.0, "false": 0.0}.get(cell.strip().lower())
    if truth is not None:
        return truth
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None
