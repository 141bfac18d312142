"""Check the exercise on a whole VAE: the gradient of every parameter, and where the way back goes wrong."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np

from npvae.core.architecture import batch_mean
from npvae.core.gaussian import kl_backward, reparameterize_backward
from npvae.core.parameters import Parameters
from npvae.core.vae import VAENetwork
from npvae.course.exercises.answer import Remark
from npvae.course.exercises.calling import Broken, describe, fault_of, function_of
from npvae.course.exercises.exercise import Array
from npvae.course.exercises.pairs import SEED
from npvae.gradcheck import Entry, check_network

# In the order of the way back.
NAMES = (
    "output.W", "output.b", "decoder.W", "decoder.b", "mu.W", "mu.b", "log_var.W", "log_var.b",
    "encoder.W", "encoder.b",
)  # fmt: skip
_ENCODER = ("mu", "log_var", "encoder")
N, D, H, Z = 4, 7, 5, 3

Params = dict[str, Array]


def shapes_of(n_features: int, hidden: int, latent_dim: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the exercise's parameters, in the order of the way forward."""
    layers = {
        "encoder": (n_features, hidden),
        "mu": (hidden, latent_dim),
        "log_var": (hidden, latent_dim),
        "decoder": (latent_dim, hidden),
        "output": (hidden, n_features),
    }
    shapes: dict[str, tuple[int, ...]] = {}
    for name, shape in layers.items():
        shapes |= {f"{name}.W": shape, f"{name}.b": shape[1:]}
    return shapes


def check_network_file(module: ModuleType) -> list[Remark]:
    """Check ``vae_forward`` and ``vae_backward`` of a student's module.

    Parameters
    ----------
    module : module
        With both functions, its own or imported ones.

    Returns
    -------
    list of Remark
        One for each parameter, in the order of the way back, or one for what keeps it from being checked.
    """
    rng = np.random.default_rng(SEED)
    params = {name: rng.standard_normal(shape) for name, shape in shapes_of(D, H, Z).items()}
    x, eps = rng.random((N, D)), rng.standard_normal((N, Z))
    try:
        forward = function_of(module, "vae_forward")
        backward = function_of(module, "vae_backward")
        return _check(forward, backward, params, x, eps)
    except Broken as broken:
        return [broken.remark]


def _check(
    forward: Callable[..., Any], backward: Callable[..., Any], params: Params, x: Array, eps: Array
) -> list[Remark]:
    _, cache = _checked_forward(forward, params, x, eps)
    grads = _gradients(backward, cache)
    faults = {name: fault_of(grads.get(name), params[name]) for name in NAMES}
    remarks = {name: Remark(name, fault.outcome, fault.words) for name, fault in faults.items() if fault}
    rest = [name for name in NAMES if name not in remarks]
    if rest:
        network = _Network(forward, backward, params, rest)
        report = check_network(network, {name: params[name] for name in rest}, x, eps, seed=SEED)
        parts = _parts(params, x, eps)
        for entry in report.entries:
            remarks[entry.name] = Remark(entry.name, "passed")
            if entry.verdict not in ("pass", "kink"):
                words = _words(entry, np.asarray(grads[entry.name]), parts)
                remarks[entry.name] = Remark(entry.name, "wrong", words)
    ordered = [remarks[name] for name in NAMES]
    wrong = [k for k, remark in enumerate(ordered) if remark.outcome == "wrong"]
    if len(wrong) > 1:
        first = ordered[wrong[0]]
        words = f"{first.words}. Begin here: what is wrong below may come from the same intermediate gradient"
        ordered[wrong[0]] = replace(first, words=words)
    if all(remark.outcome == "passed" for remark in ordered):
        ordered += [Remark("vae_backward", "wrong", check.detail) for check in report.failures]
    return ordered


def _checked_forward(forward: Callable[..., Any], params: Params, x: Array, eps: Array) -> tuple[Any, Any]:
    """Run the forward; raise Broken where it is no longer the exercise's."""
    right, _ = _template().vae_forward(params, x, eps)
    returned = forward(_copied(params), x.copy(), eps.copy())
    if not isinstance(returned, tuple) or len(returned) != 2 or np.ndim(returned[0]) != 0:
        raise Broken("vae_forward", "error", "it must return the loss, a number, and the cache")
    if not abs(returned[0] - right) <= 1e-9 * abs(right):
        words = (
            f"it has been changed: its loss is {returned[0]:.6g} where the exercise's is {right:.6g}. Put "
            "the original back"
        )
        raise Broken("vae_forward", "wrong", words)
    return returned


def _template() -> Any:
    return importlib.import_module("npvae.course.exercises.templates.vae")


