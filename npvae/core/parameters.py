"""All parameters of a network in one flat vector, with a named view for each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Self

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Block:
    """One array inside the flat vector, seen under one name or under several.

    Parameters
    ----------
    names : tuple of str
        With several names the block is cut into equal parts along its last
        axis: ``Block(("mu.W", "log_var.W"), (H, 2 * Z))`` holds two (H, Z)
        matrices side by side, so that one product computes both heads.
    shape : tuple of int
    """

    names: tuple[str, ...]
    shape: tuple[int, ...]


class Parameters(Mapping[str, np.ndarray]):
    """Named arrays that share one flat vector.

    ``params["encoder.0.W"]`` is a view into ``params.flat``: changing one
    changes the other. So an optimizer is one loop over one vector, a
    checkpoint is one array, and a checker can address every entry. Gradients
    are Parameters too, with the same names.

    Parameters
    ----------
    blocks : sequence of Block
        What lies in the vector, in order.
    flat : (P,) array, optional
        The vector itself; it is used, not copied. Zeros if not given.
    dtype : dtype, default=float32
        Of the zeros when `flat` is not given.

    Raises
    ------
    ValueError
        A name occurs twice, a block cannot be cut evenly, or `flat` is not a
        contiguous vector of the right length.

    Examples
    --------
    >>> params = Parameters([Block(("W",), (2, 3)), Block(("b",), (3,))])
    >>> params["b"] = [1, 2, 3]
    >>> params.flat
    array([0., 0., 0., 0., 0., 0., 1., 2., 3.], dtype=float32)
    """

    def __init__(
        self, blocks: Sequence[Block], flat: np.ndarray | None = None, dtype: npt.DTypeLike = np.float32
    ) -> None:
        self.blocks = tuple(blocks)
        size = sum(prod(block.shape) for block in self.blocks)
        if flat is None:
            flat = np.zeros(size, dtype=dtype)
        if flat.shape != (size,) or not flat.flags.c_contiguous:
            raise ValueError(f"flat must be a contiguous vector of {size} entries, got shape {flat.shape}")
        self.flat = flat
        self._blocks: dict[tuple[str, ...], np.ndarray] = {}
        self._views: dict[str, np.ndarray] = {}
        start = 0
        for block in self.blocks:
            n_parts = len(block.names)
            if n_parts > 1 and block.shape[-1] % n_parts:
                raise ValueError(f"{block} cannot be cut into {n_parts} equal parts")
            stop = start + prod(block.shape)
            whole = flat[start:stop].reshape(block.shape)
            self._blocks[block.names] = whole
            parts = np.split(whole, n_parts, axis=-1) if n_parts > 1 else [whole]
            for name, part in zip(block.names, parts, strict=True):
                if name in self._views:
                    raise ValueError(f"two parameters are named {name!r}")
                self._views[name] = part
            start = stop

    def __getitem__(self, name: str) -> np.ndarray:
        return self._views[name]

    def __setitem__(self, name: str, value: npt.ArrayLike) -> None:
        """Copy `value`, which must have the view's own shape, into the view."""
        view = self._views[name]
        if np.shape(value) != view.shape:
            raise ValueError(f"{name} has shape {view.shape}, got {np.shape(value)}")
        view[...] = value

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)

    def __repr__(self) -> str:
        inside = ", ".join(f"{name} {view.shape}" for name, view in self.items())
        return f"Parameters({self.flat.size} of {self.flat.dtype}: {inside})"

    def __eq__(self, other: object) -> bool:
        """Compare names, shapes and values; the data types may differ."""
        if not isinstance(other, Parameters):
            return NotImplemented
        return self.blocks == other.blocks and np.array_equal(self.flat, other.flat)

    __hash__ = None  # type: ignore[assignment]

    def block(self, *names: str) -> np.ndarray:
        """Return the undivided array of which `names` are the parts, in order."""
        return self._blocks[names]

    def copy(self) -> Self:
        """Return Parameters with a vector of their own."""
        return type(self)(self.blocks, self.flat.copy())

    def astype(self, dtype: npt.DTypeLike) -> Self:
        """Return a copy in another data type: float32, float64, complex128, longdouble."""
        return type(self)(self.blocks, self.flat.astype(dtype))

    def zeros_like(self) -> Self:
        """Return zeros with the same names, shapes and data type."""
        return type(self)(self.blocks, np.zeros_like(self.flat))

    # A pickled view would come back as an array of its own, so that an optimizer would
    # update a vector at which no layer looks. Blocks and vector are all that is stored.
    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.blocks, self.flat)
