"""Fitting scikit-learn's networks: the same bits on any number of threads, and no noise."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_INTERRUPTED = "Training interrupted by user"


@contextmanager
def quiet_fit() -> Iterator[None]:
    """Fit an MLPClassifier within a with statement: one thread, a fixed number of epochs, Ctrl-C heeded.

    Raises
    ------
    KeyboardInterrupt
        Where scikit-learn would catch it and go on with a half-trained network.

    Notes
    -----
    BLAS adds in another order when it shares a product among other numbers of threads; so it gets one. That
    an epoch limit is reached is no news where the limit is the plan.
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