def _copied(params: Params) -> Params:
    return {name: array.copy() for name, array in params.items()}


def _gradients(backward: Callable[..., Any], cache: Any) -> dict[str, Any]:
    grads = backward(cache)
    if not isinstance(grads, dict):
        kind = "nothing" if grads is None else f"a {type(grads).__name__}"
        raise Broken("vae_backward", "error", f"it returns {kind}; it must end in: return grads")
    return grads


class _Network:
    """A student's VAE as `check_network` takes it, some of its parameters held."""

    def __init__(
        self, forward: Callable[..., Any], backward: Callable[..., Any], params: Params, names: list[str]
    ) -> None:
        self.forward, self.backward, self.params, self.names = forward, backward, params, names

    def loss(self, params: Params, x: Array, eps: Array) -> Any:
        point = {**self.params, **params}
        if any(map(np.iscomplexobj, point.values())):  # for differentiation; it is known to be equal
            return _template().vae_forward(point, x, eps)[0]
        return self.forward(point, x, eps)[0]

    def loss_and_grad(self, params: Params, x: Array, eps: Array) -> tuple[Any, dict[str, Any]]:
        loss, cache = self.forward({**self.params, **params}, x, eps)
        grads = _gradients(self.backward, cache)
        return loss, {name: np.asarray(grads[name]) for name in self.names}


def _parts(params: Params, x: Array, eps: Array) -> dict[str, Params]:
    """Return typical wrong gradients, by what is said of them.

    Notes
    -----
    They are made of the stages of core's network, which has one hidden layer, encoder.0 and decoder.0, under
    the exercise's names without the 0.
    """
    network = VAENetwork(n_features=D, latent_dim=Z, hidden=(H,), likelihood="bernoulli")
    theta = Parameters(network.shapes(), dtype=np.float64)
    for name, array in params.items():
        theta[_in_core(name)] = array
    (reconstruction, _), cache = network.forward(theta, x, eps)
    _, encoder_cache, z_cache, decoder_cache, likelihood_cache, kl_cache = cache
    _, share = batch_mean(reconstruction)
    right = network.backward(share, share, cache)
    grads = theta.zeros_like()
    d_output = network.reconstruction_backward(share, likelihood_cache, grads)
    dz = network.decoder_backward(d_output, decoder_cache, grads)
    d_mu, d_log_var = reparameterize_backward(dz, z_cache)
    d_mu_kl, d_log_var_kl = kl_backward(share, kl_cache)
    none = np.zeros_like(d_mu)
    d_heads = {
        "the share that comes from kl is missing": (d_mu, d_log_var),
        "the share that comes through z is missing": (d_mu_kl, d_log_var_kl),
        "the share that comes from kl is not divided by N": (
            d_mu + N * d_mu_kl,
            d_log_var + N * d_log_var_kl,
        ),
        "what comes back from the head log_var is missing in dh": (d_mu + d_mu_kl, none),
        "what comes back from the head mu is missing in dh": (none, d_log_var + d_log_var_kl),
    }
    parts = {}
    for words, (d_first, d_second) in d_heads.items():
        grads = theta.zeros_like()
        network.encoder_backward(d_first, d_second, encoder_cache, grads)
        names = [name for name in NAMES if name.split(".")[0] in _ENCODER]
        parts[words] = {name: grads[_in_core(name)] for name in names if np.any(grads[_in_core(name)])}
    mu, log_var = network.encode(theta, x)
    z, dg = mu + np.exp(log_var / 2) * eps, d_output @ params["output.W"].T
    dh = network.encoder_backward(d_mu + d_mu_kl, d_log_var + d_log_var_kl, encoder_cache, theta.zeros_like())
    parts["the ReLU is missing on the way back"] = {
        "decoder.W": z.T @ dg,
        "decoder.b": dg.sum(axis=0),
        "encoder.W": x.T @ dh,
        "encoder.b": dh.sum(axis=0),
    }
    parts[
        f"it is {N} times the right value, and {N} is the number of samples: the loss is a mean over them"
    ] = {name: N * right[_in_core(name)] for name in NAMES}
    return parts


def _in_core(name: str) -> str:
    layer, _, kind = name.partition(".")
    return f"{layer}.0.{kind}" if layer in ("encoder", "decoder") else name


def _words(entry: Entry, gradient: Array, parts: dict[str, Params]) -> str:
    for words, grads in parts.items():
        part = grads.get(entry.name)
        if part is not None and np.allclose(gradient, part, rtol=1e-6, atol=1e-9 * np.max(np.abs(part))):
            return f"{words} ({describe(entry)})"
    return f"{entry.hint} ({describe(entry)})" if entry.hint else describe(entry)
