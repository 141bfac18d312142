"""Checks of functions: a backward, a gradient, a product with a Hessian."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .arguments import copied, is_floating, name_of, signature_of
from .case import Pair
from .examine import Options, examine, in_numpy, labels_of
from .matching import mapped, normal
from .objective import Budget, generator
from .objects import shapes_in
from .report import Report
from .state import Noise


def check_vjp(
    forward: Callable[..., Any],
    backward: Callable[..., Any] | None,
    args: Sequence[Any],
    *,
    wrt: Sequence[int | str] | int | str | None = None,
    names: Sequence[str] | None = None,
    seed: int = 0,
    protocol: bool = True,
    variations: bool = True,
    rtol: float = 0.0,
    n_entries: int = Budget().n_entries,
    n_coordinates: int = Budget().n_coordinates,
    n_projections: int = Budget().n_projections,
) -> Report:
    """Check that a backward function is the vector-Jacobian product of its forward.

    Parameters
    ----------
    forward : callable
        ``forward(*args) -> (y, cache)``. y is a floating array or scalar, or a tuple, NamedTuple or list of
        them. Results in it that are not floating, such as an argmax, have no gradient.
    backward : callable or None
        ``backward(dy, cache) -> gradients``. dy has the structure, shapes and dtypes of y: for a tuple y it
        is one tuple. Returns a tuple (or NamedTuple, or list) with the gradient of each argument in `wrt`, in
        that order; for a single argument the array alone will do. A ``forward(x) -> (h, c, cache)`` has
        ``backward(dh, dc, cache)``. None where forward returns its backward: ``forward(x) -> (y, pull)``,
        with ``pull(dy) -> gradients``. A first argument named ``cache``, ``res`` or the like gets the cache.
    args : sequence
        The point at which to check. Floating arrays and scalars can be differentiated, also arrays inside
        dicts and lists, whose gradient has the same form; anything else is handed through. Arrays of PyTorch
        and JAX reach the functions as such. A random generator
        is handed over in the same state each time, and those that the functions refer to are reset, so a
        function that draws is checked as one of fixed noise.
    wrt : int or str, or sequence of them, optional
        Positions or names of the arguments that backward returns gradients for. By default all floating
        arguments; where backward returns fewer gradients, those that they fit by shape, if there is one way.
        An argument on which y depends, and for which backward returns nothing or None, is inconclusive,
        unless it has the name of a constant, such as a mask or a target.
    names : sequence of str, optional
        One name for each argument; by default the names of forward's parameters.
    seed : int
        Draws the upstream gradient dy, from a normal distribution, and the sampled directions.
    protocol : bool
        Whether to check for side effects, state and linearity in dy, and to look at other values where the
        entries of an argument are all equal: `npvae.gradcheck.protocol`.
    variations : bool
        Whether to run the pair on other memory layouts, dtypes and batch sizes, the latter only where the
        functions hold nothing of the batch's length: `npvae.gradcheck.variations`.
    rtol : float
        Additional tolerance, relative to a gradient's largest entry.
    n_entries : int
        An argument with up to this many entries is checked entry by entry.
    n_coordinates, n_projections : int
        For each larger one: how many entries, drawn at random, and how many random projections of the whole.

    Returns
    -------
    Report
        One entry for each argument in `wrt`, and the other checks in ``report.checks``. ``report.passed``
        says whether all gradients are right.

    Raises
    ------
    TypeError
        When forward returns no pair, or y holds something that is not floating.
    ValueError
        When there is nothing to differentiate, `wrt` or `names` do not fit `args`, the gradients that
        backward returns fit the arguments in no way, or in several, or so few derivatives are asked for that
        nothing would be compared.

    Notes
    -----
    With L = sum(dy * y) for a fixed dy, the gradient dL/d(arg) is what backward should return. It is measured
    entry by entry, for large arrays on a sample of entries and random projections of the whole. forward and
    backward run once on `args` themselves, whose values are restored afterwards; all else runs on copies. The
    oracles evaluate forward on float64 and complex128 copies, or, where it does not take float64, in the
    dtype it was given. The arguments in `wrt` become complex together, the others stay real.

    Examples
    --------
    >>> def square_forward(x):
    ...     return x**2, x
    >>> def square_backward(dy, cache):
    ...     return 2 * cache * dy
    >>> check_vjp(square_forward, square_backward, [np.array([1.0, -3.0])]).passed
    True
    """
    if not isinstance(args, list | tuple):
        raise TypeError(f"args is a {type(args).__name__}; it must be a list of the arguments: [x]")
    title = f"check_vjp({name_of(forward)}, {'None' if backward is None else name_of(backward)})"
    options = Options(seed, protocol, variations, rtol, n_entries, n_coordinates, n_projections)
    labels = labels_of(forward, args, names)
    entries, checks = examine(_paired(forward, backward), args, labels, wrt, options)
    call = options.call(f"{title[:-1]}, args", wrt=wrt, names=names and list(names))
    return Report(title, entries, seed, call, tuple(checks))


_CACHES = {"cache", "res", "residual", "residuals", "ctx", "context", "saved", "state"}


def _paired(forward: Callable[..., Any], backward: Callable[..., Any] | None) -> Pair:
    """Bring a forward and its backward into the usual form."""
    if backward is None:
        return Pair.of(forward, lambda dy, pull: pull(dy))
    parameters = list(signature_of(backward).parameters.values())
    names = [normal(p.name) for p in parameters[:2]]
    if len(names) == 2 and names[0] in _CACHES and names[1] not in _CACHES:  # as of JAX's custom_vjp
        return Pair.of(forward, lambda dy, cache: backward(cache, dy))
    pair = Pair.of(forward, backward)
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    count = sum(p.kind in kinds and p.default is p.empty for p in parameters)
    if count < 3:
        _require_signature(backward)
        return pair

    def together(*args: Any) -> tuple[Any, Any]:
        returned = forward(*args)
        if isinstance(returned, tuple) and len(returned) == count:
            return returned[:-1], returned[-1]
        paired = isinstance(returned, tuple) and len(returned) == 2
        if paired and isinstance(returned[0], tuple | list) and len(returned[0]) == count - 1:
            return returned
        _require_signature(backward)
        return returned

    pair.forward, pair.backward = together, lambda dy, cache: backward(*dy, cache)
    return pair


def _require_signature(backward: Callable[..., Any]) -> None:
    """Raise a TypeError where backward cannot be called with dy and cache."""
    signature = signature_of(backward)
    if not signature.parameters:
        return
    try:
        signature.bind(None, None)
    except TypeError as error:
        raise TypeError(
            f"backward{signature} cannot be called as backward(dy, cache) ({error}): dy is one argument, "
            "a tuple where y is one, and cache is what forward returned beside y:\n"
            "    check_vjp(forward, lambda dy, cache: backward(...), args)"
        ) from None


def check_gradient(
    f: Callable[..., Any],
    gradient: Callable[..., Any] | None,
    x: Any,
    *,
    wrt: Sequence[int | str] | int | str | None = None,
    names: Sequence[str] | None = None,
    seed: int = 0,
    **options: Any,
) -> Report:
    """Check a function that returns the gradient of another.

    Parameters
    ----------
    f : callable
        ``f(*x) -> number``; or an array, where `gradient` returns the Jacobian, or, for a function of each
        entry by itself, the derivative.
    gradient : callable or None
        ``gradient(*x) -> array``, or a tuple of arrays, one for each argument that can be differentiated.
        The Jacobian has the axes of f, then those of the argument. None where f returns it too:
        ``f(*x) -> (number, gradient)``.
    x : array, or list or tuple of arrays and other arguments
        The point at which to check. An argument may be a dict or list of arrays; its gradient has its form.
    wrt, names
        As for `check_vjp`.
    seed : int
        Draws the sampled directions.
    **options
        As for `check_vjp`.

    Returns
    -------
    Report
        One entry for each argument that gradient returns an array for.

    Raises
    ------
    TypeError
        When f returns no floating number, or what gradient returns fits neither it nor x.
    ValueError
        When there is nothing to differentiate, or the gradients fit the arguments in no way, or in several.

    Examples
    --------
    >>> check_gradient(lambda x: np.sum(x**3), lambda x: 3 * x**2, np.array([1.0, -2.0])).passed
    True
    >>> check_gradient(lambda x: (np.sum(x**3), 3 * x**2), None, np.array([1.0, -2.0])).passed
    True
    """
    chosen = Options(seed=seed, **options)
    args = list(x) if isinstance(x, tuple | list) else [x]
    _require_arguments(f, args)
    entries, checks = examine(_gradient_pair(f, gradient, args), args, labels_of(f, args, names), wrt, chosen)
    title = f"check_gradient({name_of(f)}, {'None' if gradient is None else name_of(gradient)})"
    call = chosen.call(f"{title[:-1]}, x", wrt=wrt, names=names and list(names))
    return Report(title, entries, seed, call, tuple(checks))


def _gradient_pair(f: Callable[..., Any], gradient: Callable[..., Any] | None, args: list[Any]) -> Pair:
    """Make a forward and a backward of a function and its gradient."""
    value, slopes = (f, gradient) if gradient is not None else _value_and_gradient(f)

    def forward(*arguments: Any) -> tuple[Any, tuple[Any, ...]]:
        y = in_numpy(value(*arguments))
        if isinstance(y, tuple | list):
            raise TypeError(
                f"f returns {len(y)} things; it must return a number. Where it returns its gradient too:\n"
                "    check_gradient(f, None, x)"
            )
        return np.reshape(y, ())[()] if np.size(y) == 1 else np.asarray(y), arguments

    def backward(dy: Any, arguments: tuple[Any, ...]) -> Any:
        found = in_numpy(slopes(*arguments))
        if isinstance(found, list) and len(args) == 1 and not isinstance(args[0], list):
            found = np.asarray(found)
        shapes = [np.shape(arg) for arg in arguments]
        return mapped(lambda g: None if g is None else _times(np.asarray(dy), np.asarray(g), shapes), found)

    noise = Noise(f=value, gradient=slopes)
    return Pair(forward, backward, held=shapes_in((value, slopes)), noise=noise)


def _value_and_gradient(f: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Part a function that returns both."""

    def value(*x: Any) -> Any:
        returned = f(*x)
        if not isinstance(returned, tuple) or len(returned) < 2:
            raise TypeError("gradient is None, so f must return its value and its gradient: (number, array)")
        return returned[0]

    def gradient(*x: Any) -> Any:
        returned = f(*x)
        return returned[1] if len(returned) == 2 else returned[1:]

    return value, gradient


