"""A forward and a backward, run so that only what they are given can make a difference."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .arguments import GENERATORS, copied
from .structure import leaves, like, parts_of

Array = npt.NDArray[Any]


@contextmanager
def noise_kept() -> Iterator[None]:
    """Leave NumPy's global generator afterwards as it was before."""
    state = np.random.get_state()  # noqa: NPY002  # other people's code draws from it
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


@dataclass(eq=False)
class Pair:
    """A forward and its backward.

    Attributes
    ----------
    forward : callable
        ``forward(*args) -> (y, cache)``.
    backward : callable
        ``backward(dy, cache) -> gradients``.
    slots : list of int
        Which of the gradients are wanted.
    """

    forward: Callable[..., tuple[Any, Any]]
    backward: Callable[[Any, Any], Any]
    slots: Sequence[int] = ()

    def __post_init__(self) -> None:
        self._state = np.random.get_state()  # noqa: NPY002
        self._owner = _untouched(self.forward, self.backward)
        self.draws = False  # whether the forward draws from NumPy's global generator
        self._runs = 0

    def run(self, args: Sequence[Any]) -> tuple[Any, Any]:
        """Run forward, with every random generator in the state in which it was given.

        Parameters
        ----------
        args : sequence
            Handed over as they are, except generators, which are copied.

        Returns
        -------
        y, cache

        Raises
        ------
        TypeError
            When forward returns no pair.
        """
        if self.draws:
            np.random.set_state(self._state)  # noqa: NPY002
        result = self.forward(*[copy.deepcopy(a) if isinstance(a, GENERATORS) else a for a in args])
        if self._runs < 2:  # resetting the generator costs time, so it is only done where it matters
            self._runs += 1
            self.draws = self.draws or not _same_state(self._state, np.random.get_state())  # noqa: NPY002
        if not isinstance(result, tuple) or len(result) != 2:
            what = f"{len(result)} things" if isinstance(result, tuple) else type(result).__name__
            raise TypeError(
                f"forward must return a pair (y, cache), not {what}: several results are one tuple, "
                "((h, c), cache); where nothing is kept, return (y, None)"
            )
        return result

    def pull(self, y: Any, dys: Sequence[Array], cache: Any) -> list[Any]:
        """Run backward with the structure of y, and return the gradients that are wanted, as they are."""
        gradients = leaves(self.backward(like(y, dys), cache))
        if len(gradients) <= max(self.slots):
            raise ValueError(f"backward returned {len(gradients)} gradients, before it was another number")
        return [gradients[slot] for slot in self.slots]

    def afresh(self) -> Pair | None:
        """Return the same methods of an object that has not run yet; None where there is no such object."""
        if self._owner is None:
            return None
        owner = copy.deepcopy(self._owner)
        names = self.forward.__name__, self.backward.__name__
        return Pair(getattr(owner, names[0]), getattr(owner, names[1]), self.slots)

    def both(self, args: Sequence[Any], dys: Sequence[Array]) -> tuple[list[Array], list[Array]]:
        """Run forward and backward on copies; return copies of the parts of y and of the gradients."""
        y, cache = self.run([copied(arg) for arg in args])
        parts = [part.copy() for part in parts_of(y)]
        return parts, saved(self.pull(y, [dy.copy() for dy in dys], cache))


def _untouched(forward: Callable[..., Any], backward: Callable[..., Any]) -> Any:
    """Copy the object that both are methods of, before it has seen anything; None where there is none."""
    owner = getattr(forward, "__self__", None)
    if owner is None or getattr(backward, "__self__", None) is not owner:
        return None
    try:
        return copy.deepcopy(owner)
    except Exception:  # it holds something that cannot be copied, such as a lock or a file
        return None


def _same_state(a: Any, b: Any) -> bool:
    return bool(a[2:] == b[2:] and np.array_equal(a[1], b[1]))


def saved(gradients: Sequence[Any]) -> list[Array]:
    """Copy gradients, so that nothing can change them later."""
    return [np.array(gradient) for gradient in gradients]


def draw_like(parts: Sequence[Array], rng: np.random.Generator) -> list[Array]:
    """Draw an upstream gradient: normal, hence of both signs."""
    return [np.asarray(rng.standard_normal(part.shape), dtype=part.dtype) for part in parts]
