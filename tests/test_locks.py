"""Locks on files, and what is done without them."""

import os

from npvae import locks
from npvae.cli.run_folder import held_folder
from npvae.writing import write_text_atomically


def test_without_locks_files_are_written_and_folders_held_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "fcntl", None)
    with held_folder(tmp_path / "run"), held_folder(tmp_path / "run"):
        write_text_atomically(tmp_path / "run" / "file", "text")
    assert os.listdir(tmp_path / "run") == ["file"]
    assert (tmp_path / "run" / "file").read_text() == "text"


def test_a_lock_has_one_holder(tmp_path):
    with (tmp_path / "file").open("w") as first, (tmp_path / "file").open("w") as second:
        taken = locks.lock(first.fileno()), locks.lock(second.fileno())
    assert taken == ((None, None) if locks.fcntl is None else (True, False))
