"""Waiting for another thread without going to sleep and without holding Python's lock.

Waking a thread that sleeps takes tens of microseconds, as long as a small kernel. These functions
release the interpreter's lock (the GIL) and look at a counter, some thousand times before they give up.
Counters are int64 arrays of one entry.
"""

from typing import Any

from numba import types
from numba.extending import intrinsic

from npvae.kernels.compiled import compile_kernel

DISMISSED = 2**62  # a counter at which nobody waits any longer
_MOMENT = 25_000  # looks: some microseconds
_COUNTER = types.Array(types.int64, 1, "C")


@intrinsic
def _load(typing_context: Any, counter: Any) -> Any:
    """Read a counter that another thread writes: the compiler may not keep it in a register."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.load_atomic(array.data, ordering="acquire", align=8)

    return types.int64(_COUNTER), generate


@intrinsic
def _store(typing_context: Any, counter: Any, value: Any) -> Any:
    """Write a counter that another thread reads, after all that was written before."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        builder.store_atomic(arguments[1], array.data, ordering="release", align=8)
        return context.get_dummy_value()

    return types.void(_COUNTER, types.int64), generate


@intrinsic
def _add_one(typing_context: Any, counter: Any) -> Any:
    """Add one to a counter to which other threads add too; return what it was before."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        one = context.get_constant(types.int64, 1)
        return builder.atomic_rmw("add", array.data, one, ordering="acq_rel")

    return types.int64(_COUNTER), generate


@compile_kernel(set())
def meet(counter, n_threads):
    """Wait until all of `n_threads` have called this once more; set the counter to `DISMISSED` to end it."""
    if n_threads > 1:
        everybody = (_add_one(counter) // n_threads + 1) * n_threads
        while _load(counter) < everybody:
            pass


@compile_kernel(set())
def wait_for(counter, value, looks):
    """Return True once the counter has reached `value`, False after that many looks at it."""
    for _ in range(looks):  # noqa: SIM110 (numba compiles loops)
        if _load(counter) >= value:
            return True
    return False


@compile_kernel(set())
def report_and_wait_for(done, finished, counter, value, looks):
    """Write `finished` into the counter `done`, then wait for `counter` as `wait_for` does.

    It is written where the GIL has been released: who waits for it would otherwise wake up to find
    the GIL taken. And once the counter has been reached, it looks on for a moment, for the same reason.
    """
    _store(done, finished)
    for _ in range(looks):
        if _load(counter) >= value:
            for _ in range(_MOMENT):
                _load(counter)
            return True
    return False
