"""Make the arguments at which a user's code is checked.

They come from ``f_args(rng)`` or else from ``gradcheck_args(rng)``, which returns a list or tuple of all
arguments, or one array. If the file has neither, the only argument is an array of normal random numbers or,
if the result is not finite for those (a logarithm, for example), an array of positive random numbers.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from npvae.gradcheck.objects import Noise

DEFAULT_SHAPE = (5, 4)
_POSITIVE = (0.5, 1.5)


class Inputs(NamedTuple):
    """Arguments, with remarks about them for the report.

    Attributes
    ----------
    args : list
    remark : str
        What is unusual about them; may be empty.
    advice : str
        What the user can do if they do not fit; empty if a function in the file made them.
    """

    args: list[Any]
    remark: str = ""
    advice: str = ""


def maker_of(name: str, members: dict[str, Any]) -> str:
    """Return the name of the function that makes the arguments; empty if there is none."""
    return next((maker for maker in (f"{name}_args", "gradcheck_args") if maker in members), "")


def make_inputs(
    name: str,
    members: dict[str, Any],
    run: Callable[..., Any],
    count: int,
    shape: tuple[int, ...] | None,
    seed: int,
    library: Callable[[Any], Any] = np.asarray,
) -> Inputs:
    """Make the arguments.

    Parameters
    ----------
    name : str
        The name of what is checked.
    members : dict
        All members of its module, by name.
    run : callable
        The function that takes the arguments.
    count : int
        The number of arguments that it requires.
    shape : tuple of int or None
        The shape of a random argument; (5, 4) by default.
    seed : int
    library : callable
        Converts a NumPy array to an array of the library that the code uses.

    Raises
    ------
    ValueError
        If there are too few arguments, or the result is not finite for random arguments.
    """
    rng = np.random.default_rng(seed)
    maker = maker_of(name, members)
    if maker:
        made = members[maker](rng)
        args = list(made) if isinstance(made, tuple | list) else [made]
    else:
        shape = DEFAULT_SHAPE if shape is None else shape
        args = [library(rng.standard_normal(shape))]
    if len(args) < count:
        raise ValueError(
            f"{name} takes {count} arguments, not {len(args)}: "
            f"define {name}_args(rng), which returns them, in the same file"
        )
    if maker:
        return Inputs(args)
    advice = f"its argument was drawn at random with shape {shape}: use --shape, or define {name}_args(rng)"
    normal = _is_finite(run, args)
    if normal:
        return Inputs(args, advice=advice)
    positive = [library(rng.uniform(*_POSITIVE, shape))]
    if _is_finite(run, positive):
        text = "drawn uniformly from 0.5 to 1.5, because the result is not finite for normal random numbers"
        return Inputs(positive, text, advice)
    if normal is None:  # it raises: the check will say what
        return Inputs(args, advice=advice)
    raise ValueError(
        "its result is not finite for normal random numbers, nor for positive ones: define "
        f"{name}_args(rng), which returns its arguments"
    )


def _is_finite(run: Callable[..., Any], args: list[Any]) -> bool | None:
    """Say whether y is finite; None if the function raises."""
    with Noise().kept(), np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            y = run(*copy.deepcopy(args))
        except Exception:  # user code may raise anything for an argument that it does not expect
            return None
    parts = [np.asarray(part) for part in (y if isinstance(y, tuple | list) else [y])]
    return all(part.dtype.kind != "f" or bool(np.all(np.isfinite(part))) for part in parts)
