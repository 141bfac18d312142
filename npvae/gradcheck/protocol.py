"""Check side effects, state, linearity in dy, and other points, which the values at one point do not show.

A backward may be right in its first call and wrong in a network: if it changes arrays that others still need,
adds to the results of earlier calls, uses the cache of another forward, or draws its own noise. Correct code
never fails; unusual behaviour becomes a note.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from .arguments import Array, copied, largest, moved, parts_of, quiet, shuffled
from .case import Case, draw_like, saved
from .judge import mismatch
from .objects import Snapshot, held_in, same_bits
from .report import Check


def check_protocol(case: Case, rng: np.random.Generator) -> list[Check]:
    """Run all protocol checks of a pair at the point at which its gradients are checked."""
    checks: list[Check] = []
    for name, look in _CHECKS.items():
        try:
            with quiet():
                found = look(case, rng)
        except Exception as error:  # user code, called a second time
            text = f"{type(error).__name__}: {error}".splitlines()[0]
            found = [Check(name, "inconclusive", f"the first call works, but a later one raises {text}")]
        checks += found or [Check(name, "pass")]
    return checks


def fresh_noise(case: Case) -> str:
    """Say that the forward returns something else each time; empty if it does not."""
    for _ in range(2):
        y, _cache = case.pair.run([copied(arg) for arg in case.args])
        for part, other in zip(case.parts, parts_of(y), strict=True):
            if mismatch([other], [part], ["y"], [largest(part)], dtype=case.dtype):
                return (
                    "the forward draws fresh noise or keeps state: two calls with the same arguments return "
                    "different results. Pass the noise, or a numpy.random.Generator, as an argument"
                )
    return ""


def _with_passes(checks: list[Check], *names: str) -> list[Check]:
    """Add a pass for each of these names that has no check in the list."""
    found = {check.name for check in checks}
    return checks + [Check(name, "pass") for name in names if name not in found]


def _unchanged(case: Case, rng: np.random.Generator) -> list[Check]:
    args = [copied(arg) for arg in case.args]
    by_label = dict(zip(case.labels, args, strict=True))
    inputs = Snapshot(**by_label)
    y, cache = case.pair.run(args)
    checks = []
    if changed := inputs.changed():
        # Forward may update arguments that are not differentiated on purpose, such as running averages.
        verdict: Literal["fail", "note"] = "fail" if set(changed) & set(case.names) else "note"
        checks.append(Check("unchanged inputs", verdict, f"forward changes {', '.join(changed)}"))
    dys = [dy.copy() for dy in case.dys]
    held, upstream, kept = Snapshot(**by_label), Snapshot(dy=dys), Snapshot(cache=cache)
    plain = isinstance(cache, tuple | list | dict | np.ndarray)
    gradients = case.pair.pull(y, dys, cache)
    # dy, inputs and cache may be one array: a change is reported once, under the most informative name.
    if upstream.changed():
        checks.append(Check("unchanged dy", "fail", "backward changes its upstream gradient"))
    elif changed := held.changed():
        checks.append(Check("unchanged inputs", "fail", f"backward changes {', '.join(changed)}"))
    elif changed := kept.changed():
        text = f"backward changes {', '.join(changed[:3])}" + (" and others" if len(changed) > 3 else "")
        checks.append(Check("unchanged cache", "fail" if plain else "note", text))
    for name, gradient in zip(case.names, gradients, strict=True):
        for other, thing in [("dy", dys), *by_label.items()]:
            if any(np.may_share_memory(gradient, array) for array in held_in(thing, np.ndarray).values()):
                text = f"the gradient of {name} shares memory with {other}: changing one changes the other"
                checks.append(Check("aliases", "note", text))
    return _with_passes(checks, "unchanged inputs", "unchanged dy", "unchanged cache")


_BETWEEN = "{name} is {expected} in one call and {found} in the next"  # and neither is known to be right


def _repeatable(case: Case, rng: np.random.Generator) -> list[Check]:
    y, cache = case.pair.run([copied(arg) for arg in case.args])

    def pull() -> list[Array]:
        return saved(case.pair.pull(y, [dy.copy() for dy in case.dys], cache))

    first = pull()
    before = Snapshot(cache=cache)
    try:
        second = pull()
        spoiled = before.changed()
        third = pull()
    except Exception as error:  # the cache was used up
        text = f"backward can run only once for each forward: a second call raises {type(error).__name__}"
        return [Check("repeatable", "note", text)]
    fresh = case.pair.both(case.args, case.dys)[1]
    checks = []
    if not all(map(same_bits, [*first, *second], [*second, *third])):
        where = case.differ(second, first, words=_BETWEEN) or case.differ(third, first, words=_BETWEEN)
        if not where:
            text = "two backward passes after one forward differ by rounding"
            checks.append(Check("repeatable", "note", text))
        elif not case.differ(_minus(third, second), _minus(second, first)):
            text = f"a second backward adds to the result of the first, which is not set to zero: {where}"
            checks.append(Check("no accumulation", "fail", text))
        elif spoiled or before.changed() or not case.differ(third, second):
            text = f"a second backward with the same cache returns something else: {where}"
            checks.append(Check("repeatable", "fail", text))
        else:
            text = f"the backward draws fresh noise, so each call with the same cache differs: {where}"
            checks.append(Check("repeatable", "fail", text))
    elif where := case.differ(fresh, case.gradients) or case.differ(first, case.gradients):
        text = f"another forward and backward with the same arguments return something else: {where}"
        checks.append(Check("no accumulation", "fail", text))
    return _with_passes(checks, "repeatable", "no accumulation")


def _minus(a: list[Array], b: list[Array]) -> list[Array]:
    return [np.subtract(x, y) if x.shape == y.shape else x for x, y in zip(a, b, strict=True)]


def _linear(case: Case, rng: np.random.Generator) -> list[Check]:
    """Compare backward(a dy + b dy') with a backward(dy) + b backward(dy')."""
    others = draw_like(case.dys, rng)
    if not all(np.all(np.isfinite(gradient)) for gradient in case.gradients):
        return [Check("linear in dy", "note", "not checked: a gradient is not finite")]
    if any(dy.dtype == np.float16 for dy in case.dys):
        return [Check("linear in dy", "note", "not checked in float16")]
    second = case.pair.both(case.args, others)[1]
    for a, b in ((1.0, -0.5), (64.0, -24.0)):
        mixed = [np.asarray(a * dy + b * other, dy.dtype) for dy, other in zip(case.dys, others, strict=True)]
        found = case.pair.both(case.args, mixed)[1]
        expected = [a * g + b * h for g, h in zip(case.gradients, second, strict=True)]
        # Judged on the scale of what was added: a g and b h may cancel.
        ones = [np.asarray(f / abs(a)) for f in found]
        wanted = [np.asarray(e / abs(a)) for e in expected]
        if case.differ(ones, wanted) and (where := case.differ(ones, wanted, _noise_of_dy(case, rng))):
            text = (
                f"backward(a dy + b dy') is not a backward(dy) + b backward(dy'): {where}. dy must enter "
                "linearly: do not clip, round or ignore it inside (clip gradients after the backward pass)"
            )
            return [Check("linear in dy", "fail", text)]
    return []


def _noise_of_dy(case: Case, rng: np.random.Generator) -> list[float]:
    """Return, for each gradient, the size of terms whose rounding explains its change when dy is rounded."""
    eps = float(np.finfo(case.dtype).eps)
    terms = [max(term, *map(largest, case.dys)) for term in case.terms]
    for _ in range(3):
        rounded = [moved(dy, eps * dy * rng.choice([-1.0, 1.0], dy.shape)) for dy in case.dys]
        around = case.pair.both(case.args, rounded)[1]
        changes = [largest(g.astype(np.float64) - h) for g, h in zip(around, case.gradients, strict=True)]
        terms = [max(term, change / eps) for term, change in zip(terms, changes, strict=True)]
    return terms


def _stale(case: Case, rng: np.random.Generator) -> list[Check]:
    """Run forward(A) and forward(B): backward must return B's gradients, and A's with A's cache."""
    other = next(filter(None, (case.at(args, rng) for args in far_from(case, rng))), None)
    if other is None:
        text = "not checked: forward accepts none of the other points that were tried"
        return [Check("stale cache", "note", text)]
    checks = []
    y_a, cache_a = case.pair.run([copied(arg) for arg in case.args])
    y_b, cache_b = case.pair.run([copied(arg) for arg in other.args])
    of_b = case.pair.pull(y_b, [dy.copy() for dy in other.dys], cache_b)
    kept_b = saved(of_b)
    where = other.differ(kept_b, other.gradients)
    if not where and (wrong := replace(other, gradients=kept_b).wrong(rng)):
        where = _left_over(case, other, kept_b)
        if not where:
            text = (
                f"after the entries were shuffled and shrunk, {wrong}. The cache is not stale. Either a "
                "branch that the given arguments do not reach is wrong, or the function is meant only for "
                "arguments of a certain structure, such as symmetric or sorted ones"
            )
            checks.append(Check("another point", "inconclusive" if case.vacuous else "note", text))
    if where:
        text = f"after forward(A), forward(B), backward does not return the gradients of B: {where}"
        return [Check("stale cache", "fail", text)]
    own = isinstance(cache_a, tuple | list | dict | np.ndarray) and cache_a is not cache_b
    try:
        of_a = case.pair.pull(y_a, [dy.copy() for dy in case.dys], cache_a)
        where = case.differ(of_a, case.gradients)
    except Exception as error:  # the state of B does not fit A
        where = f"it raises {type(error).__name__}"
    if where and own and held_in(cache_a, np.ndarray):
        text = f"after forward(B), a backward with A's cache does not return the gradients of A: {where}"
        checks.append(Check("stale cache", "fail", text))
    elif where:
        text = "the cache lives in an object until the next forward: call backward before that"
        checks.append(Check("stale cache", "note", text))
    return checks


