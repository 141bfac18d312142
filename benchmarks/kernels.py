"""Compare the speed of all compiled code with NumPy.

    python benchmarks/kernels.py [--rounds 21] [--out FILE.json]

Every formula that has a compiled twin on arrays of the 784-400-20 VAE at batch 128, in float32 and float64;
the eleven products of a training step of that network, of dense random matrices without zeros that could be
left out; and the loss with the whole gradient of that network and of the VAE for digits, 64-64-2 at batch 32,
in one compiled function. The compiled function is compared with `network.loss_and_grad` and the gradient's
squared norm, once in pure NumPy and once with the compiled twins of its formulas.

All take turns in one process, on one thread (BLAS too), after one call of each to compile. A turn is as
many calls as fill a millisecond, so the caches are warm. Prints microseconds per call. Exits 1 if anything
compiled is slower than NumPy. Where npvae has no compiled products for the processor, these and the
gradient are left out.
"""

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from measuring import Row, add_options, compared, conclude, contents, in_turns, medians, ratios
from threadpoolctl import threadpool_limits

from npvae import kernels
from npvae.checks.kernel_twins import twin_names
from npvae.core.init import init_parameters
from npvae.core.parameters import Parameters
from npvae.core.vae import VAENetwork
from npvae.kernels.products import multiplied
from npvae.training.fused import fused_gradient

N, D, P = 128, 784, 653_000  # batch, pixels, parameters of the 784-400-20 VAE
LAYERS = ((784, 400), (400, 40), (20, 400), (400, 784))
NETWORKS = {"784-400-20": (784, (400,), 20, 128), "64-64-2": (64, (64,), 2, 32)}
DTYPES = (np.float32, np.float64)
TURN = 1e-3  # seconds


class Contender(NamedTuple):
    """A function, and the kernels that are in use while it runs: "compiled" or "reference"."""

    kernels: str
    function: Callable[[], Any]


class Case(NamedTuple):
    """What is compared: npvae and its peers by name."""

    group: str
    name: str
    dtype: str
    contenders: dict[str, Contender]


def twins(group: str, name: str, dtype: npt.DTypeLike, kernel: str, *arguments: Any) -> Case:
    """Return the case of one formula and its twin."""
    call = partial(kernels.FORMULAS[kernel], *arguments)
    both = {"npvae": Contender("compiled", call), "NumPy": Contender("reference", call)}
    return Case(group, name, np.dtype(dtype).name, both)


