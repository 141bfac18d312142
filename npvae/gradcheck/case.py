"""A pair at a point: what the protocol checks and the input variations start from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .agreement import difference, largest
from .arguments import coarsest, copied, is_floating, quiet
from .objective import points_close_by
from .pair import Pair, draw_like, saved
from .probes import Budget
from .report import Entry
from .structure import parts_of, same_bits
from .verdicts import ALONE
from .vjp_objectives import entries_at, objectives_of

Array = npt.NDArray[Any]

_FEW = Budget(n_entries=0, n_coordinates=0, n_projections=2)
# Relative error up to which ill-conditioned arguments may be the reason, by the digits that there are.
_SLIGHT = {np.dtype(np.float64): 1e-3, np.dtype(np.float32): 0.1}
_ROUNDINGS = 64.0  # multiples of what rounding of the arguments does to the gradient
_ILL = "ill-conditioned: rounding of the arguments alone moves the gradient by {:.1g}"


@dataclass(eq=False)
class Case:
    """A pair, a point, and what its backward returned there.

    Attributes
    ----------
    pair : Pair
        Forward and backward.
    args : list
        The arguments of forward; not to be changed.
    positions : list of int
        The arguments that are differentiated.
    labels : list of str
        The names of all arguments.
    parts, dys, gradients : lists of arrays
        The parts of y, an upstream gradient for each, and the gradient of each position.
    right : bool
        Whether the oracles found the gradients right at the point that was given. Where they did not, other
        points are not compared with them.
    vacuous : bool
        Whether some gradient was zero there, so that the point says nothing of it.
    """

    pair: Pair
    args: list[Any]
    positions: list[int]
    labels: list[str]
    parts: list[Array]
    dys: list[Array]
    gradients: list[Array]
    right: bool = True
    vacuous: bool = False

    @property
    def names(self) -> list[str]:
        """The names of the arguments that are differentiated."""
        return [self.labels[k] for k in self.positions]

    @property
    def terms(self) -> list[float]:
        """For each gradient, the size of the terms that may cancel in it."""
        with np.errstate(all="ignore"):
            size = sum(float(np.linalg.norm(dy * p)) for dy, p in zip(self.dys, self.parts, strict=True))
        size = size if np.isfinite(size) else 0.0
        return [size / max(1.0, largest(self.args[k])) for k in self.positions]

    @cached_property
    def terms_close_by(self) -> list[float]:
        """The same, as values close by show it too: see `npvae.gradcheck.objective.Objective`."""
        objectives = objectives_of(self.pair, self.args, self.positions, self.labels, self.parts, self.dys)
        found = zip(objectives, self.terms, strict=True)
        return [max(o.terms_close_by, o.upstream, term) for o, term in found]

    @cached_property
    def sizes_close_by(self) -> list[float]:
        """The largest entry of each part of y, here and close by, and of the arguments that it may sum up."""
        entered = max(largest(self.args[k]) for k in self.positions)
        sizes = [max(entered, largest(part)) for part in self.parts]
        with quiet():
            for k in self.positions:
                for moved, _ in points_close_by(np.asarray(self.args[k])):
                    args = [moved[()] if j == k else copied(arg) for j, arg in enumerate(self.args)]
                    parts = parts_of(self.pair.run(args)[0])
                    sizes = [max(size, largest(part)) for size, part in zip(sizes, parts, strict=True)]
        return sizes

    @property
    def dtype(self) -> np.dtype[Any]:
        """The coarsest dtype that takes part in the computation."""
        return coarsest([*self.args, *self.parts])

    def differ(
        self,
        found: Sequence[Any],
        expected: Sequence[Array] | None = None,
        terms: Sequence[float] | None = None,
    ) -> str:
        """Describe where gradients differ from the expected ones by more than rounding."""
        expected = self.gradients if expected is None else expected
        where = difference(found, expected, self.names, terms or self.terms, dtype=self.dtype)
        if where and terms is None:
            where = difference(found, expected, self.names, self.terms_close_by, dtype=self.dtype)
        return where

    def at(self, args: list[Any], rng: np.random.Generator) -> Case | None:
        """Return the pair at another point; None where it does not take it, or is not finite there."""
        try:
            y, cache = self.pair.run([copied(arg) for arg in args])
            parts = [part.copy() for part in parts_of(y)]
            if not all(np.all(np.isfinite(part)) for part in parts):
                return None
            dys = draw_like(parts, rng)
            gradients = saved(self.pair.pull(y, [dy.copy() for dy in dys], cache))
        except Exception:  # someone else's code at a point that nobody promised it would take
            return None
        return Case(self.pair, args, self.positions, self.labels, parts, dys, gradients, self.right)

    def condition(self, dtype: npt.DTypeLike, rng: np.random.Generator) -> Array:
        """Return how far each gradient moves when the arguments are rounded to a dtype in another way.

        Several ways are tried; one row for each.
        """
        eps = float(np.finfo(dtype).eps)
        found = []
        for _ in range(4):
            moved = [
                np.asarray(np.asarray(x) * (1 + eps * rng.choice([-1.0, 1.0], np.shape(x))), _dtype(x))[()]
                if is_floating(x)
                else copied(x)
                for x in self.args
            ]
            around = self.pair.both(moved, self.dys)[1]
            found.append([largest(np.subtract(a, b)) for a, b in zip(around, self.gradients, strict=True)])
        return np.array(found)

    def depends_on(self, k: int, rng: np.random.Generator) -> bool:
        """Say whether y changes when argument k moves a little; False where forward refuses."""
        args = [copied(arg) for arg in self.args]
        x = np.asarray(args[k])
        args[k] = np.asarray(x + 1e-3 * max(1.0, largest(x)) * rng.standard_normal(x.shape), x.dtype)[()]
        moved = self.at(args, rng)
        return moved is not None and any(
            not same_bits(a, b) for a, b in zip(moved.parts, self.parts, strict=True)
        )

    def wrong(self, gradients: Sequence[Array], rng: np.random.Generator) -> str:
        """Say which of the gradients both oracles contradict on a few random projections."""
        if not self.right:
            return ""
        return "; ".join(
            f"the gradient of {entry.name} is wrong" + (f" ({entry.hint})" if entry.hint else "")
            for entry in replace(self, gradients=list(gradients)).entries(_FEW, rng)
            if entry.verdict == "fail" and ALONE not in entry.hint
        )

    def entries(self, budget: Budget, rng: np.random.Generator) -> tuple[Entry, ...]:
        """Compare the gradients with what the oracles find; take back failures that rounding explains."""
        found = entries_at(
            self.pair,
            self.args,
            self.positions,
            self.labels,
            self.parts,
            self.dys,
            self.gradients,
            budget,
            rng,
        )
        slight = [entry.verdict == "fail" and entry.error < _SLIGHT.get(self.dtype, 0.0) for entry in found]
        if not any(slight):
            return found
        # The least: a wrong entry may jump, but an ill-conditioned gradient moves every time.
        conditions = self.condition(self.dtype, rng).min(axis=0)
        return tuple(
            replace(entry, verdict="inconclusive", hint=_ILL.format(condition))
            if may and abs(entry.analytic - entry.numeric) <= _ROUNDINGS * condition
            else entry
            for entry, may, condition in zip(found, slight, conditions, strict=True)
        )


def _dtype(x: Any) -> Any:
    return x.dtype if isinstance(x, np.ndarray) else None
