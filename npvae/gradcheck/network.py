"""Check the gradient of a whole network with respect to its parameters."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .arguments import Array, coarsest, copied, is_floating, kind_of, largest, lengths_of, quiet, rebuilt
from .checks import Options, noise_check, undecided
from .hints import Clues
from .judge import compare, gradients_of, judge, mismatch
from .measure import measure_together
from .objective import Budget, Objective, generator, objectives_of
from .objects import Noise, Snapshot
from .report import Check, Entry, Report, one_cause

_LARGE = 20_000  # a network with more parameters is checked on one projection of each array
_SECOND_LOOK = Budget(n_entries=0, n_coordinates=16, n_projections=4)


def check_network(
    network: Any,
    params: Mapping[str, Array] | Sequence[Array],
    *args: Any,
    seed: int = 0,
    n_entries: int | None = None,
    n_coordinates: int | None = None,
    n_projections: int | None = None,
    rtol: float = 0.0,
) -> Report:
    """Check a network's gradient with respect to its parameters.

    Parameters
    ----------
    network : object
        ``network.loss_and_grad(params, *args) -> (loss, grads)``: loss is a real scalar, or has one as
        ``loss.total``; grads maps each parameter's name to its gradient. If there is also a method
        ``network.loss(params, *args) -> loss`` that returns the same loss, the oracles evaluate this method,
        which saves the backward pass. Random generators that the network holds, and NumPy's global one, are
        reset to the same state before each evaluation, so noise that is drawn from them is held fixed.
    params : mapping of str to array, or list of arrays
        The parameters: a dict of arrays, or a mapping with ``astype(dtype)`` and ``copy()`` into which arrays
        can be assigned by name. If `params` is a list, the gradients are a list. Values that are not
        floating, such as a number of steps, are passed through and need no gradient.
    *args
        The other arguments of the loss, such as data and noise. They are held fixed; the oracles pass
        floating arrays as float64 copies.
    seed : int
        Seed for the sampled entries and the projections.
    n_entries : int, optional
        A parameter with up to this many entries is checked entry by entry.
    n_coordinates, n_projections : int, optional
        For each larger parameter, how many randomly drawn entries and how many random projections are
        checked. If none of the three is given, they are 2000, 64 and 8 for a network of up to 20,000
        parameters. In a larger network, each parameter is checked on one random projection, and those whose
        gradient is wrong there on 16 entries and 4 projections.
    rtol : float
        Additional tolerance, relative to a gradient's largest entry.

    Returns
    -------
    Report
        One entry for each floating parameter. If two calls with the same arguments return different losses,
        nothing is compared, and the entries are "inconclusive".

    Raises
    ------
    TypeError
        If network has no loss_and_grad, or if `params` or the result of loss_and_grad has the wrong type.
    ValueError
        If gradients and parameters have different names, or no parameter is floating.

    Notes
    -----
    Each derivative takes one evaluation by complex step and six or more by central differences. The
    parameters become complex; `args` stay real.

    Examples
    --------
    >>> class Line:
    ...     def loss_and_grad(self, params, x, y):
    ...         residual = params["w"] * x - y
    ...         return np.sum(residual**2), {"w": np.sum(2 * residual * x, keepdims=True)}
    >>> x = np.arange(4.0)
    >>> check_network(Line(), {"w": np.array([0.5])}, x, x**2).passed
    True
    """
    counts = {"n_entries": n_entries, "n_coordinates": n_coordinates, "n_projections": n_projections}
    asked = {key: value for key, value in counts.items() if value is not None}
    run = _Run(network, params, args)
    with run.noise.kept():
        entries, checks = _look(run, asked, generator(seed), rtol)
    checks += noise_check(run.noise)
    title = f"check_network({type(network).__name__})"
    call = Options(seed=seed, rtol=rtol).call("check_network(network, params, *args", **asked)
    return Report(title, entries, seed, call, tuple(checks))


class _Run:
    """A network's two functions, called with parameters by name and with all generators reset."""

    def __init__(self, network: Any, params: Any, args: Sequence[Any]) -> None:
        if not callable(getattr(network, "loss_and_grad", None)):
            raise TypeError(
                f"{_described(network)} has no method loss_and_grad; check_network needs an object with "
                "loss_and_grad(params, *args) -> (loss, grads)"
            )
        self.noise = Noise(network=network)
        self.has_loss = callable(getattr(network, "loss", None))  # whether that evaluates the loss
        self._network, self.params = network, params
        self._listed = isinstance(params, list | tuple)
        if not self._listed and not isinstance(params, Mapping):
            raise TypeError(
                f"params must map names to arrays, or be a list of arrays, not {_described(params)}"
            )
        # The parameters by name; those of a list are params[0], params[1], ...
        self.point = {f"params[{k}]": value for k, value in enumerate(params)} if self._listed else params
        for name in self.point:
            if isinstance(self.point[name], Mapping | list | tuple):
                place = name if self._listed else f"params[{name!r}]"
                what = _described(self.point[name])
                raise TypeError(f"{place} is {what}: params must hold arrays, each under its own name")
        self.given = {
            name: np.array(self.point[name]) for name in self.point if is_floating(self.point[name])
        }
        if not self.given:
            raise ValueError("no parameter is a floating array: there is nothing to differentiate")
        self._frozen = _converted(self.point, None)
        self.fixed = [copied(arg) for arg in args]

    def parameters(self, dtype: npt.DTypeLike | None = None) -> Any:
        """Return a copy of all parameters, the floating ones in another dtype if one is given."""
        return _converted(self._frozen, dtype)

    def loss_and_grad(self, point: Any) -> tuple[Any, dict[str, Any]]:
        """Return the loss, and copies of the gradients by name; None stays None."""
        result = self._call(self._network.loss_and_grad, point)
        if not isinstance(result, tuple | list) or len(result) != 2:
            raise TypeError(f"loss_and_grad must return a pair (loss, grads), not {_described(result)}")
        grads = result[1]
        if self._listed:
            if not isinstance(grads, list | tuple):
                raise TypeError(
                    f"params is a list, so the gradients must be one too, not {_described(grads)}"
                )
            grads = {f"params[{k}]": gradient for k, gradient in enumerate(grads)}
        elif not isinstance(grads, Mapping):
            raise TypeError(
                f"the gradients must be a mapping, with the names of params, not {_described(grads)}"
            )
        copies = {name: None if grads[name] is None else np.array(grads[name]) for name in grads}
        return _number(result[0]), copies

    def loss(self, point: Any, dtype: npt.DTypeLike | None = None) -> Any:
        """Return the loss alone, with the other arguments in a dtype."""
        if self.has_loss:
            return _number(self._call(self._network.loss, point, dtype))
        return _number(self._call(self._network.loss_and_grad, point, dtype)[0])

    def settle_loss(self, expected: Any, dtype: npt.DTypeLike) -> list[Check]:
        """Use ``network.loss`` only if it returns the loss of loss_and_grad; return a note if it does not."""
        if not self.has_loss:
            return []
        try:
            with quiet():
                found = self.loss(self.parameters())
            if not mismatch([found], [expected], [""], [largest(expected)], dtype):
                return []
            reason = f"it returns {found:.8g}, but loss_and_grad returns {expected:.8g}"
        except Exception as error:  # it may be another function altogether
            reason = f"it raises {type(error).__name__}"
        self.has_loss = False
        return [Check("loss", "note", f"the method loss is not used: {reason}")]

    def objectives(self, loss: Any) -> tuple[list[Objective], Callable[[Mapping[str, Array]], Any]]:
        """Return the loss as a function of each parameter, and as a function of all of them together."""

        def evaluate(dtype: npt.DTypeLike | None, replaced: Mapping[str, Array]) -> list[Any]:
            kind = np.complex128 if any(map(np.iscomplexobj, replaced.values())) else dtype
            point = self.parameters(kind)
            for name, x in replaced.items():
                point[name] = x
            return [self.loss(point, dtype)]

        names, given = list(self.given), [*self.given.values(), *self.fixed]
        objectives, dtype = objectives_of(evaluate, self.given, names, given, [1.0], [loss], by_term=False)
        return objectives, lambda arrays: evaluate(dtype, arrays)[0]

    def _call(self, function: Any, point: Any, dtype: npt.DTypeLike | None = None) -> Any:
        if self._listed:
            point = rebuilt(self.params, list(point.values()))
        self.noise.reset()
        result = function(point, *[copied(arg, dtype) for arg in self.fixed])
        self.noise.look()
        return result


