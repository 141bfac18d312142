"""Parts of contiguous arrays in compiled loops, as arrays that lie in the same memory.

They are what slicing and `reshape` return, without what numba does for these: it checks shapes, follows
strides and counts references. That takes longer to compile than the arithmetic around it. These functions
check nothing, and a view does not keep its array alive: the function that has been given the array does.
"""

from typing import Any

from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

INDEX = types.intp


def _view(context: Any, builder: Any, kind: Any, array: Any, view: Any, start: Any, shape: list[Any]) -> Any:
    """Generate the array of type `view` and this shape whose first entry is entry `start` of `array`."""
    whole = context.make_array(kind)(context, builder, array)
    part = context.make_array(view)(context, builder)
    strides = [whole.itemsize]
    for length in shape[:0:-1]:
        strides.insert(0, builder.mul(strides[0], length))
    data = builder.gep(whole.data, [start])
    populate_array(part, data, shape, strides, itemsize=whole.itemsize, meminfo=None)
    return part._getvalue()


@intrinsic
def vector_at(typing_context: Any, a: Any, start: Any, size: Any) -> Any:
    """Return `size` entries of a vector, from `start` on."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return _view(
            context, builder, signature.args[0], values[0], signature.return_type, values[1], [values[2]]
        )

    return types.Array(a.dtype, 1, "C")(a, INDEX, INDEX), generate


@intrinsic
def matrix_at(typing_context: Any, a: Any, start: Any, n_rows: Any, n_columns: Any) -> Any:
    """Return the entries of a vector from `start` on as a matrix."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        a, start, *shape = values
        return _view(context, builder, signature.args[0], a, signature.return_type, start, shape)

    return types.Array(a.dtype, 2, "C")(a, INDEX, INDEX, INDEX), generate


@intrinsic
def flat(typing_context: Any, a: Any) -> Any:
    """Return all entries of a matrix as a vector."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        size = context.make_array(signature.args[0])(context, builder, values[0]).nitems
        zero = context.get_constant(INDEX, 0)
        return _view(context, builder, signature.args[0], values[0], signature.return_type, zero, [size])

    return types.Array(a.dtype, 1, "C")(a), generate
