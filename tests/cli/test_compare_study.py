"""`npvae compare` over latent dimensions and seeds, and in a folder that remembers what was done."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import npvae
from npvae.study.metrics import two_sample
from tests.cli.test_interrupt import PROGRAM
from tests.cli.tools import assert_complete_png, invoke

pytestmark = pytest.mark.usefixtures("quick_judges")

SETTINGS = ("--latent-dim", 2, "--epochs", 2, "--hidden", 8, "--importance-samples", 5)
CELLS = ("ae-d2-seed0", "vae-d2-seed0")


@pytest.fixture
def compare(images, tmp_path, monkeypatch):
    """Run the command in this process, without pictures; return its result, what it trained, and measured."""
    monkeypatch.setattr("npvae.view.report.pictures.write_pictures", lambda comparison, folder: [])
    monkeypatch.setattr("npvae.cli.compare._write_explorer", lambda comparison, folder: None)

    def run(*argv, out=tmp_path / "out", code=0):
        trained, fit = [], {cls: cls.fit for cls in (npvae.VAE, npvae.Autoencoder)}
        with monkeypatch.context() as patch:
            for cls in fit:

                def counted(self, *args, **options):
                    kind = "vae" if isinstance(self, npvae.VAE) else "ae"
                    trained.append(f"{kind}-d{self.latent_dim}-seed{self.random_state}")
                    return fit[type(self)](self, *args, **options)

                patch.setattr(cls, "fit", counted)
            result = invoke("compare", "--data", images, *SETTINGS, "--jobs", 1, "--out", out, *argv)
        assert result.code == code, result.err
        measured = [line.split()[-1] for line in result.err.splitlines() if ": measuring " in line]
        if "judging the controls" in result.err:
            measured.append("controls")
        return result, trained, measured

    return run


def record(out):
    return json.loads((out / "run.json").read_text())


def without_clock(text):
    """A run.json without what the clock says."""
    result = json.loads(text)
    for model in result["models"]:
        model["training"]["history"].pop("seconds")
    return result


def files(folder):
    """The bytes of every file below a folder."""
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def study(images, tmp_path_factory, quick_judges):
    """Two latent dimensions, two seeds, with pictures."""
    out = tmp_path_factory.mktemp("study") / "out"
    argv = ("--latent-dim", 2, 5, "--seeds", 2, "--seed", 7, "--jobs", 1)
    result = invoke("compare", "--data", images, *SETTINGS, *argv, "--out", out)
    assert result.code == 0, result.err
    return out, result


def test_all_models_and_pictures_are_there(study):
    out, _ = study
    names = {f"{k}-d{d}-seed{s}" for k in ("ae", "vae") for d in (2, 5) for s in (7, 8)}
    assert {path.stem for path in (out / "models").glob("*.safetensors")} == names
    for name in names:
        model = npvae.load(out / "models" / f"{name}.safetensors")
        assert f"-d{model.latent_dim}-seed{model.random_state}" in name
    pictures = record(out)["pictures"]
    assert set(pictures) == {path.name for path in out.glob("*.png")}
    assert pictures[0] == "metrics.png"
    assert {"samples-d2.png", "plane-vae-d2.png", "latent-d5.png"} < set(pictures)
    assert "plane-vae-d5.png" not in pictures
    for name in pictures:
        assert_complete_png(out / name)
    n_images = (out / "report.html").read_text().count("data:image/png;base64,")
    assert n_images == len(pictures) + 4  # draws of both models of both dimensions


def test_what_is_printed(study):
    out, result = study
    lines = result.out.splitlines()
    assert max(map(len, lines)) <= 100
    assert (
        result.out.split("\n\n")[1].splitlines()[1] == "network 30-8-D-8-30, D = 2, 5, 2 epochs, seeds 7, 8"
    )
    said, printed = " ".join(record(out)["findings"]).split(), result.out.replace("\n* ", "\n").split()
    assert " ".join(said) in " ".join(printed)
    assert "(8 of 8)" in result.err


def test_the_table_has_means_and_deviations_of_run_json(study):
    out, result = study
    errors = {}
    for model in record(out)["models"]:
        key = model["latent_dim"], model["model"]
        errors.setdefault(key, []).append(model["figures"]["reconstruction"]["squared_error"])
    (line,) = [row for row in result.out.splitlines() if row.startswith("reconstruction: squared error")]
    cells = line.split()[-4:]
    for cell, (_, values) in zip(cells, sorted(errors.items()), strict=True):
        assert len(values) == 2
        mean, _, rest = cell.partition("(")
        unit = 10.0 ** -len(mean.partition(".")[2])
        assert abs(float(mean) - np.mean(values)) <= 0.51 * unit
        assert abs(int(rest.rstrip(")")) * unit - np.std(values, ddof=1)) <= 0.51 * unit


def test_run_json_tells_the_extent(study):
    out, _ = study
    extent = record(out)["extent"]
    assert (extent["latent_dims"], extent["seeds"]) == ([2, 5], [7, 8])
    assert not {"latent_dim", "seeds", "jobs", "threads", "samples"} & set(record(out)["settings"])
    with (out / "results.csv").open() as file:
        cells = {tuple(line.split(",")[:3]) for line in file}
    assert len(cells) == 1 + 1 + 1 + 8  # the head, the classifier, the controls, the models
    assert {("classifier", "", ""), ("control", "", "")} < cells


@pytest.fixture(scope="module")
def made(images, tmp_path_factory, quick_judges):
    """A folder that is complete, and what was printed."""
    out = tmp_path_factory.mktemp("made") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("npvae.view.report.pictures.write_pictures", lambda comparison, folder: [])
        patch.setattr("npvae.cli.compare._write_explorer", lambda comparison, folder: None)
        result = invoke("compare", "--data", images, *SETTINGS, "--out", out)
    assert result.code == 0, result.err
    return out, result


@pytest.fixture
def done(made, tmp_path):
    """A copy of it, where `compare` goes on; and what was printed."""
    shutil.copytree(made[0], tmp_path / "out")
    return made[1]


def test_everything_is_made_once(compare, made, tmp_path):
    first, trained, measured = compare()
    assert (trained, measured) == (list(CELLS), [*CELLS, "controls"])
    assert first.out == made[1].out


def test_a_repeated_run_does_nothing_again(compare, done, tmp_path):
    before = files(tmp_path / "out")
    again, trained, measured = compare()
    assert (trained, measured) == ([], [])
    assert again.out == done.out
    assert files(tmp_path / "out") == before
    assert "2 of 2 models are in the cache, trained and measured" in again.err
    assert "preparing the metrics" not in again.err


def test_other_samples_are_measured_without_training(compare, done, tmp_path):
    _, trained, measured = compare("--samples", 30)
    assert (trained, measured) == ([], [*CELLS, "controls"])
    assert record(tmp_path / "out")["n_compared"] == 30
    _, trained, measured = compare("--samples", 30, "--importance-samples", 6)
    assert (trained, measured) == ([], list(CELLS)), "the controls have no p(x)"


def test_another_version_of_npvae_does_everything_again(compare, done, monkeypatch):
    monkeypatch.setattr("npvae.version.__version__", "99.0")
    _, trained, measured = compare()
    assert (trained, measured) == (list(CELLS), [*CELLS, "controls"])


@pytest.mark.parametrize(
    ("name", "trained_again"),
    [
        ("models/vae-d2-seed0.safetensors", True),
        ("models/vae-d2-seed0.json", True),
        ("measured/vae-d2-seed0.json", False),
        ("measured/vae-d2-seed0.npz", False),
    ],
)
def test_what_is_damaged_is_done_again(name, trained_again, compare, done, tmp_path):
    """Cut short, or with a bit changed; what is not damaged is left as it is."""
    path = tmp_path / "out" / name
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[len(changed) // 2] ^= 1
    for damaged in (whole[:-9], bytes(changed)):
        path.write_bytes(damaged)
        again, trained, measured = compare()
        assert trained == (["vae-d2-seed0"] if trained_again else [])
        assert measured == ["vae-d2-seed0"]
        assert again.out == done.out


def test_damaged_controls_are_measured_again(compare, done, tmp_path):
    (tmp_path / "out" / "measured" / "controls.json").write_text("{")
    again, trained, measured = compare()
    assert (trained, measured) == ([], ["controls"])
    assert again.out == done.out


def test_dimensions_and_seeds_can_be_added(compare, done, tmp_path):
    """In either order, and as if all had been made at once."""
    _, trained, measured = compare("--latent-dim", 2, 3)
    assert trained == ["ae-d3-seed0", "vae-d3-seed0"] == measured
    all_four = ("--latent-dim", 2, 3, "--seeds", 2)
    added, trained, _ = compare(*all_four)
    assert trained == ["ae-d2-seed1", "vae-d2-seed1", "ae-d3-seed1", "vae-d3-seed1"]
    at_once, _, _ = compare(*all_four, out=tmp_path / "other")
    assert added.out == at_once.out
    texts = [(tmp_path / name / "run.json").read_text() for name in ("out", "other")]
    assert without_clock(texts[0]) == without_clock(texts[1])
    _, trained, measured = compare("--latent-dim", 3)
    assert (trained, measured) == ([], []), "fewer than there are"
    assert {model["latent_dim"] for model in record(tmp_path / "out")["models"]} == {3}


@pytest.mark.parametrize(
    ("options", "objective", "n_draws"),
    [((), "elbo", 1), (("--objective", "iwae"), "iwae", 5), (("--draws", 2), "elbo", 2)],
)
def test_settings_hold_the_number_of_draws(options, objective, n_draws, compare, tmp_path):
    out = tmp_path / "out"
    result, _, _ = compare(*options)
    settings = record(out)["settings"]
    assert (settings["objective"], settings["draws"]) == (objective, n_draws)
    vae = npvae.load(out / "models" / "vae-d2-seed0.safetensors")
    assert (vae.objective, vae.n_draws) == (objective, n_draws)
    assert (f"; VAE: the importance-weighted bound, {n_draws} draws" in result.out) == (objective == "iwae")
    _, trained, _ = compare(*options, "--draws", n_draws)
    assert trained == [], "the default, said"
    compare("--draws", 3, code=2)


def test_threads_and_jobs_are_no_settings(compare, done):
    _, trained, measured = compare("--threads", 1, "--jobs", 2)
    assert (trained, measured) == ([], [])


def test_a_folder_of_other_settings_is_not_touched(compare, done, tmp_path):
    before = files(tmp_path / "out")
    for other in (("--hidden", 9), ("--learning-rate", 0.01), ("--seed", 1), ("--binarize", "static")):
        result, trained, _ = compare(*other, code=2)
        assert "holds a run with other settings or data" in result.err
        assert trained == []
        assert files(tmp_path / "out") == before


def test_jobs_give_the_same(images, tmp_path, monkeypatch):
    """In processes of their own, where nothing is patched: so neither is it here."""
    monkeypatch.setattr("npvae.view.report.pictures.write_pictures", lambda comparison, folder: [])
    monkeypatch.setattr("npvae.cli.compare._write_explorer", lambda comparison, folder: None)
    monkeypatch.setattr(two_sample, "_EPOCHS", 30)
    monkeypatch.setattr(two_sample, "_STEPS", 25)
    results = []
    for jobs in (1, 2):
        out = tmp_path / str(jobs)
        argv = (*SETTINGS, "--samples", 10, "--jobs", jobs, "--out", out)
        result = invoke("compare", "--data", images, *argv)
        assert result.code == 0, result.err
        results.append((result.out, without_clock((out / "run.json").read_text())))
        models = sorted((out / "models").glob("*.safetensors"))
        results[-1] += ([npvae.load(model).params_.flat.tobytes() for model in models],)
    assert results[0] == results[1]
    assert len(results[0][2]) == 2


def descendants(process):
    """Return the processes below a process."""
    found = []
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # it has ended
            for child in map(int, children.read_text().split()):
                found += [child, *descendants(child)]
    return found


def runs(process):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    return False


@pytest.mark.skipif(
    not Path(f"/proc/self/task/{os.getpid()}/children").exists(), reason="needs Linux's /proc"
)
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_jobs_end_with_their_parent(by, images, tmp_path):
    """A terminal sends Ctrl-C to all processes; the other signals go to the parent alone."""
    out = tmp_path / "out"
    argv = ("--epochs", 10**6, "--hidden", 8, "--samples", 10, "--jobs", 2, "--out", out)
    command = [sys.executable, "-c", PROGRAM, "compare", "--data", str(images), "--latent-dim", "2"]
    with (
        (tmp_path / "err").open("w") as err,
        subprocess.Popen(
            [*command, *map(str, argv)], stdout=subprocess.PIPE, stderr=err, start_new_session=True
        ) as process,
    ):
        try:
            end = time.monotonic() + 60
            while len(list((out / "models").glob("*.checkpoint"))) < 2:
                assert process.poll() is None
                assert time.monotonic() < end
                time.sleep(0.1)
            workers = descendants(process.pid)
            assert len(workers) >= 2
            if by == signal.SIGINT:
                os.killpg(process.pid, by)
            else:
                process.send_signal(by)
            assert process.wait(timeout=30) == (-by if by == signal.SIGKILL else 130)
            end = time.monotonic() + 10
            while any(map(runs, workers)) and time.monotonic() < end:
                time.sleep(0.1)
            assert not any(map(runs, workers))
            assert process.stdout.read() == b""
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    said = (tmp_path / "err").read_text()
    assert "Traceback" not in said
    if by == signal.SIGKILL:
        return
    assert {path.name for path in out.iterdir()} == {"models", "measured", "run.json"}
    for cell in CELLS:
        path = out / "models" / f"{cell}.safetensors"
        assert str(path) in said
        assert npvae.load(path).stop_reason_ == "interrupted"
