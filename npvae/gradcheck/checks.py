"""Checks of functions: a backward, a gradient, a product with a Hessian."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from .arguments import (
    Flattening,
    assign_gradients,
    by_name,
    copied,
    in_numpy,
    is_floating,
    kind_of,
    labels_of,
    leaves,
    like,
    looks_constant,
    maker_of,
    mapped,
    name_of,
    normal,
    other_order,
    parts_of,
    position_of,
    positions_of,
    signature_of,
)
from .case import Case, Pair, draw_like
from .objective import Budget, generator
from .objects import Noise, Snapshot, shapes_in
from .protocol import check_protocol, fresh_noise
from .report import Check, Entry, Reason, Report, one_cause
from .variations import check_variations


@dataclass(frozen=True)
class Options:
    """What can be chosen about a check: see `check_vjp`."""

    seed: int = 0
    protocol: bool = True
    variations: bool = True
    rtol: float = 0.0
    n_entries: int = Budget().n_entries
    n_coordinates: int = Budget().n_coordinates
    n_projections: int = Budget().n_projections

    def call(self, start: str, **told: Any) -> str:
        """Return the call that repeats a check: with the seed and every option that was given."""
        usual = {field.name: field.default for field in fields(self)}
        own = {k: value for k, value in asdict(self).items() if k == "seed" or value != usual[k]}
        told = {key: value for key, value in told.items() if value is not None}
        return f"{start}, {', '.join(f'{key}={value!r}' for key, value in {**told, **own}.items())})"


def examine(
    pair: Pair,
    args: Sequence[Any],
    labels: list[str],
    wrt: Sequence[int | str] | int | str | None,
    options: Options,
    constants: Collection[str] = (),
    advice: str = "wrt={0!r}",
) -> tuple[tuple[Entry, ...], list[Check]]:
    """Make all checks of a pair at a point: the gradients' values, the protocol and the variations.

    Parameters
    ----------
    pair, args, labels
        The functions, the point and the names of its arguments.
    wrt, options
        As for `check_vjp`.
    constants : collection of str
        Arguments that need no gradient although y depends on them.
    advice : str
        What to write for an argument that needs no gradient: a format of the names that have a gradient and
        of the name that has none.
    """
    args = _bridged(pair, args)
    told = [wrt] if isinstance(wrt, int | str) else wrt
    flattening = Flattening(args, labels)
    if flattening.nested:
        outer = None if told is None else [position_of(labels, item) for item in told]
        pair.forward = flattening.forward(pair.forward)
        pair.backward = flattening.backward(pair.backward, outer)
        told = None if outer is None else [j for k in outer for j in flattening.positions(k)]
    args, labels = flattening.args, flattening.labels
    candidates = positions_of(args, labels, told)
    counts = {name: getattr(options, name) for name in Budget._fields}
    budget = Budget.of(max(np.size(args[k]) for k in candidates), **counts)
    given = [copied(arg) for arg in args]  # before anyone can change them
    rng = generator(options.seed)
    with pair.noise.kept():
        before = Snapshot(args=args)
        y, cache = pair.run(args)
        remarks: list[Check] = []
        if len(leaves(y)) > 1 and not _fits(pair, given):
            alone = replace(pair, forward=_first_alone(pair.forward))
            if _fits(alone, given):
                text = "backward takes the gradient of the first result only, so only that was checked"
                remarks.append(Check("first result", "note", text))
                pair.forward, y = alone.forward, leaves(y)[0]
        parts = [part.copy() for part in parts_of(y)]
        dys = draw_like(parts, rng)
        try:
            returned = pair.backward(like(y, [dy.copy() for dy in dys]), cache)
        except Exception as error:
            if len(leaves(y)) > 1:
                error.add_note(_SEVERAL)
            raise
        if isinstance(returned, Mapping):
            pair.backward = by_name(pair.backward, labels)
            returned = pair.backward(like(y, [dy.copy() for dy in dys]), cache)
            told = None
        found = leaves(returned)
        matched = assign_gradients(returned, given, candidates, told is not None)
        positions, pair.slots = [k for k, _ in matched], [slot for _, slot in matched]
        raw: list[Any] = [None if found[slot] is None else np.array(found[slot]) for slot in pair.slots]
        before.restore()

        case = Case(pair, given, positions, labels, parts, dys, raw, rtol=options.rtol)
        entries, checks = _look(case, budget, rng, options)
        if order := other_order(found, given, matched):
            text = f"the gradients fit the arguments in the order {', '.join(labels[k] for k in order)}"
            checks.append(Check("order", "note", text))
        checks += _not_compared(found, given, labels, candidates)
        numbers = [label for arg, label in zip(args, labels, strict=True) if type(arg) is float]
        missing = [k for k in candidates if k not in positions]
        checks += _left_out(case, missing, [*constants, *numbers], advice, rng)
    checks += [*noise_check(pair.noise), *remarks, *one_cause(entries), *_coarse(case)]
    if dropped := [k for k, part in enumerate(leaves(y)) if np.asarray(part).dtype.kind not in "fc"]:
        names = ", ".join(f"y[{k}]" for k in dropped)
        text = f"{names} is not floating and has no gradient: backward gets None in its place"
        checks.append(Check("results", "note", text))
    return entries, checks


_SEVERAL = """forward returns several results, so dy is a tuple. To check the first alone:
    def first(*args):
        y, cache = forward(*args); return y[0], cache
    check_vjp(first, backward, args)"""


def _bridged(pair: Pair, args: Sequence[Any]) -> list[Any]:
    """Make a pair of functions on another library's arrays one on NumPy's; return the arguments so too."""
    makers = [maker_of(arg) for arg in args]
    maker = next((make for make in makers if make is not None), None)
    if maker is None:
        return list(args)
    forward, backward = pair.forward, pair.backward

    def run(*given: Any) -> tuple[Any, Any]:
        made = [x if make is None else mapped(make, x) for make, x in zip(makers, given, strict=True)]
        y, cache = forward(*made)
        return in_numpy(y), cache

    pair.forward = run
    pair.backward = lambda dy, cache: in_numpy(backward(mapped(maker, dy), cache))
    return [in_numpy(arg) for arg in args]


def _first_alone(forward: Callable[..., tuple[Any, Any]]) -> Callable[..., tuple[Any, Any]]:
    """Drop all results but the first."""

    def first(*args: Any) -> tuple[Any, Any]:
        y, cache = forward(*args)
        return leaves(y)[0], cache

    return first


def _fits(pair: Pair, args: Sequence[Any]) -> bool:
    """Say whether backward takes the upstream gradients of all results, and returns some of arguments."""
    try:
        y, cache = pair.run([copied(arg) for arg in args])
        returned = pair.backward(like(y, [np.ones_like(part) for part in parts_of(y)]), cache)
    except Exception:  # someone else's code: it may not expect a tuple
        return False
    shapes = [np.shape(arg) for arg in args]
    found = [] if isinstance(returned, Mapping) else leaves(returned)
    return all(gradient is None or np.shape(gradient) in shapes for gradient in found)


def _look(
    case: Case, budget: Budget, rng: np.random.Generator, options: Options
) -> tuple[tuple[Entry, ...], list[Check]]:
    """Make all checks; none but the first where the forward returns something else each time."""
    if noise := fresh_noise(case):
        entries = _undecided(case, "not compared: the forward does not repeat")
        return entries, [Check("repeatable forward", "inconclusive", noise)]
    if broken := sum(int(np.sum(~np.isfinite(part))) for part in case.parts):
        size = sum(part.size for part in case.parts)
        text = f"y is not finite at {broken} of {size} places; give arguments that forward takes"
        return _undecided(case, f"not compared: {text}"), []
    entries = case.entries(budget, rng)
    checks: list[Check] = []
    if any(entry.reason is Reason.NOT_COMPARED for entry in entries):
        return entries, checks
    if any(g.shape != shape for g, shape in zip(case.gradients, case.shapes, strict=True)):
        return entries, checks
    case.right = all(entry.verdict != "fail" for entry in entries)
    case.vacuous = any(entry.reason.vacuous for entry in entries)
    if options.protocol:
        checks += [Check("repeatable forward", "pass"), *check_protocol(case, rng)]
    if options.variations:
        smooth = all(entry.verdict != "kink" for entry in entries)
        checks += check_variations(case, rng, smooth=smooth)
    return entries, checks


def _undecided(case: Case, why: str) -> tuple[Entry, ...]:
    return tuple(
        Entry(name, shape, "inconclusive", hint=why, reason=Reason.NOT_COMPARED)
        for name, shape in zip(case.names, case.shapes, strict=True)
    )


def _left_out(
    case: Case, missing: Sequence[int], constants: Collection[str], advice: str, rng: np.random.Generator
) -> list[Check]:
    """Name the arguments that got no gradient: where y depends on one, nothing is known of it."""
    checks = []
    for k in missing:
        label = case.labels[k]
        text = f"no gradient was found for {label}"
        if not case.depends_on(k, rng):
            checks.append(Check("left out", "note", f"{text}, and y does not depend on it"))
        elif label in constants or looks_constant(label):
            checks.append(Check("left out", "note", f"{text}: taken as a constant"))
        else:
            text += f", though y depends on it. If it needs none: {advice.format(case.names, label)}"
            checks.append(Check("left out", "inconclusive", text))
    return checks


def _not_compared(
    gradients: list[Any], args: Sequence[Any], labels: Sequence[str], candidates: Sequence[int]
) -> list[Check]:
    """Name the arguments for which backward returns a gradient although they are not floating."""
    if len(gradients) != len(args) or len(args) == len(candidates):
        return []
    found = [
        f"{labels[k]} ({kind_of(arg)})"
        for k, arg in enumerate(args)
        if k not in candidates and gradients[k] is not None and np.any(np.asarray(gradients[k], object) != 0)
    ]
    text = f"backward returns a gradient for {', '.join(found)}, which cannot be compared: not floating"
    return [Check("not compared", "inconclusive", text)] if found else []


def _coarse(case: Case) -> list[Check]:
    """Name the gradients that are coarser than their arguments: they were compared to fewer digits."""
    names = [
        f"{name} ({g.dtype})"
        for name, x, g in zip(case.names, case.points.values(), case.gradients, strict=True)
        if g is not None and g.dtype.kind == "f" and g.dtype.itemsize < np.asarray(x).dtype.itemsize
    ]
    text = f"compared at the gradient's own precision, lower than the argument's: {', '.join(names)}"
    return [Check("precision", "note", text)] if names else []


def noise_check(noise: Noise) -> list[Check]:
    """Name the random generators that were drawn from."""
    text = (
        f"the code draws from {', '.join(noise.drawn)}, reset before each evaluation: the noise is held fixed"
    )
    return [Check("noise", "note", text)] if noise.drawn else []


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
        and JAX reach the functions as such. A random generator is handed over in the same state each time,
        and those that the functions refer to are reset, so the noise of a function that draws is held fixed.
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
    options = Options(seed, protocol, variations, rtol, n_entries, n_coordinates, n_projections)
    pair = _paired(forward, backward)
    return _reported("check_vjp", (forward, backward), "args", pair, args, names, wrt, options)


def _reported(
    check: str,
    functions: Sequence[Callable[..., Any] | None],
    point: str,
    pair: Pair,
    args: Sequence[Any],
    names: Sequence[str] | None,
    wrt: Sequence[int | str] | int | str | None,
    options: Options,
) -> Report:
    """Make all checks of a pair, and report them under the names of the functions it was made from."""
    start = f"{check}({', '.join('None' if f is None else name_of(f) for f in functions)}"
    labels = labels_of(functions[0] or pair.forward, args, names)
    entries, checks = examine(pair, args, labels, wrt, options)
    call = options.call(f"{start}, {point}", wrt=wrt, names=names and list(names))
    return Report(f"{start})", entries, options.seed, call, tuple(checks))


_CACHES = {"cache", "res", "residual", "residuals", "ctx", "context", "saved", "state"}


def _paired(forward: Callable[..., Any], backward: Callable[..., Any] | None) -> Pair:
    """Make a pair of a forward and a backward whose arguments may come in another form."""
    if backward is None:
        return Pair.of(forward, lambda dy, pull: pull(dy))
    parameters = list(signature_of(backward).parameters.values())
    names = [normal(p.name) for p in parameters[:2]]
    if len(names) == 2 and names[0] in _CACHES and names[1] not in _CACHES:  # as in JAX's custom_vjp
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
            "a tuple where y is a tuple, and cache is the second result of forward:\n"
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
        ``f(*x) -> number``. Or f returns an array, and `gradient` the Jacobian, or, for an elementwise
        function, the derivative of each entry.
    gradient : callable or None
        ``gradient(*x) -> array``, or a tuple of arrays, one for each argument that can be differentiated.
        The Jacobian has the axes of f, then the axes of the argument. None where f returns it too:
        ``f(*x) -> (number, gradient)``.
    x : array, or list or tuple of arrays and other arguments
        The point at which to check. An argument may be a dict or list of arrays, and its gradient then too.
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
    pair = _gradient_pair(f, gradient, args)
    return _reported("check_gradient", (f, gradient), "x", pair, args, names, wrt, chosen)


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
        f"f returns shape {dy.shape}, not a single number, so gradient must return its Jacobian: {dy.shape} "
        f"followed by the shape of x. It returns shape {gradient.shape}"
    )


def _require_arguments(f: Callable[..., Any], args: list[Any]) -> None:
    """Raise a TypeError where f does not take so many arguments."""
    try:
        signature_of(f).bind(*args)
    except TypeError as error:
        if not signature_of(f).parameters:
            return
        raise TypeError(
            f"x holds {len(args)} arguments, but f{signature_of(f)} does not take them ({error}): a list "
            "holds one item for each argument; a point is an array, np.array(x)"
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
        each argument in `x`. It is assumed to be right: check it with `check_gradient`.
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
            raise ValueError(f"gradient returns shapes {shapes}; it must return the shapes of x")
        return sum(np.sum(part * side) for part, side in zip(parts, v, strict=True))

    def product(*point: Any) -> Any:
        side = [copied(part) for part in v]
        return hvp(point[0], side[0]) if single else hvp(list(point), side)

    chosen = Options(seed=seed, **options)
    pair = _gradient_pair(f, product, args)
    pair.held, pair.noise = shapes_in((gradient, hvp)), Noise(gradient=gradient, hvp=hvp)
    return _reported("check_hvp", (gradient, hvp), "x", pair, args, names, None, chosen)


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

    The parameters are those of `check_vjp`.

    Raises
    ------
    AssertionError
        With the printed report, when its verdict is neither "pass" nor "kink".
    """
    return assert_passed(check_vjp(forward, backward, args, **options))
