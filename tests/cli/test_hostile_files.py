"""Files of strangers, missing streams, full disks: a clean message, and nothing that was learned is lost."""

import io
import json
import os
import resource
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import npvae
from npvae.persistence import load_model, save_model
from npvae.training import Stepper
from tests.cli.tools import assert_refused, invoke
from tests.model_files import content, rewrite

ESCAPE = "\x1b]0;PWNED\x07\x1b[2J\nforged line: all is well"


@pytest.fixture
def model_file(models, tmp_path):
    """A copy of a model file, and a function that changes its description."""
    path = tmp_path / "m.safetensors"
    path.write_bytes((models / "vae.safetensors").read_bytes())

    def change(edit):
        description, tensors = content(path)
        edit(description["metadata"])
        rewrite(path, description, tensors)
        return path

    return change


@pytest.mark.parametrize(
    "edit",
    [
        lambda m: m.pop("training"),
        lambda m: m["training"].update(history=[1]),
        lambda m: m["training"]["history"].update(loss="low"),
        lambda m: m["training"].update(history={"loss": [1, [2]]}),
        lambda m: m.update(data_range=["a", "b"]),
        lambda m: m.update(data_range=[[0, 1], [2]]),
        lambda m: m.update(hyperparameters=None),
        lambda m: m.clear(),
    ],
    ids=["no training", "history a list", "losses text", "ragged losses", "range text", "ragged range",
         "settings null", "nothing"],
)  # fmt: skip
def test_info_of_descriptions_in_another_form(edit, model_file):
    result = invoke("info", model_file(edit))
    assert (result.code, result.err) == (0, ""), result
    assert "unknown" in result.out or "nats per sample" not in result.out
    assert "encoder.0.W" in result.out


def test_info_of_a_file_that_save_model_wrote(models, tmp_path):
    network, params, _ = load_model(models / "vae.safetensors")
    save_model(tmp_path / "m", network, params, {})
    assert invoke("info", tmp_path / "m").code == 0


@pytest.mark.parametrize(
    "edit",
    [
        lambda m: m.update(npvae_version=ESCAPE),
        lambda m: m.update(estimator=ESCAPE),
        lambda m: m["training"].update(stop_reason=ESCAPE),
        lambda m: m["training"].update(n_iter=[ESCAPE]),
        lambda m: m["hyperparameters"].update({ESCAPE: 1}),
        lambda m: m["hyperparameters"].update(activation=ESCAPE),
    ],
)
def test_info_neither_forges_lines_nor_reaches_the_terminal(edit, model_file):
    path = model_file(edit)
    for result in (
        invoke("info", path),
        invoke("info", path, "--json"),
        invoke("sample", path, "--out", path.with_suffix(".npy")),
    ):
        text = result.out + result.err
        assert text.replace("\n", "").isprintable()
        assert "\nforged line" not in text


def test_names_of_files_neither_forge_lines_nor_reach_the_terminal(tmp_path):
    result = invoke("info", tmp_path / ESCAPE)
    assert_refused(result, r"forged line: all is well: there is no such model file")
    assert result.err.strip().isprintable()


def test_pipes_and_devices_are_no_model_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero", "/dev/null"):
        assert_refused(invoke("info", path), "is no regular file")
    assert_refused(invoke("info", tmp_path), "is a folder")
    if Path("/proc/self/mem").exists():  # it looks like a regular file
        assert_refused(invoke("info", "/proc/self/mem"), "/proc/self/mem: ")
    assert_refused(invoke("info", "a" * 5000), "File name too long", "... (")
    os.mkfifo(tmp_path / "pipe.npy")
    out = tmp_path / "m.safetensors"
    assert_refused(invoke("train", "vae", "--data", tmp_path / "pipe.npy", "--out", out), "no regular file")


def npy(change):
    file = io.BytesIO()
    np.save(file, np.random.default_rng(0).random((60, 4)).astype(np.float32))
    return change(file.getvalue())


