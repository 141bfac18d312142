"""Checks of functions: backward passes, gradients and Hessian-vector products."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
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
    refusal,
    signature_of,
)
from .calls import FIRST_ALONE, arguments_of, takes_first_alone
from .case import Case, Pair, draw_like
from .objective import Budget, generator
from .objects import Noise, Snapshot, shapes_in
from .protocol import check_protocol, fresh_noise
from .report import Check, Entry, Reason, Report, one_cause
from .variations import check_variations


@dataclass(frozen=True)
class Options(Budget):
    """The options of a check: see `check_vjp`."""

    seed: int = 0
    protocol: bool = True
    variations: bool = True
    rtol: float = 0.0

    def call(self, start: str, **others: Any) -> str:
        """Return the call that repeats a check, with the seed and every option that was given."""
        usual = {field.name: field.default for field in fields(self)}
        own = {k: value for k, value in asdict(self).items() if k == "seed" or value != usual[k]}
        others = {key: value for key, value in others.items() if value is not None}
        return f"{start}, {', '.join(f'{key}={value!r}' for key, value in {**others, **own}.items())})"


def examine(
    pair: Pair,
    args: Sequence[Any],
    labels: list[str],
    wrt: Sequence[int | str] | int | str | None,
    options: Options,
    constants: Collection[str] = (),
    advice: str = "wrt={0!r}",
) -> tuple[tuple[Entry, ...], list[Check]]:
    """Run all checks of a pair at a point: the gradients' values, the protocol and the variations.

    The arguments named in `constants` need no gradient although y depends on them. `advice` is the option
    that declares that: a format string, filled with the names that have a gradient and the one that has none.
    """
    pair.noise.include(dict(zip(labels, args, strict=True)))
    args = _bridged(pair, args)
    wanted = [wrt] if isinstance(wrt, int | str) else wrt
    flattening = Flattening(args, labels)
    if flattening.nested:
        outer = None if wanted is None else [position_of(labels, item) for item in wanted]
        pair.forward = flattening.forward(pair.forward)
        pair.backward = flattening.backward(pair.backward, outer)
        wanted = None if outer is None else [j for k in outer for j in flattening.positions(k)]
    args, labels = flattening.args, flattening.labels
    candidates = positions_of(args, labels, wanted)
    options.require_enough_for(max(np.size(args[k]) for k in candidates))
    given = [copied(arg) for arg in args]  # before anyone can change them
    rng = generator(options.seed)
    with pair.noise.kept():
        before = Snapshot(args=args)
        y, cache = pair.run(args)
        remarks: list[Check] = []
        ones = like(y, [np.ones_like(part) for part in parts_of(y)])

        def pull(dy: Any) -> Any:
            return pair.backward(dy, pair.run([copied(arg) for arg in given])[1])

        if takes_first_alone(pull, ones, given):
            remarks.append(FIRST_ALONE)
            pair.forward, y = _first_alone(pair.forward), leaves(y)[0]
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
            wanted = None
        found = leaves(returned)
        matched = assign_gradients(returned, given, candidates, wanted is not None)
        positions, pair.slots = [k for k, _ in matched], [slot for _, slot in matched]
        raw: list[Any] = [None if found[slot] is None else np.array(found[slot]) for slot in pair.slots]
        before.restore()

        case = Case(pair, given, positions, labels, parts, dys, raw, rtol=options.rtol)
        entries, checks = _look(case, rng, options)
        if order := other_order(found, given, matched):
            text = f"gradients fit the arguments by shape in the order {', '.join(labels[k] for k in order)}"
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
    """Wrap a pair for another library's arrays so that it takes NumPy's; return the arguments as NumPy's."""
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


def _look(case: Case, rng: np.random.Generator, options: Options) -> tuple[tuple[Entry, ...], list[Check]]:
    """Run all checks; only the first if the forward returns something else each time."""
    if noise := fresh_noise(case):
        entries = undecided(case.names, case.shapes, "not compared: the forward does not repeat")
        return entries, [Check("repeatable forward", "inconclusive", noise)]
    if broken := sum(int(np.sum(~np.isfinite(part))) for part in case.parts):
        size = sum(part.size for part in case.parts)
        text = f"y is not finite at {broken} of {size} places; choose arguments at which it is"
        return undecided(case.names, case.shapes, f"not compared: {text}"), []
    entries = case.entries(options, rng)
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


