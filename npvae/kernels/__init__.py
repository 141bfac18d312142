"""The hot loops, each in two twins of the same name and signature.

``reference.py`` is NumPy and the specification; the compiled twins are numba's, in ``compiled.py``, and in
``gemm.py`` the product's. A call goes to the compiled twin if its arrays fit each other, are contiguous
and all float32 or all float64, and to the reference for anything else: complex numbers, longdouble, views
with gaps. The environment variable ``NPVAE_KERNELS=reference`` sends every call there.

``fused.py`` is a whole network's loss and gradient in one function, for training; its twin is
`npvae.core`.

A loop is here because its compiled twin is faster (``benchmarks/kernels.py``). NumPy has a vectorised
tanh of its own, and softplus's gradient needs expm1 with all its digits, so these two stay plain NumPy in
core.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from npvae.kernels import reference
from npvae.kernels.choice import CHOICES, choice, using
from npvae.kernels.products import has_compiled_products, product
from npvae.kernels.team import Team, current_team, cuts, using_team

__all__ = [
    "CHOICES",
    "LONG",
    "Team",
    "choice",
    "current_team",
    "cuts",
    "has_compiled_products",
    "product",
    "using",
    "using_team",
]

LONG = 50_000  # entries from which on a pass over a vector is worth sharing out


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
        if choice() == "compiled" and _suits_compiled(arguments):
            return _compiled(name)(*arguments)
        return specification(*arguments)

    return kernel


def _along_vectors(kernel: Callable[..., None]) -> Callable[..., None]:
    """Share a pass over long vectors out to the team, if there is one."""

    @functools.wraps(kernel)
    def shared(*arguments: Any) -> None:
        size = arguments[0].size
        team = current_team() if size >= LONG else None
        if team is None:
            return kernel(*arguments)
        ends = cuts(size, team.n_threads)
        return team.run([functools.partial(kernel, *_parts(arguments, i, j)) for i, j in ends])

    return shared


def _parts(arguments: tuple[Any, ...], start: int, stop: int) -> list[Any]:
    return [a[start:stop] if isinstance(a, np.ndarray) else a for a in arguments]


@functools.wraps(reference.scale_rows)
def scale_rows(a: np.ndarray, d: np.ndarray) -> np.ndarray:
    fit = a.shape[:1] == d.shape and a.dtype == d.dtype
    if fit and choice() == "compiled" and _suits_compiled((a,)) and _suits_compiled((d,)):
        return _compiled("scale_rows")(a, d)
    return reference.scale_rows(a, d)


@functools.wraps(reference.take_pixels)
def take_pixels(X: np.ndarray, rows: np.ndarray) -> np.ndarray:
    pixels = X.view(np.ndarray)  # of a memory map
    if choice() == "compiled" and pixels.flags.c_contiguous and rows.dtype == np.int64:
        return _compiled("take_pixels")(pixels, rows)
    return reference.take_pixels(X, rows)


relu = _twins(reference.relu)
relu_gradient = _twins(reference.relu_gradient)
leaky_relu = _twins(reference.leaky_relu)
leaky_relu_gradient = _twins(reference.leaky_relu_gradient)
tanh_gradient = _twins(reference.tanh_gradient)
sigmoid = _twins(reference.sigmoid)
sigmoid_gradient = _twins(reference.sigmoid_gradient)
softplus = _twins(reference.softplus)
bernoulli = _twins(reference.bernoulli)
sgd = _along_vectors(_twins(reference.sgd))
adagrad = _along_vectors(_twins(reference.adagrad))
adam = _along_vectors(_twins(reference.adam))
