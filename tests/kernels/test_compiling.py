"""Kernels called by address, views without checks, and one process that compiles for all."""

import gc
import os
import subprocess
import sys
import time

import numpy as np
import pytest

numba = pytest.importorskip("numba")
if numba.config.DISABLE_JIT:
    pytest.skip("nothing is compiled", allow_module_level=True)

from numba import types  # noqa: E402

from npvae import locks  # noqa: E402
from npvae.kernels import compiling  # noqa: E402
from npvae.kernels.compiled import compile_kernel  # noqa: E402
from npvae.kernels.compiling import count_compilations, locked, no_garbage_collection  # noqa: E402
from npvae.kernels.step.pointers import FLAG, INDEX, MATRIX, REAL, VECTOR, Table  # noqa: E402
from npvae.kernels.views import flat, matrix_at, part_of_row, vector_at  # noqa: E402

_TABLE = Table()
_scaled_sum = _TABLE.entry("scaled_sum", REAL(MATRIX, FLAG, REAL, INDEX))
_checked = _TABLE.entry("checked", types.void(VECTOR, INDEX))


@compile_kernel(set(), inner=True)
def scaled_sum(a, negative, factor, n_rows):
    total = np.float32(0)
    for i in range(n_rows):
        for j in range(a.shape[1]):
            total += a[i, j] * factor
    return -total if negative else total


@compile_kernel(set(), inner=True)
def doubled_sum(a, negative, factor, n_rows):
    return np.float32(2) * scaled_sum(a, negative, factor, n_rows)


@compile_kernel(set(), inner=True)
def sum_in_double(a, negative, factor, n_rows):
    return 2.0 * scaled_sum(a, negative, factor, n_rows)


@compile_kernel(set(), inner=True)
def checked(a, limit):
    for i in range(a.size):
        if a[i] > limit:
            raise ValueError("too large")
        a[i] += 1


@compile_kernel(set())
def by_address(addresses, a, n_rows):
    return _scaled_sum(addresses, a, False, 3, n_rows), _scaled_sum(addresses, a, True, 0.5, 1)


@compile_kernel(set())
def directly(a, n_rows):
    return (
        scaled_sum(a, False, np.float32(3), n_rows),
        scaled_sum(a, True, np.float32(0.5), 1),
    )


@compile_kernel(set())
def call_checked(addresses, a, limit):
    _checked(addresses, a, limit)


def table(kernel=scaled_sum):
    return _TABLE.addresses({"scaled_sum": kernel, "checked": checked})


def test_a_call_by_address_is_a_direct_call(rng):
    a = rng.random((5, 7), dtype=np.float32)
    assert by_address(table(), a, 4) == directly(a, 4)


def test_constants_do_not_compile_a_kernel_again(rng):
    @compile_kernel(set(), inner=True)
    def kernel(a, negative, factor, n_rows):
        return scaled_sum(a, negative, factor, n_rows)

    by_address(table(kernel), rng.random((2, 3), dtype=np.float32), 2)  # calls it with False, True, 3 and 0.5
    assert kernel.signatures == [(MATRIX, FLAG, REAL, INDEX)]


def test_the_addresses_say_which_kernel_is_called(rng):
    a = rng.random((5, 7), dtype=np.float32)
    plain, doubled = (by_address(table(kernel), a, 4) for kernel in (scaled_sum, doubled_sum))
    assert doubled == tuple(2 * value for value in plain)


def test_a_kernel_with_another_result_is_refused():
    with pytest.raises(TypeError, match="sum_in_double returns float64, not float32"):
        table(sum_in_double)


def test_an_error_in_a_kernel_reaches_python():
    a = np.zeros(3, np.float32)
    call_checked(table(), a, 0)
    np.testing.assert_array_equal(a, 1)
    with pytest.raises(ValueError, match="too large"):
        call_checked(table(), a, 0)


def test_an_entry_without_a_kernel_has_no_address():
    assert _TABLE.addresses({"checked": checked})[0] == 0


