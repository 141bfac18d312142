"""Views of parts of contiguous arrays, for compiled loops.

They equal what slicing and `reshape` return, but numba does not check shapes, follow strides or count
references, which takes longer to compile than the arithmetic around it. These functions check nothing, and
a view does not keep its array alive: the function that received the array must do so.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

INDEX = types.intp


def _view(context: Any, builder: Any, kind: Any, array: Any, view: Any, start: Any, shape: list[Any]) -> Any:
    """Generate the array of type `view` and this shape whose first entry is entry `start` of `array`."""
    whole, part = (context.data_model_manager[each] for each in (kind, view))
    strides: list[Any] = []
    size = context.get_constant(INDEX, 1)
    item = context.get_constant(INDEX, context.get_abi_sizeof(context.get_data_type(kind.dtype)))
    for length in reversed(shape):
        strides.insert(0, builder.mul(size, item))
        size = builder.mul(size, length)
    nothing = context.get_constant_null(types.voidptr)
    fields = {
        "meminfo": nothing,
        "parent": nothing,
        "nitems": size,
        "itemsize": item,
        "data": builder.gep(whole.get(builder, array, "data"), [start]),
        "shape": cgutils.pack_array(builder, shape),
        "strides": cgutils.pack_array(builder, strides),
    }
    result = ir.Constant(part.get_value_type(), ir.Undefined)
    for name, value in fields.items():
        result = part.set(builder, result, value, name)
    return result


@intrinsic
def vector_at(typing_context: Any, a: Any, start: Any, size: Any) -> Any:
    """Return `size` entries of a vector, from `start` on."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return _view(
            context, builder, signature.args[0], values[0], signature.return_type, values[1], [values[2]]
        )

    return types.Array(a.dtype, 1, "C")(a, INDEX, INDEX), generate


@intrinsic
def part_of_row(typing_context: Any, a: Any, row: Any, start: Any, end: Any) -> Any:
    """Return the entries start .. end of a matrix's row."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        a, row, start, end = values
        kind = signature.args[0]
        n_columns = builder.extract_value(context.data_model_manager[kind].get(builder, a, "shape"), 1)
        first = builder.add(builder.mul(row, n_columns), start)
        return _view(context, builder, kind, a, signature.return_type, first, [builder.sub(end, start)])

    return types.Array(a.dtype, 1, "C")(a, INDEX, INDEX, INDEX), generate


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
        size = context.data_model_manager[signature.args[0]].get(builder, values[0], "nitems")
        zero = context.get_constant(INDEX, 0)
        return _view(context, builder, signature.args[0], values[0], signature.return_type, zero, [size])

    return types.Array(a.dtype, 1, "C")(a), generate
