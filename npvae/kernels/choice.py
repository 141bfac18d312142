"""Choose compiled kernels or the NumPy reference, by the environment variable NPVAE_KERNELS."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

CHOICES = ("compiled", "reference")

_choice = os.environ.get("NPVAE_KERNELS", "compiled")
if _choice not in CHOICES:
    raise ImportError(f"NPVAE_KERNELS is {_choice!r}; it can be one of {', '.join(CHOICES)}")


def choice() -> str:
    """Return which twins are in use where the arrays allow it: "compiled" or "reference"."""
    return _choice


@contextmanager
def using(name: str) -> Iterator[None]:
    """Use the "compiled" or the "reference" twins within a with statement.

    Raises
    ------
    ValueError
        `name` is neither.
    """
    global _choice
    if name not in CHOICES:
        raise ValueError(f"kernels must be one of {', '.join(CHOICES)}, got {name!r}")
    before, _choice = _choice, name
    try:
        yield
    finally:
        _choice = before