def _converted(params: Any, dtype: npt.DTypeLike | None) -> Any:
    if hasattr(params, "astype"):
        return params.copy() if dtype is None else params.astype(dtype)
    return {name: copied(array, dtype) for name, array in params.items()}


def _number(loss: Any) -> Any:
    """Return the loss as a scalar: the loss itself, or its attribute ``total``."""
    value = getattr(loss, "total", loss)
    if isinstance(value, tuple | list | Mapping) or np.asarray(value).dtype.kind not in "fciu":
        raise TypeError(
            f"the loss must be a real number, or have one as loss.total, but it is {_described(value)}"
        )
    if np.size(value) != 1:
        raise TypeError(f"the loss must be a single number, but it has shape {np.shape(value)}")
    return value if np.ndim(value) == 0 else np.reshape(value, ())[()]


def _described(value: Any) -> str:
    """Return a value's type with an article, and how many things it holds."""
    name = type(value).__name__
    article = "an" if name[0].lower() in "aeiou" else "a"
    count = f" of {len(value)}" if isinstance(value, tuple | list | Mapping) else ""
    return "None" if value is None else f"{article} {name}{count}"


def _look(
    run: _Run, asked: dict[str, int], rng: np.random.Generator, rtol: float
) -> tuple[tuple[Entry, ...], list[Check]]:
    """Run all checks; the gradients are not compared if the loss does not repeat."""
    names, given = list(run.given), run.given
    before = Snapshot(params=run.params if isinstance(run.params, list | tuple) else dict(run.point))
    loss, found = run.loss_and_grad(run.point)
    changed = before.changed()
    before.restore()
    if np.iscomplexobj(loss):
        raise TypeError("the loss must be a real number, but it is complex")
    if not set(names) <= set(found) <= set(run.point):
        text = f"the gradients are named {sorted(map(str, found))}, the parameters {sorted(map(str, names))}"
        hint = "; for a parameter without a gradient return zeros" if set(found) < set(names) else ""
        raise ValueError(text + hint)
    grads = {name: found[name] for name in names}

    text = f"loss_and_grad changes {', '.join(changed)}"
    checks = [Check("unchanged inputs", "fail", text) if changed else Check("unchanged inputs", "pass")]
    if others := [f"{name} ({kind_of(run.point[name])})" for name in run.point if name not in given]:
        text = f"not differentiated, and no gradient compared, because not floating: {', '.join(others)}"
        checks.append(Check("left as they are", "note", text))
    dtype = coarsest([*given.values(), *run.fixed, *grads.values()])
    repeated = _repeatable(run, loss, grads, dtype)
    checks.append(repeated)
    if repeated.verdict == "inconclusive":
        shapes = [x.shape for x in given.values()]
        return undecided(names, shapes, "not compared: the loss does not repeat"), checks
    checks += run.settle_loss(loss, dtype)
    entries = _compared(run, loss, grads, asked, rng, rtol)
    return entries, checks + one_cause(entries)


