"""Choose the progress bar and how often it is updated."""

import contextlib
import sys
import warnings

from tqdm import tqdm

from npvae.printable import Unfailing


class Bar(tqdm):
    """A bar without tqdm's thread that looks after bars which do not move: ours move by time."""

    monitor_interval = 0


def progress_bar(n_batches: int, *, shown: bool) -> tqdm:
    """Return a bar on stderr, or in a notebook's output.

    Parameters
    ----------
    n_batches : int
        Total number of batches.
    shown : bool
        False gives a bar that does nothing, and so does a process without stderr.

    Returns
    -------
    tqdm
        It moves every 0.2 s on a terminal, every second in a notebook, and every 10 s anywhere else, so that
        a log file is not filled with bars. In a notebook with ipywidgets it is a widget.
    """
    in_notebook = "ipykernel" in sys.modules
    shown = shown and (in_notebook or sys.stderr is not None)
    bar = _notebook_bar() if in_notebook and shown else Bar
    interval = 0.2 if shown and _is_terminal() else 1.0 if in_notebook else 10.0
    options = {} if in_notebook else {"file": Unfailing(sys.stderr)}
    return bar(
        total=n_batches, disable=not shown, unit="batch", mininterval=interval, miniters=1, **options
    )  # fmt: skip


def _is_terminal() -> bool:
    with contextlib.suppress(ValueError):  # it is closed
        return sys.stderr.isatty()
    return False


def _notebook_bar() -> type[tqdm]:
    """Return the bar class that tqdm chooses for notebooks; importing it takes some time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without ipywidgets, tqdm warns and uses a text bar
        from tqdm.auto import tqdm as bar
    return bar
