"""Inference with a trained 784-400-20 VAE by npvae, JAX, PyTorch, and as bare matrix products in NumPy.

All get the same parameters and the same float32 data; each is a function that prepares everything once and
returns the operations of `OPERATIONS`, which return arrays of their library.

Run as a script it measures one of them in this process and prints JSON; `inference.py` does that in turns:

    python benchmarks/inference_peers.py PEER MODEL.safetensors IMAGES.npy
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import npvae

OPERATIONS = ("transform", "inverse_transform", "sample", "score_samples", "log p(x)")
CALLS = 5  # timed, after one that is not
FEW, DRAWS = 1000, 100  # images and importance samples of log p(x)
SCORE_DRAWS = 64  # draws of z for each image in score_samples, npvae's default

Operations = dict[str, Callable[[], Any]]


def with_npvae(vae: npvae.VAE, X: np.ndarray, Z: np.ndarray) -> Operations:
    """Use the estimator as its users do."""
    from npvae.study.posterior.log_marginal import log_marginal_likelihood

    return {
        "transform": lambda: vae.transform(X),
        "inverse_transform": lambda: vae.inverse_transform(Z),
        "sample": lambda: vae.sample(len(X), random_state=0),
        "score_samples": lambda: vae.score_samples(X),
        "log p(x)": lambda: (
            log_marginal_likelihood(vae, X[:FEW], n_samples=DRAWS, random_state=0).log_likelihood
        ),
    }


def with_jax(vae: npvae.VAE, X: np.ndarray, Z: np.ndarray) -> Operations:
    """Jit each operation as a whole."""
    import jax
    import jax.numpy as jnp

    p = {name: jnp.asarray(view) for name, view in vae.params_.items()}

    def encode(x: Any) -> tuple[Any, Any]:
        h = jax.nn.relu(x @ p["encoder.0.W"] + p["encoder.0.b"])
        return h @ p["mu.W"] + p["mu.b"], h @ p["log_var.W"] + p["log_var.b"]

    def logits(z: Any) -> Any:
        h = jax.nn.relu(z @ p["decoder.0.W"] + p["decoder.0.b"])
        return h @ p["output.W"] + p["output.b"]

    def log_likelihood(x: Any, z: Any) -> Any:
        a = logits(z)
        return jnp.sum(x * a - jax.nn.softplus(a), axis=1)

    @jax.jit
    def elbo(x: Any, key: Any) -> Any:
        mu, log_var = encode(x)
        kl = 0.5 * jnp.sum(mu**2 + jnp.exp(log_var) - log_var - 1, axis=1)

        def reconstruction(key: Any) -> Any:
            z = mu + jnp.exp(log_var / 2) * jax.random.normal(key, mu.shape)
            return log_likelihood(x, z)

        return jax.lax.map(reconstruction, jax.random.split(key, SCORE_DRAWS)).mean(axis=0) - kl

    @jax.jit
    def log_marginal(x: Any, key: Any) -> Any:
        mu, log_var = encode(x)

        def log_weight(key: Any) -> Any:
            eps = jax.random.normal(key, mu.shape)
            z = mu + jnp.exp(log_var / 2) * eps
            return log_likelihood(x, z) + 0.5 * jnp.sum(eps**2 - z**2 + log_var, axis=1)

        log_weights = jax.lax.map(log_weight, jax.random.split(key, DRAWS))
        return jax.nn.logsumexp(log_weights, axis=0) - np.log(DRAWS)

    transform = jax.jit(lambda x: encode(x)[0])
    decode = jax.jit(lambda z: jax.nn.sigmoid(logits(z)))
    sample = jax.jit(lambda key: decode(jax.random.normal(key, Z.shape)))
    x, z, key = jnp.asarray(X), jnp.asarray(Z), jax.random.key(0)
    return {
        "transform": lambda: transform(x).block_until_ready(),
        "inverse_transform": lambda: decode(z).block_until_ready(),
        "sample": lambda: sample(key).block_until_ready(),
        "score_samples": lambda: elbo(x, key).block_until_ready(),
        "log p(x)": lambda: log_marginal(x[:FEW], key).block_until_ready(),
    }


def with_torch(vae: npvae.VAE, X: np.ndarray, Z: np.ndarray) -> Operations:
    """Run each operation eagerly, without gradients."""
    import torch
    from torch.nn import functional

    torch.set_grad_enabled(False)
    p = {name: torch.from_numpy(np.ascontiguousarray(view)) for name, view in vae.params_.items()}

    def encode(x: Any) -> tuple[Any, Any]:
        h = torch.relu(torch.addmm(p["encoder.0.b"], x, p["encoder.0.W"]))
        return torch.addmm(p["mu.b"], h, p["mu.W"]), torch.addmm(p["log_var.b"], h, p["log_var.W"])

    def logits(z: Any) -> Any:
        h = torch.relu(torch.addmm(p["decoder.0.b"], z, p["decoder.0.W"]))
        return torch.addmm(p["output.b"], h, p["output.W"])

    def log_likelihood(x: Any, z: Any) -> Any:
        return -functional.binary_cross_entropy_with_logits(logits(z), x, reduction="none").sum(1)

    def elbo(x: Any) -> Any:
        mu, log_var = encode(x)
        reconstruction = torch.zeros(len(x))
        for _ in range(SCORE_DRAWS):
            z = mu + torch.exp(log_var / 2) * torch.randn_like(mu)
            reconstruction += log_likelihood(x, z) / SCORE_DRAWS
        return reconstruction - 0.5 * (mu**2 + log_var.exp() - log_var - 1).sum(1)

    def log_marginal(x: Any) -> Any:
        mu, log_var = encode(x)
        log_weights = torch.empty(DRAWS, len(x))
        for k in range(DRAWS):
            eps = torch.randn_like(mu)
            z = mu + torch.exp(log_var / 2) * eps
            log_weights[k] = log_likelihood(x, z) + 0.5 * (eps**2 - z**2 + log_var).sum(1)
        return torch.logsumexp(log_weights, 0) - np.log(DRAWS)

    x, z = torch.from_numpy(X), torch.from_numpy(Z)
    return {
        "transform": lambda: encode(x)[0],
        "inverse_transform": lambda: torch.sigmoid(logits(z)),
        "sample": lambda: torch.sigmoid(logits(torch.randn(z.shape))),
        "score_samples": lambda: elbo(x),
        "log p(x)": lambda: log_marginal(x[:FEW]),
    }


def products_alone(vae: npvae.VAE, X: np.ndarray, Z: np.ndarray) -> Operations:
    """Run nothing but each operation's matrix products, with NumPy's BLAS: the limit."""
    p = vae.params_
    heads = np.hstack([p["mu.W"], p["log_var.W"]])

    def encode(x: np.ndarray) -> np.ndarray:
        return (x @ p["encoder.0.W"]) @ heads

    def decode(z: np.ndarray) -> np.ndarray:
        return (z @ p["decoder.0.W"]) @ p["output.W"]

    def score(x: np.ndarray) -> None:
        encode(x)
        for _ in range(SCORE_DRAWS):
            decode(Z)

    def log_marginal(x: np.ndarray) -> None:
        encode(x)
        for _ in range(DRAWS):
            decode(Z[: len(x)])

    return {
        "transform": lambda: encode(X),
        "inverse_transform": lambda: decode(Z),
        "sample": lambda: decode(Z),
        "score_samples": lambda: score(X),
        "log p(x)": lambda: log_marginal(X[:FEW]),
    }


PEERS: dict[str, Callable[[npvae.VAE, np.ndarray, np.ndarray], Operations]] = {
    "npvae": with_npvae,
    "JAX": with_jax,
    "torch": with_torch,
    "products": products_alone,
}


def seconds(operation: Callable[[], Any]) -> float:
    """Return the median of some calls."""
    found = []
    for _ in range(CALLS):
        started = time.perf_counter()
        operation()
        found.append(time.perf_counter() - started)
    return statistics.median(found)


def main() -> None:
    """Measure one; also return the means of its results, which have to agree with the others'."""
    peer, model, images = sys.argv[1:]
    X = np.load(images)
    Z = np.random.default_rng(0).standard_normal((len(X), 20), dtype=np.float32)
    operations = PEERS[peer](npvae.load(model), X, Z)
    results = {}
    for name in OPERATIONS:
        value = operations[name]()  # compile, warm up
        mean = None if peer == "products" else float(np.mean(np.asarray(value), dtype=np.float64))
        results[name] = {"seconds": seconds(operations[name]), "mean": mean}
    print(json.dumps(results))


if __name__ == "__main__":
    main()
