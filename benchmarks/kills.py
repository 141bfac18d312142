"""Kill `npvae train` and `npvae compare` with SIGKILL, again and again, and resume them to the same bits.

    OMP_NUM_THREADS=1 python benchmarks/kills.py [--moments 50] [--seed 0]

`train` is killed at every file event: each time that it is about to open, rename, remove, truncate or change
a file beside its model. It is resumed with --resume, and the model must have the parameters and losses of an
unbroken training, with no temporary file left. Then `train` and `compare` are killed at that many random
moments: a run is killed, resumed, killed, resumed until it completes, and begun anew. `compare` must come to
the same models and numbers as an unbroken run. Last, `compare --jobs 2` is ended by SIGTERM and by SIGKILL to
the parent alone, which its workers must not survive, and two runs are started in one folder, of which one
must be refused.

Runs are forks of this process, in which everything is imported and compiled, so that each takes a fraction
of a second (OpenMP's threads would not survive a fork); the last ones are processes of their own.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

import npvae
from npvae.cli import main as npvae_main

EVENTS = {"open", "os.rename", "os.remove", "os.truncate", "os.chmod", "os.mkdir", "os.rmdir"}
KILLED = -signal.SIGKILL


def forked(argv: list[str], folder: Path, *, event: int | None = None, after: float | None = None) -> int:
    """Run a command in a fork; kill it at a file event in the folder, or after some seconds."""
    process = os.fork()
    if process == 0:
        code = 3
        try:
            with open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), 1)
                os.dup2(nowhere.fileno(), 2)
            if event is not None:
                sys.addaudithook(_killer(folder, event))
            code = npvae_main(argv)
        finally:
            os._exit(code)
    if after is not None:
        timer = threading.Timer(after, os.kill, (process, signal.SIGKILL))
        timer.start()
    _, status = os.waitpid(process, 0)
    if after is not None:
        timer.cancel()
        timer.join()
    return os.waitstatus_to_exitcode(status)


def _killer(folder: Path, event: int) -> Any:
    left, prefix = [event], str(folder)

    def hook(name: str, arguments: tuple[Any, ...]) -> None:
        if name in EVENTS and str(arguments[0]).startswith(prefix):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return hook


def of_model(path: Path) -> tuple[bytes, Any]:
    """Return what must be the same: parameters and losses."""
    model = npvae.load(path)
    return model.params_.flat.tobytes(), {k: v for k, v in model.history_.items() if k != "seconds"}


def of_compare(folder: Path) -> Any:
    """Return the models and all numbers of a comparison."""
    record = json.loads((folder / "run.json").read_text())
    models = {path.name: of_model(path) for path in sorted((folder / "models").glob("*.safetensors"))}
    numbers = [
        {name: value for name, value in model.items() if name not in ("history", "training", "seconds")}
        for model in record["models"]
    ]
    return models, json.dumps(numbers, sort_keys=True)


def leftovers(folder: Path) -> list[str]:
    """Return the names of hidden files and checkpoints."""
    return [path.name for path in folder.rglob("*") if path.name[0] == "." or path.suffix == ".checkpoint"]


def at_every_file_event(data: Path, work: Path) -> str:
    """Kill `train` at its first file event, its second, and so on until it completes."""
    out = work / "unbroken" / "m.safetensors"
    options = ["train", "vae", "--data", str(data), "--epochs", "4", "--hidden", "8"]
    assert forked([*options, "--out", str(out)], out.parent) == 0
    expected, n_events = of_model(out), 0
    with tqdm(desc="train, file events", unit="kill") as bar:
        while True:
            folder = work / "events"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            argv = [*options, "--checkpoint-every", "1", "--resume", "--out", str(folder / "m.safetensors")]
            code = forked(argv, folder, event=n_events + 1)
            if code != KILLED:
                assert code == 0, code
                break
            n_events += 1
            bar.update()
            assert forked(argv, folder) == 0, n_events
            assert of_model(folder / "m.safetensors") == expected, n_events
            assert leftovers(folder) == [], (n_events, leftovers(folder))
    return f"train: killed at each of {n_events} file events, resumed to the same bits {n_events} times"


def at_random_moments(
    name: str, argv: list[str], result: Any, target: str, work: Path, moments: int, seed: int
) -> str:
    """Kill a command at random moments; resume it until it completes, and begin anew."""
    rng, folder = random.Random(seed), work / name
    started = time.perf_counter()
    assert forked([*argv, "--out", str(work / "unbroken" / target)], work) == 0
    seconds, expected = time.perf_counter() - started, result(work / "unbroken" / target)
    n_kills, n_complete = 0, 0
    with tqdm(total=moments, desc=f"{name}, random moments", unit="kill") as bar:
        while n_kills < moments or n_complete == 0:
            folder.mkdir(exist_ok=True)
            last = n_kills >= moments
            code = forked(
                [*argv, "--out", str(folder / target)],
                folder,
                after=None if last else rng.uniform(0, seconds),
            )
            if code == KILLED:
                n_kills += 1
                bar.update()
                continue
            assert code == 0, code
            n_complete += 1
            assert result(folder / target) == expected, (n_kills, n_complete)
            assert leftovers(folder) == [], leftovers(folder)
            shutil.rmtree(folder)
    return (
        f"{name}: {n_kills} kills at random moments of {seconds:.1f} s, {n_complete} runs completed, each "
        "with the bits of an unbroken one"
    )


def children(process: int) -> list[int]:
    """Return the processes below a process (Linux)."""
    found = []
    for task in os.listdir(f"/proc/{process}/task"):
        for child in map(int, Path(f"/proc/{process}/task/{task}/children").read_text().split()):
            found += [child, *children(child)]
    return found


def is_alive(process: int) -> bool:
    """Say whether a process runs (Linux)."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    return False


