"""Call a layer's forward and backward, whose names, signatures and results differ from author to author."""

from __future__ import annotations

import contextlib
import enum
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .arguments import is_floating, leaves, normal, refusal, signature_of
from .objects import Place, inside, nodes, same_bits
from .report import Check

_FORWARD = ("forward", "forward_pass", "fprop", "forward_propagation", "feed_forward")
_BACKWARD = ("backward", "backward_pass", "bprop", "backprop", "backward_propagation", "back_propagation")
_GRADIENTS = ("grad", "grads", "gradient", "gradients", "gradparameters")
_ZERO = {verb + what for verb in ("zero", "clear", "reset") for what in _GRADIENTS}
_FLUSH = {"flush", *("flush" + what for what in _GRADIENTS)}
_TARGETS = {"y", "actual", "expected", "desired", "truth", "groundtruth", "gt", "observed"}
_RATES = {"lr", "learningrate"}
_RATES_WITHOUT_DEFAULT = {"eta", "alpha", "stepsize", "rate"}
_DX = ("dinputs", "dinput", "gradinput", "gradinputs", "dx")
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Upstream(enum.Enum):
    """How a backward takes the upstream gradient."""

    ONE = "as one argument, a tuple where there are several results"
    EACH = "as one argument for each result"
    FIRST = "as one argument, for the first result alone"
    NONE = "not at all: it is the gradient of a single number"
    IGNORED = "as an argument with a default, which makes no difference"
    FACTOR = "not at all: it returns the derivative of each entry"


