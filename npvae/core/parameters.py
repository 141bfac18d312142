"""All parameters of a network in one flat vector, with a named view for each."""

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Shapes = Mapping[str, tuple[int, ...]]


class Parameters(Mapping[str, np.ndarray]):
    """Named arrays that share one flat vector.

    ``params["encoder.0.W"]`` is a view into ``params.flat``: changing one changes the other. So an optimizer
    is one loop over one vector, a checkpoint is one array, and a checker can address every entry. Gradients
    are Parameters too, with the same names.

    Parameters
    ----------
    shapes : mapping of str to tuple of int
        Names and shapes, in the order in which the arrays lie in the vector.
    flat : (P,) array, optional
        The vector itself; it is used, not copied. Zeros if not given.
    dtype : dtype, default=float32
        Of the zeros when `flat` is not given.

    Examples
    --------
    >>> params = Parameters({"W": (2, 3), "b": (3,)})
    >>> params["b"] = [1, 2, 3]
    >>> params.flat
    array([0., 0., 0., 0., 0., 0., 1., 2., 3.], dtype=float32)
    """

    def __init__(
        self, shapes: Shapes, flat: np.ndarray | None = None, dtype: npt.DTypeLike = np.float32
    ) -> None:
        self.shapes = dict(shapes)
        size = sum(map(prod, self.shapes.values()))
        if flat is None:
            flat = np.zeros(size, dtype=dtype)
        if flat.shape != (size,) or not flat.flags.c_contiguous:
            raise ValueError(f"flat must be a contiguous vector of {size} entries, got shape {flat.shape}")
        self.flat = flat
        self._views: dict[str, np.ndarray] = {}
        start = 0
        for name, shape in self.shapes.items():
            stop = start + prod(shape)
            self._views[name] = flat[start:stop].reshape(shape)
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
        return list(self.shapes.items()) == list(other.shapes.items()) and np.array_equal(
            self.flat, other.flat
        )

    def copy(self) -> Self:
        """Return Parameters with a vector of their own."""
        return type(self)(self.shapes, self.flat.copy())

    def astype(self, dtype: npt.DTypeLike) -> Self:
        """Return a copy in another data type: float32, float64, complex128, longdouble."""
        return type(self)(self.shapes, self.flat.astype(dtype))

    def zeros_like(self) -> Self:
        """Return zeros with the same names, shapes and data type."""
        return type(self)(self.shapes, np.zeros_like(self.flat))

    # A pickled view would come back as an array of its own, so that an optimizer would update a vector that
    # no layer reads. Shapes and vector are all that is stored.
    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.shapes, self.flat)
