"""Check the exercise on a whole VAE: the gradient of every parameter, and where the way back goes wrong."""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np

from npvae.course.exercises.answer import Remark
from npvae.course.exercises.calling import Broken, describe, fault_of, function_of
from npvae.course.exercises.exercise import Array
from npvae.course.exercises.pairs import SEED
from npvae.course.exercises.points import D_VAE, H_VAE, N_VAE, Z_VAE
from npvae.course.exercises.way_back import NAMES, Params, wrong_gradients
from npvae.gradcheck import Entry, check_network


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
    params = {name: rng.standard_normal(shape) for name, shape in shapes_of(D_VAE, H_VAE, Z_VAE).items()}
    x, eps = rng.random((N_VAE, D_VAE)), rng.standard_normal((N_VAE, Z_VAE))
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
    remarks: dict[str, Remark] = {}
    for name in NAMES:
        fault = _named(grads, name) or fault_of(grads[name], params[name], name)
        if fault is not None:
            remarks[name] = replace(fault, subject=name)
    wheres = {}
    rest = [name for name in NAMES if name not in remarks]
    if rest:
        network = _Network(forward, backward, params, rest)
        report = check_network(network, {name: params[name] for name in rest}, x, eps, seed=SEED)
        mistakes = list(wrong_gradients(_template().vae_forward(params, x, eps)[1]))
        for entry in report.entries:
            remarks[entry.name] = Remark(entry.name, "passed")
            if entry.verdict not in ("pass", "kink"):
                hint = entry.hint if entry.recognised or entry.verdict == "inconclusive" else ""
                words = _known(hint, entry, np.asarray(grads[entry.name]), mistakes)
                remarks[entry.name] = Remark(entry.name, "wrong", words)
                wheres[entry.name] = describe(entry)
    wrong = [name for name in NAMES if remarks[name].outcome == "wrong"]
    told = _told({name: (remarks[name].words, wheres.get(name, "")) for name in wrong})
    ordered = [replace(remarks[name], words=told.get(name, remarks[name].words)) for name in NAMES]
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


def _known(core: str, entry: Entry, gradient: Array, mistakes: list[tuple[str, Params]]) -> str:
    """Say which typical mistake a gradient shows; `core` where it is none."""
    for words, grads in mistakes:
        part = grads.get(entry.name)
        if part is not None and np.allclose(gradient, part, rtol=1e-6, atol=1e-9 * np.max(np.abs(part))):
            return words
    return core


def _named(grads: dict[str, Any], name: str) -> Remark | None:
    """Say which name a gradient has to have; None where it has it."""
    if name in grads:
        return None
    others = [str(key) for key in grads if key not in NAMES]
    near = [key for key in others if _letters(key) == _letters(name)]
    near = near or difflib.get_close_matches(name, others, 1)
    words = f"grads has no {name!r}" + (f", but it has {near[0]!r}: rename it to {name!r}" if near else "")
    return Remark(name, "wrong", words)


def _letters(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


def _told(found: dict[str, tuple[str, str]]) -> dict[str, str]:
    """Return what is said of each wrong gradient, the same words once.

    Parameters
    ----------
    found : dict
        What is wrong and, where it is known, at which entry, for each name in the order of the way back.
    """
    first: dict[str, str] = {}
    told = {}
    for name, (words, where) in found.items():
        said = f"the same as {first[words]}" if words in first else words
        if words:
            first.setdefault(words, name)
        told[name] = f"{said} ({where})" if said and where else said or where
    if len(first) + sum(not words for words, _ in found.values()) > 1:
        name = next(iter(told))
        told[name] += ". Begin here: what is wrong below may come from the same intermediate gradient"
    return told
