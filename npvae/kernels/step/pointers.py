"""Kernels that compiled code calls by their addresses.

numba links the machine code of every called function into the caller and optimises it there a second time.
It also compiles a function again for each new combination of argument types, and constants count as
separate types. With large kernels, this took most of the time of a first `fit`. A kernel called by its
address has one signature and is compiled once. If there are several kernels for one purpose, such as
activations, only the one that is needed is compiled. Such a call takes a few nanoseconds, like any call
that is not inlined.

Addresses differ from process to process. The caller gets them in an array, as an argument, so that its own
machine code can be kept on disk.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

# Types of arguments and results in signatures: `VOID(MATRIX, INDEX)` is one.
VECTOR, MATRIX = types.Array(types.float32, 1, "C"), types.Array(types.float32, 2, "C")
REAL, INDEX, FLAG, VOID = types.float32, types.intp, types.boolean, types.void


class Table:
    """The kernels that a compiled function calls by their addresses: names and signatures."""

    def __init__(self) -> None:
        self._signatures: dict[str, Any] = {}

    def entry(self, name: str, signature: Any) -> Callable[..., Any]:
        """Add an entry; return a function that calls its kernel, for use in compiled code.

        The function takes an array that `addresses` has returned, and the kernel's arguments. They are
        converted to the types in the signature, as in C.
        """
        self._signatures[name] = signature
        return _caller(len(self._signatures) - 1, signature)

    def addresses(self, kernels: Mapping[str, Any]) -> np.ndarray:
        """Return where these kernels are in this process, in the order of the entries.

        Parameters
        ----------
        kernels : mapping
            Functions made by `compile_kernel`. They are loaded from disk, or compiled, if need be. An entry
            that is not in the mapping gets the address 0 and must not be called.
        """
        found = [
            _address(kernels[name], signature) if name in kernels else 0
            for name, signature in self._signatures.items()
        ]
        return np.array(found, np.int64)


def _address(kernel: Any, signature: Any) -> int:
    if signature.args not in kernel.overloads:
        kernel.compile(signature.args)
    compiled = kernel.overloads[signature.args]
    if compiled.signature.return_type != signature.return_type:
        raise TypeError(
            f"{kernel.__name__} returns {compiled.signature.return_type}, not {signature.return_type}"
        )
    address: int = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
    return address


def _caller(place: int, signature: Any) -> Callable[..., Any]:
    @intrinsic
    def call(typing_context: Any, addresses: Any, *arguments: Any) -> Any:
        """Call the kernel whose address is entry number `place`."""
        given = types.StarArgTuple.from_types(arguments)
        if len(given) != len(signature.args):
            return None  # numba reports that no such function exists
        return signature.return_type(addresses, given), generate

    def generate(context: Any, builder: Any, caller: Any, values: Any) -> Any:
        first = context.data_model_manager[caller.args[0]].get(builder, values[0], "data")
        address = builder.load(builder.gep(first, [context.get_constant(types.intp, place)]))
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