@compile_kernel(set())
def views(a, b):
    matrix_at(a, 2, 3, 4)[1, 2] = 10
    vector_at(a, 15, 2)[1] = 20
    part_of_row(b, 1, 2, 4)[0] = 30
    flat(b)[9] = 40
    return matrix_at(a, 2, 3, 4).shape, vector_at(a, 15, 2).size, part_of_row(b, 1, 2, 4).size, flat(b).size


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_views_are_slices(dtype):
    a, b = np.arange(20).astype(dtype), np.arange(10).astype(dtype).reshape(2, 5)
    expected_a, expected_b = a.copy(), b.copy()
    expected_a[2:14].reshape(3, 4)[1, 2] = 10
    expected_a[15:17][1] = 20
    expected_b[1, 2:4][0] = 30
    expected_b.reshape(-1)[9] = 40
    assert views(a, b) == ((3, 4), 2, 2, 10)
    np.testing.assert_array_equal(a, expected_a)
    np.testing.assert_array_equal(b, expected_b)


COMPILE = """
import sys
import numpy as np
from npvae.kernels import gemm
from npvae.kernels.compiling import count_compilations
print("ready", flush=True)
sys.stdin.readline()
a, no_bias = np.ones((2, 2), np.float32), np.empty(0, np.float32)
y = np.empty_like(a)
gemm.multiply(a, False, a, False, no_bias, y, 0, 2, 0, 2)
assert (y == 2).all()
print(count_compilations([gemm.multiply]))
"""


@pytest.mark.skipif(locks.fcntl is None, reason="there are no locks")
def test_of_processes_that_start_together_one_compiles(tmp_path):
    from npvae.kernels import tiles

    if not tiles.VECTOR_BYTES:
        pytest.skip("there are no compiled products")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", COMPILE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)},
        )
        for _ in range(3)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    outputs = []
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        outputs.append(int(process.communicate(timeout=120)[0]))
        assert process.returncode == 0
    assert sorted(outputs) == [0, 0, 1]


HOLD = """
import sys
from npvae.kernels.compiling import locked
with locked(sys.argv[1], 5):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock until it is sent a line, and the lock's path."""
    path = str(tmp_path / "lock")
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "held\n"
    yield other, path
    other.kill()
    other.communicate(timeout=60)


needs_locks = pytest.mark.skipif(locks.fcntl is None, reason="there are no locks")


@needs_locks
def test_a_lock_is_waited_for_and_not_for_ever(holder):
    other, path = holder
    started = time.monotonic()
    with locked(path, 0.2) as has_it:
        assert not has_it
    assert 0.2 <= time.monotonic() - started < 5
    other.stdin.write("\n")
    other.stdin.flush()
    with locked(path, 60) as has_it:
        assert has_it


@needs_locks
def test_the_lock_of_a_process_that_was_killed_is_free(holder):
    other, path = holder
    other.kill()
    with locked(path, 60) as has_it:
        assert has_it


def test_where_no_file_can_be_made_there_is_no_lock(tmp_path, monkeypatch):
    with locked(str(tmp_path / "missing" / "lock"), 5) as has_it:
        assert not has_it
    monkeypatch.setattr(locks, "fcntl", None)
    with locked(str(tmp_path / "lock"), 5) as has_it:
        assert not has_it


def test_an_error_while_compiling_releases_the_lock_and_the_collector(tmp_path):
    @compile_kernel(set())
    def wrong(a):
        return a.no_such_attribute

    for _ in range(2):
        with pytest.raises(numba.errors.TypingError):
            wrong(1)
    assert compiling._depth == 0
    assert gc.isenabled()


def test_the_collector_stays_off_where_it_was_off():
    gc.disable()
    try:
        with no_garbage_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_compilations_are_counted():
    @compile_kernel(set())
    def kernel(a):
        return a + 1

    before = count_compilations([kernel])
    kernel(1)
    kernel(2)
    assert count_compilations([kernel]) <= before + 1
