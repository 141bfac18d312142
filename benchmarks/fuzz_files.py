"""Give damaged and hostile files to everything that reads files, and accept nothing but clean refusals.

    python benchmarks/fuzz_files.py [--seconds 60] [--seed 0]

Takes whole files (models, a checkpoint, .npy, .npz, CSV and IDX files, plain and compressed) and damages
them: bits, bytes, lengths, parts cut out, doubled or zeroed, and values within their JSON headers. A file
is read, or refused with a ValueError or an OSError whose message has one line of at most 2000 printable
characters. A checkpoint is read by training one epoch from it, which may also diverge, or need more memory
than there is, and say so. Anything else, more than five seconds, or more than 1 GB beyond what the process
had, is a failure, and its seed and file are printed. Prints how many files of each kind were read and
refused. The tests run two seconds of it.
"""

import argparse
import gzip
import io
import itertools
import json
import resource
import signal
import struct
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import npvae
from npvae.data import load_dataset, read_idx
from npvae.training import Adam, CosineDecay, Stepper, TrainingDivergedError

Reader = Callable[[Path], object]
Rng = np.random.Generator

LONGEST, LONGEST_MESSAGE, MOST_MEMORY = 5.0, 2000, 10**9  # seconds, characters, bytes
_VALUES: list[Any] = [
    None, True, -1, 0, 1, 5, 1.5, 1e308, 10**9, 10**12, 10**30, 10**400, float("nan"), float("inf"),
    "", "1", "I32", "F16", "x" * 10**5, "\x1b[2J\n", [], {}, [[]], [[[[1]]]], {"a": {"b": []}},
    ["relu"], [0.5], [10**9], [1] * 10**5,
]  # fmt: skip


def whole_files(folder: Path) -> dict[str, tuple[bytes, str, Reader]]:
    """Return the content, the ending and the reader of a file of each kind."""
    rng = np.random.default_rng(0)
    X = rng.random((60, 5)).astype(np.float32)
    settings: dict[str, Any] = {"hidden": (4,), "batch_size": 16, "max_epochs": 2, "tol": None}
    vae = npvae.VAE(2, **settings, random_state=0).fit(X)
    autoencoder = npvae.Autoencoder(1, **settings, likelihood="bernoulli", random_state=0).fit(X)
    checkpoint = folder / "whole.checkpoint"
    settings |= {"optimizer": Adam(), "learning_rate": CosineDecay(1e-3, 2), "early_stopping": True}
    _interrupted(npvae.VAE(2, **settings, random_state=0), X, checkpoint)
    vae.save(folder / "vae.safetensors")
    autoencoder.save(folder / "ae.safetensors")
    npy, npz, csv = io.BytesIO(), io.BytesIO(), io.StringIO()
    np.save(npy, X)
    np.savez_compressed(npz, X_train=X, X_test=X[:30])
    np.savetxt(csv, X, delimiter=",")
    idx = struct.pack(">BBBBIII", 0, 0, 8, 3, 60, 5, 4) + rng.integers(0, 256, 1200, np.uint8).tobytes()
    return {
        "VAE": ((folder / "vae.safetensors").read_bytes(), ".safetensors", npvae.load),
        "autoencoder": ((folder / "ae.safetensors").read_bytes(), ".safetensors", npvae.load),
        "checkpoint": (checkpoint.read_bytes(), ".checkpoint", partial(_resume, X)),
        ".npy": (npy.getvalue(), ".npy", load_dataset),
        ".npz": (npz.getvalue(), ".npz", load_dataset),
        "CSV": (csv.getvalue().encode(), ".csv", load_dataset),
        "IDX": (idx, "", read_idx),
        "IDX, compressed": (gzip.compress(idx), ".gz", read_idx),
    }


def _interrupted(model: npvae.VAE, X: np.ndarray, checkpoint: Path) -> None:
    """Begin a training, and press Ctrl-C in the middle of its second epoch of four steps."""
    step, n_steps = Stepper.step, itertools.count(1)

    def counted(self: Stepper, *args: Any) -> object:
        if next(n_steps) == 6:
            signal.raise_signal(signal.SIGINT)
        return step(self, *args)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with mock.patch.object(Stepper, "step", counted):
        model.fit(X, checkpoint=checkpoint)
    signal.signal(signal.SIGINT, before)


def _resume(X: np.ndarray, path: Path) -> object:
    return npvae.VAE.resume(path, X, callbacks=[lambda end: True], verbose=0, n_threads=1)