def undecided(names: Sequence[str], shapes: Sequence[tuple[int, ...]], why: str) -> tuple[Entry, ...]:
    """Return entries for gradients that were not compared."""
    return tuple(
        Entry(name, shape, "inconclusive", hint=why, reason=Reason.NOT_COMPARED)
        for name, shape in zip(names, shapes, strict=True)
    )


def _left_out(
    case: Case, missing: Sequence[int], constants: Collection[str], advice: str, rng: np.random.Generator
) -> list[Check]:
    """Name the arguments without a gradient; the check is inconclusive if y depends on one."""
    checks = []
    for k in missing:
        label = case.labels[k]
        text = f"no gradient was found for {label}"
        if not case.depends_on(k, rng):
            checks.append(Check("left out", "note", f"{text}, and y does not depend on it"))
        elif label in constants or looks_constant(label):
            checks.append(Check("left out", "note", f"{text}: taken as a constant"))
        else:
            text += f", though y depends on it. If it needs none, pass {advice.format(case.names, label)}"
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
    text = f"backward returns a gradient for {', '.join(found)}, which is not floating and cannot be compared"
    return [Check("not compared", "inconclusive", text)] if found else []


def _coarse(case: Case) -> list[Check]:
    """Name the gradients of lower precision than their arguments, which were compared to fewer digits."""
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
        f"the code draws random numbers from {', '.join(noise.drawn)}; the state is reset before each "
        "evaluation, so the noise is held fixed"
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
    n_entries: int = Budget.n_entries,
    n_coordinates: int = Budget.n_coordinates,
    n_projections: int = Budget.n_projections,
) -> Report:
    """Check that a backward function is the vector-Jacobian product of its forward.

    Parameters
    ----------
    forward : callable
        ``forward(*args) -> (y, cache)``. y is a floating array or scalar, or a tuple, NamedTuple or list of
        them. Results in it that are not floating, such as an argmax, have no gradient.
    backward : callable or None
        ``backward(dy, cache) -> gradients``. dy has the structure, shapes and dtypes of y: for a tuple y it
        is one tuple. backward returns a tuple (or NamedTuple, or list) with the gradient of each argument in
        `wrt`, in that order; for a single argument, the array alone is enough. If its first argument is named
        ``cache``, ``res`` or the like, that argument gets the cache. The backward of
        ``forward(x) -> (h, c, cache)`` may be ``backward(dh, dc, cache)``. Pass None if forward returns its
        backward: ``forward(x) -> (y, pull)``, with ``pull(dy) -> gradients``.
    args : sequence
        The point at which to check. Floating arrays and scalars can be differentiated, and so can arrays
        inside dicts and lists, whose gradient has the same form; anything else is passed through. The
        functions receive arrays of PyTorch and JAX as such. Random generators among the arguments are passed
        in the same state each time, and those that the functions refer to are reset, so noise is held fixed.
    wrt : int or str, or sequence of them, optional
        Positions or names of the arguments that backward returns gradients for. By default all floating
        arguments. If backward returns fewer gradients, they are matched with the arguments by shape, provided
        that there is only one way. If y depends on an argument for which backward returns nothing or None,
        the report is inconclusive, unless the argument is named like a constant, such as a mask or a target.
    names : sequence of str, optional
        One name for each argument; by default the names of forward's parameters.
    seed : int
        Seed for the upstream gradient dy, drawn from a normal distribution, and for the sampled directions.
    protocol : bool
        Whether to check for side effects, state and linearity in dy, and to check other values if the entries
        of an argument are all equal: see `npvae.gradcheck.protocol`.
    variations : bool
        Whether to run the pair on other memory layouts, dtypes and batch sizes: see
        `npvae.gradcheck.variations`. Batch sizes only vary if the functions hold no array of the batch's
        length.
    rtol : float
        Additional tolerance, relative to a gradient's largest entry.
    n_entries : int
        An argument with up to this many entries is checked entry by entry.
    n_coordinates, n_projections : int
        For each larger argument, how many randomly drawn entries and how many random projections are checked.

    Returns
    -------
    Report
        One entry for each argument in `wrt`, and the other checks in ``report.checks``. ``report.passed``
        says whether all gradients are right.

    Raises
    ------
    TypeError
        If forward does not return a pair, or y holds nothing floating.
    ValueError
        If there is nothing to differentiate, `wrt` or `names` do not fit `args`, the gradients that backward
        returns fit the arguments in no way or in several, or so few derivatives are requested that nothing
        would be compared.

    Notes
    -----
    With L = sum(dy * y) for a fixed dy, the gradient dL/d(arg) is what backward should return. It is measured
    entry by entry or, for large arrays, on a sample of entries and on random projections. forward and
    backward run once on `args` themselves, whose values are restored afterwards; everything else runs on
    copies. The oracles evaluate forward on float64 and complex128 copies or, if it does not accept float64,
    in the dtypes it was given. The arguments in `wrt` become complex together, the others stay real.

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
    options = Options(n_entries, n_coordinates, n_projections, seed, protocol, variations, rtol)
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
    """Run all checks of a pair, and report them under the names of the functions it was made from."""
    start = f"{check}({', '.join('None' if f is None else name_of(f) for f in functions)}"
    labels = labels_of(functions[0] or pair.forward, args, names)
    entries, checks = examine(pair, args, labels, wrt, options)
    call = options.call(f"{start}, {point}", wrt=wrt, names=names and list(names))
    return Report(f"{start})", entries, options.seed, call, tuple(checks))


_CACHES = {"cache", "res", "residual", "residuals", "ctx", "context", "saved", "state"}


def _paired(forward: Callable[..., Any], backward: Callable[..., Any] | None) -> Pair:
    """Make a pair of a forward and a backward, whose signatures may differ from (dy, cache)."""
    if backward is None:
        return Pair.of(forward, lambda dy, pull: pull(dy))
    names = [normal(name) for name in list(signature_of(backward).parameters)[:2]]
    if len(names) == 2 and names[0] in _CACHES and names[1] not in _CACHES:  # as in JAX's custom_vjp
        return Pair.of(forward, lambda dy, cache: backward(cache, dy))
    pair = Pair.of(forward, backward)
    count = len(arguments_of(backward)[1])
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
    """Raise a TypeError if backward cannot be called with dy and cache."""
    if error := refusal(backward, (None, None)):
        raise TypeError(
            f"backward{signature_of(backward)} cannot be called as backward(dy, cache) ({error}): dy is one "
            "argument, a tuple if y is a tuple, and cache is the second result of forward:\n"
            "    check_vjp(forward, lambda dy, cache: backward(...), args)"
        )


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
    """Check a function that returns the gradient of another function.

    Parameters
    ----------
    f : callable
        ``f(*x) -> number``. If f returns an array, `gradient` returns the Jacobian or, for an elementwise
        function, the derivative of each entry.
    gradient : callable or None
        ``gradient(*x) -> array``, or a tuple of arrays, one for each argument that can be differentiated.
        The Jacobian has the axes of f, then the axes of the argument. None if f returns both:
        ``f(*x) -> (number, gradient)``.
    x : array, or list or tuple of arrays and other arguments
        The point at which to check. An argument may be a dict or list of arrays; its gradient has
        the same form.
    wrt, names
        As for `check_vjp`.
    seed : int
        Seed for the sampled directions.
    **options
        As for `check_vjp`.

    Returns
    -------
    Report
        One entry for each argument that gradient returns an array for.

    Raises
    ------
    TypeError
        If f does not return a floating number, or the shape of the gradient fits neither f nor x.
    ValueError
        If there is nothing to differentiate, or the gradients fit the arguments in no way or in several.

    Examples
    --------
    >>> check_gradient(lambda x: np.sum(x**3), lambda x: 3 * x**2, np.array([1.0, -2.0])).passed
    True
    >>> check_gradient(lambda x: (np.sum(x**3), 3 * x**2), None, np.array([1.0, -2.0])).passed
    True
    """
    chosen = Options(seed=seed, **options)
    args = list(x) if isinstance(x, tuple | list) else [x]
    if error := refusal(f, args):
        raise TypeError(
            f"x holds {len(args)} arguments, but f{signature_of(f)} does not take them ({error}). A list "
            "holds one item for each argument; pass a single point as an array, np.array(x)"
        )
    pair = _gradient_pair(f, gradient, args)
    return _reported("check_gradient", (f, gradient), "x", pair, args, names, wrt, chosen)


def _gradient_pair(f: Callable[..., Any], gradient: Callable[..., Any] | None, args: list[Any]) -> Pair:
    """Make a forward and a backward of a function and its gradient."""

    def forward(*arguments: Any) -> tuple[Any, tuple[Any, ...]]:
        y, slopes = f(*arguments), None
        if gradient is None:
            if not isinstance(y, tuple) or len(y) < 2:
                raise TypeError(
                    "gradient is None, so f must return its value and its gradient: (number, array)"
                )
            y, slopes = y[0], y[1] if len(y) == 2 else y[1:]
        y = in_numpy(y)
        if isinstance(y, tuple | list):
            raise TypeError(
                f"f returns {len(y)} values; it must return a number. If it returns its gradient too:\n"
                "    check_gradient(f, None, x)"
            )
        return np.reshape(y, ())[()] if np.size(y) == 1 else np.asarray(y), (slopes, arguments)

    def backward(dy: Any, cache: tuple[Any, tuple[Any, ...]]) -> Any:
        slopes, arguments = cache
        found = in_numpy(slopes if gradient is None else gradient(*arguments))
        if isinstance(found, list) and len(args) == 1 and not isinstance(args[0], list):
            found = np.asarray(found)
        shapes = [np.shape(arg) for arg in arguments]
        return mapped(lambda g: None if g is None else _times(np.asarray(dy), np.asarray(g), shapes), found)

    noise = Noise(f=f, gradient=gradient)
    return Pair(forward, backward, held=shapes_in((f, gradient)), noise=noise)


def _times(dy: Any, gradient: Any, shapes: Sequence[tuple[int, ...]]) -> Any:
    """Multiply a gradient by the upstream gradient of f, in the gradient's precision."""
    if gradient.dtype.kind == "f":
        dy = dy.astype(gradient.dtype)
    if dy.ndim == 0:
        return dy * gradient
    if gradient.shape[: dy.ndim] == dy.shape and (gradient.shape[dy.ndim :] in shapes):
        return np.tensordot(dy, gradient, axes=dy.ndim)
    if gradient.shape == dy.shape and dy.shape in shapes:
        return dy * gradient
    raise TypeError(
        f"f returns shape {dy.shape}, not a single number, so gradient must return its Jacobian, of shape "
        f"{dy.shape} followed by the shape of x. It returns shape {gradient.shape}"
    )


