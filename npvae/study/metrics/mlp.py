"""Fit scikit-learn's networks reproducibly, without warnings, and interruptible by Ctrl-C."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_INTERRUPTED = "Training interrupted by user"


@contextmanager
def quiet_fit() -> Iterator[None]:
    """Context in which to fit an MLPClassifier: one thread, no ConvergenceWarning, Ctrl-C raises.

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C; scikit-learn alone would catch it and continue with a half-trained network.

    Notes
    -----
    The order in which BLAS adds depends on the number of threads, so it gets one, for the same bits
    everywhere. The number of epochs is fixed, so reaching it needs no warning.
    """
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("error", message=_INTERRUPTED)
        try:
            yield
        except UserWarning as warning:
            if str(warning).startswith(_INTERRUPTED):
                raise KeyboardInterrupt from None
            raise
