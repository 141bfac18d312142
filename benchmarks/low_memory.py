"""Run each command with more and more address space (as `ulimit -v` sets it), until it completes.

    OMP_NUM_THREADS=1 python benchmarks/low_memory.py [--data mnist] [--step 50] [--only COMMAND ...]

With too little, a command should end soon with exit code 2 and one line about memory. Prints for each command
how much it takes, and each end that was another one: a traceback, a signal, or no end after a minute.
Linux only.
"""

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tqdm import tqdm

N_COMPLETED = 3  # a command must complete with this many limits in a row
LIMIT = 90  # seconds for a command


def commands(data: str, folder: Path) -> dict[str, list[str]]:
    """Return the arguments of each command; the others use the model of `train`."""
    model, other = (str(folder / f"{kind}.safetensors") for kind in ("vae", "ae"))
    given, codes = ["--data", data], str(folder / "codes.npy")
    picture = ["--out", str(folder / "picture.png")]
    short = ["--epochs", "1"]
    return {
        "train": ["train", "vae", *given, *short, "--out", model],
        "train, static": ["train", "vae", *given, *short, "--binarize", "static", "--out", model],
        "train, early stopping": ["train", "vae", *given, *short, "--early-stopping", "--out", model],
        "encode": ["encode", model, *given, "--out", codes],
        "score": ["score", model, *given, "--out", str(folder / "scores.npy")],
        "sample": ["sample", model, *picture],
        "reconstruct": ["reconstruct", model, *given, *picture],
        "interpolate": ["interpolate", model, *given, "--from", "0", "--to", "1", *picture],
        "traverse": ["traverse", model, *given, *picture],
        "plane": ["plane", model, *given, *picture],
        "nearest": ["nearest", model, *given, *picture],
        "trace": ["trace", model, *given],
        "evaluate": ["evaluate", model, *given, "--importance-samples", "10", "--images", "50"],
        "compare": [
            "compare", *given, *short, "--samples", "100", "--importance-samples", "10", "--latent-dim", "2",
            "--out", str(folder / "compare"),
        ],
        "compare, two jobs": [
            "compare", *given, *short, "--samples", "100", "--importance-samples", "10", "--latent-dim", "2",
            "--jobs", "2", "--out", str(folder / "compare"),
        ],
        "train, AE": ["train", "ae", *given, *short, "--out", other],
        "explore": ["explore", other, model, *given, "--out", str(folder / "explorer.html")],
        "animate": ["animate", *given, *short, "--latent-dim", "2", "--out", str(folder / "animation.gif")],
        "lab": ["lab", "logvar", *given],
        "derive": ["derive", "--html", str(folder / "derivations.html")],
        "gradcheck": ["gradcheck"],
        "exercise": ["exercise"],
        "quiz": ["quiz", "--list"],
        "info": ["info", model],
    }  # fmt: skip


def ended(argv: list[str], megabytes: int | None, compare: Path) -> str:
    """Run a command with a limit on its address space, in MB; say how it ended.

    What an earlier `compare` left in its folder is removed.
    """
    shutil.rmtree(compare, ignore_errors=True)

    def limit() -> None:
        if megabytes is not None:
            resource.setrlimit(resource.RLIMIT_AS, (megabytes * 10**6, megabytes * 10**6))

    command = [sys.executable, "-m", "npvae", *argv]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, preexec_fn=limit)
    except subprocess.TimeoutExpired:
        return f"not finished after {LIMIT} s"
    last = ([line for line in done.stderr.splitlines() if line.strip()] or [""])[-1]  # but for a progress bar
    if done.returncode == 0:
        return "completed"
    if done.returncode == 2 and "memory" in last and "Traceback" not in done.stderr:
        return "not enough memory"
    return f"exit code {done.returncode}: {last[:200]}"


def ends(argv: list[str], limits: Iterable[int], compare: Path) -> tuple[int, Counter[tuple[str, int]]]:
    """Raise the limit until a command completes; return the least that it takes, and the other ends."""
    found, completed = Counter[tuple[str, int]](), list[int]()
    for megabytes in limits:
        end = ended(argv, megabytes, compare)
        if end == "completed":
            completed.append(megabytes)
            if len(completed) == N_COMPLETED:
                break
            continue
        completed.clear()
        found[end, megabytes if end != "not enough memory" else 0] += 1
    return completed[0], found


def main() -> None:
    """Run all, and print."""
    parser = argparse.ArgumentParser(description="Run commands in little memory.")
    parser.add_argument("--data", default="digits")
    parser.add_argument("--step", type=int, default=50, help="MB")
    parser.add_argument("--most", type=int, default=4000, help="MB")
    parser.add_argument("--only", nargs="+", metavar="COMMAND")
    args = parser.parse_args()
    clean = True
    with tempfile.TemporaryDirectory() as name:
        compare = Path(name) / "compare"
        for command, argv in tqdm(commands(args.data, Path(name)).items(), disable=None):
            first = ended(argv, None, compare)  # the model, and what is compiled
            assert first == "completed", (command, first)
            if args.only is None or command in args.only:
                limits = range(args.step, args.most + 1, args.step)
                least, others = ends(argv, limits, compare)
                refused = others.pop(("not enough memory", 0), 0)
                clean = clean and not others
                print(f"{command:<24} completes with {least} MB; less: {refused} refused", flush=True)
                for (end, megabytes), _ in sorted(others.items()):
                    print(f"    {megabytes} MB: {end}", flush=True)
    sys.exit(not clean)


if __name__ == "__main__":
    main()
