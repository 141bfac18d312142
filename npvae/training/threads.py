"""How many threads the matrix products get."""

from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from typing import Any

from threadpoolctl import threadpool_limits

from npvae.core.architecture import Architecture

# Multiply-adds of a product below which a second thread costs more than it brings.
SMALL_PRODUCT = 10_000_000


def limit_threads(network: Architecture, batch_size: int) -> AbstractContextManager[Any]:
    """Return a context in which BLAS uses one thread, if the network's products are small.

    Parameters
    ----------
    network : Architecture
    batch_size : int

    Returns
    -------
    context manager
        Changes nothing for a network whose largest product is not small.

    Notes
    -----
    The threads of a product wait for each other by spinning. Where a product takes microseconds that costs
    more than it brings, and where another process has one of the cores, many times more:
    ``benchmarks/threads.py``.
    """
    widths = (network.n_features, *network.hidden, network.latent_dim)
    largest = batch_size * max(a * b for a, b in pairwise(widths))
    return threadpool_limits(1, user_api="blas") if largest < SMALL_PRODUCT else nullcontext()
