"""Other libraries' gradient checkers, each as one function of a NumPy forward and backward.

Every checker is used as its documentation shows, with its own default tolerances. A checker that is not
installed is left out with a message. Any exception while checking counts as "not passed".
"""

import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from npvae.gradcheck import check_vjp

SCIPY_TOLERANCE = 1e-5  # scipy returns a distance and leaves the judgement to the caller


class Flat:
    """A pair as the peers want it: differentiable arguments only, one vector for a result.

    Parameters
    ----------
    forward, backward : callable
    args : sequence
    wrt : sequence of int or None
    """

    def __init__(self, forward: Any, backward: Any, args: Sequence[Any], wrt: Sequence[int] | None) -> None:
        self.original_forward, self.original_backward, self.args = forward, backward, list(args)
        self.positions = list(range(len(args))) if wrt is None else list(wrt)
        self.inputs = [self.args[k] for k in self.positions]

    def forward(self, *inputs: np.ndarray) -> tuple[np.ndarray, Any]:
        """Return y as a vector, and the cache."""
        args = list(self.args)
        for k, value in zip(self.positions, inputs, strict=True):
            args[k] = value
        y, cache = self.original_forward(*args)
        parts = [np.asarray(part) for part in (y if isinstance(y, tuple) else (y,))]
        shapes = [part.shape for part in parts] if isinstance(y, tuple) else parts[0].shape
        return np.concatenate([part.ravel() for part in parts]), (shapes, cache)

    def backward(self, dy: np.ndarray, cache: Any) -> list[np.ndarray]:
        """Return the gradients."""
        shapes, inner = cache
        if isinstance(shapes, list):
            ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
            pieces = np.split(dy, ends[:-1])
            whole: Any = tuple(piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=True))
        else:
            whole = dy.reshape(shapes)
        gradients = self.original_backward(whole, inner)
        return list(gradients) if isinstance(gradients, tuple | list) else [gradients]


def by_npvae(pair: Flat, seed: int) -> bool:
    """Check with npvae.gradcheck; the pair as it is, not flattened."""
    forward, backward = pair.original_forward, pair.original_backward
    return check_vjp(forward, backward, pair.args, wrt=pair.positions, seed=seed).passed


def by_torch(pair: Flat, seed: int, *, fast: bool) -> bool:
    """Check with torch.autograd.gradcheck, the pair wrapped in a Function."""
    import torch

    class Wrapped(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *inputs: Any) -> Any:
            y, ctx.cache = pair.forward(*(value.detach().numpy() for value in inputs))
            return torch.from_numpy(np.array(y))

        @staticmethod
        def backward(ctx: Any, dy: Any) -> Any:
            return tuple(torch.from_numpy(np.array(g)) for g in pair.backward(dy.numpy(), ctx.cache))

    torch.manual_seed(seed)
    inputs = [torch.from_numpy(np.array(value)).requires_grad_() for value in pair.inputs]
    return bool(torch.autograd.gradcheck(Wrapped.apply, inputs, fast_mode=fast, raise_exception=False))


def by_jax(pair: Flat, seed: int) -> bool:
    """Check with jax.test_util.check_grads, the pair as a custom_vjp of callbacks."""
    import jax
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)
    caches: list[Any] = []
    y, _ = pair.forward(*pair.inputs)
    result = jax.ShapeDtypeStruct(y.shape, y.dtype)
    number = jax.ShapeDtypeStruct((), np.dtype(np.int64))
    gradients = tuple(jax.ShapeDtypeStruct(value.shape, value.dtype) for value in pair.inputs)

    def run_forward(*inputs: Any) -> Any:
        y, cache = pair.forward(*(np.array(value) for value in inputs))
        caches.append(cache)
        return y, np.int64(len(caches) - 1)

    def run_backward(key: Any, dy: Any) -> Any:
        return tuple(np.asarray(g) for g in pair.backward(np.array(dy), caches[int(key)]))

    @jax.custom_vjp
    def function(*inputs: Any) -> Any:
        return jax.pure_callback(run_forward, (result, number), *inputs)[0]

    def function_forward(*inputs: Any) -> Any:
        return jax.pure_callback(run_forward, (result, number), *inputs)

    def function_backward(key: Any, dy: Any) -> Any:
        return jax.pure_callback(run_backward, gradients, key, dy)

    function.defvjp(function_forward, function_backward)
    check_grads(function, tuple(pair.inputs), order=1, modes=["rev"])
    return True


