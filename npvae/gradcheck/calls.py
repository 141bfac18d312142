"""Call a layer's forward and backward, whose names, signatures and results differ from author to author."""

from __future__ import annotations

import contextlib
import enum
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .arguments import is_floating, leaves, looks_constant, normal, rebuilt, refusal, signature_of
from .objects import Place, inside, nodes, same_bits
from .report import Check

_FORWARD = ("forward", "forward_pass", "fprop", "forward_propagation", "feed_forward")
_BACKWARD = ("backward", "backward_pass", "bprop", "backprop", "backward_propagation", "back_propagation")
_GRADIENTS = ("grad", "grads", "gradient", "gradients", "gradparameters")
_ZERO = {verb + what for verb in ("zero", "clear", "reset") for what in _GRADIENTS}
_FLUSH = {"flush", *("flush" + what for what in _GRADIENTS)}
_TARGETS = {"y", "true", "actual", "expected", "desired", "truth", "groundtruth", "gt", "observed"}
_RATES = {"lr", "learningrate", "learnrate"}
_RATES_WITHOUT_DEFAULT = {"eta", "alpha", "stepsize", "rate"}
_DX = ("dinputs", "dinput", "gradinput", "gradinputs", "dx")
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Upstream(enum.Enum):
    """How a backward takes the upstream gradient."""

    ONE = "as one argument, a tuple where there are several results"
    EACH = "as one argument for each result"
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
        self.alone: int | None = None  # which of several results backward is for, if not for all
        self.constants: set[str] = set()  # inputs that were declared to need no gradient
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
        return y if self.alone is None else leaves(y)[self.alone]

    def settle(self, ran: Callable[[], Any], y: Any, dy: Any) -> None:
        """Find out how backward takes dy, from copies ``ran()`` of the layer after a forward that returned y.

        Raises a TypeError if none of the known ways to call it fits.
        """
        method = getattr(ran(), self._backward)
        accepted, needed = arguments_of(method)
        count, single = len(leaves(y)), sum(np.size(part) for part in leaves(y)) == 1
        is_loss = single and len(self.inputs) > 1
        self._by_name = {name: self.names.index(name) for name in needed if name in self.names}
        targets = [k for k, name in enumerate(self.names) if _is_target(name)]
        if is_loss and len(targets) == 1:
            self._by_name |= {name: targets[0] for name in needed if _is_target(name)}
        if len(self._by_name) == len(needed) and not is_loss:
            self._by_name = {}  # one of them is the upstream gradient
        rates = [name for name in accepted if normal(name) in _RATES]
        rates += [name for name in needed if normal(name) in _RATES_WITHOUT_DEFAULT]
        self.rate = next(iter(rates), "")
        needs = len(needed) - len(self._by_name) - (self.rate in needed)
        takes_dy = any(name not in self._by_name and name != self.rate for name in accepted)
        if needs > 1 and needs != count:
            raise TypeError(_too_many(method, needed))
        if needs > 1:
            self.upstream = Upstream.EACH
        elif not takes_dy and single:
            self.upstream = Upstream.NONE
        elif not takes_dy and [np.size(part) for part in leaves(y)].count(1) == 1:
            self.upstream, self.alone = Upstream.NONE, [np.size(part) for part in leaves(y)].index(1)
        elif not takes_dy:
            self.upstream = Upstream.FACTOR
            derivative = self.backward(ran(), self.inputs, dy)
            shapes = {np.shape(x) for x in (derivative, y, *filter(is_floating, self.inputs))}
            if isinstance(y, tuple | list) or len(shapes) > 1:
                raise TypeError(
                    f"backward takes no dy, so y must be a single number; it has shape {np.shape(dy)}"
                )
        elif not needs and single and not isinstance(y, tuple | list):
            once, twice = (
                [g for g in self.split(self.backward(ran(), self.inputs, f * dy))[0] if g is not None]
                for f in (1.0, 2.0)
            )
            ignored = any(np.any(g) for g in once) and all(map(same_bits, once, twice))
            self.upstream = Upstream.IGNORED if ignored else Upstream.ONE
        elif takes_first_alone(
            lambda dy: self.split(self.backward(ran(), self.inputs, dy))[0], dy, self.inputs
        ):
            self.alone = 0
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
            ] + list(upstream)
        returned = method(*given, **({self.rate: 1.0} if self.rate else {}))
        return self._kept(layer, inputs) if returned is None else returned

    def split(self, returned: Any) -> tuple[list[Any], list[tuple[str, Any]]]:
        """Separate what backward returned: one gradient or None for each input, and those of the parameters.

        The latter come with their keys if they were in a dict, else with "".
        """
        gradients: list[Any] = [None] * len(self.inputs)
        if len(self.inputs) == 1 and _of_items(returned, self.inputs[0]):
            return [returned if isinstance(returned, Mapping) else rebuilt(self.inputs[0], returned)], []
        if isinstance(returned, Mapping):
            rest = []
            for key, item in returned.items():
                known = [[normal(name), *self._gradient_names(k)] for k, name in enumerate(self.names)]
                owner = next((k for k, names in enumerate(known) if normal(key) in names), None)
                if owner is None:
                    rest += _flat(item, str(key))
                else:
                    gradients[owner] = item
            return gradients, rest
        found = [returned] if isinstance(returned, np.ndarray) else leaves(returned)
        if len(self.inputs) > 1 and len(found) > 1 and isinstance(found[0], tuple | list):
            found = [*found[0], *found[1:]]
        able = self._able(len(found))
        if len(found) == len(able) < len(self.inputs):
            for k, gradient in zip(able, found, strict=True):
                gradients[k] = gradient
            return gradients, []
        gradients[: len(found)] = found[: len(self.inputs)]
        return gradients, [pair for thing in found[len(self.inputs) :] for pair in _flat(thing)]

    def _able(self, count: int) -> list[int]:
        """Return the inputs to which this many gradients belong: without constants, or without targets."""
        floating = [k for k, x in enumerate(self.inputs) if is_floating(x)]
        open_ = [k for k in floating if self.names[k] not in self.constants]
        free = [k for k in open_ if not _is_target(self.names[k])]
        return next((able for able in (floating, open_, free) if len(able) == count), floating)

    def _gradient_names(self, k: int) -> list[str]:
        """Return the names, as `normal` writes them, that the gradient of an input may have."""
        own = normal(self.names[k])
        alone = sum(map(is_floating, self.inputs)) == 1
        return [f"d{own}", f"grad{own}", f"{own}grad", *(_DX if alone else ())]

    def scale(self, dy: Any) -> Any:
        """Return the factor for the gradients of a backward that takes no dy; None for other backwards."""
        if self.upstream in (Upstream.NONE, Upstream.IGNORED):
            return np.reshape(leaves(dy)[0], ())[()]
        return dy if self.upstream is Upstream.FACTOR else None

    @property
    def targets(self) -> list[str]:
        """The inputs of a loss (a backward without dy) that are named like targets."""
        is_loss = self.upstream in (Upstream.NONE, Upstream.IGNORED)
        return [name for name in self.names if is_loss and normal(name) in _TARGETS]

    def remarks(self) -> list[Check]:
        """Return notes about how the layer was called."""
        flushes = ", ".join(dict.fromkeys(f"{name}()" for _, name in self._flushes))
        found = [FIRST_ALONE] if self.alone == 0 and self.upstream is Upstream.ONE else []
        if self.alone is not None and self.upstream is Upstream.NONE:
            text = f"backward takes no dy, so only y[{self.alone}] was checked, the single number in y"
            found.append(Check("loss", "note", text))
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
            for name in self._gradient_names(k):
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


