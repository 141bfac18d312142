"""A pair at a point, from which the protocol checks and the input variations start."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .arguments import (
    Array,
    coarsest,
    copied,
    is_floating,
    largest,
    leaves,
    lengths_of,
    like,
    moved,
    parts_of,
    quiet,
)
from .hints import Clues
from .judge import compare, gradients_of, mismatch
from .objective import Budget, Objective, objectives_of, points_close_by
from .objects import GENERATORS, Noise, same_bits, shapes_in
from .report import Entry, Reason


@dataclass(eq=False)
class Pair:
    """A forward and its backward, run so that their results depend only on what they are given."""

    forward: Callable[..., tuple[Any, Any]]  # forward(*args) -> (y, cache)
    backward: Callable[[Any, Any], Any]  # backward(dy, cache) -> gradients
    slots: Sequence[int] = ()  # the positions, in what backward returns, of the gradients to check
    # The shapes of the arrays that forward and backward held before they ran.
    held: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    owner: Any = None  # a copy of the object whose methods both are, made before they ran
    noise: Noise = field(default_factory=Noise)  # the random generators that they draw from

    @classmethod
    def of(cls, forward: Callable[..., Any], backward: Callable[[Any, Any], Any]) -> Pair:
        """Return a pair of two functions, or of two methods of one object."""
        owner = getattr(forward, "__self__", None)
        try:
            same = getattr(backward, "__self__", None) is owner
            owner = copy.deepcopy(owner) if same else None
        except Exception:  # it holds something that cannot be copied, such as a lock or a file
            owner = None
        noise = Noise(forward=forward, backward=backward)
        return cls(forward, backward, (), shapes_in((forward, backward)), owner, noise)

    def run(self, args: Sequence[Any]) -> tuple[Any, Any]:
        """Run forward with all random generators in their original state; return y and the cache.

        The arguments are passed as they are, except for generators, which are copied. Raises a TypeError if
        forward does not return a pair.
        """
        self.noise.reset()
        result = self.forward(*[copy.deepcopy(a) if isinstance(a, GENERATORS) else a for a in args])
        self.noise.look()
        if isinstance(result, tuple) and len(result) == 2:
            return result
        what, line = type(result).__name__, "return forward(*args), args"
        if isinstance(result, tuple):
            names = ", ".join(f"y{k}" for k in range(1, len(result)))
            what, line = f"{len(result)} values", f"{names}, cache = forward(*args); return ({names}), cache"
        raise TypeError(
            f"forward must return a pair (y, cache), not {what}. Return several results as one tuple, and "
            "what backward needs as the cache:\n"
            f"    def paired(*args):\n        {line}\n    check_vjp(paired, backward, args)"
        )

    def pull(self, y: Any, dys: Sequence[Array], cache: Any) -> list[Any]:
        """Run backward with dy in the structure of y; return the gradients to check without copying them."""
        gradients = leaves(self.backward(like(y, dys), cache))
        if len(gradients) <= max(self.slots):
            raise ValueError(f"backward returned {len(gradients)} gradients, but more in an earlier call")
        return [gradients[slot] for slot in self.slots]

    def afresh(self) -> Pair | None:
        """Return the same methods of an object that has not run yet; None if there is no such object."""
        if self.owner is None or not all(hasattr(f, "__self__") for f in (self.forward, self.backward)):
            return None
        owner = copy.deepcopy(self.owner)
        names = self.forward.__name__, self.backward.__name__
        return replace(Pair.of(getattr(owner, names[0]), getattr(owner, names[1])), slots=self.slots)

    def both(self, args: Sequence[Any], dys: Sequence[Array]) -> tuple[list[Array], list[Array]]:
        """Run forward and backward on copies; return copies of the parts of y and of the gradients."""
        y, cache = self.run([copied(arg) for arg in args])
        parts = [part.copy() for part in parts_of(y)]
        return parts, saved(self.pull(y, [dy.copy() for dy in dys], cache))


def saved(gradients: Sequence[Any]) -> list[Array]:
    """Copy gradients, so that nothing can change them later."""
    return [np.array(gradient) for gradient in gradients]


def draw_like(parts: Sequence[Array], rng: np.random.Generator) -> list[Array]:
    """Draw an upstream gradient: normal, hence of both signs."""
    return [np.asarray(rng.standard_normal(part.shape), dtype=part.dtype) for part in parts]


_FEW = Budget(n_entries=0, n_coordinates=0, n_projections=2)
# Relative error up to which ill-conditioned arguments may be the reason, for each dtype.
_SLIGHT = {np.dtype(np.float64): 1e-3, np.dtype(np.float32): 0.1}
_ROUNDINGS = 64.0  # rounding errors of the arguments whose effect on a gradient is not a failure


@dataclass(eq=False)
class Case:
    """A pair, a point, and what its backward returned there."""

    pair: Pair
    args: list[Any]  # the arguments of forward; they must not be changed
    positions: list[int]  # of the arguments that are differentiated
    labels: list[str]  # the names of all arguments
    parts: list[Array]  # the parts of y
    dys: list[Array]  # an upstream gradient for each part
    gradients: list[Array]  # the gradient of each position
    # Whether the oracles found the gradients right at the given point. If not, the gradients at other points
    # are not compared with the oracles.
    right: bool = True
    vacuous: bool = False  # whether some gradient was zero there, so that the point says nothing about it
    rtol: float = 0.0  # additional tolerance, relative to a gradient's largest entry

    @property
    def points(self) -> dict[int, Any]:
        """The arguments that are differentiated."""
        return {k: self.args[k] for k in self.positions}

    @property
    def names(self) -> list[str]:
        """The names of the arguments that are differentiated."""
        return [self.labels[k] for k in self.positions]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of the arguments that are differentiated."""
        return [np.shape(x) for x in self.points.values()]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The coarsest dtype that takes part in the computation."""
        return coarsest([*self.args, *self.parts, *self.gradients])

    @property
    def terms(self) -> list[float]:
        """For each gradient, the size of the terms that may cancel in it."""
        with np.errstate(all="ignore"):
            size = sum(float(np.linalg.norm(dy * p)) for dy, p in zip(self.dys, self.parts, strict=True))
        size = size if np.isfinite(size) else 0.0
        return [size / max(1.0, largest(x)) for x in self.points.values()]

    @cached_property
    def terms_close_by(self) -> list[float]:
        """The same, estimated from nearby points too: see `npvae.gradcheck.objective.Objective`."""
        found = zip(self.objectives(), self.terms, strict=True)
        return [max(o.terms_close_by, o.upstream, term) for o, term in found]

    @cached_property
    def sizes_close_by(self) -> list[float]:
        """For each part of y, the largest entry of it, here and at nearby points, and of the arguments."""
        entered = max(map(largest, self.points.values()))
        sizes = [max(entered, largest(part)) for part in self.parts]
        for k, x in self.points.items():
            for point, _ in points_close_by(np.asarray(x)):
                parts = self.parts_with(k, point[()]) or self.parts
                sizes = [max(size, largest(part)) for size, part in zip(sizes, parts, strict=False)]
        return sizes

    def parts_with(self, k: int, x: Any) -> list[Array] | None:
        """Return the parts of y with x for argument k; None if forward does not accept it."""
        args = [x if j == k else copied(arg) for j, arg in enumerate(self.args)]
        with quiet(), contextlib.suppress(Exception):  # it need not accept these values
            return parts_of(self.pair.run(args)[0])
        return None

    def objectives(self) -> list[Objective]:
        """Return L(arg) = sum(dy * y) for each differentiated argument, with all others held fixed."""

        def evaluate(dtype: npt.DTypeLike | None, replaced: Mapping[int, Array]) -> list[Array]:
            kind = np.complex128 if any(map(np.iscomplexobj, replaced.values())) else dtype
            inputs = []
            for j, arg in enumerate(self.args):
                if j not in replaced:
                    inputs.append(copied(arg, kind if j in self.positions else dtype))
                else:
                    inputs.append(replaced[j] if isinstance(arg, np.ndarray) else replaced[j][()])
            return parts_of(self.pair.run(inputs)[0])

        weights = [np.asarray(dy, np.float64) for dy in self.dys]
        given, parts = self.args, self.parts
        return objectives_of(evaluate, self.points, self.names, given, weights, parts, by_term=True)[0]

    def differ(
        self,
        found: Sequence[Any],
        expected: Sequence[Array] | None = None,
        terms: Sequence[float] | None = None,
        **words: str,
    ) -> str:
        """Say where gradients differ from the expected ones by more than rounding: see `mismatch`."""
        expected, names = self.gradients if expected is None else expected, gradients_of(self.names)
        where = mismatch(found, expected, names, terms or self.terms, self.dtype, **words)
        if where and terms is None:
            where = mismatch(found, expected, names, self.terms_close_by, self.dtype, **words)
        return where

    def at(self, args: list[Any], rng: np.random.Generator) -> Case | None:
        """Return the pair at another point; None if it raises or is not finite there."""
        try:
            y, cache = self.pair.run([copied(arg) for arg in args])
            parts = [part.copy() for part in parts_of(y)]
            if not all(np.all(np.isfinite(part)) for part in parts):
                return None
            dys = draw_like(parts, rng)
            gradients = saved(self.pair.pull(y, [dy.copy() for dy in dys], cache))
        except Exception:  # user code need not accept this point
            return None
        return replace(self, args=args, parts=parts, dys=dys, gradients=gradients, vacuous=False)

    def condition(self, size: float, rng: np.random.Generator, draws: int = 4) -> Array:
        """Return how much each gradient changes when the arguments change by this relative size.

        Several random changes are tried; the rows, one for each that the function accepts, are sorted for
        each gradient.
        """
        found = [[0.0] * len(self.positions)]
        for _ in range(draws):
            others = [
                moved(x, size * np.asarray(x) * rng.standard_normal(np.shape(x)))
                if is_floating(x)
                else copied(x)
                for x in self.args
            ]
            with contextlib.suppress(Exception):  # the point may be at the border of the function's domain
                around = self.pair.both(others, self.dys)[1]
                pairs = zip(around, self.gradients, strict=True)
                found.append([largest(np.subtract(a, b)) for a, b in pairs])
        return np.sort(found[1:] or found, axis=0)

    def depends_on(self, k: int, rng: np.random.Generator) -> bool:
        """Say whether y changes when argument k moves a little; True if forward accepts no other value."""
        x = self.args[k]
        for size in (1e-3, 1e-6):
            shift = size * max(1.0, largest(x)) * rng.standard_normal(np.shape(x))
            if parts := self.parts_with(k, moved(x, shift)):
                return len(parts) != len(self.parts) or not all(map(same_bits, parts, self.parts))
        return True

    def wrong(self, rng: np.random.Generator) -> str:
        """Say which of the gradients both oracles contradict on a few random projections."""
        if not self.right:
            return ""
        return "; ".join(
            f"the gradient of {entry.name} is wrong" + (f" ({entry.hint})" if entry.recognised else "")
            for entry in self.entries(_FEW, rng)
            if entry.verdict == "fail" and entry.reason is not Reason.UNCONFIRMED
        )

    def entries(self, budget: Budget, rng: np.random.Generator) -> tuple[Entry, ...]:
        """Compare the gradients with the oracles; failures that rounding explains become inconclusive."""
        found = compare(
            self.objectives(),
            self.gradients,
            coarsest([*self.points.values(), *self.gradients]),
            Clues(lengths_of([*self.args, *self.parts]), self.dys),
            budget,
            rng,
            self.rtol,
        )
        limit = _SLIGHT.get(self.dtype, 0.0)
        slight = [
            entry.verdict == "fail" and entry.error < limit and np.shape(gradient) == entry.shape
            for entry, gradient in zip(found, self.gradients, strict=True)
        ]
        if not any(slight):
            return found
        # Rounding alone might change nothing: next to singular, a pivot takes few values. The third smallest
        # of eight changes counts: a wrong entry may jump, an ill-conditioned one moves nearly always.
        size = _ROUNDINGS * float(np.finfo(self.dtype).eps)
        conditions = self.condition(size, rng, draws=8)[:3][-1]
        return tuple(
            replace(
                entry,
                verdict="inconclusive",
                reason=Reason.ILL_CONDITIONED,
                hint=f"ill-conditioned: changing the arguments by {size:.0e} changes it by {condition:.1g}",
            )
            if may and abs(entry.analytic - entry.numeric) <= condition
            else entry
            for entry, may, condition in zip(found, slight, conditions, strict=True)
        )