class Calls:
    """How to call a layer, whose methods have these names if they are unusual.

    x is the input or a tuple or list of the inputs of its forward; a list may be a single input. Raises a
    TypeError, which says what was expected, if it is not a layer or does not take these inputs.
    """

    def __init__(self, layer: Any, x: Any, forward: str | None = None, backward: str | None = None) -> None:
        kind = type(layer).__name__
        if isinstance(layer, type):
            raise TypeError(f"{layer.__name__} is a class: pass an instance of it, {layer.__name__}(...)")
        for name in filter(None, (forward, backward)):
            if not callable(getattr(layer, name, None)):
                raise TypeError(f"{kind} has no method {name!r}")
        self._forward = forward or _first_of(layer, _FORWARD) or ("__call__" if callable(layer) else "")
        self._backward = backward or _first_of(layer, _BACKWARD)
        if not self._forward or not self._backward:
            raise TypeError(
                f"{kind} is not a layer: it needs methods forward(x) and backward(dy). If they have other "
                "names, pass them:\n    check_layer(layer, x, forward='propagate', backward='backpropagate')"
            )
        method = layer if self._forward == "__call__" else getattr(layer, self._forward)
        signature = signature_of(method)
        alone = isinstance(x, list) and all(map(is_floating, x)) and bool(signature.parameters)
        alone = alone and not refusal(method, [x])
        self.inputs = list(x) if isinstance(x, tuple | list) and not alone else [x]
        if error := refusal(method, self.inputs):
            count = len(self.inputs)
            raise TypeError(
                f"forward{signature} does not take {count} input{'s' * (count > 1)} ({error}): "
                "x must be a tuple of all its inputs"
            )
        found = [p.name for p in signature.parameters.values() if p.kind in _POSITIONAL]
        others = [f"x{k}" for k in range(len(found), len(self.inputs))] if len(self.inputs) > 1 else ["x"]
        self.names = [*found, *others][: len(self.inputs)]  # those that forward gives to them
        self.upstream = Upstream.ONE  # until `settle` finds out
        self.rate = ""  # the learning rate's name if backward takes one, and updates the parameters itself
        self._resets = [(place, name) for place, node in nodes(layer) for name in _methods(node, _ZERO)]
        self._flushes = [(place, name) for place, node in nodes(layer) for name in _methods(node, _FLUSH)]
        self._by_name: dict[str, int] = {}

    def flush(self, layer: Any) -> None:
        """Discard the inputs that a layer has collected."""
        with contextlib.suppress(Exception):  # it may need a forward first
            _call(layer, self._flushes)

    def forward(self, layer: Any, inputs: Sequence[Any]) -> Any:
        """Return y; raise a TypeError if forward returns nothing, or nothing floating."""
        y = getattr(layer, self._forward)(*inputs)
        if y is None:  # some keep it in an attribute
            y = getattr(layer, "output", None)
        if y is None:
            raise TypeError(
                "forward returned None: it must return y, or keep it in an attribute named output"
            )
        dtypes = [np.asarray(part).dtype for part in leaves(y)]
        if not any(dtype.kind in "fc" for dtype in dtypes):
            raise TypeError(
                f"forward returned dtype {dtypes[0]}; only floating results have a gradient: "
                "check the dtypes of the inputs"
            )
        return leaves(y)[0] if self.upstream is Upstream.FIRST else y

    def settle(self, ran: Callable[[], Any], y: Any, dy: Any) -> None:
        """Find out how backward takes dy, from copies ``ran()`` of the layer after a forward that returned y.

        Raises a TypeError if none of the known ways to call it fits.
        """
        method = getattr(ran(), self._backward)
        accepted, needed = arguments_of(method)
        count, single = len(leaves(y)), sum(np.size(part) for part in leaves(y)) == 1
        self._by_name = {name: self.names.index(name) for name in needed if name in self.names}
        if len(self._by_name) == len(needed):
            self._by_name = {}
        rates = [name for name in accepted if normal(name) in _RATES]
        rates += [name for name in needed if normal(name) in _RATES_WITHOUT_DEFAULT]
        self.rate = next(iter(rates), "")
        needs = len(needed) - len(self._by_name) - (self.rate in needed)
        if needs > 1 and needs != count:
            raise TypeError(_too_many(method, needed))
        if needs > 1:
            self.upstream = Upstream.EACH
        elif not accepted and single:
            self.upstream = Upstream.NONE
        elif not accepted:
            self.upstream = Upstream.FACTOR
            derivative = self.backward(ran(), self.inputs, dy)
            shapes = {np.shape(x) for x in (derivative, y, *filter(is_floating, self.inputs))}
            if len(shapes) > 1 or isinstance(y, tuple | list):
                raise TypeError(
                    f"backward takes no dy, so y must be a single number; it has shape {np.shape(dy)}"
                )
        elif not needed and single and not isinstance(y, tuple | list):
            once, twice = (
                [g for g in split(self.backward(ran(), self.inputs, f * dy), self.inputs)[0] if g is not None]
                for f in (1.0, 2.0)
            )
            ignored = any(np.any(g) for g in once) and all(map(same_bits, once, twice))
            self.upstream = Upstream.IGNORED if ignored else Upstream.ONE
        elif takes_first_alone(
            lambda dy: split(self.backward(ran(), self.inputs, dy), self.inputs)[0], dy, self.inputs
        ):
            self.upstream = Upstream.FIRST
        elif count > 1:
            try:
                self.backward(ran(), self.inputs, dy)
            except Exception as error:
                error.add_note(_SEVERAL.format(count))
                raise

    def backward(self, layer: Any, inputs: Sequence[Any], dy: Any) -> Any:
        """Call backward, after setting the gradients to zero if the layer has a method for that.

        If backward returns None and keeps the gradients of its inputs in attributes with usual names, return
        these. The result of a backward that takes no dy still has to be multiplied: see `scale`.
        """
        _call(layer, self._resets)
        method = getattr(layer, self._backward)
        if self.upstream in (Upstream.NONE, Upstream.IGNORED, Upstream.FACTOR):
            given: list[Any] = []
        else:
            given = list(dy) if self.upstream is Upstream.EACH else [dy]
        if self._by_name:
            upstream = iter(given)
            given = [
                inputs[self._by_name[name]] if name in self._by_name else next(upstream)
                for name in arguments_of(method)[1]
                if name != self.rate
            ]
        returned = method(*given, **({self.rate: 1.0} if self.rate else {}))
        return self._kept(layer, inputs) if returned is None else returned

    def scale(self, dy: Any) -> Any:
        """Return the factor for the gradients of a backward that takes no dy; None for other backwards."""
        if self.upstream in (Upstream.NONE, Upstream.IGNORED):
            return np.reshape(leaves(dy)[0], ())[()]
        return dy if self.upstream is Upstream.FACTOR else None

    @property
    def targets(self) -> list[str]:
        """The inputs of a loss (a backward without dy) that are named like targets."""
        is_loss = self.upstream in (Upstream.NONE, Upstream.IGNORED)
        return [name for name in self.names[1:] if is_loss and normal(name) in _TARGETS]

    def remarks(self) -> list[Check]:
        """Return notes about how the layer was called."""
        flushes = ", ".join(dict.fromkeys(f"{name}()" for _, name in self._flushes))
        found = [FIRST_ALONE] if self.upstream is Upstream.FIRST else []
        if self.upstream is Upstream.IGNORED:
            text = "backward ignores its upstream gradient, so it is right only if that is 1"
            found.append(Check("dy ignored", "note", text))
        if self.upstream is Upstream.FACTOR:
            text = "backward() returns the derivative of each entry; it was multiplied by dy"
            found.append(Check("derivative", "note", text))
        if self.rate:
            text = f"backward was called with {self.rate}=1, so the gradients are the updates it subtracts"
            found.append(Check("learning rate", "note", text))
        if flushes:
            found.append(Check("flushed", "note", f"{flushes} was called before each forward"))
        return found

    def _kept(self, layer: Any, inputs: Sequence[Any]) -> Any:
        """Return the gradients of the inputs that a layer keeps in attributes; None if there is none."""
        held = {normal(step[1]): value for step, value in inside(layer) if step[0] == "attribute"}
        floating = [k for k, x in enumerate(inputs) if is_floating(x)]
        gradients: list[Any] = [None] * len(inputs)
        for k in floating:
            own = normal(self.names[k])
            names = [f"d{own}", f"grad{own}", f"{own}grad", *(_DX if len(floating) == 1 else ())]
            for name in names:
                found = held.get(name)  # not a plain number, such as a time step dt
                if isinstance(found, np.ndarray | np.floating) and found.ndim == np.ndim(inputs[k]):
                    gradients[k] = np.asarray(found)
                    break
        if all(gradient is None for gradient in gradients):
            return None
        return gradients[0] if len(inputs) == 1 else tuple(gradients)


