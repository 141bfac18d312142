"""Compare trained linear VAEs with probabilistic PCA, whose maximum likelihood is known in closed form.

    python benchmarks/linear_vae.py [DATA] [--sizes 1 2 4 8 16 32] [--steps 10000] [--out FOLDER]

Without hidden layers and with a learned noise variance a VAE is probabilistic PCA, and its encoder can be the
exact posterior; so training has to end at the likelihood that scikit-learn's PCA computes in closed form
(Tipping & Bishop 1999; Lucas et al. 2019). For every number of latent dimensions, on the training data and in
nats per sample: the ELBO, with its expectation over the noise taken exactly; ln p(x) of the trained decoder,
which is a normal distribution; its estimate by importance sampling, with standard error; and PCA's number.
Trained by Adam with a cosine decay, in batches of all samples or of 2000.

With --out, the figures of every size are saved in FOLDER, and a size that is already there is not trained
again; the figures of all sizes are in linear_vae.json. Exits 1 if an ELBO is more than 0.1 nat below PCA's
log-likelihood.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter
from measuring import contents, described, write_json
from scipy.stats import multivariate_normal
from sklearn.decomposition import PCA

from npvae import VAE
from npvae.data import load_dataset
from npvae.data.scaling import as_floats
from npvae.study.posterior.log_marginal import log_marginal_likelihood
from npvae.training import CosineDecay
from npvae.view.draw.save import save_figure
from npvae.view.draw.style import INK, MODEL_COLOURS, TEXT_SIZE, new_figure, open_frame, set_title

PICTURE = Path(__file__).parent / "pictures" / "linear-vae.png"
LARGEST_BATCH, LEARNING_RATE = 2000, 0.01
N_IMPORTANCE, N_ESTIMATED = 100, 10_000  # importance samples of each x; x at most
LIMIT = 0.1  # nats


def fitted(size: int, X: np.ndarray, steps: int) -> VAE:
    """Train a linear VAE for about so many steps."""
    batch_size = min(len(X), LARGEST_BATCH)
    epochs = max(1, round(steps * batch_size / len(X)))
    return VAE(
        size, hidden=(), noise_variance="learned", learning_rate=CosineDecay(LEARNING_RATE, epochs),
        init_output_bias=True, max_epochs=epochs, tol=None, batch_size=batch_size, random_state=0, verbose=1,
    ).fit(X)  # fmt: skip


def expected_elbo(vae: VAE, X: np.ndarray) -> float:
    """Return the mean ELBO, with the expectation over the noise as a linear decoder gives it.

    E ||x - (mu + std eps) W - b||^2 = ||x - mu W - b||^2 + sum_j std_j^2 ||W_j||^2.
    """
    p = vae.params_.astype(np.float64)
    mu, log_var = X @ p["mu.W"] + p["mu.b"], X @ p["log_var.W"] + p["log_var.b"]
    W, noise_var, var = p["output.W"], np.exp(p["output.log_noise_var"][0]), np.exp(log_var)
    squares = np.sum((X - mu @ W - p["output.b"]) ** 2, axis=1) + var @ np.sum(W**2, axis=1)
    kl = np.sum(mu**2 + var - log_var - 1, axis=1) / 2
    return float(np.mean(-(squares / noise_var + X.shape[1] * np.log(2 * np.pi * noise_var)) / 2 - kl))


def exact(vae: VAE, X: np.ndarray) -> np.ndarray:
    """Return ln p(x), (N,): x = z W + b + noise is normal with mean b and covariance W^T W + s I."""
    p = vae.params_.astype(np.float64)
    W, noise_var = p["output.W"], np.exp(p["output.log_noise_var"][0])
    return multivariate_normal(p["output.b"], W.T @ W + noise_var * np.eye(X.shape[1])).logpdf(X)


def measure(size: int, X: np.ndarray, steps: int) -> dict[str, Any]:
    """Train one size; return the log-likelihoods."""
    started = time.perf_counter()
    vae = fitted(size, X, steps)
    seconds = time.perf_counter() - started
    X = X.astype(np.float64)
    pca = PCA(size, svd_solver="full").fit(X)
    log_likelihood = exact(vae, X)
    estimated = slice(N_ESTIMATED)
    found = log_marginal_likelihood(vae, X[estimated], n_samples=N_IMPORTANCE, random_state=0)
    n = len(found.log_likelihood)
    return {
        "size": size,
        "steps": steps,
        "elbo": expected_elbo(vae, X),
        "exact": float(np.mean(log_likelihood)),
        "pca": float(pca.score(X)),
        "estimate minus exact": float(np.mean(found.log_likelihood - log_likelihood[estimated])),
        "standard error": float(np.sqrt(np.sum(found.standard_error**2)) / n),
        "noise variance": vae.network_.noise_var(vae.params_),
        "pca noise variance": float(pca.noise_variance_),
        "seconds": seconds,
    }


def kept(size: int, X: np.ndarray, steps: int, folder: Path | None) -> dict[str, Any]:
    """Return the figures of one size, from the file that is there or anew."""
    path = folder / f"{size}.json" if folder else None
    if path and path.exists():
        figures = json.loads(path.read_text())
        if figures["steps"] == steps:
            return figures
    figures = measure(size, X, steps)
    write_json(path, figures)
    return figures


def show(rows: list[dict[str, Any]]) -> None:
    """Print the log-likelihoods."""
    print(
        "    Z      PCA     ELBO  PCA - ELBO  ln p(x)  PCA - ln p(x)  importance sampling - ln p(x)  seconds"
    )
    for row in rows:
        estimate = f"{row['estimate minus exact']:.5f} +- {row['standard error']:.5f}"
        print(
            f"{row['size']:5}  {row['pca']:7.3f}  {row['elbo']:7.3f}  {row['pca'] - row['elbo']:10.4f}  "
            f"{row['exact']:7.3f}  {row['pca'] - row['exact']:13.4f}  {estimate:>29}  {row['seconds']:7.0f}"
        )


def draw(rows: list[dict[str, Any]], data: str, path: Path) -> None:
    """Draw the log-likelihoods over the latent dimensions, and below what is missing to PCA's."""
    sizes, pca, elbo, log_likelihood = (
        np.array([row[name] for row in rows]) for name in ("size", "pca", "elbo", "exact")
    )
    estimate = log_likelihood + [row["estimate minus exact"] for row in rows]
    error = 2 * np.array([row["standard error"] for row in rows])
    red, blue, violet, _ = MODEL_COLOURS
    figure = new_figure(12, 6.75)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    above.semilogx(sizes, pca, color="#bbbbbb", linewidth=9, solid_capstyle="round", label="PCA, closed form")
    above.plot(sizes, log_likelihood, "-", color=blue, linewidth=3, label="linear VAE, ln p(x), closed form")
    above.plot(
        sizes, estimate, "s", color=violet, markersize=8, label="linear VAE, ln p(x), importance sampling"
    )
    above.plot(
        sizes, elbo, "o", color=red, markersize=14, fillstyle="none", mew=2.5, label="linear VAE, ELBO"
    )
    above.set_ylabel("log-likelihood, nats", fontsize=TEXT_SIZE, color=INK)
    above.legend(loc="upper left", frameon=False, fontsize=TEXT_SIZE)
    below.axhline(0, color="#bbbbbb", linewidth=9)
    below.plot(sizes, log_likelihood - pca, "-", color=blue, linewidth=3)
    below.errorbar(sizes, estimate - pca, error, fmt="s", color=violet, markersize=4, capsize=6, zorder=3)
    below.plot(sizes, elbo - pca, "o", color=red, markersize=14, fillstyle="none", mew=2.5)
    below.set_ylabel("minus PCA's, nats", fontsize=TEXT_SIZE, color=INK)
    below.set_ylim(min(-LIMIT, 1.1 * (elbo - pca).min()), 0.25 * LIMIT)
    below.set_xlabel("latent dimensions", fontsize=TEXT_SIZE, color=INK)
    below.xaxis.set_major_locator(FixedLocator(sizes.tolist()))
    below.xaxis.set_major_formatter(ScalarFormatter())
    below.xaxis.set_minor_locator(NullLocator())
    for ax in (above, below):
        ax.grid(axis="y", color=INK, alpha=0.15, linewidth=0.8)
        open_frame(ax)
    set_title(
        above,
        "A linear VAE learns probabilistic PCA",
        f"{data}, training data, nats per sample; bars: 2 standard errors",
    )
    save_figure(figure, path)


def main() -> int:
    """Train what is missing, write, print, draw."""
    parser = argparse.ArgumentParser(description="Compare linear VAEs with probabilistic PCA.")
    parser.add_argument("data", nargs="?", default="digits", help="default: digits")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32], metavar="Z")
    parser.add_argument("--steps", type=int, default=10_000, help="default: 10000")
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="keep figures here; do not repeat what is there"
    )
    parser.add_argument("--picture", type=Path, default=PICTURE, help=f"default: pictures/{PICTURE.name}")
    args = parser.parse_args()
    data = load_dataset(args.data)
    X = as_floats(data.X_train, np.dtype(np.float32))
    folder = args.out / data.name if args.out else None
    rows = [kept(size, X, args.steps, folder) for size in args.sizes]
    content = contents("linear_vae", data=data.name, rows=rows)
    write_json(folder / "linear_vae.json" if folder else None, content)
    print(described(content["machine"]))
    show(rows)
    draw(rows, data.name, args.picture)
    return 0 if all(row["pca"] - row["elbo"] <= LIMIT for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
