"""Each compiled kernel beside its NumPy twin: the same arguments, the same results.

A compiled kernel cannot be run on complex numbers, but its twin can and is checked so. What agrees with the
twin to rounding has its derivatives.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import numpy.typing as npt

from npvae import kernels
from npvae.gradcheck import Entry, Report
from npvae.kernels import reference

N, H, P = 33, 17, 101
TERMS = 50  # of a product's sums
ROUNDINGS = 16  # of the size of the terms

Array = npt.NDArray[Any]


def kernel_names() -> list[str]:
    """Return the names of all kernels."""
    return [
        name
        for name, twin in vars(reference).items()
        if inspect.isfunction(twin) and twin.__module__ == reference.__name__
    ]


def check_twins(name: str, dtype: npt.DTypeLike, seed: int) -> Report:
    """Compare the results of a kernel's two twins, and what each leaves in its arguments.

    Parameters
    ----------
    name : str
    dtype : dtype
        float32 or float64.
    seed : int

    Returns
    -------
    Report
        One entry for each result and each array argument; the NumPy twin's value stands under "numeric".
    """
    outcomes = []
    for choice in ("compiled", "reference"):
        args = _arguments(name, np.dtype(dtype), np.random.default_rng(seed))
        with kernels.using(choice):
            result = getattr(kernels, name)(*args.values())
        found = {
            key: value
            for key, value in args.items()
            if isinstance(value, np.ndarray) and value.dtype.kind == "f"
        }
        parts = result if isinstance(result, tuple) else () if result is None else (result,)
        found |= {f"result {i}": part for i, part in enumerate(parts)}
        outcomes.append(found)
    compiled, numpy = outcomes
    entries = tuple(_entry(key, compiled[key], numpy[key]) for key in numpy)
    return Report(f"kernel {name}", entries, seed, f"check_twins({name!r}, {np.dtype(dtype).name!r}, {seed})")


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
        method="NumPy twin",
        checked="all",
    )


def _arguments(name: str, dtype: np.dtype[Any], rng: np.random.Generator) -> dict[str, Any]:
    """Draw an argument for each parameter of a kernel, by the parameter's name."""
    vectors = {"theta", "gradient", "velocity", "m"}
    squares = {"squares", "v"}
    numbers = {
        "slope": 0.2,
        "learning_rate": 0.01,
        "momentum": 0.9,
        "epsilon": 1e-8,
        "beta1": 0.9,
        "beta2": 0.999,
        "t": 3,
    }
    args: dict[str, Any] = {}
    for parameter in inspect.signature(getattr(reference, name)).parameters:
        if parameter in numbers:
            args[parameter] = numbers[parameter]
        elif parameter in vectors | squares:
            vector = rng.standard_normal(P)
            args[parameter] = (vector**2 if parameter in squares else vector).astype(dtype)
        elif parameter == "out":
            continue
        elif parameter == "X":
            args[parameter] = rng.integers(0, 256, (N, H), dtype=np.uint8)
        elif parameter == "rows":
            args[parameter] = rng.integers(0, N, P)
        elif parameter == "x":
            args[parameter] = rng.random((N, H)).astype(dtype)
        else:
            shapes = (
                {"a": (N, TERMS), "b": (TERMS, H), "bias": (H,)}
                if name == "product"
                else {"b": (H,), "d": (N,)}
            )
            shape = shapes.get(parameter, (N, H))
            args[parameter] = (3 * rng.standard_normal(shape)).astype(dtype)
    return args