def damaged(content: bytes, rng: Rng) -> bytes:
    """Return the file with one to three kinds of damage."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        header = int.from_bytes(data[:8], "little")
        if data[8:9] == b"{" and header < len(data) and rng.random() < 0.5:
            data = _with_other_values(data, header, rng)
            continue
        n = len(data)
        start, end = sorted(int(i) for i in rng.integers(0, n + 1, 2))
        end = min(end, start + int(rng.integers(1, 200)))
        kind = rng.integers(6)
        if kind == 0 and n:
            for i in rng.integers(0, min(n, int(rng.choice([16, 200, n]))), rng.integers(1, 4)):
                data[i] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            del data[start:]
        elif kind == 2:
            del data[start:end]
        elif kind == 3:
            data[start:start] = data[start:end]
        elif kind == 4:
            data[start:end] = bytes(end - start)
        else:
            data[start:end] = rng.integers(0, 256, end - start, np.uint8).tobytes()
    return bytes(data)


def _with_other_values(data: bytearray, length: int, rng: Rng) -> bytearray:
    """Replace a value within the JSON header of a safetensors file, or within the description in it."""
    try:
        header = json.loads(data[8 : 8 + length])
        key = next(iter(header["__metadata__"]))
        description = json.loads(header["__metadata__"][key])
        root = description if rng.random() < 0.8 else header
        _replace(root, rng)
        header["__metadata__"][key] = json.dumps(description)
        text = json.dumps(header).encode()
    except (ValueError, LookupError, TypeError, AttributeError):  # the header was damaged before
        return data
    return bytearray(struct.pack("<Q", len(text)) + text + data[8 + length :])


def _replace(value: Any, rng: Rng) -> None:
    """Replace or remove an entry somewhere within a dict or a list."""
    while True:
        places = list(value) if isinstance(value, dict) else list(range(len(value)))
        place = places[rng.integers(len(places))]
        inner = value[place]
        if not (isinstance(inner, dict | list) and inner) or rng.random() < 0.2:
            break
        value = inner
    if rng.random() < 0.15:
        del value[place]
    else:
        value[place] = _VALUES[rng.integers(len(_VALUES))]


def fault_of(read: Reader, path: Path) -> tuple[str, str | None]:
    """Read a file; return "read" or "refused", and what is wrong with how that went, if anything."""
    memory, started, outcome, fault = _peak_memory(), time.perf_counter(), "read", None
    try:
        read(path)
    except (ValueError, OSError, TrainingDivergedError, MemoryError) as error:
        outcome, text = "refused", str(error)
        if isinstance(error, MemoryError) and "needs at least" not in text:  # not `check_fits`, but NumPy
            fault = f"MemoryError: {text[:200]!r}"
        if not text.isprintable() or not 0 < len(text) <= LONGEST_MESSAGE:
            fault = f"a message of {len(text)} characters: {text[:200]!r}"
    except Exception as error:
        outcome, fault = "refused", f"{type(error).__name__}: {str(error)[:200]!r}"
    if time.perf_counter() - started > LONGEST:
        fault = f"{time.perf_counter() - started:.1f} s"
    if _peak_memory() - memory > MOST_MEMORY:
        fault = f"{(_peak_memory() - memory) / 1e6:.0f} MB"
    return outcome, fault


def _peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def fuzz(seconds: float, seed: int) -> tuple[Counter[tuple[str, str]], list[str]]:
    """Damage files and read them for a time; return counts by kind and outcome, and all faults."""
    counts: Counter[tuple[str, str]] = Counter()
    faults: list[str] = []
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        kinds = whole_files(Path(name))
        end, number = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            for kind, (content, ending, read) in kinds.items():
                path = Path(name) / f"damaged{ending}"
                path.write_bytes(damaged(content, np.random.default_rng((seed, number))))
                outcome, fault = fault_of(read, path)
                counts[kind, outcome] += 1
                if fault is not None:
                    faults.append(f"{kind}, seed ({seed}, {number}): {fault}")
            number += 1
    return counts, faults


def main() -> None:
    """Fuzz, print, and fail if anything was not clean."""
    parser = argparse.ArgumentParser(description="Read damaged files for some time.")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    counts, faults = fuzz(args.seconds, args.seed)
    for kind in dict.fromkeys(kind for kind, _ in counts):
        print(f"{kind:<16} read {counts[kind, 'read']:6d}   refused {counts[kind, 'refused']:6d}")
    print(f"{counts.total()} files, {len(faults)} not refused cleanly")
    for fault in faults[:20]:
        print(f"  {fault}")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
