"""Compare a training step with npvae's own matrix products and the same step with BLAS's.

    python benchmarks/blas_step.py [MNIST_FOLDER] [--cases mnist wide digits] [--rounds 20] [--busy]
                                   [--out FILE.json]

A step is loss, gradient and Adam's update on batches of the data. In every round each side takes some steps,
one after the other in the same process, on one thread and on two; only the product differs. "BLAS" is the
sgemm of scipy's OpenBLAS, called by the same compiled function, on one thread for each of npvae's; "BLAS's
own threads" lets OpenBLAS use its threads for the products, and runs everything else on one thread. Prints
medians, and the ratio of the time with npvae's own products to the others' time.

To use AVX2 on a processor with AVX-512, set these variables for numba and OpenBLAS before Python starts:

    NUMBA_CPU_NAME=haswell NUMBA_CPU_FEATURES=+avx2,+fma OPENBLAS_CORETYPE=Haswell python benchmarks/...

and OPENBLAS_CORETYPE=SkylakeX gives OpenBLAS its AVX-512 products on processors it takes for older ones.
"""

import argparse
import ctypes
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from typing import Any

import numba
import numpy as np
from measuring import Row, add_options, compared, conclude, contents, in_turns, one_core_busy
from numba.extending import get_cython_function_address
from threadpoolctl import threadpool_limits
from training_peers import CASES, LEARNING_RATE, Case

from npvae.core.init import init_parameters
from npvae.core.vae import VAENetwork
from npvae.data import load_dataset
from npvae.kernels import using_team
from npvae.kernels.tiles import VECTOR_BYTES
from npvae.training import Adam, Stepper
from npvae.training.batches import minibatches

STEPS = {"mnist": 40, "wide": 15, "digits": 400}  # of each side in a round
SIDES = {"own": 1, "BLAS": 1, "BLAS's own threads": None}

_sgemm = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 13)(
    get_cython_function_address("scipy.linalg.cython_blas", "sgemm")
)
_AS_IS, _TRANSPOSED = ord("N"), ord("T")


@numba.njit(nogil=True, no_cpython_wrapper=True)  # type: ignore[call-overload]
def blas_multiply(  # type: ignore[no-untyped-def]
    a, a_transposed, b, b_transposed, bias, y, first_row, end_row, first_column, end_column
):
    """Compute what `npvae.kernels.gemm.multiply` does.

    BLAS counts along columns first, so it is asked for y^T = b^T a^T.
    """
    n, m = end_row - first_row, end_column - first_column
    if n <= 0 or m <= 0:
        return
    kinds = np.array([_TRANSPOSED if t else _AS_IS for t in (b_transposed, a_transposed)], np.uint8)
    sizes = np.array([m, n, a.shape[0] if a_transposed else a.shape[1]], np.int32)
    rows = np.array([b.shape[1], a.shape[1], y.shape[1]], np.int32)
    factors = np.array([1, 1 if bias.size else 0], np.float32)
    if bias.size:
        for i in range(first_row, end_row):
            y[i, first_column:end_column] = bias[first_column:end_column]
    flat_a, flat_b, flat_y = a.reshape(-1), b.reshape(-1), y.reshape(-1)
    from_a = flat_a[first_row if a_transposed else first_row * a.shape[1] :]
    from_b = flat_b[first_column * b.shape[1] if b_transposed else first_column :]
    into = flat_y[first_row * y.shape[1] + first_column :]
    _sgemm(
        kinds[:1].ctypes, kinds[1:].ctypes, sizes[:1].ctypes, sizes[1:].ctypes, sizes[2:].ctypes,
        factors[:1].ctypes, from_b.ctypes, rows[:1].ctypes, from_a.ctypes, rows[1:].ctypes,
        factors[1:].ctypes, into.ctypes, rows[2:].ctypes,
    )  # fmt: skip


def stepper(case: Case, n_features: int, side: str) -> Stepper:
    """Return what takes the steps, with one product or the other."""
    rng = np.random.default_rng(0)
    network = VAENetwork(
        n_features=n_features, latent_dim=case.latent_dim, hidden=case.hidden, likelihood="bernoulli"
    )
    made = Stepper(network, init_parameters(network.shapes(), rng), Adam(), rng)
    fused = made.fused()
    if fused is None:
        raise SystemExit("npvae has no products of its own for this processor")
    if side != "own":
        fused._kernels["multiply"] = blas_multiply
    return made


def batches(case: Case, X: np.ndarray) -> list[np.ndarray]:
    """Return some hundred batches."""
    rng = np.random.default_rng(0)
    found = minibatches(X, rng.permutation(len(X)), case.batch_size, rng, dtype=np.dtype(np.float32))
    return [x for x in islice(found, 200) if len(x) == case.batch_size]


@contextmanager
def threads(side: str, n_threads: int) -> Iterator[None]:
    """Give a side its threads within a with statement."""
    of_blas = n_threads if side == "BLAS's own threads" else 1
    with threadpool_limits(of_blas, user_api="blas"), using_team(n_threads // of_blas):
        yield


def measured(case: str, folder: str, n_threads: int, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of a step in each round."""
    data = load_dataset(folder if CASES[case].dataset == "mnist" else CASES[case].dataset)
    X = batches(CASES[case], data.X_train)
    sides = [side for side in SIDES if n_threads > 1 or side != "BLAS's own threads"]
    steppers = {side: stepper(CASES[case], X[0].shape[1], side) for side in sides}
    losses = {side: [float(steppers[side].step(x, LEARNING_RATE).total) for x in X[:20]] for side in sides}
    for side in sides:  # the same steps, to rounding
        np.testing.assert_allclose(losses[side], losses["own"], rtol=1e-4)
    rest = {side: cycle(X) for side in sides}

    def seconds(side: str) -> float:
        time.sleep(0.2)  # OpenBLAS's threads go on polling for tens of milliseconds after a product
        with threads(side, n_threads):
            for _ in range(5):  # until threads are awake
                steppers[side].step(next(rest[side]), LEARNING_RATE)
            started = time.perf_counter()
            for _ in range(STEPS[case]):
                steppers[side].step(next(rest[side]), LEARNING_RATE)
            return (time.perf_counter() - started) / STEPS[case]

    return in_turns(sides, seconds, rounds, f"{case}, {n_threads} threads")


def rows(content: dict[str, Any]) -> list[Row]:
    """Return the report's lines from what --out wrote."""
    busy = ", one core busy" if content["busy"] else ""
    found = []
    for case, by_threads in content["seconds"].items():
        for n_threads, sides in by_threads.items():
            milliseconds = {side: [1e3 * s for s in values] for side, values in sides.items()}
            what = f"a step of {case}, {content['instructions']}, threads: {n_threads}{busy}"
            own = milliseconds.pop("own")
            found += [compared(what, "ms", own, side, others) for side, others in milliseconds.items()]
    return found


def main() -> None:
    """Measure all cases, and print."""
    parser = argparse.ArgumentParser(description="Compare npvae's own products with BLAS's in a step.")
    parser.add_argument("folder", nargs="?", default="", help="MNIST's four IDX files")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--busy", action="store_true", help="let another process use one core")
    add_options(parser, rounds=20)
    args = parser.parse_args()
    with one_core_busy(args.busy):
        seconds = {
            case: {n: measured(case, args.folder, n, args.rounds) for n in (1, 2)} for case in args.cases
        }
    instructions = {64: "AVX-512", 32: "AVX2"}[VECTOR_BYTES]
    content = contents("blas_step", busy=args.busy, instructions=instructions, seconds=seconds)
    conclude(content, rows(content), args.out)


if __name__ == "__main__":
    main()