def _left_over(case: Case, other: Case, gradients: list[Array]) -> str:
    """Say where gradients at another point are wrong because state from the first point is left over."""
    shapes_agree = all(a.shape == b.shape for a, b in zip(case.dys, other.dys, strict=True))
    if shapes_agree and not case.differ(gradients, case.pair.both(case.args, other.dys)[1]):
        return "it is the gradient of A"
    fresh = case.pair.afresh()
    return other.differ(gradients, fresh.both(other.args, other.dys)[1]) if fresh else ""


def _earlier_results(case: Case, rng: np.random.Generator) -> list[Check]:
    y, cache = case.pair.run([copied(arg) for arg in case.args])
    gradients = case.pair.pull(y, [dy.copy() for dy in case.dys], cache)
    held = Snapshot(y=y, **{f"the gradient of {n}": g for n, g in zip(case.names, gradients, strict=True)})
    far = next(far_from(case, rng))
    if case.at(far, rng) is None:  # forward need not take the other point
        case.at(case.args, rng)
    if changed := held.changed():
        text = f"a later call changes what an earlier one returned: {', '.join(changed)}"
        return [Check("earlier results", "fail", text)]
    return []


def _special(x: Array) -> bool:
    """Say whether all entries are equal: ones hide a forgotten factor, and zeros a forgotten term."""
    if x.size == 1:
        return x.flat[0] in (-1.0, 0.0, 1.0)
    return bool(x.size and np.isfinite(x.flat[0]) and np.all(x == x.flat[0]))


