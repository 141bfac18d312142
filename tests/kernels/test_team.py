"""A team of threads does every piece once, and nothing after `run` has returned."""

import os
import threading
import time
import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npvae.kernels import Team, current_team, cuts, using_team
from npvae.training import optimizers
from tests.kernels.cases import OPTIMIZERS, optimizer_arguments

sizes = pytest.mark.parametrize("n_threads", [1, 2, 3, 5])


@pytest.fixture
def team(n_threads):
    team = Team(n_threads)
    yield team
    team.close()


@sizes
def test_every_piece_is_done_once(team):
    for n_pieces in [0, 1, 2, 3, 8] * 200:
        counts = np.zeros(n_pieces, int)

        def count(piece, counts=counts):
            counts[piece] += 1

        team.run([lambda piece=piece: count(piece) for piece in range(n_pieces)])
        assert (counts == 1).all()


@sizes
def test_all_is_done_when_run_returns(team):
    done = []

    def slowly(piece):
        time.sleep(0.002 * (piece % 3))
        done.append(piece)

    for _ in range(20):
        done.clear()
        team.run([lambda piece=piece: slowly(piece) for piece in range(6)])
        assert sorted(done) == list(range(6))


def test_the_pieces_are_shared():
    """Two pieces that wait for each other can be done by two threads only."""
    barrier = threading.Barrier(2, timeout=10)
    with using_team(2) as team:
        for pause in (0, 0.01):  # while the thread still looks, and when it has gone to sleep
            for _ in range(20):
                team.run([barrier.wait, barrier.wait])
                time.sleep(pause)


def test_a_team_that_is_not_awake_leaves_everything_to_the_caller():
    with using_team(3) as team:
        team.awake = False
        names = []
        team.run([lambda: names.append(threading.current_thread())] * 20)
    assert names == [threading.current_thread()] * 20


@sizes
def test_an_error_in_a_piece_is_raised_and_the_team_goes_on(team):
    def fail():
        raise ZeroDivisionError("in a piece")

    for bad in range(4):
        pieces = [lambda: time.sleep(0.001)] * 4
        pieces[bad] = fail
        with pytest.raises(ZeroDivisionError, match="in a piece"):
            team.run(pieces)
        done = []
        team.run([lambda done=done: done.append(1)] * 4)
        assert done == [1] * 4


def test_threads_end_with_the_team():
    before = threading.active_count()
    with using_team(4) as team:
        assert threading.active_count() == before + 3
        team.run([lambda: None] * 8)
    assert threading.active_count() == before


def test_a_team_that_cannot_be_completed_leaves_no_thread(monkeypatch):
    before, start = threading.active_count(), threading.Thread.start

    def refuse(thread):
        if threading.active_count() >= before + 3:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(OSError, match="10 threads"):
        Team(10)
    assert threading.active_count() == before


def test_a_team_belongs_to_the_thread_that_made_it():
    found = []
    with using_team(2) as team:
        assert current_team() is team
        with using_team(1) as inner:
            assert current_team() is inner
        assert current_team() is team
        other = threading.Thread(target=lambda: found.append(current_team()))
        other.start()
        other.join()
    assert found == [None]
    assert current_team() is None


def test_pieces_that_wait_for_others_are_told_to_give_up():
    """An error in one piece would otherwise leave the other waiting for ever."""
    for failing in range(2):
        dismissed = threading.Event()

        def wait(dismissed=dismissed):
            assert dismissed.wait(timeout=10)

        def fail():
            raise ZeroDivisionError

        pieces = [wait, wait]
        pieces[failing] = fail
        with using_team(2) as team:
            with pytest.raises(ZeroDivisionError):
                team.run(pieces, abandon=dismissed.set)
            assert dismissed.is_set()
            team.run([lambda: None] * 2)


def test_an_interruption_before_the_first_piece_leaves_nobody_waiting(monkeypatch):
    """Ctrl-C after the others have been told of a job."""
    dismissed = threading.Event()
    with using_team(2) as team:
        team.run([lambda: None] * 2)
        announce = team._announce

        def interrupted(job):
            announce(job)
            if not team._closing:
                raise KeyboardInterrupt

        monkeypatch.setattr(team, "_announce", interrupted)
        with pytest.raises(KeyboardInterrupt):
            team.run([lambda: dismissed.wait(10)] * 2, abandon=dismissed.set)
        assert dismissed.is_set()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:os.fork\\(\\) was called")  # of JAX, where another test has imported it
def test_a_forked_process_has_no_team():
    with using_team(2), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads
        child = os.fork()
        if child == 0:
            os._exit(0 if current_team() is None else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert current_team() is not None


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_shared_by_a_team(name, rng):
    n_vectors = OPTIMIZERS[name][0]
    args = optimizer_arguments(name, rng, 200_003, np.float32)
    expected = [np.copy(arg) for arg in args[:n_vectors]]
    getattr(optimizers, name)(*expected, *args[n_vectors:])
    for n_threads in (1, 2, 3):
        changed = [np.copy(arg) for arg in args[:n_vectors]]
        with using_team(n_threads):
            getattr(optimizers, name)(*changed, *args[n_vectors:])
        for result, right in zip(changed, expected, strict=True):
            np.testing.assert_array_equal(result, right)


@given(n=st.integers(1, 10_000), n_pieces=st.integers(1, 9))
def test_cuts_cover_everything_once(n, n_pieces):
    ends = cuts(n, n_pieces)
    assert ends[0][0] == 0
    assert ends[-1][1] == n
    assert all(a[1] == b[0] for a, b in pairwise(ends))
    assert all(start < stop for start, stop in ends)
    assert len(ends) <= n_pieces
    assert len({stop - start for start, stop in ends[:-1]}) <= 1
    assert all((stop - start) % 16 == 0 for start, stop in ends[:-1])