def orphans(data: Path, work: Path) -> Iterator[str]:
    """End the parent of workers, and see when the workers end."""
    for sig in (signal.SIGTERM, signal.SIGKILL):
        folder = work / f"orphans-{sig.name}"
        argv = [
            "compare",
            "--data",
            str(data),
            "--latent-dim",
            "2",
            "3",
            "--epochs",
            "1000000",
            "--hidden",
            "8",
        ]
        command = [sys.executable, "-m", "npvae", *argv, "--jobs", "2", "--out", str(folder)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while len(list((folder / "models").glob("*.checkpoint"))) < 2 and process.poll() is None:
            time.sleep(0.2)
        workers, started = children(process.pid), time.monotonic()
        process.send_signal(sig)
        process.wait()
        while any(map(is_alive, workers)) and time.monotonic() - started < 60:
            time.sleep(0.1)
        n_alive = sum(map(is_alive, workers))
        yield (
            f"compare --jobs 2, {sig.name} to the parent: exit code {process.returncode}, {len(workers)} "
            f"workers, {n_alive} alive after {time.monotonic() - started:.1f} s"
        )


def two_at_once(data: Path, work: Path) -> str:
    """Start two comparisons in one folder."""
    argv = ["compare", "--data", str(data), "--epochs", "20", "--hidden", "8", "--out", str(work / "two")]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "npvae", *argv], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    ends = [(process.communicate()[1].decode(), process.returncode) for process in processes]
    assert sorted(code for _, code in ends) == [0, 2], ends
    (refusal,) = [text for text, code in ends if code == 2]
    assert "another run is writing into" in refusal, refusal
    assert leftovers(work / "two") == []
    return "two compares in one folder: one completed, the other was refused with exit code 2"


def main() -> None:
    """Run all, and print what happened."""
    parser = argparse.ArgumentParser(description="Kill and resume.")
    parser.add_argument("--moments", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    # The usual lock would be shared with forks, and stay locked by one that was killed.
    tqdm.set_lock(threading.RLock())
    with tempfile.TemporaryDirectory() as name:
        work, data = Path(name).resolve(), Path(name).resolve() / "data.npy"
        np.save(data, np.random.default_rng(0).integers(0, 256, (300, 5, 6), dtype=np.uint8))
        train = ["train", "vae", "--data", str(data), "--epochs", "400", "--hidden", "8"]
        compare = [
            "compare",
            "--data",
            str(data),
            "--epochs",
            "20",
            "--hidden",
            "8",
            "--importance-samples",
            "5",
        ]
        compare += ["--samples", "20", "--jobs", "1"]
        # Everything is imported and compiled before the forks.
        with open(os.devnull, "w") as out, contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            assert npvae_main([*train[:5], "1", *train[6:], "--out", str(work / "w.safetensors")]) == 0
            assert npvae_main([*compare, "--out", str(work / "warm")]) == 0
        print(at_every_file_event(data, work), flush=True)
        resumable = [*train, "--checkpoint-every", "3", "--resume"]
        which = work, args.moments, args.seed
        print(at_random_moments("train", resumable, of_model, "m.safetensors", *which), flush=True)
        print(at_random_moments("compare", compare, of_compare, "run", *which), flush=True)
        print(two_at_once(data, work), flush=True)
        for result in orphans(data, work):
            print(result, flush=True)


if __name__ == "__main__":
    main()
