"""Check the last exercise: its two functions, the gradients it imports, and a training with all of them."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from npvae.course.exercises.answer import Answer, Remark
from npvae.course.exercises.calling import Broken, fault_of, function_of
from npvae.course.exercises.exercise import Array
from npvae.course.exercises.network import Params, check_network_file, shapes_of
from npvae.course.exercises.pairs import SEED
from npvae.data import load_digits

HIDDEN, LATENT_DIM = 64, 10
EPOCHS, BATCH = 40, 32
LEARNING_RATE, MOMENTUM = 0.01, 0.9
N_SAMPLES = 64
ENOUGH = 26.0  # nats per image; right functions reach 24.7, and an untrained network has 44
N_DRAWS = 4000  # from which the distribution of the codes is told

Step = Callable[..., Any]  # step(params, grads, velocity, learning_rate, momentum)


def check_training_file(module: ModuleType) -> Answer:
    """Check ``update`` and ``sample`` of a student's module, then train with its functions.

    Parameters
    ----------
    module : module
        With both functions, and ``vae_forward`` and ``vae_backward`` of the exercise vae.

    Returns
    -------
    Answer
        With losses and samples, where everything was right.
    """
    remarks = []
    checks: dict[str, Callable[[Callable[..., Any]], str]] = {
        "update": _check_update,
        "sample": _check_sample,
    }
    for name, check in checks.items():
        try:
            words = check(function_of(module, name))
            remarks.append(Remark(name, "wrong" if words else "passed", words))
        except Broken as broken:
            remarks.append(broken.remark)
    if any(remark.outcome != "passed" for remark in check_network_file(module)):
        words = "vae_forward or vae_backward is not right yet; finish it first: npvae exercise check vae.py"
        remarks.append(Remark("vae.py", "wrong", words))
    else:
        remarks.append(Remark("vae.py", "passed"))
    if any(remark.outcome != "passed" for remark in remarks):
        return Answer("digits", tuple(remarks))
    try:
        step, sample = function_of(module, "update"), function_of(module, "sample")
        losses, params = train(function_of(module, "vae_forward"), function_of(module, "vae_backward"), step)
        samples = np.asarray(sample(params, N_SAMPLES, np.random.default_rng(SEED)))
    except Broken as broken:
        return Answer("digits", (*remarks, broken.remark))
    enough = losses[-1] < ENOUGH
    words = "" if enough else (
        f"the loss on test images ends at {losses[-1]:.1f} nats per image, and right functions reach less "
        f"than {ENOUGH:.0f}"
    )  # fmt: skip
    remarks.append(Remark("training", "passed" if enough else "wrong", words))
    return Answer("digits", tuple(remarks), tuple(losses), tuple(map(tuple, samples.tolist())))


def train(
    forward: Callable[..., Any], backward: Callable[..., Any], step: Step, epochs: int = EPOCHS
) -> tuple[list[float], Params]:
    """Train a VAE on digits with given functions.

    Parameters
    ----------
    forward, backward : callables
        ``forward(params, x, eps) -> (loss, cache)``, ``backward(cache) -> grads``.
    step : callable
        ``step(params, grads, velocity, learning_rate, momentum)`` changes params and velocity.
    epochs : int

    Returns
    -------
    losses : list of float
        After each epoch, on the test images with the same noise each time, in nats per image.
    params : dict of arrays
    """
    digits = load_digits()
    rng = np.random.default_rng(SEED)
    shapes = shapes_of(digits.X_train.shape[1], HIDDEN, LATENT_DIM)
    params: Params = {
        name: (rng.uniform(-1, 1, shape) / np.sqrt(shape[0]) * (len(shape) == 2)).astype(np.float32)
        for name, shape in shapes.items()
    }
    velocity = {name: np.zeros_like(array) for name, array in params.items()}
    test_noise = rng.standard_normal((len(digits.X_test), LATENT_DIM), np.float32)
    losses = []
    for _ in range(epochs):
        order = rng.permutation(len(digits.X_train))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            x = digits.X_train[order[start : start + BATCH]]
            eps = rng.standard_normal((BATCH, LATENT_DIM), np.float32)
            _, cache = forward(params, x, eps)
            step(params, backward(cache), velocity, LEARNING_RATE, MOMENTUM)
        losses.append(float(forward(params, digits.X_test, test_noise)[0]))
    return losses, params


def _check_update(update: Step) -> str:
    """Take two steps on small arrays; say what is wrong, or nothing."""
    rng = np.random.default_rng(SEED)
    params = {name: rng.standard_normal(shape) for name, shape in (("W", (2, 3)), ("b", (3,)))}
    grads = {name: rng.standard_normal(array.shape) for name, array in params.items()}
    velocity = {name: rng.standard_normal(array.shape) for name, array in params.items()}
    before = {name: array.copy() for name, array in params.items()}
    speed = {name: 0.5 * velocity[name] + grads[name] for name in params}
    known = {
        "params is not changed: change its arrays in place, or put new ones under the same names": before,
        "the parameters move uphill: the step has to be subtracted": {
            name: before[name] + 0.1 * speed[name] for name in before
        },
        "the step is taken with the velocity from before, not with the new one": {
            name: before[name] - 0.1 * velocity[name] for name in before
        },
        "the step is taken with the gradient, not with the velocity": {
            name: before[name] - 0.1 * grads[name] for name in before
        },
        "the gradient is scaled by 1 - momentum before it is added; here it is added as it is": {
            name: before[name] - 0.1 * (0.5 * velocity[name] + 0.5 * grads[name]) for name in before
        },
    }
    update(params, grads, velocity, 0.1, 0.5)
    right = {name: before[name] - 0.1 * speed[name] for name in before}
    if not _same(params, right):
        for words, wrong in known.items():
            if _same(params, wrong):
                return words
        return "the parameters are wrong after one step"
    if not _same(velocity, speed):
        return "the parameters are right, but velocity does not hold the new velocity for the next step"
    return ""


def _same(found: Any, right: Params) -> bool:
    return all(
        np.shape(found[name]) == array.shape and np.allclose(found[name], array, rtol=1e-9)
        for name, array in right.items()
    )


def _check_sample(sample: Callable[..., Any]) -> str:
    """Decode with networks whose logits are z itself, look at how z is distributed; say what is wrong.

    Two networks do it. One computes relu(z) - relu(-z) and has no biases; the other adds a number so large
    that no hidden unit is ever closed, and takes it off again. So it shows whether the codes are wrong, or
    the ReLU is missing, or the biases are.
    """
    n_codes = 3
    one, none = np.eye(n_codes), np.zeros(n_codes)
    folded = {
        "decoder.W": np.concatenate([one, -one], axis=1),
        "decoder.b": np.zeros(2 * n_codes),
        "output.W": np.concatenate([one, -one]),
        "output.b": none,
    }
    lifted = {"decoder.W": one, "decoder.b": none + 20, "output.W": one, "output.b": none - 20}
    found = []
    for decoder in (folded, lifted):
        hidden = decoder["decoder.W"].shape[1]
        others = {name: np.zeros(shape) for name, shape in shapes_of(n_codes, hidden, n_codes).items()}
        p = sample(others | decoder, N_DRAWS, np.random.default_rng(SEED))
        fault = fault_of(p, np.empty((N_DRAWS, n_codes)), "p")
        if fault is not None and fault.outcome == "unfilled":
            raise Broken("sample", "unfilled", fault.words)
        if fault is not None:
            return f"its result: {fault.words}"
        if np.min(p) < 0 or np.max(p) > 1:
            return (
                "it returns numbers outside of 0 to 1: these are logits, and the step to probabilities is "
                "missing"
            )
        if np.all((p == 0) | (p == 1)):
            return "it returns pixels of 0 and 1; the probabilities themselves are asked for"
        tiny = np.finfo(float).tiny
        found.append(np.log(np.maximum(p, tiny)) - np.log(np.maximum(1 - p, tiny)))
    by_folded, by_lifted = map(_spread, found)
    if by_folded and by_lifted:
        return (
            f"the codes that it decodes {by_folded}, but the KL term has pulled them to another "
            "distribution: which one does KL compare with?"
        )
    if by_folded:
        return "the codes are right, but not the decoder: is there a ReLU behind its hidden layer?"
    return "the codes are right, but not the decoder: are both biases added?" if by_lifted else ""


def _spread(z: Array) -> str:
    """Say how z differs from draws from N(0, I); empty where it does not."""
    mean, std = z.mean(axis=0), z.std(axis=0)
    if np.max(np.abs(mean)) > 0.1 or np.max(np.abs(std - 1)) > 0.1:
        return f"have mean {mean[0]:.2f} and standard deviation {std[0]:.2f} in the first dimension"
    kurtosis = float(((z - mean) ** 4).mean() / (std**4).mean())
    if abs(kurtosis - 3) > 0.5:
        return "have mean 0 and variance 1, but are not normal"
    return ""