def npy_with(header):
    header += b" " * (-(len(header) + 13) % 64) + b"\n"
    return b"\x93NUMPY\x02\0" + struct.pack("<I", len(header)) + header + bytes(100)


DAMAGED = {
    "no }": npy(lambda b: b.replace(b"}", b" ", 1)),
    "no )": npy(lambda b: b.replace(b")", b" ", 1)),
    "(06": npy(lambda b: b.replace(b"(60", b"(06")),
    "-----1": npy_with(b"{'descr': '|u1', 'fortran_order': False, 'shape': (" + b"-" * 5000 + b"1, 4), }"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_header_of_an_npy_file(damage, tmp_path):
    (tmp_path / "d.npy").write_bytes(DAMAGED[damage])
    result = invoke("train", "vae", "--data", tmp_path / "d.npy", "--out", tmp_path / "m.safetensors")
    assert_refused(result, "d.npy: not a complete .npy file")


PROGRAM = "import sys; from npvae.cli import main; sys.exit(main())"


@pytest.mark.usefixtures("models")
def test_training_without_streams_and_without_a_home(images, tmp_path):
    """And what libraries print to the closed streams does not get into the model file."""
    out = tmp_path / "m.safetensors"
    command = (
        f'"{sys.executable}" -c "{PROGRAM}" train vae --data "{images}" --epochs 2 --hidden 4 --out "{out}"'
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HOME", "XDG"))}
    done = subprocess.run(["sh", "-c", f"exec {command} <&- >&- 2>&-"], env=environment, timeout=120)
    assert done.returncode == 0
    assert npvae.load(out).n_iter_ == 2


@pytest.mark.usefixtures("models")
def test_workers_of_a_process_without_stderr(images, tmp_path):
    argv = f'compare --data "{images}" --latent-dim 1 --epochs 1 --hidden 4 --importance-samples 1'
    argv += " --samples 10 --jobs 2"
    command = f'"{sys.executable}" -c "{PROGRAM}" {argv} --out "{tmp_path / "out"}"'
    done = subprocess.run(["sh", "-c", f"exec {command} 2>&-"], stdout=subprocess.DEVNULL, timeout=120)
    assert done.returncode == 0


@pytest.mark.usefixtures("models")
def test_fit_without_stderr(rng, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    vae = npvae.VAE(2, hidden=(3,), max_epochs=1, tol=None, verbose=1).fit(rng.random((60, 4)))
    assert vae.n_iter_ == 1


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("stderr", ["closed pipe", "full disk"])
def test_messages_that_cannot_be_written_do_not_end_the_work(stderr, images, tmp_path):
    if stderr == "closed pipe":
        reader, writer = os.pipe()
        os.close(reader)
    else:
        writer = os.open("/dev/full", os.O_WRONLY)
    path = tmp_path / "m.safetensors"
    command = [
        sys.executable,
        "-c",
        PROGRAM,
        "train",
        "vae",
        "--data",
        images,
        "--epochs",
        "2",
        "--out",
        path,
    ]
    done = subprocess.run(
        list(map(str, command)), stderr=writer, stdout=subprocess.PIPE, text=True, timeout=60
    )
    os.close(writer)
    assert done.returncode == 0
    assert "test loss" in done.stdout
    assert npvae.load(path).n_iter_ == 2


def test_fit_with_a_closed_stderr(rng, monkeypatch):
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    vae = npvae.VAE(2, hidden=(3,), max_epochs=1, tol=None, verbose=1).fit(rng.random((60, 4)))
    assert vae.n_iter_ == 1


@pytest.mark.usefixtures("quick_judges")
def test_names_of_folders_are_neither_html_nor_formulas_nor_escape_codes(rng, tmp_path):
    folder, tag = tmp_path / ESCAPE.replace("/", ""), "<img src=x onerror=alert(1)>"
    for k, name in enumerate([tag, "$x_{$", "\x1b[2J"]):
        (folder / name).mkdir(parents=True)
        for i in range(40):
            pixels = rng.integers(80 * k, 80 * (k + 1), (6, 6), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    argv = ("--data", folder, "--hidden", 4, "--epochs", 1, "--latent-dim", 2, "--importance-samples", 2)
    result = invoke("compare", *argv, "--samples", 10, "--out", tmp_path / "out")
    assert result.code == 0, result.err
    assert "\x1b" not in result.out + result.err
    page = (tmp_path / "out" / "report.html").read_text()
    assert tag not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "\x1b" not in page


def test_a_lock_is_no_file_of_others(images, tmp_path):
    (tmp_path / "precious").write_text("mine")
    for name in (".lock", ".npvae.lock"):
        (tmp_path / name).symlink_to("precious")
    result = invoke("compare", "--data", images, "--epochs", 1, "--out", tmp_path)
    assert_refused(result, ".npvae.lock")
    assert (tmp_path / "precious").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {".lock", ".npvae.lock", "precious"}


def test_info_without_stdout(models):
    command = f'"{sys.executable}" -c "{PROGRAM}" info "{models / "vae.safetensors"}"'
    done = subprocess.run(["sh", "-c", f"exec {command} >&-"], timeout=60, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def with_file_size(limit, *argv):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))
    try:
        return invoke(*argv)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_names_the_places_that_were_tried(images, tmp_path, monkeypatch):
    """Here: a limit on the size of files, which the disk of the other place has too."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "elsewhere"))
    argv = ("--data", images, "--epochs", 1, "--hidden", 30, "--out", tmp_path / "m.safetensors")
    result = with_file_size(10_000, "train", "vae", *argv)
    assert result.code == 2
    assert f"File too large: '{tmp_path / 'm.safetensors'}'; nor elsewhere" in result.err.splitlines()[-1]
    assert str(tmp_path / "elsewhere") in result.err.splitlines()[-1]
    assert [path.name for path in tmp_path.rglob("*")] == ["elsewhere"]


def test_a_model_that_cannot_be_saved_is_saved_elsewhere(images, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "elsewhere"))
    save = npvae.VAE.save

    def full(self, path):
        if "elsewhere" not in str(path):
            raise OSError(28, "No space left on device", str(path))
        save(self, path)

    monkeypatch.setattr(npvae.VAE, "save", full)
    argv = ("--data", images, "--epochs", 1, "--hidden", 30, "--json", "--out", tmp_path / "m.safetensors")
    result = invoke("train", "vae", *argv)
    assert result.code == 2, "a script must not go on as if --out were there"
    assert "No space left on device" in result.err
    assert "it is in" in result.err
    assert npvae.load(json.loads(result.out)["model"]).n_iter_ == 1

    argv = ("--data", images, "--epochs", 1, "--hidden", 30, "--latent-dim", 2, "--out", tmp_path / "compare")
    result = invoke("compare", *argv)
    assert (result.code, result.out) == (2, "")
    assert "No space left on device" in result.err.splitlines()[-1]
    (line,) = [line for line in result.err.splitlines() if "it is in" in line]
    assert npvae.load(line.split("it is in ")[1]).n_iter_ == 1


@pytest.mark.usefixtures("models")  # its kernels are compiled then
@pytest.mark.parametrize(
    ("options", "limit", "said"),
    [
        (("--hidden", "30"), 10_000, "the model could not be saved: [Errno 27] File too large: '"),
        (("--hidden", "4", "--learning-rate", "1e6"), None, "epoch"),
    ],
    ids=["full", "diverged"],
)
def test_an_error_of_a_worker(options, limit, said, images, tmp_path):
    """The last line says what happened, and nothing is said of code."""

    def limited():
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [
        sys.executable,
        "-c",
        PROGRAM,
        "compare",
        "--data",
        images,
        "--epochs",
        "20",
        "--latent-dim",
        "2",
    ]
    command += [*options, "--samples", "10", "--jobs", "2", "--out", tmp_path / "out"]
    (tmp_path / "elsewhere").mkdir()
    done = subprocess.run(
        list(map(str, command)), preexec_fn=limited, capture_output=True, text=True, timeout=120,
        env=os.environ | {"TMPDIR": str(tmp_path / "elsewhere")},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    *before, last = done.stderr.splitlines()
    assert last.startswith("npvae compare: ")
    assert said in last
    assert limit is None or f"nor elsewhere: [Errno 27] File too large: '{tmp_path / 'elsewhere'}" in last
    for line in before:
        assert line.startswith("npvae"), line


def test_memory_that_runs_out_during_training(images, tmp_path, monkeypatch):
    """The model as it was before is kept, beside one that is there already."""
    step, count, path = Stepper.step, [], tmp_path / "m.safetensors"
    path.write_bytes(b"another")

    def full(self, *args):
        count.append(1)
        if len(count) == 8:  # in the second epoch of five batches
            raise MemoryError("Unable to allocate 30.0 GiB")
        return step(self, *args)

    monkeypatch.setattr(Stepper, "step", full)
    result = invoke("train", "vae", "--data", images, "--epochs", 3, "--hidden", 4, "--out", path)
    assert (result.code, result.out) == (2, "")
    assert result.err.splitlines()[-1] == "npvae train: not enough memory (Unable to allocate 30.0 GiB)"
    assert path.read_bytes() == b"another"
    partial = tmp_path / "m.partial.safetensors"
    assert f"the model as far as it was trained is in {partial}" in result.err
    model = npvae.load(partial)
    assert (model.stop_reason_, model.n_iter_) == ("error", 1)
    assert np.isfinite(model.params_.flat).all()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit the address space")
@pytest.mark.parametrize(
    ("megabytes", "argv", "answer"),
    [
        (150, ("info", "m"), "limited to 150 MB, see ulimit -v; 160 MB are needed"),
        (
            250,
            ("train", "vae", "--out", "m.safetensors"),
            "limited to 250 MB, see ulimit -v; 650 MB are needed",
        ),
        (250, ("compare", "--out", "m"), "limited to 250 MB, see ulimit -v; 650 MB are needed"),
        (200, ("info", "m"), "m: there is no such model file"),
    ],
)
def test_little_address_space(megabytes, argv, answer, tmp_path):
    """The libraries would wait forever for memory, or end the process."""

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (megabytes * 10**6, megabytes * 10**6))

    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-m", "npvae", *argv], preexec_fn=limit, env=environment, capture_output=True,
        text=True, timeout=60, cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"npvae {argv[0]}: ")
    assert answer in line


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit the address space")
@pytest.mark.usefixtures("models")  # its kernels are compiled then
@pytest.mark.parametrize(
    ("megabytes", "argv"),
    [
        (650, ("train", "vae", "--epochs", "1", "--out", "m.safetensors")),
        (650, ("train", "vae", "--epochs", "1", "--threads", "40", "--out", "m.safetensors")),
        (900, ("train", "vae", "--epochs", "1", "--threads", "2", "--out", "m.safetensors")),
        (660, ("evaluate", "vae.safetensors", "--importance-samples", "5", "--samples")),
    ],
)
def test_address_space_that_is_barely_enough(megabytes, argv, images, models, tmp_path):
    """The libraries would end the process, or wait forever."""

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (megabytes * 10**6, megabytes * 10**6))

    shutil.copy(models / "vae.safetensors", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "npvae", *argv, "--data", str(images)], preexec_fn=limit, capture_output=True,
        text=True, timeout=60, cwd=tmp_path,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert done.returncode == 0 or (done.returncode == 2 and megabytes < 900), done.stderr
    if done.returncode == 2:
        last = done.stderr.splitlines()[-1]
        assert last.startswith(f"npvae {argv[0]}: ")
        assert "memory" in last or "threads" in last