def by_autograd(pair: Flat, seed: int) -> bool:
    """Check with autograd.test_util.check_grads, the pair as a primitive."""
    from autograd.extend import defvjp_argnums, primitive
    from autograd.numpy import random
    from autograd.test_util import check_grads

    last: list[Any] = []

    @primitive
    def function(*inputs: Any) -> Any:
        y, cache = pair.forward(*inputs)
        last[:] = [cache]
        return y

    def vjp(argnums: Any, y: Any, args: Any, kwargs: Any) -> Any:
        cache = last[0]

        def pull_back(dy: Any) -> Any:
            gradients = pair.backward(dy, cache)
            return tuple(gradients[k] for k in argnums)

        return pull_back

    defvjp_argnums(function, vjp)
    random.seed(seed)  # of NumPy's global generator, from which autograd draws
    which = tuple(range(len(pair.inputs)))  # by default only the first argument is checked
    check_grads(function, which, modes=["rev"], order=1)(*pair.inputs)
    return True


def by_scipy(pair: Flat, seed: int) -> bool:
    """Check with scipy.optimize.check_grad: all arguments in one vector, the loss sum(dy * y)."""
    from scipy.optimize import check_grad

    ends = np.cumsum([value.size for value in pair.inputs])[:-1]
    point = np.concatenate([value.ravel() for value in pair.inputs])

    def split(vector: np.ndarray) -> list[np.ndarray]:
        pieces = np.split(vector.astype(point.dtype), ends)
        return [piece.reshape(value.shape) for piece, value in zip(pieces, pair.inputs, strict=True)]

    y, _ = pair.forward(*split(point))
    dy = np.random.default_rng([seed, 2]).standard_normal(y.shape).astype(y.dtype)

    def loss(vector: np.ndarray) -> float:
        return float(np.sum(dy * pair.forward(*split(vector))[0]))

    def gradient(vector: np.ndarray) -> np.ndarray:
        _, cache = pair.forward(*split(vector))
        return np.concatenate([np.ravel(g) for g in pair.backward(dy.copy(), cache)])

    return bool(check_grad(loss, gradient, point) <= SCIPY_TOLERANCE)


class Checker(NamedTuple):
    """A checker, and whether it perturbs entry after entry (slow where there are many)."""

    package: str
    check: Callable[[Flat, int], bool]
    dense: bool


CHECKERS = {
    "npvae": Checker("npvae", by_npvae, False),
    "torch slow": Checker("torch", lambda pair, seed: by_torch(pair, seed, fast=False), True),
    "torch fast": Checker("torch", lambda pair, seed: by_torch(pair, seed, fast=True), False),
    "JAX": Checker("jax", by_jax, False),
    "autograd": Checker("autograd", by_autograd, False),
    "scipy": Checker("scipy", by_scipy, True),
}


def installed() -> dict[str, Checker]:
    """Return the checkers that can be run, and say which cannot."""
    found = {}
    for name, checker in CHECKERS.items():
        try:
            __import__(checker.package)
            found[name] = checker
        except ImportError:
            print(f"{name}: skipped, {checker.package} is not installed", file=sys.stderr)
    return found


def passes(checker: Checker, pair: Flat, seed: int) -> bool:
    """Say whether a checker passes a pair; an exception means that it does not."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return checker.check(pair, seed)
        except Exception:  # how a checker reports a wrong gradient is its own affair
            return False
