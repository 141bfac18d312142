"""Test the lecture's claims about sampling, and claims that contradict them, as assertions on MNIST.

    python benchmarks/sampling_study.py MNIST_FOLDER --out FOLDER

Runs ``npvae compare --latent-dim 2 10 50 --seeds 3`` (784-400-D-400-784, ReLU, Adam 1e-3, batches of 128,
10 epochs, grey pixels, 5000 samples of each kind against 5000 test images) and checks its run.json; then
trains two VAEs on dynamically binarised pixels and checks their ln p(x). All results are kept in FOLDER,
and finished parts are not repeated. Prints each claim with its numbers; exits 1 if one does not hold.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from measuring import contents, write_json

from npvae import __version__

DIMS, N_SEEDS = (2, 10, 50), 3
LEAST_RATIO = {2: 1.4, 10: 8.0, 50: 3.5}  # of the Frechet distances of AE and VAE, z ~ N(0, I)
LEAST_COVERAGE_GAIN = {2: 0.15, 10: 0.7, 50: 0.45}
# -ln p(x) at K = 5000 by an independent NumPy implementation trained in the same way, on 500 images, which
# leaves a standard error of about 1.2 nats.
REFERENCE_NLL = {10: 105.3, 50: 94.6}
NLL_TOLERANCE = 1.5
N_IMAGES = 2000


class Claim(NamedTuple):
    """A sentence, the numbers that bear on it, and whether they agree."""

    sentence: str
    numbers: str
    holds: bool


class Study:
    """run.json of a comparison."""

    def __init__(self, record: dict[str, Any]) -> None:
        self.record = record
        self._models = {(m["model"], m["latent_dim"], m["seed"]): m for m in record["models"]}

    def figure(self, kind: str, latent_dim: int, *path: str | int) -> np.ndarray:
        """Return a figure of a model for every seed."""
        values = []
        for seed in range(N_SEEDS):
            value = self._models[kind, latent_dim, seed]["figures"]
            for name in path:
                value = value[name]
            values.append(value)
        return np.array(values, dtype=np.float64)

    def samples(self, kind: str, latent_dim: int, way: str, field: str) -> np.ndarray:
        """Return a figure of samples for every seed."""
        models = [self._models[kind, latent_dim, seed] for seed in range(N_SEEDS)]
        return np.array([model["samples"][way][field] for model in models], dtype=np.float64)


def main() -> int:
    """Run, and check the claims."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="a folder with MNIST")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="keep all here; go on from it"
    )
    args = parser.parse_args()
    first = not (args.out / "grey" / "run.json").exists()
    started = time.perf_counter()
    npvae(
        "compare", "--data", args.data, "--latent-dim", *DIMS, "--seeds", N_SEEDS, "--out", args.out / "grey",
        "--json",
    )  # fmt: skip
    minutes = (time.perf_counter() - started) / 60 if first else None
    study = Study(json.loads((args.out / "grey" / "run.json").read_text()))
    claims = [*claims_of_samples(study), *claims_of_models(study), *claims_of_controls(study)]
    claims += [*claims_of_saturation(study, args.data, args.out), *claims_of_likelihood(args.data, args.out)]
    for claim in claims:
        print(f"{'holds' if claim.holds else 'FAILS'}  {claim.sentence}\n       {claim.numbers}")
    n_failed = sum(not claim.holds for claim in claims)
    print(f"{len(claims) - n_failed} of {len(claims)} claims hold")
    if minutes is not None:
        print(f"the comparison took {minutes:.1f} minutes")
    figures = {"claims": [claim._asdict() for claim in claims], "minutes": minutes}
    write_json(args.out / "claims.json", contents("sampling study", **figures))
    return int(n_failed > 0)


