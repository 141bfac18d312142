"""Test the defaults on data that new users have: VAE() and Autoencoder(), with only the seed set.

    python benchmarks/first_contact.py [MNIST] [--seeds 3] [--out FOLDER]

The data are the digits, tables of scikit-learn scaled by StandardScaler and MinMaxScaler, iris and diabetes
unscaled, and 5,000 images of MNIST if its folder is given. Prints the R^2 of the reconstruction from two
latent dimensions and of PCA with two components; the ratio of the learned noise variance to the mean
squared residual, which is the best variance for fixed reconstructions (Rybkin et al. 2021); and the seconds
of training, compared with scikit-learn's MLPRegressor() trained to reproduce its input. Exits 1 if an R^2
is below 0.9 times PCA's, or not above PCA's on images, or if a fit warns.
"""

import argparse
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from measuring import machine, write_json
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from npvae import VAE, Autoencoder
from npvae.data import load_dataset

N_IMAGES = 5000
LEAST_SHARE = 0.9  # of PCA's R^2


def data_sets(mnist: str | None) -> dict[str, np.ndarray]:
    """Return the data by name; images are those whose names say so."""
    found = {"digits / 16 (images)": load_digits().data / 16}
    for load in (load_wine, load_breast_cancer, load_diabetes):
        for scaler in (StandardScaler(), MinMaxScaler()):
            name = f"{load.__name__.removeprefix('load_')}, {type(scaler).__name__}"
            found[name] = scaler.fit_transform(load().data)
    found["iris"] = load_iris().data
    found["diabetes"] = load_diabetes().data
    if mnist:
        found[f"MNIST, {N_IMAGES} (images)"] = load_dataset(mnist).X_train[:N_IMAGES]
    return found


def r_squared(X: np.ndarray, reconstruction: np.ndarray) -> float:
    """Return the share of the variance of X (N, D) that its reconstruction explains."""
    return float(1 - np.sum((X - reconstruction) ** 2) / np.sum((X - X.mean(axis=0)) ** 2))


def measure(X: np.ndarray, seed: int) -> dict[str, Any]:
    """Fit the two models and MLPRegressor to X (N, D)."""
    numbers = X / 255 if X.dtype == np.uint8 else X
    result: dict[str, Any] = {}
    for cls in (VAE, Autoencoder):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            started = time.perf_counter()
            model = cls(random_state=seed).fit(X)
            seconds = time.perf_counter() - started
        residual = float(np.mean((numbers - model.reconstruct(X)) ** 2))
        result[cls.__name__] = {
            "r_squared": r_squared(numbers, model.reconstruct(X)),
            "seconds": seconds,
            "epochs": model.n_iter_,
            "stop_reason": model.stop_reason_,
            "noise_variance_over_residual": model.network_.noise_var(model.params_) / residual,
            "warnings": [str(warning.message) for warning in caught],
        }
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        MLPRegressor(random_state=seed).fit(numbers, numbers)
    result["MLPRegressor"] = {"seconds": time.perf_counter() - started}
    return result


def spread(values: list[float], digits: int) -> str:
    """Format the least and the greatest of some numbers."""
    low, high = (f"{value:.{digits}f}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def main() -> int:
    """Measure, print a table in Markdown, say what does not hold."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("mnist", nargs="?", metavar="MNIST", help="a folder with MNIST's IDX files")
    parser.add_argument("--seeds", type=int, default=3, help="default: 3")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="keep first_contact.json there")
    args = parser.parse_args()
    VAE(max_epochs=1, tol=None).fit(np.eye(4))  # compiled code is loaded
    results, failures = {}, []
    print(
        "| data | PCA | VAE R^2 | AE R^2 | epochs VAE, AE | s VAE | s AE | s MLPRegressor | v / residual "
        "VAE, AE |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    for name, X in data_sets(args.mnist).items():
        numbers = X / 255 if X.dtype == np.uint8 else X
        pca = PCA(2, random_state=0).fit(numbers)
        best = r_squared(numbers, pca.inverse_transform(pca.transform(numbers)))
        runs = [measure(X, seed) for seed in range(args.seeds)]
        results[name] = {"pca": best, "runs": runs}

        def of(model: str, figure: str, digits: int, runs: list[dict[str, Any]] = runs) -> str:
            return spread([run[model][figure] for run in runs], digits)

        print(
            f"| {name} | {best:.3f} | {of('VAE', 'r_squared', 3)} | {of('Autoencoder', 'r_squared', 3)} "
            f"| {of('VAE', 'epochs', 0)}, {of('Autoencoder', 'epochs', 0)} | {of('VAE', 'seconds', 1)} "
            f"| {of('Autoencoder', 'seconds', 1)} | {of('MLPRegressor', 'seconds', 1)} "
            f"| {of('VAE', 'noise_variance_over_residual', 2)}, "
            f"{of('Autoencoder', 'noise_variance_over_residual', 2)} |",
            flush=True,
        )
        for seed, run in enumerate(runs):
            for model in ("VAE", "Autoencoder"):
                found, least = run[model]["r_squared"], 1.0 if "images" in name else LEAST_SHARE
                if found < least * best:
                    failures.append(f"{model}, {name}, seed {seed}: R^2 {found:.3f}, PCA's is {best:.3f}")
                failures += [f"{model}, {name}, seed {seed}: {text}" for text in run[model]["warnings"]]
    if args.out:
        write_json(args.out / "first_contact.json", {"machine": machine(), "results": results})
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
