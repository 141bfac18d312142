import io
import subprocess
import sys
import types

import pytest

from npvae.training.progress import Bar, progress_bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "kernel", "seconds"),
    [
        (Terminal, False, 0.2),
        (io.StringIO, True, 1),
        (io.StringIO, False, 10),
    ],
    ids=["terminal", "notebook", "log file"],
)
def test_how_often_it_moves(stream, kernel, seconds, monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream())
    if kernel:
        monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    with progress_bar(3, shown=True) as bar:
        assert bar.mininterval == seconds
        assert bar.total == 3


def test_one_that_is_not_shown_is_silent_and_costs_nothing(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    with progress_bar(3, shown=False) as bar:
        assert type(bar) is Bar
        bar.update(3)
    assert capsys.readouterr() == ("", "")


NOTEBOOK = """
import sys, types, warnings
from types import ModuleType, SimpleNamespace

class ZMQInteractiveShell:
    config = {"IPKernelApp": {}}

class Widget:
    def __init__(self, children=(), **options):
        self.children, self.layout, self.style = list(children), SimpleNamespace(), SimpleNamespace()
        self.bar_style = ""
        self.__dict__.update(options)

for name in ("ipykernel", "ipykernel.zmqshell", "IPython", "IPython.display", "ipywidgets"):
    sys.modules[name] = ModuleType(name)
sys.modules["IPython"].get_ipython = ZMQInteractiveShell
sys.modules["IPython.display"].display = lambda shown: print(f"{shown.pbar.total} batches displayed")
if sys.argv[1] == "with":
    sys.modules["ipywidgets"].__dict__.update(HTML=Widget, FloatProgress=Widget, HBox=Widget)
else:
    sys.modules["ipywidgets"] = None

from npvae.training.progress import Bar, progress_bar
warnings.simplefilter("error")
for _ in range(2):
    with progress_bar(3, shown=True) as bar:
        bar.update(3)
print("moves every", bar.mininterval)
"""


@pytest.mark.parametrize("ipywidgets", ["with", "without"])
def test_in_a_notebook_it_is_a_widget_if_there_are_any_and_text_otherwise(ipywidgets):
    """And there are no warnings about it; a stand-in for Jupyter says what tqdm asks of it."""
    result = subprocess.run(
        [sys.executable, "-c", NOTEBOOK, ipywidgets], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    displayed = "3 batches displayed\n" * (2 if ipywidgets == "with" else 0)
    assert result.stdout == f"{displayed}moves every 1.0\n"
    assert ("3/3" in result.stderr) == (ipywidgets == "without")
    assert "Warning" not in result.stderr
