"""Data-parallel training: the processes that one mpirun started train one network together.

Every process, a rank, runs the same program on the same data. All of them draw the same order of the rows
and the same noise; each computes the gradient of its own rows of every batch, the gradients are added up,
and all take the same step. So parameters, history and decisions agree on all ranks at all times, and the
result is that of one process but for rounding, whose effect grows during training. The first rank, rank 0,
alone shows progress, calls callbacks and writes checkpoints.

Only the main thread of a process that mpirun started takes part: workers of joblib, threads, and processes
that a rank starts after its first training train by themselves. Without mpirun nothing of MPI is imported.

The environment says whether mpirun started a process: Open MPI sets OMPI_COMM_WORLD_SIZE; MPICH, Intel MPI
and Slurm's srun set PMI_SIZE. Tasks of srun that are to train a model each are started without that variable:
``srun -n 4 env -u PMI_SIZE python train.py``.

References
----------
Li et al. (2020), PyTorch distributed: experiences on accelerating data parallel training, section 2.
Thakur, Rabenseifner & Gropp (2005), Optimization of collective communication operations in MPICH (an
all-reduce as a reduce-scatter and an all-gather).
"""

import functools
import importlib.util
import multiprocessing
import os
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import numpy as np

from npvae.training.interrupt import InterruptRequest, ended_like_ctrl_c
from npvae.training.threads import available_threads

T = TypeVar("T")

_SIZE_VARIABLES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE")
_RANK_PID = "NPVAE_RANK_PID"  # set by a rank; a process that inherits it has another id, and is no rank


class ParallelError(RuntimeError):
    """The processes that mpirun started cannot train together."""


def n_launched() -> int:
    """Return how many processes mpirun started with this one, as the environment says; 1 without mpirun."""
    return max([1, *_sizes().values()])


def way_out() -> str:
    """Return what to do, after an error, where the processes are not to train together."""
    names = list(_sizes())
    return (
        f"To run each process by itself, start it without {' and '.join(names)} in its environment: env "
        f"{' '.join(f'-u {name}' for name in names)} COMMAND"
    )


def _sizes() -> dict[str, int]:
    """Return how many processes were started together, by the variable that says so."""
    if os.environ.get(_RANK_PID, str(os.getpid())) != str(os.getpid()):
        return {}
    sizes = {name: os.environ.get(name, "") for name in _SIZE_VARIABLES}
    return {name: int(size) for name, size in sizes.items() if size.isdecimal() and int(size) > 1}


def is_first_rank() -> bool:
    """Say whether this process is the one that writes and shows: rank 0, or the only one."""
    world = _world()
    return world is None or world.rank == 0


def share_state(rng: np.random.Generator, seed: int | None) -> None:
    """Set a generator to the state of rank 0's, so that all ranks draw the same numbers.

    Raises
    ------
    ParallelError
        The ranks' generators are made from different seeds.
    """
    world = _world()
    if world is not None:
        _check_same(world, {"random_state": seed})
        rng.bit_generator.state = world.bcast(rng.bit_generator.state)


def abort_at_exit(code: int) -> None:
    """Let all ranks end when this process ends, with this exit code, after an error.

    Otherwise MPI would wait at exit for the other ranks, which may be waiting for this one.
    """
    if "mpi4py.MPI" in sys.modules:
        from mpi4py.run import set_abort_status

        set_abort_status(code)


def _world() -> Any:
    """Return the communicator of all ranks, or None if this process or thread trains by itself."""
    in_main_process = multiprocessing.current_process().name == "MainProcess"
    if n_launched() == 1 or not in_main_process or threading.current_thread() is not threading.main_thread():
        return None
    return _join(n_launched())


