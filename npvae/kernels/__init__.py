"""The hot loops, each in two twins of the same name and signature.

``reference.py`` is NumPy and the specification; ``compiled.py`` is numba. A
call goes to the compiled twin if its arrays fit each other, are C-contiguous
and all float32 or all float64, and to the reference for anything else: complex numbers,
longdouble, transposed views. The environment variable
``NPVAE_KERNELS=reference`` sends every call there.

A loop is here because its compiled twin is faster (``benchmarks/kernels.py``). NumPy has a vectorised
tanh of its own, and softplus's gradient needs expm1 with all its digits, so these two stay plain NumPy in
core.
"""

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from npvae.kernels import reference

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


@functools.cache
def _compiled(name: str) -> Callable[..., Any]:
    from npvae.kernels import compiled  # importing numba takes half a second: only when it is needed

    return getattr(compiled, name)


def _suits_compiled(arguments: tuple[Any, ...]) -> bool:
    dtype = shape = None
    for a in arguments:
        if isinstance(a, np.ndarray):
            if dtype is None or shape is None:
                dtype, shape = a.dtype, a.shape
                if dtype.char not in "fd" or not dtype.isnative:
                    return False
            # Compiled code does not check bounds: other shapes go to NumPy, which broadcasts or objects.
            elif a.dtype != dtype or (a.shape != shape and a.shape != shape[-a.ndim :]):
                return False
            if not a.flags.c_contiguous:
                return False
    return True


def _twins(specification: Callable[..., Any]) -> Callable[..., Any]:
    name = specification.__name__

    @functools.wraps(specification)
    def kernel(*arguments: Any) -> Any:
        if _choice == "compiled" and _suits_compiled(arguments):
            return _compiled(name)(*arguments)
        return specification(*arguments)

    return kernel


relu = _twins(reference.relu)
relu_gradient = _twins(reference.relu_gradient)
leaky_relu = _twins(reference.leaky_relu)
leaky_relu_gradient = _twins(reference.leaky_relu_gradient)
tanh_gradient = _twins(reference.tanh_gradient)
sigmoid = _twins(reference.sigmoid)
sigmoid_gradient = _twins(reference.sigmoid_gradient)
softplus = _twins(reference.softplus)
bernoulli = _twins(reference.bernoulli)
sgd = _twins(reference.sgd)
adagrad = _twins(reference.adagrad)
adam = _twins(reference.adam)
