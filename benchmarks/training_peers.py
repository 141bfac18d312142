"""The same VAE trained by npvae, JAX and PyTorch: one trainer for each, alike in everything that matters.

Encoder D-H-...-(Z, Z), decoder Z-...-H-D, relu, Bernoulli on grey pixels, Adam 1e-3, float32, all data in
memory as float32 except where npvae keeps uint8, a new order in each epoch, and a smaller last batch.

Run as a script it trains once in this process and prints JSON; `training.py` does that in turns:

    python benchmarks/training_peers.py TRAINER CASE EPOCHS [MNIST_FOLDER]
"""

import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from npvae.data import load_dataset


class Case(NamedTuple):
    """A network and its batch size."""

    dataset: str
    hidden: tuple[int, ...]
    latent_dim: int
    batch_size: int


CASES = {
    "mnist": Case("mnist", (400,), 20, 128),
    "wide": Case("mnist", (500, 500), 50, 256),
    "digits": Case("digits", (64,), 2, 32),
}
LEARNING_RATE = 1e-3


def with_npvae(
    case: Case, X: np.ndarray, X_test: np.ndarray, epochs: int, n_threads: int | None = None
) -> Iterator[float]:
    """Train with `VAE.fit`; yield after each epoch, then the test loss."""
    from npvae import VAE

    ends: list[float] = []
    vae = VAE(
        case.latent_dim,
        hidden=case.hidden,
        likelihood="bernoulli",
        batch_size=case.batch_size,
        max_epochs=epochs,
        tol=None,
        learning_rate=LEARNING_RATE,
        random_state=0,
        n_threads=n_threads,
    )
    vae.fit(X, callbacks=[lambda *_: ends.append(time.perf_counter())])
    yield from ends
    yield -vae.score(X_test)


def bare_step(case: Case, X: np.ndarray, X_test: np.ndarray, epochs: int) -> Iterator[float]:
    """Take npvae's training steps alone, on batches as the loop prepares them: no history, no bar."""
    from npvae.core.init import init_parameters
    from npvae.core.vae import VAENetwork
    from npvae.training import Adam, Stepper
    from npvae.training.batches import minibatches
    from npvae.training.loop import validation_loss
    from npvae.training.threads import step_threads

    rng = np.random.default_rng(0)
    network = VAENetwork(
        n_features=X.shape[1], latent_dim=case.latent_dim, hidden=case.hidden, likelihood="bernoulli"
    )
    params = init_parameters(network.shapes(), rng)
    stepper, rows = Stepper(network, params, Adam(), rng), np.arange(len(X))
    with step_threads(network, params.flat.size, case.batch_size) as threads:
        for _ in range(epochs):
            for x in minibatches(X, rng.permutation(rows), case.batch_size, rng, dtype=params.flat.dtype):
                threads.run(stepper.step, x, LEARNING_RATE)
            yield time.perf_counter()
    yield validation_loss(network, params, X_test)


def with_jax(case: Case, X: np.ndarray, X_test: np.ndarray, epochs: int) -> Iterator[float]:
    """Train with a whole epoch in one jitted scan."""
    import jax
    import jax.numpy as jnp

    widths = (X.shape[1], *case.hidden)
    n_full, rest = divmod(len(X), case.batch_size)

    def layers(key: Any, sizes: tuple[int, ...]) -> list[Any]:
        keys = jax.random.split(key, 2 * len(sizes))
        bound = [1 / np.sqrt(n) for n in sizes]
        return [
            (
                jax.random.uniform(keys[2 * i], (a, b), minval=-bound[i], maxval=bound[i]),
                jax.random.uniform(keys[2 * i + 1], (b,), minval=-bound[i], maxval=bound[i]),
            )
            for i, (a, b) in enumerate(itertools.pairwise(sizes))
        ]

    def loss_of(params: Any, x: Any, key: Any) -> Any:
        h = x
        for W, b in params["encoder"]:
            h = jax.nn.relu(h @ W + b)
        (W, b) = params["heads"][0]
        mu, log_var = jnp.split(h @ W + b, 2, axis=1)
        h = mu + jnp.exp(log_var / 2) * jax.random.normal(key, mu.shape)
        for W, b in params["decoder"][:-1]:
            h = jax.nn.relu(h @ W + b)
        W, b = params["decoder"][-1]
        a = h @ W + b
        reconstruction = jnp.sum(jax.nn.softplus(a) - x * a)
        kl = 0.5 * jnp.sum(mu**2 + jnp.exp(log_var) - log_var - 1)
        return (reconstruction + kl) / len(x)

    def step(carry: Any, x: Any) -> Any:
        params, m, v, t, key = carry
        key, noise = jax.random.split(key)
        grads = jax.grad(loss_of)(params, x, noise)
        t = t + 1
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, grads)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, grads)
        rate = LEARNING_RATE * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        params = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-8), params, m, v)
        return (params, m, v, t, key), None

    @jax.jit
    def epoch(carry: Any, data: Any) -> Any:
        params, m, v, t, key = carry
        key, shuffle = jax.random.split(key)
        order = jax.random.permutation(shuffle, len(data))
        batches = order[: n_full * case.batch_size].reshape(n_full, case.batch_size)
        carry, _ = jax.lax.scan(lambda c, rows: step(c, data[rows]), (params, m, v, t, key), batches)
        return step(carry, data[order[n_full * case.batch_size :]])[0] if rest else carry

    keys = jax.random.split(jax.random.key(0), 3)
    params = {
        "encoder": layers(keys[0], widths),
        "heads": layers(keys[1], (widths[-1], 2 * case.latent_dim)),
        "decoder": layers(keys[2], (case.latent_dim, *widths[::-1])),
    }
    zeros = jax.tree.map(jnp.zeros_like, params)
    carry = (params, zeros, zeros, jnp.float32(0), jax.random.key(1))
    data = jnp.asarray(X)
    for _ in range(epochs):
        carry = jax.block_until_ready(epoch(carry, data))
        yield time.perf_counter()
    yield float(jax.jit(loss_of)(carry[0], jnp.asarray(X_test), jax.random.key(2)))


