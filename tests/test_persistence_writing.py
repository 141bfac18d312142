"""Model files are written whole or not at all."""

import os
import resource
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from npvae import persistence
from npvae.persistence import ModelFileError, load_model, save_model
from npvae.writing import write_atomically
from tests.model_files import VAE, make_params


def assert_nothing_happened(path, before):
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_metadata_that_json_cannot_say_are_refused_and_the_old_file_stays(path):
    before = path.read_bytes()
    with pytest.raises(TypeError, match="cannot be stored in a model file"):
        save_model(path, VAE, make_params(VAE), {"loss": object()})
    assert_nothing_happened(path, before)


@pytest.mark.parametrize(
    "error", [OSError("no space left"), KeyboardInterrupt()], ids=["full", "interrupted"]
)
def test_a_write_that_fails_half_way_leaves_the_old_file(path, error, monkeypatch):
    before = path.read_bytes()

    def fail(temporary, data):
        with open(temporary, "wb") as file:
            file.write(data[: len(data) // 2])
        raise error

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(type(error)):
        save_model(path, VAE, make_params(VAE), {})
    assert_nothing_happened(path, before)


def test_a_write_that_scrambles_is_noticed(path, monkeypatch):
    before = path.read_bytes()

    def scramble(tensors, metadata):
        return save({name: np.ascontiguousarray(t[::-1]) for name, t in tensors.items()}, metadata)

    monkeypatch.setattr(persistence, "save", scramble)
    with pytest.raises(OSError, match="does not read back as the same numbers"):
        save_model(path, VAE, make_params(VAE), {})
    assert_nothing_happened(path, before)


def test_a_missing_folder_is_made(tmp_path):
    path = tmp_path / "new" / "folder" / "model.safetensors"
    save_model(path, VAE, make_params(VAE), {})
    assert os.listdir(path.parent) == ["model.safetensors"]


def test_a_file_in_the_place_of_the_folder(path):
    before = path.read_bytes()
    with pytest.raises(OSError, match=r"model\.safetensors"):
        save_model(path / "inside", VAE, make_params(VAE), {})
    assert_nothing_happened(path, before)


def test_a_folder_in_the_place_of_the_file(tmp_path):
    (tmp_path / "model").mkdir()
    with pytest.raises(OSError, match="model"):
        save_model(tmp_path / "model", VAE, make_params(VAE), {})
    assert os.listdir(tmp_path) == ["model"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to(path):
    path.parent.chmod(0o500)
    try:
        with pytest.raises(PermissionError):
            save_model(path, VAE, make_params(VAE), {})
    finally:
        path.parent.chmod(0o700)


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_a_model_file_has_the_permissions_of_any_other(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        save_model(tmp_path / "model", VAE, make_params(VAE), {})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "model").stat().st_mode) == mode


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_a_file_that_is_replaced_keeps_its_permissions(path):
    path.chmod(0o640)
    save_model(path, VAE, make_params(VAE), {})
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_symbolic_link_is_kept(path, tmp_path):
    """And so is one that leads to a file that is yet to be written."""
    for target in ("model.safetensors", "new.safetensors"):
        link = tmp_path / "folder" / f"link to {target}"
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(f"../{target}")
        save_model(link, VAE, make_params(VAE), {"kept": target})
        assert link.is_symlink()
        assert load_model(tmp_path / target).metadata == {"kept": target}


def test_a_device_is_not_replaced():
    with pytest.raises(OSError, match="/dev/null is no regular file"):
        save_model("/dev/null", VAE, make_params(VAE), {})


KILLED = """
import os, signal, sys
from pathlib import Path
from npvae.writing import write_atomically
def write(temporary):
    temporary.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
write_atomically(Path(sys.argv[1]), write)
"""


def test_what_a_killed_process_left_is_removed_by_the_next(path):
    before, other = path.read_bytes(), path.with_name(f".{path.name}.swp")
    other.touch()
    subprocess.run([sys.executable, "-c", KILLED, str(path)], timeout=60)
    assert len(os.listdir(path.parent)) == 3, "a temporary file is left"
    assert path.read_bytes() == before
    save_model(path, VAE, make_params(VAE), {})
    assert set(os.listdir(path.parent)) == {path.name, other.name}


def test_what_another_process_is_writing_is_not_removed(path):
    def write(temporary):
        save_model(path, VAE, make_params(VAE), {"from": "the other"})
        temporary.write_bytes(b"whole")

    write_atomically(path, write)
    assert path.read_bytes() == b"whole"
    assert os.listdir(path.parent) == [path.name]


AGAIN = """
import sys
from pathlib import Path
from npvae.writing import write_text_atomically
for _ in range(200):
    write_text_atomically(Path(sys.argv[1]), "whole")
"""


def test_processes_that_write_the_same_file_do_not_disturb_each_other(tmp_path):
    command = [sys.executable, "-c", AGAIN, str(tmp_path / "file")]
    writers = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(3)]
    assert [writer.communicate(timeout=60)[1] for writer in writers] == [b""] * 3
    assert os.listdir(tmp_path) == ["file"]


def test_readers_and_writers_at_once_see_whole_files(path):
    stop, errors = threading.Event(), []

    def again_and_again(work):
        while not stop.is_set():
            try:
                work()
            except Exception as error:
                errors.append(error)

    works = [lambda: load_model(path)] * 2 + [lambda: save_model(path, VAE, make_params(VAE), {})] * 2
    threads = [threading.Thread(target=again_and_again, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    stop.wait(0.5)
    stop.set()
    for thread in threads:
        thread.join()
    assert errors == []
    assert os.listdir(path.parent) == [path.name]


def test_a_full_disk_is_an_os_error_that_says_so(path):
    """Here: a limit on the size of files."""
    before, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))
    try:
        with pytest.raises(OSError, match=r"File too large: '.*model\.safetensors'"):
            save_model(path, VAE, make_params(VAE), {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert_nothing_happened(path, before)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_neither_saved_nor_loaded(path, value):
    before, params = path.read_bytes(), make_params(VAE)
    params["mu.W"][1, 1] = value
    with pytest.raises(ValueError, match=r"mu\.W holds NaN or infinity"):
        save_model(path, VAE, params, {})
    assert_nothing_happened(path, before)
    whole = make_params(VAE)["mu.W"].tobytes()
    assert before.count(whole) == 1
    path.write_bytes(before.replace(whole, params["mu.W"].tobytes()))
    with pytest.raises(ModelFileError, match=r"mu\.W holds NaN or infinity"):
        load_model(path)


# safetensors would end the process (SIGABRT).
LITTLE_MEMORY = """
import resource, sys
import numpy as np
from npvae.persistence import load_tensors, save_tensors

path, tensors = sys.argv[1], {"a": np.ones(5_000_000, np.float32)}

def save():
    save_tensors(path, tensors, "npvae", {})

def load():
    load_tensors(path, "npvae")

def limited(function, n_more):
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + n_more, limits[1]))
    try:
        function()
        print("done")
    except MemoryError as error:
        print(error)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)

save()
for n_more in map(int, sys.argv[2:]):
    limited(save, n_more)
    limited(load, n_more)
load()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit the address space")
def test_too_little_memory_is_an_error(tmp_path):
    path, megabytes = tmp_path / "m.safetensors", [*range(1, 120, 7), 500]
    command = [sys.executable, "-c", LITTLE_MEMORY, path, *(n * 10**6 for n in megabytes)]
    ended = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    refusals = {  # 2 * (20 MB + 4 MiB), 20 MB + 4 MiB
        f"writing {path} needs at least 46.1 MiB of memory, more than there is",
        f"reading {path} needs at least 23.1 MiB of memory, more than there is",
        "Cannot allocate memory (os error 12)",
    }
    said = ended.stdout.splitlines()
    assert set(said[:8]) <= refusals
    assert said[-2:] == ["done"] * 2
    assert os.listdir(tmp_path) == [path.name]


def test_the_umask_is_not_touched(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("all threads have it"))
    save_model(tmp_path / "m.safetensors", VAE, make_params(VAE), {})