def _times(dy: Any, gradient: Any, shapes: Sequence[tuple[int, ...]]) -> Any:
    """Multiply a gradient with the upstream gradient of f, in the gradient's precision."""
    if gradient.dtype.kind == "f":
        dy = dy.astype(gradient.dtype)
    if dy.ndim == 0:
        return dy * gradient
    if gradient.shape[: dy.ndim] == dy.shape and (gradient.shape[dy.ndim :] in shapes):
        return np.tensordot(dy, gradient, axes=dy.ndim)
    if gradient.shape == dy.shape and dy.shape in shapes:
        return dy * gradient
    raise TypeError(
        f"f returns shape {dy.shape}, so it is no single number; then gradient must return its Jacobian, of "
        f"shape {dy.shape} and that of x, but it has shape {gradient.shape}"
    )


def _require_arguments(f: Callable[..., Any], args: list[Any]) -> None:
    """Raise a TypeError where f does not take so many arguments."""
    try:
        signature_of(f).bind(*args)
    except TypeError as error:
        if not signature_of(f).parameters:
            return
        raise TypeError(
            f"x holds {len(args)} arguments, but f{signature_of(f)} does not take them ({error}): a list is "
            "one of arguments; a point is an array, np.array(x)"
        ) from None


def check_hvp(
    gradient: Callable[..., Any],
    hvp: Callable[[Any, Any], Any],
    x: Any,
    *,
    names: Sequence[str] | None = None,
    seed: int = 0,
    **options: Any,
) -> Report:
    """Check a function that multiplies a Hessian with a vector against the gradient that it belongs to.

    Parameters
    ----------
    gradient : callable
        ``gradient(*x)`` returns the gradient of a scalar function: an array, or a tuple of arrays, one for
        each argument in `x`. It is taken for right: `check_gradient` is for that.
    hvp : callable
        ``hvp(x, v)`` returns H v, the gradient's derivative in the direction v, in the same form as
        `gradient`. x and v are lists, of one array for each argument; for a single argument, arrays.
    x : array, or list or tuple of arrays
        The point at which to check.
    names : sequence of str, optional
        One name for each argument.
    seed : int
        Draws v, from a normal distribution, and the sampled directions.
    **options
        As for `check_vjp`.

    Returns
    -------
    Report
        One entry for each argument: the part of H v that belongs to it.

    Raises
    ------
    ValueError
        When `x` holds anything that cannot be differentiated, or `gradient` returns other shapes than its.

    Notes
    -----
    A Hessian is symmetric, so H v is the gradient of the number sum(v * gradient(x)). That is what is
    checked: complex steps and central differences of the handwritten gradient, v held. A gradient whose
    Jacobian is not symmetric is the gradient of no function; it fails too, unless hvp is its transposed
    Jacobian.

    The backward of a backward needs nothing new: ``backward(dy, forward(x)[1])`` is a function of dy and x,
    and `check_vjp` checks the one that differentiates it.

    References
    ----------
    Pearlmutter 1994, "Fast exact multiplication by the Hessian".

    Examples
    --------
    >>> check_hvp(lambda x: 4 * x**3, lambda x, v: 12 * x**2 * v, np.array([1.0, -2.0])).passed
    True
    """
    single = not isinstance(x, tuple | list)
    args = [x] if single else list(x)
    if not args or not all(is_floating(arg) for arg in args):
        raise ValueError("x must hold floating arrays or scalars: each of them takes part in the Hessian")
    rng = generator(seed)
    v = [np.asarray(rng.standard_normal(np.shape(arg)), np.asarray(arg).dtype)[()] for arg in args]

    def f(*point: Any) -> Any:
        found = gradient(*point)
        parts = list(found) if isinstance(found, tuple | list) else [found]
        if [np.shape(part) for part in parts] != [np.shape(arg) for arg in args]:
            shapes = ", ".join(str(np.shape(part)) for part in parts)
            raise ValueError(f"gradient returns shapes {shapes}; those of x are expected")
        return sum(np.sum(part * side) for part, side in zip(parts, v, strict=True))

    def product(*point: Any) -> Any:
        side = [copied(part) for part in v]
        return hvp(point[0], side[0]) if single else hvp(list(point), side)

    chosen = Options(seed=seed, **options)
    pair = _gradient_pair(f, product, args)
    pair.held, pair.noise = shapes_in((gradient, hvp)), Noise(gradient=gradient, hvp=hvp)
    entries, checks = examine(pair, args, labels_of(gradient, args, names), None, chosen)
    title = f"check_hvp({name_of(gradient)}, {name_of(hvp)})"
    call = chosen.call(f"{title[:-1]}, x", names=names and list(names))
    return Report(title, entries, seed, call, tuple(checks))


def assert_passed(report: Report) -> Report:
    """Return a report that passed; raise an AssertionError with the printed report otherwise."""
    if not report.passed:
        raise AssertionError(f"\n{report}")
    return report


def assert_gradients(
    forward: Callable[..., tuple[Any, Any]],
    backward: Callable[[Any, Any], Any],
    args: Sequence[Any],
    **options: Any,
) -> Report:
    """Check a backward as `check_vjp` does, and raise unless it passes.

    Parameters
    ----------
    forward, backward, args, **options
        As for `check_vjp`.

    Returns
    -------
    Report

    Raises
    ------
    AssertionError
        With the printed report, when its verdict is neither "pass" nor "kink".
    """
    return assert_passed(check_vjp(forward, backward, args, **options))