@functools.cache
def _join(n_ranks: int) -> Any:
    """Start MPI."""
    if importlib.util.find_spec("mpi4py") is None:
        raise ParallelError(
            f"mpirun or srun started {n_ranks} processes, which need mpi4py to train one model together: pip "
            f"install 'npvae[mpi]'. {way_out()}"
        )
    from mpi4py import MPI

    if n_ranks != MPI.COMM_WORLD.size:
        library = MPI.Get_library_version().split(",")[0].strip()
        raise ParallelError(
            f"mpirun or srun started {n_ranks} processes, but mpi4py sees {MPI.COMM_WORLD.size}. To train "
            f"one model together, mpi4py must be built for the same MPI; it uses {library}. {way_out()}"
        )
    os.environ[_RANK_PID] = str(os.getpid())
    show = sys.excepthook

    def show_and_abort(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        show(kind, error, trace)
        abort_at_exit(1)

    sys.excepthook = show_and_abort
    return MPI.COMM_WORLD.Dup()  # so that messages of the program's own are never mistaken for these


class Ranks:
    """All ranks of a training, as one of them sees them; one process alone is the only rank.

    Parameters
    ----------
    interrupt : InterruptRequest
        Of this process.

    Attributes
    ----------
    rank, size : int
    """

    def __init__(self, interrupt: InterruptRequest) -> None:
        self._world, self._interrupt = _world(), interrupt
        self.rank: int = 0 if self._world is None else self._world.rank
        self.size: int = 1 if self._world is None else self._world.size
        self._interrupted = False  # whether a rank was, at the last sum
        self._parts = np.empty((0, 0), np.float32)

    @property
    def is_first(self) -> bool:
        """Whether this is rank 0, or the only one."""
        return self.rank == 0

    @property
    def interrupted(self) -> bool:
        """Whether training is to end after the step just taken, the same on all ranks."""
        return self._interrupt.requested if self.size == 1 else self._interrupted

    def rows(self, n: int) -> slice:
        """Return which of n rows are this rank's: about as many as every other's."""
        return slice(self.rank * n // self.size, (self.rank + 1) * n // self.size)

    def signals(self) -> AbstractContextManager[None]:
        """Treat SIGTERM as Ctrl-C within a with statement: mpirun passes Ctrl-C on as SIGTERM."""
        return nullcontext() if self.size == 1 else ended_like_ctrl_c()

    def n_threads(self, n_threads: int | None) -> int | None:
        """Return n_threads; where it is None, this rank's part of the cores that it shares with others."""
        if self.size == 1 or n_threads is not None or not hasattr(os, "sched_getaffinity"):
            return n_threads
        from mpi4py import MPI

        mine = os.sched_getaffinity(0)
        machine = self._world.Split_type(MPI.COMM_TYPE_SHARED)
        n_sharing = sum(not mine.isdisjoint(cores) for cores in machine.allgather(mine))
        machine.Free()
        return max(1, available_threads() // n_sharing)

    def add_up(self, gradient: np.ndarray, numbers: Sequence[float], weight: float) -> list[float]:
        """Replace a gradient by the weighted sum of all ranks' gradients.

        Parameters
        ----------
        gradient : (P,) array
            Changed in place, to the same bits on every rank.
        numbers : sequence of float
            The loss, summed likewise.
        weight : float
            This rank's part of the batch. With 0, gradient and numbers do not matter.

        Returns
        -------
        list of float
            The sums of `numbers`.

        Notes
        -----
        Every rank receives one piece of the vector from all others, adds them up in the order of the ranks,
        and sends the sum to all. This is as much traffic as the best all-reduce needs, 2 P (n - 1) / n
        numbers to and from every rank, and the order of the additions does not depend on the MPI library, on
        the network, or on who comes first.
        """
        n, n_extra = len(gradient), len(numbers) + 1
        length = -(-(n + n_extra) // self.size)
        if self._parts.shape != (self.size, length) or self._parts.dtype != gradient.dtype:
            self._parts = np.zeros((self.size, length), gradient.dtype)
            self._received = np.empty_like(self._parts)
            self._sum = np.empty(length, gradient.dtype)
        flat, asked = self._parts.reshape(-1), float(self._interrupt.requested)
        if weight == 0:
            flat[: n + n_extra - 1], flat[n + n_extra - 1] = 0, asked
        else:
            np.multiply(gradient, weight, out=flat[:n])
            flat[n : n + n_extra] = [*(weight * number for number in numbers), asked]
        self._world.Alltoall(self._parts, self._received)
        np.add.reduce(self._received, axis=0, out=self._sum)
        self._world.Allgather(self._sum, self._parts)
        gradient[:] = flat[:n]
        *sums, n_asked = flat[n : n + n_extra].tolist()
        self._interrupted = n_asked > 0
        return sums

    def gather(self, values: np.ndarray) -> np.ndarray:
        """Return the sum of all ranks' values, of which each rank has set its own and left the others 0."""
        if self.size == 1:
            return values
        found = np.empty_like(values)
        self._world.Allreduce(values, found)  # exact, in whatever order
        return found

    def decided(self, value: T) -> T:
        """Return rank 0's value."""
        return value if self.size == 1 else self._world.bcast(value)

    def agree_on_interrupt(self) -> bool:
        """Say, between two steps, whether any rank was interrupted."""
        if self.size > 1:
            self._interrupted = any(self._world.allgather(self._interrupt.requested))
        return self.interrupted

    def check_same(self, what: Mapping[str, object]) -> None:
        """Check that all ranks were given the same; the values are compared by ==.

        Raises
        ------
        ParallelError
            On all ranks, if something differs.
        """
        _check_same(self._world, what)

    def end_all(self, error: BaseException) -> None:
        """End all ranks, with a message, because this one cannot go on and the others would wait for it."""
        if self.size == 1:
            return
        traceback.print_exception(error)
        print(
            f"npvae: rank {self.rank} of {self.size} failed, so all ranks end; the last checkpoint is kept",
            file=sys.stderr,
            flush=True,
        )
        self._world.Abort(130 if isinstance(error, KeyboardInterrupt) else 1)


def _check_same(world: Any, what: Mapping[str, object]) -> None:
    found = world.allgather(dict(what))
    for rank, other in enumerate(found):
        for name, value in found[0].items():
            if other[name] != value:
                raise ParallelError(
                    f"rank {rank} of {world.size} has other {name} than rank 0. Under mpirun every rank "
                    "calls fit with the same data and settings, and takes its own part of each batch. "
                    + way_out()
                )
