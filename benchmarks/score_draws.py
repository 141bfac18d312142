"""Measure the error of the mean score of MNIST's test images with the few draws of `score_samples`.

    python benchmarks/score_draws.py MNIST [--sizes 2 20 50] [--draws K] [--seeds 10]

All images share their draws, so that a score is a continuous function of the image, and the error of the mean
does not average out over the images. Trains a 784-400-Z VAE for each size. For several seeds, it computes
the mean ELBO of the test images from the draws of `npvae.estimators.score_draws.shared_noise` and from shared
independent draws, and compares both with a reference from 100 separate draws for each image. Exits 1 if a
standard deviation over seeds is above 0.1 nats.
"""

import argparse
import sys
from functools import partial

import numpy as np

from npvae import VAE
from npvae.data import load_dataset
from npvae.estimators.score_draws import default_n_draws, shared_noise
from npvae.study.posterior.log_marginal import log_marginal_likelihood

LIMIT = 0.1  # nats


def mean_scores(vae: VAE, X: np.ndarray, noises: list[np.ndarray]) -> np.ndarray:
    """Return the mean score of X (N, D) for each table of noise (K, Z)."""
    return np.array([vae._in_blocks(partial(vae._scores, noise), X).mean() for noise in noises])


def main() -> int:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("mnist", metavar="MNIST", help="a folder with MNIST's IDX files")
    parser.add_argument("--sizes", type=int, nargs="+", default=[2, 20, 50], help="default: 2 20 50")
    parser.add_argument("--draws", type=int, help="default: as score_samples does")
    parser.add_argument("--seeds", type=int, default=10, help="default: 10")
    args = parser.parse_args()
    data, failed = load_dataset(args.mnist), False
    print(
        "| Z | mean ELBO | shared_noise: sd over seeds, mean error | independent draws, shared: sd, mean "
        "error |"
    )
    print("|--:|--:|--:|--:|")
    for latent_dim in args.sizes:
        n_draws = args.draws or default_n_draws(latent_dim)
        vae = VAE(latent_dim, likelihood="bernoulli", max_epochs=10, tol=None, random_state=0).fit(
            data.X_train
        )
        # With one importance sample, ln p(x) is estimated by the ELBO with a draw of each image's own; its
        # drawn KL term is as good as the exact one over 10,000 images and 100 draws.
        exact = np.mean(
            [
                log_marginal_likelihood(
                    vae, data.X_test, n_samples=1, random_state=seed
                ).log_likelihood.mean()
                for seed in range(100)
            ]
        )
        cells = []
        for noises in (
            [shared_noise(n_draws, latent_dim, seed) for seed in range(args.seeds)],
            [np.random.default_rng(s).standard_normal((n_draws, latent_dim)) for s in range(args.seeds)],
        ):
            means = mean_scores(vae, data.X_test, noises)
            cells.append((means.std(ddof=1), means.mean() - exact))
        failed |= cells[0][0] > LIMIT
        formatted = " | ".join(f"{sd:.3f}, {error:+.3f}" for sd, error in cells)
        print(f"| {latent_dim} | {exact:.2f} | {formatted} |", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