def with_torch(
    case: Case, X: np.ndarray, X_test: np.ndarray, epochs: int, kind: str = "fused"
) -> Iterator[float]:
    """Train with PyTorch: "fused" Adam, the same "compiled", or as pytorch/examples writes it."""
    import torch
    from torch import nn
    from torch.nn import functional

    torch.manual_seed(0)

    def chain(sizes: tuple[int, ...]) -> list[nn.Module]:
        found: list[nn.Module] = []
        for a, b in itertools.pairwise(sizes):
            found += [nn.Linear(a, b), nn.ReLU()]
        return found

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            widths = (X.shape[1], *case.hidden)
            self.encoder = nn.Sequential(*chain(widths))
            self.mu = nn.Linear(widths[-1], case.latent_dim)
            self.log_var = nn.Linear(widths[-1], case.latent_dim)
            self.decoder = nn.Sequential(
                *chain((case.latent_dim, *widths[:0:-1])), nn.Linear(widths[1], widths[0])
            )

        def forward(self, x: Any) -> Any:
            h = self.encoder(x)
            mu, log_var = self.mu(h), self.log_var(h)
            z = mu + torch.exp(0.5 * log_var) * torch.randn_like(mu)
            a = self.decoder(z)
            if kind == "example":
                reconstruction = functional.binary_cross_entropy(torch.sigmoid(a), x, reduction="sum")
            else:
                reconstruction = functional.binary_cross_entropy_with_logits(a, x, reduction="sum")
            kl = -0.5 * torch.sum(1 + log_var - mu.pow(2) - log_var.exp())
            return (reconstruction + kl) / len(x)

    network = Network()
    loss_of = torch.compile(network) if kind == "compiled" else network
    options: dict[str, Any] = {} if kind == "example" else {"fused": True}
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, **options)
    data = torch.from_numpy(X)
    for _ in range(epochs):
        order = torch.randperm(len(data))
        for rows in order.split(case.batch_size):
            optimizer.zero_grad()
            loss = loss_of(data[rows])
            loss.backward()
            optimizer.step()
        yield time.perf_counter()
    with torch.no_grad():
        yield float(network(torch.from_numpy(X_test)))


def products_alone(case: Case, X: np.ndarray, X_test: np.ndarray, epochs: int) -> Iterator[float]:
    """Run nothing but the matrix products of an epoch, with NumPy's BLAS: the limit."""
    rng = np.random.default_rng(0)
    n = case.batch_size
    widths = (X.shape[1], *case.hidden)
    encoder = [*itertools.pairwise(widths), (widths[-1], 2 * case.latent_dim)]
    decoder = list(zip((case.latent_dim, *widths[:0:-1]), widths[::-1], strict=True))
    work = []
    for i, (a, b) in enumerate([*encoder, *decoder]):
        x, W, dy = (rng.standard_normal(s).astype(np.float32) for s in ((n, a), (a, b), (n, b)))
        work += [(x, W, np.empty_like(dy)), (x.T, dy, np.empty_like(W))]
        if i:  # nobody needs the gradient of the data
            work.append((dy, W.T, np.empty_like(x)))
    for _ in range(epochs):
        for _ in range(-(-len(X) // n)):
            for a, b, out in work:
                np.matmul(a, b, out=out)
        yield time.perf_counter()
    yield float("nan")


TRAINERS: dict[str, Callable[..., Iterator[float]]] = {
    "npvae": with_npvae,
    "npvae step": bare_step,
    "JAX": with_jax,
    "torch fused": with_torch,
    "torch compiled": partial(with_torch, kind="compiled"),
    "torch example": partial(with_torch, kind="example"),
    "products": products_alone,
}


def main() -> None:
    """Train once; the first epoch, with all that is compiled in it, is not counted."""
    trainer, name, epochs = sys.argv[1], sys.argv[2], int(sys.argv[3])
    case = CASES[name]
    data = load_dataset(sys.argv[4] if case.dataset == "mnist" else case.dataset)
    X, X_test = data.X_train, data.X_test
    del data  # whoever turns X into float32 needs the pixels no longer
    if not trainer.startswith("npvae"):
        X, X_test = (as_float32(x) for x in (X, X_test))
    *ends, loss = TRAINERS[trainer](case, X, X_test, epochs + 1)
    print(json.dumps({"seconds": (ends[-1] - ends[0]) / epochs, "loss": loss}))


def as_float32(X: np.ndarray) -> np.ndarray:
    """Return pixels in [0, 1]."""
    return X.astype(np.float32) / 255 if X.dtype == np.uint8 else X.astype(np.float32)


if __name__ == "__main__":
    main()