def _is_target(name: str) -> bool:
    return normal(name) in _TARGETS or looks_constant(name)


def _of_items(returned: Any, x: Any) -> bool:
    """Say whether backward returned the gradients of the items of x, a list, tuple or dict."""
    if isinstance(x, Mapping):
        return isinstance(returned, Mapping) and len(returned) == len(x)
    if not isinstance(x, tuple | list) or not isinstance(returned, tuple | list | np.ndarray):
        return False
    shapes = [np.shape(item) for item in x if not isinstance(item, tuple | list | Mapping)]
    fits = len(shapes) == len(x) == len(returned) and all(
        g is None or np.shape(g) == shape for g, shape in zip(returned, shapes, strict=True)
    )
    return fits or (isinstance(returned, type(x)) and len(returned) == len(x))


def _flat(thing: Any, name: str = "") -> list[tuple[str, Any]]:
    """Return the arrays at any depth of what backward returned, with the keys of the dicts they are in."""
    if isinstance(thing, Mapping | tuple | list):
        keys = thing.keys() if isinstance(thing, Mapping) else [name] * len(thing)
        values = thing.values() if isinstance(thing, Mapping) else thing
        return [pair for key, value in zip(keys, values, strict=True) for pair in _flat(value, str(key))]
    return [] if thing is None else [(name, thing)]


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

    def __init__(self, args: Sequence[Any]) -> None:
        self.__args__ = args
        self.saved_tensors: tuple[Any, ...] = ()
        self.needs_input_grad = (True,) * len(args)

    @property
    def saved_variables(self) -> tuple[Any, ...]:
        """The older name of `saved_tensors`."""
        return self.saved_tensors

    def save_for_backward(self, *arrays: Any) -> None:
        """Keep arrays."""
        self.saved_tensors = arrays

    def mark_non_differentiable(self, *arrays: Any) -> None:
        """Do nothing: results that are not floating have no gradient anyway."""

    def mark_dirty(self, *arrays: Any) -> None:
        """Do nothing: forward was given copies."""

    def set_materialize_grads(self, value: bool) -> None:
        """Do nothing: there is an upstream gradient for each result."""