def check_hvp(
    gradient: Callable[..., Any],
    hvp: Callable[[Any, Any], Any],
    x: Any,
    *,
    names: Sequence[str] | None = None,
    seed: int = 0,
    **options: Any,
) -> Report:
    """Check a function that returns Hessian-vector products against the gradient of the same function.

    Parameters
    ----------
    gradient : callable
        ``gradient(*x)`` returns the gradient of a scalar function: an array, or a tuple of arrays, one for
        each argument in `x`. It is assumed to be right: check it with `check_gradient`.
    hvp : callable
        ``hvp(x, v)`` returns H v, the gradient's derivative in the direction v, in the same form as
        `gradient`. x and v are lists with one array for each argument or, for a single argument, arrays.
    x : array, or list or tuple of arrays
        The point at which to check.
    names : sequence of str, optional
        One name for each argument.
    seed : int
        Seed for v, drawn from a normal distribution, and for the sampled directions.
    **options
        As for `check_vjp`.

    Returns
    -------
    Report
        One entry for each argument: the part of H v that belongs to it.

    Raises
    ------
    ValueError
        If `x` holds anything that cannot be differentiated, or `gradient` does not return the shapes of `x`.

    Notes
    -----
    A Hessian is symmetric, so H v is the gradient of the number sum(v * gradient(x)) for a fixed v. The check
    compares hvp with complex steps and central differences of this number. If the Jacobian of `gradient` is
    not symmetric, `gradient` is not the gradient of any function, and the check fails, unless hvp multiplies
    v by the transposed Jacobian.

    To check the backward of a backward, use `check_vjp`: ``backward(dy, forward(x)[1])`` is a function of dy
    and x like any other.

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
        raise ValueError("x must hold only floating arrays or scalars: all of them are differentiated")
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
        With the printed report, if its verdict is neither "pass" nor "kink".
    """
    return assert_passed(check_vjp(forward, backward, args, **options))