FIRST_ALONE = Check(
    "first result",
    "note",
    "backward takes the gradient of the first result only, so only this result was checked",
)


def takes_first_alone(pull: Callable[[Any], Any], dy: Any, args: Sequence[Any]) -> bool:
    """Say whether a backward takes the gradient of the first of several results, but not those of all.

    It takes what it does not refuse, if each gradient that ``pull(dy)`` returns has the shape of an argument.
    """
    nested = (Mapping, list, tuple, type(None))
    shapes = [np.shape(arg) for arg in args if not isinstance(arg, nested)]

    def takes(given: Any) -> bool:
        try:
            gradients = pull(given)
        except Exception:  # user code: it may expect a tuple, or not expect one
            return False
        found = [] if isinstance(gradients, Mapping) else leaves(gradients)
        return all(np.shape(g) in shapes for g in found if not isinstance(g, nested))

    first = leaves(dy)[0]
    return len(leaves(dy)) > 1 and not takes(dy) and first is not None and takes(first)


def forward_of(layer: Any) -> Callable[..., Any] | None:
    """Return a layer's forward, under one of its usual names; None if it has none, or no backward."""
    if not _first_of(layer, _BACKWARD):
        return None
    if name := _first_of(layer, _FORWARD):
        found: Callable[..., Any] = getattr(layer, name)
        return found
    return layer if callable(layer) and not isinstance(layer, type) else None