def _generic_values(case: Case, rng: np.random.Generator) -> list[Check]:
    """Check with other values if entries are all equal, such as factors of 1 or terms of 0."""
    special = [k for k, x in case.points.items() if case.right and _special(np.asarray(x))]
    args = [copied(arg) for arg in case.args]
    for k in special:
        x = np.asarray(args[k])
        shift = x * rng.uniform(-0.5, 0.5, x.shape) if np.any(x) else 0.5 * rng.standard_normal(x.shape)
        args[k] = moved(x, shift)
    other = case.at(args, rng) if special else None
    if other is None or not (wrong := other.wrong(rng)):
        return []
    names = ", ".join(case.labels[k] for k in special)
    text = f"with other values for {names}, whose entries are all the same at the given point, {wrong}"
    return [Check("generic values", "fail", text)]


_CHECKS: dict[str, Callable[[Case, np.random.Generator], list[Check]]] = {
    "unchanged": _unchanged,
    "repeatable": _repeatable,
    "linear in dy": _linear,
    "stale cache": _stale,
    "earlier results": _earlier_results,
    "generic values": _generic_values,
}


def far_from(case: Case, rng: np.random.Generator) -> Any:
    """Yield points far from the given one, the farthest first.

    The entries of differentiated arguments are shuffled and shrunk. In all other arrays whole rows are
    shuffled, so that one-hot targets remain one-hot.
    """
    bold, careful = [copied(arg) for arg in case.args], [copied(arg) for arg in case.args]
    for k, arg in enumerate(case.args):
        if k in case.positions:
            bold[k], careful[k] = shuffled(arg, rng)
        elif isinstance(arg, np.ndarray) and arg.ndim and not _symmetric(arg):
            bold[k] = arg[rng.permutation(len(arg))]
    yield bold
    yield careful


def _symmetric(x: Array) -> bool:
    return x.ndim == 2 and x.shape[0] == x.shape[1] and same_bits(x, x.T)
