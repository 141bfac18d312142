"""Kernels that compiled code calls by their addresses.

numba links the machine code of every function that a compiled function calls into the caller, optimises it
there a second time, and compiles it once more for each new combination of argument types, for which it
takes constants as types of their own. For a large kernel that is most of the time a first `fit` takes. A
kernel in a `Table` has one signature, is compiled once, and its callers find it at run time by its address
in an array. The call costs about a nanosecond, as any call of a function that is not inlined.

Addresses differ between processes: callers get them as an argument, so that their own machine code can be
kept on disk.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

VECTOR, MATRIX = types.Array(types.float32, 1, "C"), types.Array(types.float32, 2, "C")
REAL, INDEX, FLAG = types.float32, types.intp, types.boolean


class Table:
    """Kernels with one signature each, to be called from compiled code."""

    def __init__(self) -> None:
        self._kernels: list[tuple[Any, Any]] = []
        self._addresses: np.ndarray | None = None

    def add(self, kernel: Any, signature: Any) -> Callable[..., Any]:
        """Add a kernel; return what compiled code calls in its place, with `addresses()` as first argument.

        Parameters
        ----------
        kernel : function
            Decorated with `compile_kernel`.
        signature : numba signature
            Other arguments are converted, as numbers in a call in C are.
        """
        self._kernels.append((kernel, signature))
        return _caller(len(self._kernels) - 1, signature)

    def addresses(self) -> np.ndarray:
        """Return where the kernels are in this process; load them from disk, or compile them, if need be."""
        if self._addresses is None:
            found = [_address(kernel, signature) for kernel, signature in self._kernels]
            self._addresses = np.array(found, np.int64)
        return self._addresses

    def n_compiled(self) -> int:
        """Return how many kernels this process had to compile."""
        return sum(sum(kernel.stats.cache_misses.values()) for kernel, _ in self._kernels)


def _address(kernel: Any, signature: Any) -> int:
    kernel.compile(signature.args)
    compiled = kernel.overloads[signature.args]
    address: int = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
    return address


def _caller(place: int, signature: Any) -> Callable[..., Any]:
    @intrinsic
    def call(typing_context: Any, addresses: Any, *arguments: Any) -> Any:
        """Call the kernel whose address stands at `place`."""
        given = types.StarArgTuple.from_types(arguments)
        if len(given) != len(signature.args):
            return None  # numba reports that no such function exists
        return signature.return_type(addresses, given), generate

    def generate(context: Any, builder: Any, caller: Any, values: Any) -> Any:
        addresses = context.make_array(caller.args[0])(context, builder, values[0])
        address = builder.load(builder.gep(addresses.data, [context.get_constant(types.intp, place)]))
        arguments = [
            context.cast(builder, builder.extract_value(values[1], i), kind, wanted)
            for i, (kind, wanted) in enumerate(zip(caller.args[1], signature.args, strict=True))
        ]
        convention = context.call_conv
        kind = convention.get_function_type(signature.return_type, signature.args)
        kernel = builder.inttoptr(address, kind.as_pointer())
        status, result = convention.call_function(
            builder, kernel, signature.return_type, signature.args, arguments
        )
        with cgutils.if_unlikely(builder, status.is_error):
            convention.return_status_propagate(builder, status)
        return result

    return call
