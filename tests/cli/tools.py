"""Running commands in this process, and looking at what they wrote."""

import contextlib
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from npvae.cli import main


class Result(NamedTuple):
    code: int
    out: str
    err: str


def invoke(*argv):
    """Run a command with everything that it prints caught; arguments may be paths and numbers."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(argument) for argument in argv])
        except SystemExit as usage:
            code = usage.code
    return Result(code, out.getvalue(), err.getvalue())


def assert_refused(result, *parts):
    """Exit code 2, nothing on stdout, and on stderr one line, which says all the parts."""
    assert result.code == 2, result
    assert result.out == ""
    lines = result.err.splitlines()
    if lines[0].startswith("usage:"):  # argparse puts the usage before its message
        lines = lines[-1:]
    assert len(lines) == 1, result.err
    for part in parts:
        assert part in lines[0]


def assert_complete_png(path):
    data = Path(path).read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert data.endswith(b"IEND\xae\x42\x60\x82")
    with Image.open(path) as image:
        image.load()  # decodes every pixel
        pixels = np.asarray(image.convert("L"))
    assert min(pixels.shape) > 20
    assert np.ptp(pixels) > 100, "a blank picture"


def contents(folder):
    """The bytes of every file in a folder, hidden ones too."""
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}
