"""Make the arguments at which somebody's own code is checked.

They come from ``f_args(rng)``, else from ``gradcheck_args(rng)``: a list or tuple of all arguments, or one
array. Where the file has neither, there is one argument of normal random numbers; where the result is not
finite there, as that of a logarithm, it is one of positive numbers.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from npvae.gradcheck.objects import Noise

DEFAULT_SHAPE = (5, 4)
_POSITIVE = (0.5, 1.5)


class Inputs(NamedTuple):
    """Arguments, and what there is to say about them.

    Attributes
    ----------
    args : list
    remark : str
        What is unusual about them; may be empty.
    advice : str
        What to do where they do not fit; empty for those that the file made.
    """

    args: list[Any]
    remark: str = ""
    advice: str = ""


def maker_of(name: str, members: dict[str, Any]) -> str:
    """Return the name of the function that makes the arguments; empty where there is none."""
    return next((maker for maker in (f"{name}_args", "gradcheck_args") if maker in members), "")


def make_inputs(
    name: str,
    members: dict[str, Any],
    run: Callable[..., Any],
    count: int,
    shape: tuple[int, ...] | None,
    seed: int,
) -> Inputs:
    """Make the arguments.

    Parameters
    ----------
    name : str
        What is checked.
    members : dict
        All names of its module.
    run : callable
        The function to which they are the arguments.
    count : int
        How many it needs at least.
    shape : tuple of int or None
        Of a random argument; (5, 4) by default.
    seed : int

    Raises
    ------
    ValueError
        They are too few, or random numbers will not do.
    """
    rng = np.random.default_rng(seed)
    maker = maker_of(name, members)
    if maker:
        made = members[maker](rng)
        args = list(made) if isinstance(made, tuple | list) else [made]
    else:
        shape = DEFAULT_SHAPE if shape is None else shape
        args = [rng.standard_normal(shape)]
    if len(args) < count:
        raise ValueError(
            f"{name} takes {count} arguments, not {len(args)}: "
            f"write {name}_args(rng), which returns them, beside it"
        )
    if maker:
        return Inputs(args)
    advice = f"its argument is random, of shape {shape}: use --shape, or define {name}_args(rng)"
    normal = _is_finite(run, args)
    if normal:
        return Inputs(args, advice=advice)
    positive = [rng.uniform(*_POSITIVE, shape)]
    if _is_finite(run, positive):
        text = "positive, uniform in 0.5 to 1.5: at normal random numbers there is no finite result"
        return Inputs(positive, text, advice)
    if normal is None:  # it raises: the check will say what
        return Inputs(args, advice=advice)
    raise ValueError(
        f"its result is not finite at random numbers, not even at positive ones: define {name}_args(rng), "
        "which returns its arguments"
    )


def _is_finite(run: Callable[..., Any], args: list[Any]) -> bool | None:
    """Say whether y is finite; None where the function raises."""
    with Noise().kept(), np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            y = run(*[arg.copy() for arg in args])
        except Exception:  # someone else's code at an argument that nobody promised it would take
            return None
    parts = [np.asarray(part) for part in (y if isinstance(y, tuple | list) else [y])]
    return all(part.dtype.kind != "f" or bool(np.all(np.isfinite(part))) for part in parts)
