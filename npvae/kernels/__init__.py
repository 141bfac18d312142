"""What makes npvae fast, in two parts.

**Twins of formulas** (``twins.py``, and ``products.py`` for those of matrices). A formula of `npvae.core`
that `compiled_twin` decorates is NumPy and the specification; its twin runs in its place where the arrays
suit it. What is faster may change there; results may change by rounding alone:
``tests/kernels/test_twins.py``.

**The compiled network step** (``step/``). A whole network's loss and gradient in one function, with which
`fit` trains; its specification is `npvae.core` as a whole: ``tests/training/test_fused.py``.

Both are made of the same techniques: how kernels are compiled and kept (``compiled.py``, ``compiling.py``),
matrix products (``gemm.py``, ``tiles.py``), functions of one number (``elementwise.py``), parts of arrays
(``views.py``), threads (``team.py``, ``spinning.py``).

The environment variable ``NPVAE_KERNELS=reference`` switches all of it off: then core itself runs.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from npvae.kernels.choice import CHOICES, choice, using
from npvae.kernels.products import has_compiled_products
from npvae.kernels.team import Team, current_team, cuts, using_team

__all__ = [
    "CHOICES",
    "FORMULAS",
    "LONG",
    "Team",
    "choice",
    "compiled_twin",
    "current_team",
    "cuts",
    "has_compiled_products",
    "shared_out",
    "using",
    "using_team",
]

LONG = 50_000  # entries from which on a pass over a vector is worth sharing out

FORMULAS: dict[str, Callable[..., Any]] = {}  # those that have a twin, by name

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled_twin(formula: Function) -> Function:
    """Let the function of the same name in ``twins.py`` take a formula's place for arrays that suit it.

    The formula itself runs for all others (complex numbers, longdouble, views with gaps), everywhere with
    NPVAE_KERNELS=reference, and is always there as ``__wrapped__``.
    """
    name = formula.__name__

    @functools.wraps(formula)
    def formula_or_twin(*args: Any, **kwargs: Any) -> Any:
        if choice() == "compiled" and not kwargs:
            result = _twin(name)(*args)
            if result is not NotImplemented:
                return result
        return formula(*args, **kwargs)

    FORMULAS[name] = formula_or_twin
    return formula_or_twin  # type: ignore[return-value]


@functools.cache
def _twin(name: str) -> Callable[..., Any]:
    from npvae.kernels import twins  # importing numba takes half a second: only when it is needed

    return getattr(twins, name)


def shared_out(update: Function) -> Function:
    """Share a pass over long vectors, which are changed in place, out to the team, if there is one."""

    @functools.wraps(update)
    def shared(*args: Any) -> None:
        size = args[0].size
        team = current_team() if size >= LONG else None
        if team is None:
            update(*args)
            return
        parts = [
            [a[i:j] if isinstance(a, np.ndarray) else a for a in args] for i, j in cuts(size, team.n_threads)
        ]
        team.run([functools.partial(update, *part) for part in parts])

    return shared  # type: ignore[return-value]