def npvae(*arguments: Any) -> str:
    """Run a command of npvae in a fresh process; return what it prints."""
    command = [sys.executable, "-m", "npvae", *map(str, arguments)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def claims_of_samples(study: Study) -> Iterator[Claim]:
    """Compare what is drawn from N(0, I), and from densities fitted to codes."""
    for d in DIMS:
        ae, vae = (study.samples(kind, d, "prior", "frechet_classifier") for kind in ("AE", "VAE"))
        yield Claim(
            f"D = {d}: drawn from N(0, I), the Frechet distance of the VAE's samples from the data is at "
            f"least {LEAST_RATIO[d]} times smaller than that of the AE's (in classifier features)",
            f"AE {listed(ae)}, VAE {listed(vae)}; ratio of the means {ae.mean() / vae.mean():.2f}",
            bool(ae.mean() / vae.mean() >= LEAST_RATIO[d]),
        )
        ae, vae = (study.samples(kind, d, "prior", "pixel_coverage") for kind in ("AE", "VAE"))
        yield Claim(
            f"D = {d}: and they cover at least {LEAST_COVERAGE_GAIN[d]} more of it",
            f"AE {listed(ae)}, VAE {listed(vae)}; difference of the means {vae.mean() - ae.mean():.3f}",
            bool(vae.mean() - ae.mean() >= LEAST_COVERAGE_GAIN[d]),
        )
    for d in DIMS:
        ae = study.samples("AE", d, "mixture", "frechet_classifier")
        vae = study.samples("VAE", d, "prior", "frechet_classifier")
        yield Claim(
            f"D = {d}: but a mixture fitted to the AE's codes beats the VAE's prior, with every seed",
            f"AE, mixture {listed(ae)}, VAE, N(0, I) {listed(vae)}",
            bool(np.all(ae < vae)),
        )


def claims_of_models(study: Study) -> Iterator[Claim]:
    """Compare reconstructions, and the VAE's z with N(0, I)."""
    nats = {
        kind: np.array([study.figure(kind, d, "reconstruction", "negative_log_likelihood") for d in DIMS])
        for kind in ("AE", "VAE")
    }
    yield Claim(
        "a larger latent space lets the AE reconstruct better",
        f"-ln p(x | code) at D = 2, 10, 50: {listed(nats['AE'].mean(axis=1))}",
        bool(np.all(np.diff(nats["AE"], axis=0) < 0)),
    )
    for d in DIMS:
        norm = study.figure("VAE", d, "moments", "mean_norm")
        std = study.figure("VAE", d, "moments", "std")
        ae_std = study.figure("AE", d, "moments", "std")
        eigenvalues = study.figure("VAE", d, "moments", "eigenvalues")
        yield Claim(
            f"D = {d}: means and deviations of the VAE's z are near those of N(0, I), unlike the AE's",
            f"VAE: mean within {norm.max():.2f} of 0, standard deviations {std.min():.2f} to {std.max():.2f} "
            f"(but eigenvalues of the covariance {eigenvalues.min():.2f} to {eigenvalues.max():.2f}); AE: "
            f"standard deviations {ae_std.min():.1f} to {ae_std.max():.1f}",
            bool(norm.max() < 0.5 and std.min() > 0.9 and std.max() < 1.5 and ae_std.min() > 1.5),
        )
        accuracy = study.figure("VAE", d, "normality", "classifier", "accuracy")
        error = study.figure("VAE", d, "normality", "classifier", "standard_error")
        p = study.figure("VAE", d, "normality", "energy", "p_value")
        least = study.figure("VAE", d, "posterior", "aggregate_kl", "lower", "value")
        yield Claim(
            f"D = {d}: but its distribution is not N(0, I)",
            f"a classifier tells them apart with accuracy {listed(accuracy)}; energy test p {listed(p)}; "
            f"KL(q(z) || N(0, I)) at least {listed(least)} nats",
            bool(np.all(accuracy > 0.5 + 4 * error) and np.all(p <= 0.01) and np.all(least > 0.1)),
        )


def claims_of_saturation(study: Study, data: str, out: Path) -> Iterator[Claim]:
    """Train both with 20 latent dimensions, and see what 30 more have brought."""
    gains, texts = {}, []
    for kind in ("AE", "VAE"):
        found = evaluated(
            ["train", kind.lower(), "--data", data, "--latent-dim", 20],
            ["--data", data],
            out / f"{kind.lower()}-d20",
        )
        at_20 = found["reconstruction"]["negative_log_likelihood"]
        at_50 = study.figure(kind, 50, "reconstruction", "negative_log_likelihood")[0]
        gains[kind] = at_20 - at_50
        texts.append(f"{kind}: -ln p(x | code) {at_20:.1f} at D = 20, {at_50:.1f} at D = 50")
    active = study.figure("VAE", 50, "posterior", "n_active")
    yield Claim(
        "the VAE's reconstruction saturates: from D = 20 to 50 it gains less than a third of what the AE "
        "gains, and at D = 50 it leaves at least ten latent units unused, with every seed",
        f"{'; '.join(texts)}; active units of the VAE at D = 50: {listed(active)}",
        bool(gains["VAE"] < gains["AE"] / 3 and np.all(active <= 40)),
    )


def claims_of_controls(study: Study) -> Iterator[Claim]:
    """Look whether the figures can be believed."""
    halves = study.record["controls"]["shuffled halves"]
    accuracy, error = halves["two_sample_accuracy"], halves["two_sample_error"]
    yield Claim(
        "two shuffled halves of the test set are not told apart (1/2 within four standard errors)",
        f"accuracy {accuracy:.4f}, standard error {error:.4f}",
        abs(accuracy - 0.5) <= 4 * error,
    )
    yield Claim(
        "and one half covers more than .92 of the other",
        f"coverage {halves['pixel_coverage']:.3f}",
        halves["pixel_coverage"] > 0.92,
    )


def claims_of_likelihood(data: str, out: Path) -> Iterator[Claim]:
    """Train on dynamically binarised pixels, and estimate ln p(x) with more and more importance samples."""
    for d, reference in REFERENCE_NLL.items():
        found = evaluated(
            ["train", "vae", "--data", data, "--latent-dim", d, "--binarize", "dynamic"],
            ["--data", data, "--binarize", "static", "--importance-samples", 5000, "--images", N_IMAGES],
            out / f"binarized-d{d}",
        )
        rows = found["posterior"]["log_likelihoods"]
        values = [-row["value"] for row in rows]
        yield Claim(
            f"D = {d}: -ln p(x) at K = 5000 is within {NLL_TOLERANCE} nats of {reference}",
            f"{values[-1]:.2f} +- {rows[-1]['standard_error']:.2f} nats over {rows[-1]['n_images']} images",
            bool(abs(values[-1] - reference) <= NLL_TOLERANCE),
        )
        yield Claim(
            f"D = {d}: the estimate of ln p(x) rises with K",
            ", ".join(f"K = {row['n_importance_samples']}: {-row['value']:.2f}" for row in rows),
            bool(np.all(np.diff(values) < 0)),
        )


def evaluated(train: list[Any], evaluate: list[Any], path: Path) -> dict[str, Any]:
    """Train and evaluate a model with these options, and return what is found; do nothing twice."""
    model, kept = path.with_suffix(".safetensors"), path.with_suffix(".json")
    options = {"train": train, "evaluate": evaluate, "npvae": __version__}
    if kept.exists():
        earlier = json.loads(kept.read_text())
        if earlier["options"] == options:
            return earlier["found"]
    npvae(*train, "--out", model)
    found = json.loads(npvae("evaluate", model, *evaluate, "--json"))
    write_json(kept, {"options": options, "found": found})
    return found


def listed(values: np.ndarray) -> str:
    """Return numbers with three digits."""
    return ", ".join(f"{value:.3g}" for value in values)


if __name__ == "__main__":
    sys.exit(main())