def split(returned: Any, inputs: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Separate what backward returned: one gradient or None for each input, and those of the parameters."""
    nested = len(inputs) == 1 and isinstance(inputs[0], tuple | list | Mapping)
    if nested and isinstance(returned, type(inputs[0])) and len(returned) == len(inputs[0]):
        return [returned], []
    floating = [k for k, x in enumerate(inputs) if is_floating(x)]
    found = [returned] if isinstance(returned, np.ndarray) else leaves(returned)
    if isinstance(returned, Mapping):
        found = [None] * len(inputs) + [returned]
    if len(inputs) > 1 and len(found) > 1 and isinstance(found[0], tuple | list):
        found = [*found[0], *found[1:]]
    gradients: list[Any] = [None] * len(inputs)
    if len(found) == len(floating) < len(inputs):
        for k, gradient in zip(floating, found, strict=True):
            gradients[k] = gradient
        return gradients, []
    gradients[: len(found)] = found[: len(inputs)]
    return gradients, [item for thing in found[len(inputs) :] for item in _flat(thing)]


def _flat(thing: Any) -> list[Any]:
    if isinstance(thing, Mapping | tuple | list):
        return [item for _, value in inside(thing) for item in _flat(value)]
    return [] if thing is None else [thing]


def _first_of(layer: Any, names: Sequence[str]) -> str:
    return next((name for name in names if callable(getattr(layer, name, None))), "")


def _methods(node: Any, names: set[str]) -> list[str]:
    """Return an object's first method of one of these names that needs no argument."""
    for name in dir(type(node)):
        if normal(name) in names:
            method = getattr(node, name)
            if callable(method) and not arguments_of(method)[1]:
                return [name]
    return []


def _call(layer: Any, methods: list[tuple[Place, str]]) -> None:
    """Call methods, outer objects first; skip the methods of objects inside one whose method was called."""
    done: list[tuple[Any, ...]] = []
    for place, name in methods:
        if not any(place.steps[: len(steps)] == steps for steps in done):
            method = getattr(place.read(layer), name, None)
            if method is not None:
                method()
                done.append(place.steps)


def arguments_of(method: Callable[..., Any]) -> tuple[list[str], list[str]]:
    """Return the positional arguments that a method takes, and those that it requires."""
    try:
        found = list(inspect.signature(method).parameters.values())
    except (TypeError, ValueError):  # builtins and some compiled functions have none
        return ["dy"], ["dy"]
    takes = [p for p in found if p.kind in (*_POSITIONAL, inspect.Parameter.VAR_POSITIONAL)]
    return [p.name for p in takes], [p.name for p in takes if p.kind in _POSITIONAL and p.default is p.empty]


def _too_many(method: Callable[..., Any], needed: list[str]) -> str:
    kind, name = type(getattr(method, "__self__", None)).__name__, getattr(method, "__name__", "backward")
    others = ", ".join(needed[1:])
    return (
        f"backward{signature_of(method)} needs {len(needed)} arguments, but is called with dy alone. Give "
        f"the others defaults, or check a subclass that passes them:\n"
        f"    class Checked({kind}):\n"
        f"        def {name}(self, dy):\n"
        f"            return super().{name}(dy, {others})  # with values for {others}"
    )


_SEVERAL = """forward returns {0} results, so dy is a tuple of {0}. To check the first alone:
    class Checked(type(layer)):
        def forward(self, *x):
            return super().forward(*x)[0]"""


class Context:
    """The context of PyTorch's functions, in which a forward saves arrays for its backward."""

    def __init__(self, count: int) -> None:
        self.saved_tensors: tuple[Any, ...] = ()
        self.needs_input_grad = (True,) * count

    def save_for_backward(self, *arrays: Any) -> None:
        """Keep arrays."""
        self.saved_tensors = arrays

    def mark_non_differentiable(self, *arrays: Any) -> None:
        """Do nothing: results that are not floating have no gradient anyway."""


def functions_of(function: Any) -> tuple[Callable[..., Any], Callable[[Any, Any], Any]] | None:
    """Return the two functions of a class with static methods forward(ctx, x) and backward(ctx, dy)."""
    methods = [inspect.getattr_static(function, name, None) for name in ("forward", "backward")]
    if not all(isinstance(method, staticmethod) for method in methods):
        return None
    firsts = {next(iter(signature_of(method.__func__).parameters), "") for method in methods}
    if len(firsts) != 1 or not firsts <= {"ctx", "context", "self", "cache", "c"}:
        return None

    def forward(*args: Any) -> tuple[Any, Context]:
        context = Context(len(args))
        return function.forward(context, *args), context

    def backward(dy: Any, context: Context) -> Any:
        return function.backward(context, *leaves(dy))

    parameters = list(signature_of(function.forward).parameters.values())[1:]
    forward.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return forward, backward
