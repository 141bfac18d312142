"""Compare the speed of inference: npvae, JAX, PyTorch, and the bare matrix products in NumPy.

    python benchmarks/inference.py [MNIST_FOLDER] [--peers npvae JAX ...] [--rounds 5] [--out FILE.json]

With a 784-400-20 VAE, trained for one epoch on part of the data, it times `transform`, `inverse_transform`,
`sample` and `score_samples` (64 draws of z) on all 10000 test images, in float32, and the estimate of log
p(x) of 1000 images from 100 importance samples each. Without MNIST_FOLDER the images are random pixels. The
contenders take turns, each in a fresh process, which prepares the same parameters and data, calls every
operation once, to compile, and then measures the median of five calls. Their mean results have to agree.
JAX jits each operation as a whole, PyTorch runs without gradients; the bare products are a lower bound for
the others. Prints medians in milliseconds, and the ratio of npvae's time to each of the others. Contenders
that are not installed are skipped.
"""

import argparse
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from inference_peers import DRAWS, FEW, OPERATIONS, PEERS
from measuring import Row, add_options, compared, conclude, contents, in_turns, installed, run_json

from npvae import VAE
from npvae.data import load_dataset

SCRIPT = Path(__file__).with_name("inference_peers.py")
TOLERANCE = 0.01  # relative, of mean results: three of the operations draw noise


def prepare(mnist: str | None, folder: Path) -> tuple[Path, Path]:
    """Write a model and images for all contenders to read."""
    if mnist is None:
        rng = np.random.default_rng(0)
        train, test = (rng.integers(0, 256, (n, 784), dtype=np.uint8) for n in (2000, 10000))
    else:
        data = load_dataset(mnist)
        train, test = data.X_train[:10000], data.X_test
    model, images = folder / "vae.safetensors", folder / "images.npy"
    VAE(20, likelihood="bernoulli", max_epochs=1, tol=None, random_state=0).fit(train).save(model)
    np.save(images, test.astype(np.float32) / 255)
    return model, images


def check(results: dict[str, list[dict[str, Any]]]) -> None:
    """Raise unless all contenders computed the same."""
    for operation in OPERATIONS:
        means = {peer: found[0][operation]["mean"] for peer, found in results.items() if peer != "products"}
        for peer, mean in means.items():
            if not math.isclose(mean, means["npvae"], rel_tol=TOLERANCE):
                raise SystemExit(f"{operation}: {peer} returns {mean:.4g}, npvae {means['npvae']:.4g}")


def rows(content: dict[str, Any]) -> list[Row]:
    """Return the report's lines from what --out wrote."""
    found = []
    for operation in OPERATIONS:
        images = content["images"]
        size = f"{FEW} {images}, {DRAWS} draws" if operation == "log p(x)" else f"10000 {images}"
        times = {
            peer: [1e3 * result[operation]["seconds"] for result in results]
            for peer, results in content["results"].items()
        }
        own = times.pop("npvae")
        found += [compared(f"{operation}, {size}", "ms", own, peer, others) for peer, others in times.items()]
    return found


def main() -> None:
    """Run all contenders in turns, and print."""
    parser = argparse.ArgumentParser(description="Compare the speed of inference.")
    parser.add_argument("folder", nargs="?", help="MNIST's four IDX files")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    add_options(parser)
    args = parser.parse_args()
    peers = installed(dict.fromkeys(["npvae", *args.peers]))
    with tempfile.TemporaryDirectory() as folder:
        files = prepare(args.folder, Path(folder))
        results = in_turns(peers, lambda peer: run_json([SCRIPT, peer, *files]), args.rounds, "inference")
    check(results)
    images = "MNIST images" if args.folder else "random images"
    content = contents("inference", images=images, results=results)
    conclude(content, rows(content), args.out)


if __name__ == "__main__":
    main()