def kernel_cases(dtype: npt.DTypeLike) -> Iterator[Case]:
    """Give arguments to every formula but the dense layer, whose products are cases of their own."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=(N, D)).astype(dtype)
    x = rng.random((N, D)).astype(dtype)
    pixels = rng.integers(0, 256, (10_000, D), dtype=np.uint8)
    vectors = [np.abs(rng.normal(size=P)).astype(dtype) for _ in range(4)]
    arguments: dict[str, tuple[Any, ...]] = {
        "sigmoid_forward": (a,),
        "softplus_forward": (a,),
        "bernoulli_forward": (x, a),
        "take_pixels": (pixels, rng.permutation(len(pixels))[:N]),
        "sgd": (*vectors[:3], 1e-3, 0.9),
        "adagrad": (*vectors[:3], 1e-3, 1e-10),
        "adam": (*vectors, 1e-3, 0.9, 0.999, 1e-8, 5),
    }
    if forgotten := set(twin_names()) - {"dense_forward", "dense_backward", *arguments}:
        raise SystemExit(f"no arguments for {', '.join(sorted(forgotten))}")
    for name, found in arguments.items():
        if name != "take_pixels" or dtype is np.float32:  # whose result is float32 always
            yield twins("kernels", name, dtype, name, *found)


def product_cases(dtype: npt.DTypeLike) -> Iterator[Case]:
    """Return the products of a training step: forwards, the weights' gradients, the inputs' gradients."""
    rng = np.random.default_rng(0)
    for i, (fan_in, fan_out) in enumerate(LAYERS):
        x, W, dy = (rng.normal(size=s).astype(dtype) for s in ((N, fan_in), (fan_in, fan_out), (N, fan_out)))
        work = {"x @ W": (x, W), "x.T @ dy": (x.T, dy), "dy @ W.T": (dy, W.T)}
        if i == 0:
            del work["dy @ W.T"]  # nobody needs the gradient of the data
        for name, (a, b) in work.items():
            both = {
                "npvae": Contender("compiled", partial(multiplied, a, b)),
                "NumPy": Contender("reference", partial(np.matmul, a, b)),
            }
            yield Case("products", f"{name}, {fan_in}-{fan_out}", np.dtype(dtype).name, both)


def gradient_cases() -> Iterator[Case]:
    """Return the loss and gradient of whole networks, where there is a compiled function for them."""
    for name, (n_features, hidden, latent_dim, batch_size) in NETWORKS.items():
        rng = np.random.default_rng(0)
        network = VAENetwork(
            n_features=n_features, latent_dim=latent_dim, hidden=hidden, likelihood="bernoulli"
        )
        params = init_parameters(network.shapes(), rng)
        x = rng.random((batch_size, n_features), dtype=np.float32)
        eps = rng.standard_normal((batch_size, latent_dim), dtype=np.float32)
        grads = params.zeros_like()
        fused = fused_gradient(network, params)
        if fused is None:
            return
        composed = partial(loss_and_gradient, network, params, x, eps)
        contenders = {
            "npvae": Contender("compiled", partial(fused, params, x, eps, network.beta, grads)),
            "NumPy": Contender("reference", composed),
            "twins": Contender("compiled", composed),
        }
        yield Case("gradient", f"loss and gradient, {name}, batch {batch_size}", "float32", contenders)


def loss_and_gradient(
    network: VAENetwork, params: Parameters, x: np.ndarray, eps: np.ndarray
) -> tuple[Any, Any]:
    """Return what the compiled function returns, the way a training step gets it where there is none."""
    loss, grads = network.loss_and_grad(params, x, eps)
    return loss, np.dot(grads.flat, grads.flat)


def all_cases() -> list[Case]:
    """Return everything that is compared."""
    found = [case for dtype in DTYPES for case in kernel_cases(dtype)]
    if not kernels.has_compiled_products():
        print("no compiled products for this processor", file=sys.stderr)
        return found
    return [*found, *(case for dtype in DTYPES for case in product_cases(dtype)), *gradient_cases()]


def seconds(contender: Contender, calls: int = 1) -> float:
    """Return how long a call takes."""
    with kernels.using(contender.kernels):
        started = time.perf_counter()
        for _ in range(calls):
            contender.function()
        return (time.perf_counter() - started) / calls


def measured(cases: list[Case], rounds: int) -> list[dict[str, Any]]:
    """Let all take turns; return the cases with every turn's microseconds per call."""
    calls = {}
    for i, case in enumerate(cases):
        for name, contender in case.contenders.items():
            seconds(contender)  # compile, warm up
            calls[i, name] = math.ceil(TURN / seconds(contender))

    def turn(job: tuple[int, str]) -> float:
        i, name = job
        return 1e6 * seconds(cases[i].contenders[name], calls[job])

    results = in_turns(list(calls), turn, rounds, "kernels")
    return [
        {
            "group": case.group,
            "name": case.name,
            "dtype": case.dtype,
            "microseconds": {name: results[i, name] for name in case.contenders},
        }
        for i, case in enumerate(cases)
    ]


def details(entries: list[dict[str, Any]]) -> list[Row]:
    """Return a line for each case and peer."""
    found = []
    for entry in entries:
        times = dict(entry["microseconds"])
        own = times.pop("npvae")
        what = f"{entry['name']}, {entry['dtype']}"
        found += [compared(what, "us", own, peer, others) for peer, others in times.items()]
    return found


def median_ratio(entry: dict[str, Any], peer: str = "NumPy") -> float:
    """Return the median of npvae / peer."""
    times = entry["microseconds"]
    return statistics.median(ratios(times["npvae"], times[peer]))


def rows(content: dict[str, Any]) -> list[Row]:
    """Return the report's lines from what --out wrote: one for all kernels of a type and for all products."""
    found = []
    for group, plural in (("kernels", "kernels"), ("products", "products of a step, 784-400-20 VAE")):
        for dtype in (np.dtype(dtype).name for dtype in DTYPES):
            of_it = [e for e in content["kernels"] if (e["group"], e["dtype"]) == (group, dtype)]
            if of_it:
                what = f"{len(of_it)} compiled {plural}, {dtype}"
                found.append(medians(what, "", "NumPy", [median_ratio(entry) for entry in of_it]))
    return [*found, *details([entry for entry in content["kernels"] if entry["group"] == "gradient"])]


def main() -> int:
    """Compare all twins."""
    parser = argparse.ArgumentParser(description="Compare compiled kernels with NumPy.")
    add_options(parser, rounds=21)
    args = parser.parse_args()
    with threadpool_limits(1, user_api="blas"):
        entries = measured(all_cases(), args.rounds)
    content = contents("kernels", kernels=entries)
    conclude(content, [*details(entries), *rows(content)], args.out)
    slower = [f"{entry['name']} ({entry['dtype']})" for entry in entries if median_ratio(entry, "NumPy") > 1]
    if slower:
        print(f"slower than NumPy: {', '.join(slower)}")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
