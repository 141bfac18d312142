"""Ctrl-C while something runs that must not be broken off: imports, compilations, compiled functions."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from npvae import VAE
from npvae.estimators import score_draws
from npvae.kernels import interrupts_held, twins, using_team
from npvae.kernels.interrupts import SIGNALS, handled_by


@pytest.fixture(autouse=True)
def python_handler():
    """Whatever started the tests may have had SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


def test_it_comes_at_the_end():
    done = []
    with pytest.raises(KeyboardInterrupt), interrupts_held():  # noqa: PT012
        ctrl_c()
        done.append("all of it")
    assert done == ["all of it"]


def test_it_comes_where_it_is_let_through():
    done = []
    with pytest.raises(KeyboardInterrupt), interrupts_held() as held:  # noqa: PT012
        held.deliver()
        ctrl_c()
        held.deliver()
        done.append("the rest")
    assert done == []


def test_it_is_not_lost_behind_an_error():
    with pytest.raises(KeyboardInterrupt), interrupts_held():  # noqa: PT012
        ctrl_c()
        raise ValueError


def test_it_is_not_lost_in_code_that_swallows_exceptions(monkeypatch):
    """SciPy's Sobol sequence, whose compiled part prints an exception and goes on."""
    done, draw = [], score_draws.qmc.MultivariateNormalQMC

    def interrupted(*args, **options):
        with contextlib.suppress(KeyboardInterrupt):
            ctrl_c()
            done.append("all of it")
        return draw(*args, **options)

    monkeypatch.setattr(score_draws.qmc, "MultivariateNormalQMC", interrupted)
    with pytest.raises(KeyboardInterrupt):
        score_draws.shared_noise(5, 3)
    assert done == ["all of it"]


def test_handlers_of_the_program_are_called_later():
    calls = []
    with handled_by(lambda number, frame: calls.append(number), SIGNALS):
        with interrupts_held():
            for number in SIGNALS:
                os.kill(os.getpid(), number)
            assert calls == []
        assert sorted(calls) == sorted(SIGNALS)


def test_a_handler_that_raises_while_others_are_put_back():
    """At 40 moments, of which some fall between two handlers."""
    raising = [signal.default_int_handler] * len(SIGNALS)
    with handled_by(signal.default_int_handler, SIGNALS):
        for i in range(40):
            came = []
            timer = threading.Timer(0.0005 + 0.00005 * i, ctrl_c)
            with contextlib.suppress(KeyboardInterrupt):
                timer.start()
                while not came:
                    with handled_by(lambda number, frame, came=came: came.append(number), SIGNALS):
                        pass
            timer.join()
            assert [signal.getsignal(number) for number in SIGNALS] == raising


def test_another_thread_changes_nothing():
    handlers = []

    def work():
        with interrupts_held() as held:
            handlers.append(signal.getsignal(signal.SIGINT))
            held.deliver()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler]


def test_no_compiled_function_returns_an_array(rng):
    """For an array that is returned, numba runs Python code in which Ctrl-C becomes a SystemError."""
    numba = pytest.importorskip("numba")
    x = rng.random((3, 4), dtype=np.float32)
    twins.sigmoid_forward(x), twins.softplus_forward(x), twins.bernoulli_forward(x, x)
    twins.take_pixels(np.ones((3, 4), np.uint8), np.arange(2))
    kernels = [value for value in vars(twins).values() if hasattr(value, "overloads")]
    results = [signature.return_type for kernel in kernels for signature in kernel.nopython_signatures]
    if numba.config.DISABLE_JIT:
        return
    assert len(results) >= 4
    assert all(isinstance(kind, numba.types.NoneType | numba.types.Number) for kind in results)


@pytest.mark.parametrize("n_threads", [1, 3])
def test_scoring_ends_with_keyboard_interrupt_and_no_thread_stays(n_threads):
    """At 30 random moments."""
    X = np.random.default_rng(0).random((600, 100), dtype=np.float32)
    settings = {"hidden": (64,), "likelihood": "bernoulli", "max_epochs": 1, "random_state": 0}
    vae = VAE(8, **settings, n_threads=n_threads).fit(X)
    B = np.tile(X, (10, 1))
    vae.score_samples(X)
    started = time.perf_counter()
    vae.score_samples(B)
    seconds, rng, found = time.perf_counter() - started, np.random.default_rng(1), []
    for _ in range(30):
        timer = threading.Timer(rng.uniform(0, 0.8 * seconds), ctrl_c)
        try:
            timer.start()
            vae.score_samples(B)
            found.append("a result")
            timer.join()
        except BaseException as error:
            found.append(type(error).__name__)
        timer.join()
    assert set(found) <= {"KeyboardInterrupt", "a result"}
    assert "KeyboardInterrupt" in found
    assert [thread for thread in threading.enumerate() if thread.name == "npvae-team"] == []


def test_a_team_that_is_interrupted_while_it_is_made_leaves_no_thread(monkeypatch):
    start = threading.Thread.start

    def interrupted(thread):
        start(thread)
        ctrl_c()

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt), using_team(3):
        raise AssertionError
    assert threading.active_count() == len(threading.enumerate())
    assert [thread for thread in threading.enumerate() if thread.name == "npvae-team"] == []


FIRST_FIT = """
import builtins, os, signal, sys
import numpy as np
from npvae import VAE
signal.signal(signal.SIGINT, signal.default_int_handler)
X = np.random.default_rng(0).random((100, 6), dtype=np.float32)
real, count, at = builtins.__import__, [0], int(sys.argv[1])

def interrupted(name, *rest):
    if name.startswith(("numba", "llvmlite")) and "numba" in sys.modules:
        count[0] += 1
        if count[0] == at:
            os.kill(os.getpid(), signal.SIGINT)
    return real(name, *rest)

builtins.__import__ = interrupted
try:
    first = VAE(2, hidden=(4,), max_epochs=2, tol=None, random_state=0).fit(X).stop_reason_
except BaseException as error:
    first = type(error).__name__
builtins.__import__ = real
assert count[0] > at, count
print(first, VAE(2, hidden=(4,), max_epochs=2, tol=None, random_state=0).fit(X).stop_reason_)
"""


@pytest.mark.parametrize("at", [5, 150, 400])
def test_after_an_interrupt_while_numba_is_imported_the_next_fit_works(at):
    command = [sys.executable, "-W", "ignore", "-c", FIRST_FIT, str(at)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() in (["KeyboardInterrupt", "max_epochs"], ["interrupted", "max_epochs"]), done
