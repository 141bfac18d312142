"""Compare each compiled kernel with its NumPy formula on the same arguments.

A compiled kernel cannot be run on complex numbers, but its formula can, so the formula is checked by complex
steps. A kernel that agrees with its formula to rounding has the same derivatives.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

import npvae.core.vae
import npvae.training  # noqa: F401 (formulas are registered where they are defined)
from npvae import kernels
from npvae.gradcheck import Entry, Report

N, H, P = 33, 17, 101
TERMS = 50  # summed in each entry of a product
ROUNDINGS = 16  # tolerance, in multiples of eps times the largest value

Array = npt.NDArray[Any]


def twin_names() -> list[str]:
    """Return the names of all formulas that have a compiled twin."""
    return list(kernels.FORMULAS)


def check_twins(name: str, dtype: npt.DTypeLike, seed: int) -> Report:
    """Compare a formula with its compiled twin: the results, and what each leaves in its array arguments.

    Parameters
    ----------
    name : str
    dtype : dtype
        float32 or float64.
    seed : int

    Returns
    -------
    Report
        One entry for each result and each array argument; `numeric` is the formula's value.
    """
    outcomes = []
    for choice in ("compiled", "reference"):
        args = _arguments(name, np.dtype(dtype), np.random.default_rng(seed))
        with kernels.using(choice):
            result = kernels.FORMULAS[name](*args)
        found = {f"argument {i}": array for i, array in enumerate(_floats(args))}
        found |= {f"result {i}": array for i, array in enumerate(_floats(result))}
        outcomes.append(found)
    compiled, numpy = outcomes
    entries = tuple(_entry(key, compiled[key], numpy[key]) for key in numpy)
    return Report(f"twin {name}", entries, seed, f"check_twins({name!r}, {np.dtype(dtype).name!r}, {seed})")


def _floats(values: Any) -> list[Array]:
    """List the floating arrays among some values, including those in tuples and lists."""
    if isinstance(values, np.ndarray):
        return [values] if values.dtype.kind == "f" else []
    if not isinstance(values, tuple | list):
        return []
    return [array for value in values for array in _floats(value)]


def _entry(name: str, compiled: Array, numpy: Array) -> Entry:
    scale = float(np.max(np.abs(numpy), initial=0.0))
    tolerance = ROUNDINGS * float(np.finfo(numpy.dtype).eps) * scale
    if compiled.shape != numpy.shape or compiled.dtype != numpy.dtype:
        hint = f"{compiled.dtype} {compiled.shape} instead of {numpy.dtype} {numpy.shape}"
        return Entry(name, numpy.shape, "fail", hint=hint)
    distance = np.abs(compiled - numpy)
    at = tuple(int(i) for i in np.unravel_index(np.argmax(distance), numpy.shape))
    worst = float(distance[at])
    return Entry(
        name,
        numpy.shape,
        "pass" if worst <= tolerance else "fail",
        index=at,
        analytic=float(compiled[at]),
        numeric=float(numpy[at]),
        error=worst / scale if scale else worst,
        error_bar=0.0,
        tolerance=tolerance,
        method="formula",
        checked="all",
    )


def _arguments(name: str, dtype: np.dtype[Any], rng: np.random.Generator) -> list[Any]:
    """Draw arguments for a formula."""

    def normal(*shape: int) -> Array:
        return rng.standard_normal(shape).astype(dtype)

    if name == "dense_forward":
        return [normal(N, TERMS), normal(TERMS, H), normal(H)]
    if name == "dense_backward":
        return [normal(N, H), (normal(N, TERMS), normal(TERMS, H))]
    if name == "bernoulli_forward":
        return [rng.random((N, H)).astype(dtype), 3 * normal(N, H)]
    if name == "take_pixels":
        return [rng.integers(0, 256, (N, H), dtype=np.uint8), rng.integers(0, N, P)]
    if name == "sgd":
        return [normal(P), normal(P), normal(P), 0.01, 0.9]
    if name == "adagrad":
        return [normal(P), normal(P), normal(P) ** 2, 0.01, 1e-8]
    if name == "adam":
        return [normal(P), normal(P), normal(P), normal(P) ** 2, 0.01, 0.9, 0.999, 1e-8, 3]
    return [3 * normal(N, H)]
