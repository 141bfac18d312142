"""Waiting for another thread without going to sleep and without holding Python's lock.

Waking a thread that sleeps takes tens of microseconds, as long as a small kernel. These functions
release the interpreter's lock (the GIL) and poll a counter; all but `meet` give up after a number of polls.
Counters are int64 arrays of one entry.
"""

from typing import Any

from numba import types
from numba.extending import intrinsic

from npvae.kernels.compiled import compile_kernel

DISMISSED = 2**62  # counter value that releases all waiting threads
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
    """Wait until all `n_threads` threads are here (a barrier); setting `counter` to `DISMISSED` ends it."""
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

    `done` is written while the GIL is released: a thread that waits for it would otherwise find the GIL
    taken when it wakes up. For the same reason, polling goes on for a moment after `counter` has reached
    `value`.
    """
    _store(done, finished)
    for _ in range(looks):
        if _load(counter) >= value:
            for _ in range(_MOMENT):
                _load(counter)
            return True
    return False
