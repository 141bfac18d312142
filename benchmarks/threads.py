"""Measure what one BLAS thread brings to small networks.

The digits network (64-400-2, batch 32) is trained in turn with the threads that npvae chooses and with
all threads, in one process. Prints seconds for five epochs of each, and the median of the ratios. On a
busy machine the ratio is larger: run it beside another process to see.

    python benchmarks/threads.py
"""

import statistics
import time
from contextlib import nullcontext
from unittest import mock

from npvae import VAE
from npvae.data import load_dataset
from npvae.training import loop

ROUNDS, EPOCHS = 5, 5


def seconds(chosen: bool) -> float:
    """Train once."""
    X = load_dataset("digits").X_train
    vae = VAE(2, hidden=(400,), likelihood="bernoulli", batch_size=32, max_epochs=EPOCHS, random_state=0)
    limits = loop.limit_threads if chosen else lambda *_: nullcontext()
    with mock.patch.object(loop, "limit_threads", limits):
        started = time.perf_counter()
        vae.fit(X)
        return time.perf_counter() - started


def main() -> None:
    """Compare both."""
    seconds(True)  # compile, warm up
    pairs = [(seconds(True), seconds(False)) for _ in range(ROUNDS)]
    for label, times in zip(("chosen", "all"), zip(*pairs, strict=True), strict=True):
        print(f"{label:<8} threads: {statistics.median(times):6.2f} s ({min(times):.2f} to {max(times):.2f})")
    ratios = [everything / chosen for chosen, everything in pairs]
    print(f"all / chosen: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
