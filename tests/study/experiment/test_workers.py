"""Workers that lose their parent, or are asked to stop."""

import os
import signal
import subprocess
import sys
import tempfile
import time

import pytest
from joblib import parallel_config

from npvae.study.comparison import _in_parallel
from npvae.study.experiment.workers import leash, on

WORKER = """
import signal, sys, time
from npvae.study.experiment.workers import on
try:
    with on(held):
        print("at work", flush=True)
        time.sleep(60)
except KeyboardInterrupt:
    print("asked to stop", flush=True)
"""
PARENT = """
import multiprocessing, os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in a script's background; workers inherit it
from npvae.study.experiment.workers import leash
with leash() as held:
    worker = multiprocessing.get_context("fork").Process(target=exec, args=(sys.argv[1], {"held": held}))
    worker.start()
    sys.stdin.readline()
    held.go_on.unlink()
    worker.join()
"""


def temporary_files_in(folder):
    return os.environ | {"TMPDIR": str(folder)}


@pytest.fixture
def parent(tmp_path):
    """A process with one worker, once that is at work."""
    command = [sys.executable, "-c", PARENT, WORKER]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        env=temporary_files_in(tmp_path),
    ) as process:  # fmt: skip
        try:
            assert process.stdout.readline() == "at work\n"
            yield process
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def test_a_worker_ends_when_its_parent_is_killed(parent, tmp_path, monkeypatch):
    parent.kill()
    started = time.monotonic()
    assert parent.stdout.read() == ""  # until the worker, who has it open too, has ended
    assert time.monotonic() - started < 10
    (left,) = tmp_path.iterdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with leash() as held:
        assert list(tmp_path.iterdir()) == [held.go_on]
        assert held.go_on != left, "the next comparison removes what a killed one left"


BEGIN_LATE = """
import os, signal, time
os.kill(held.parent, signal.SIGKILL)
while os.getppid() == held.parent:
    time.sleep(0.01)
"""


def test_a_worker_does_not_begin_when_its_parent_has_been_killed(tmp_path):
    command = [sys.executable, "-c", PARENT, BEGIN_LATE + WORKER]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=temporary_files_in(tmp_path),
        timeout=30,
    )
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"")


def test_a_worker_stops_when_it_is_asked_to(parent):
    parent.stdin.write("\n")
    parent.stdin.flush()
    assert parent.stdout.readline() == "asked to stop\n"


def test_nothing_is_watched_in_the_parent_itself():
    with leash() as held:
        held.go_on.unlink()
        with on(held):
            time.sleep(1.2)


def test_ctrl_c_after_the_last_result_is_not_lost():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with parallel_config("threading"):
            results = _in_parallel(lambda cell: (cell, "study"), [("a",), ("b",)], 2)
            assert {next(results), next(results)} == {("a", "study"), ("b", "study")}
            os.kill(os.getpid(), signal.SIGINT)
            with pytest.raises(KeyboardInterrupt):
                next(results)
    finally:
        signal.signal(signal.SIGINT, before)
