"""Workers that lose their parent, or are asked to stop."""

import os
import signal
import subprocess
import sys
import time

import pytest

from npvae.study.experiment.workers import leash, on

WORKER = """
import os, sys, time
from pathlib import Path
from npvae.study.experiment.workers import Leash, on
try:
    with on(Leash(int(sys.argv[1]), Path(sys.argv[2]))):
        print("at work", flush=True)
        time.sleep(60)
except KeyboardInterrupt:
    print("asked to stop", flush=True)
"""
PARENT = """
import os, signal, subprocess, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in a script's background; workers inherit it
from npvae.study.experiment.workers import leash
with leash() as held:
    worker = subprocess.Popen([sys.executable, "-c", sys.argv[1], str(held.parent), str(held.go_on)])
    sys.stdin.readline()
    held.go_on.unlink()
    worker.wait()
"""


@pytest.fixture
def parent():
    """A process with one worker, once that is at work."""
    command = [sys.executable, "-c", PARENT, WORKER]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stdout.readline() == "at work\n"
            yield process
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def test_a_worker_ends_when_its_parent_is_killed(parent):
    parent.kill()
    started = time.monotonic()
    assert parent.stdout.read() == ""  # until the worker, who has it open too, has ended
    assert time.monotonic() - started < 10


def test_a_worker_stops_when_it_is_asked_to(parent):
    parent.stdin.write("\n")
    parent.stdin.flush()
    assert parent.stdout.readline() == "asked to stop\n"


def test_nothing_is_watched_in_the_parent_itself():
    with leash() as held:
        held.go_on.unlink()
        with on(held):
            time.sleep(1.2)