def _compared(
    run: _Run,
    loss: Any,
    grads: Mapping[str, Any],
    asked: dict[str, int],
    rng: np.random.Generator,
    rtol: float,
) -> tuple[Entry, ...]:
    """Compare the gradients; in a large network on one projection each, and closely only if that fails."""
    objectives, together = run.objectives(loss)
    sizes = [array.size for array in run.given.values()]
    dtype = coarsest(run.given.values())
    budget = Budget(**asked)
    budget.require_enough_for(max(sizes))
    entries: dict[str, Entry] = {}
    if not asked and sum(sizes) > _LARGE:
        budget = _SECOND_LOOK
        for measurement in measure_together(objectives, together, rng):
            name, point = measurement.objective.name, measurement.objective.point
            gradient = np.asarray(grads[name])
            if gradient.shape == point.shape and gradient.dtype.kind in "fiu":
                entry = judge(measurement, gradient, dtype, rtol)
                entries[name] = replace(entry, checked=f"1 projection of {point.size}")
    wanted = [o for o in objectives if o.name not in entries or entries[o.name].verdict != "pass"]
    clues = Clues(lengths_of([*run.given.values(), *run.fixed]))
    looked = compare(wanted, [grads[o.name] for o in wanted], dtype, clues, budget, rng, rtol)
    entries |= {entry.name: entry for entry in looked}
    return tuple(entries[name] for name in run.given)


def _repeatable(run: _Run, loss: Any, grads: Mapping[str, Any], dtype: np.dtype[Any]) -> Check:
    """Call loss_and_grad at another point, then here again: it must return the same up to rounding."""
    elsewhere = run.parameters()
    for name in grads:
        elsewhere[name] = np.asarray(0.5 * elsewhere[name], elsewhere[name].dtype)
    with contextlib.suppress(Exception), quiet():  # it need not accept this point
        run.loss_and_grad(elsewhere)
    again, found = run.loss_and_grad(run.parameters())
    same = "a second call with the same arguments returns"
    if mismatch([again], [loss], [""], [largest(loss)], dtype):
        return Check(
            "repeatable",
            "inconclusive",
            f"{same} another loss, {again:.8g} and not {loss:.8g}: it draws fresh noise or keeps state. Pass "
            "the noise, or a numpy.random.Generator, as an argument, or keep the generator in the network",
        )
    numeric = [name for name, g in grads.items() if g is not None and g.dtype.kind in "fiu"]
    expected = [grads[name] for name in numeric]
    again, sizes = [found.get(name) for name in numeric], [largest(gradient) for gradient in expected]
    if where := mismatch(again, expected, gradients_of(numeric), sizes, coarsest(expected)):
        text = f"{same} other gradients: {where}; fresh noise, gradients that add up, or a stale cache"
        return Check("repeatable", "fail", text)
    return Check("repeatable", "pass")