def functions_of(function: Any) -> tuple[Callable[..., Any], Callable[[Any, Any], Any]] | None:
    """Return the two functions of a class with static methods forward(ctx, x) and backward(ctx, dy).

    They may be class methods. With ``setup_context(ctx, inputs, output)``, forward takes no context.
    """
    methods = [inspect.getattr_static(function, name, None) for name in ("forward", "backward")]
    if not all(isinstance(method, staticmethod | classmethod) for method in methods):
        return None
    kinds = getattr(function, "__mro__", ())
    in_torch = [kind.__module__.partition(".")[0] == "torch" for kind in kinds]
    set_up = any("setup_context" in vars(kind) for kind, its in zip(kinds, in_torch, strict=True) if not its)
    parameters = list(signature_of(function.forward).parameters.values())
    firsts = {next(iter(signature_of(function.backward).parameters), "")}
    if not set_up:
        firsts |= {parameter.name for parameter in parameters[:1]}
        parameters = parameters[1:]
    if len(firsts) != 1 or not firsts <= {"ctx", "context", "self", "cache", "c"}:
        return None

    def forward(*args: Any) -> tuple[Any, Context]:
        context = Context(args)
        if not set_up:
            return function.forward(context, *args), context
        y = function.forward(*args)
        function.setup_context(context, args, y)
        return y, context

    def backward(dy: Any, context: Context) -> Any:
        found = function.backward(context, *leaves(dy))
        if not any(in_torch):
            return found
        pairs = zip(leaves(found), context.__args__, strict=False)
        return tuple(_summed(gradient, arg) for gradient, arg in pairs)

    forward.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return forward, backward


def _summed(gradient: Any, arg: Any) -> Any:
    """Sum a gradient over the axes along which its argument was broadcast, as PyTorch does itself."""
    try:
        return gradient.sum_to_size(arg.shape)
    except (AttributeError, RuntimeError):  # it is no tensor, or has another shape altogether
        return gradient
