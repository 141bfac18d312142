"""What makes npvae fast, in two parts.

**Compiled twins of formulas** (``twins.py``, and ``products.py`` for matrix products). A formula of
`npvae.core` decorated with `compiled_twin` is written in NumPy and is the specification. Its twin runs in
its place if it supports the arrays, and may differ from it only by rounding
(``tests/kernels/test_twins.py``).

**The compiled network step** (``step/``). A whole network's loss and gradient in one function, with which
`fit` trains; its specification is `npvae.core` as a whole: ``tests/training/test_fused.py``.

Both use the same modules: compilation and caching of kernels (``compiled.py``, ``compiling.py``), matrix
products (``gemm.py``, ``tiles.py``), elementwise functions (``elementwise.py``), views of arrays
(``views.py``) and threads (``team.py``, ``spinning.py``).

The environment variable ``NPVAE_KERNELS=reference`` switches all compiled code off, so that core itself
runs.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from npvae.kernels.choice import CHOICES, choice, using
from npvae.kernels.interrupts import importing_numba, interrupts_held
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
    "importing_numba",
    "interrupts_held",
    "shared_out",
    "using",
    "using_team",
]

LONG = 50_000  # vectors with at least this many entries are split among threads

FORMULAS: dict[str, Callable[..., Any]] = {}  # those that have a twin, by name

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled_twin(formula: Function) -> Function:
    """Replace a formula by the function of the same name in ``twins.py``, for arrays that it supports.

    The formula itself runs for all other arrays (complex numbers, longdouble, non-contiguous views), and
    always with NPVAE_KERNELS=reference. It is available as ``__wrapped__``.
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
    with importing_numba():
        from npvae.kernels import twins

    return getattr(twins, name)


def shared_out(update: Function) -> Function:
    """Split an in-place update of long vectors among the threads of the team, if there is one."""

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
