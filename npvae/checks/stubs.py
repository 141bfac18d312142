"""Source that a user can complete and add to a file, so that what could not be checked can be."""

from __future__ import annotations

import inspect
import keyword
import re
import sys
from collections.abc import Callable, Collection, Sequence
from typing import Any

from npvae.checks.user_arguments import DEFAULT_SHAPE
from npvae.gradcheck.arguments import normal, signature_of

_UNKNOWN = "..."
_ARRAY = f"rng.standard_normal({DEFAULT_SHAPE})"
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_BY_TYPE = {"bool": "True", "float": "0.5", "int": "1", "Generator": "rng"}
_ARRAY_TYPES = {"Array", "ArrayLike", "NDArray", "Tensor", "ndarray"}
# The last words of names.
_BY_NAME = {
    "rng": {"rng", "generator"},
    "1e-5": {"eps", "epsilon"},
    "True": {"training", "train", "trainable"},
    "0.5": {
        "p",
        "prob",
        "probability",
        "dropout",
        "drop",
        "keep",
        "rate",
        "momentum",
        "slope",
        "temperature",
    },
    "1": {"n", "axis", "axes", "dim", "stride", "strides", "pad", "padding", "dilation", "groups", "size"},
    _UNKNOWN: {"fun", "func", "function", "fn", "activation", "callback", "mode"},
}
_BY_START = {"True": {"is", "use"}, "1": {"n", "num"}}
_RESULTS = {"y", "yhat", "out", "output", "outputs", "a", "s", "result"}
_SIZES = {"in", "out", "features", "units", "channels", "hidden", "width", "neurons"}


def required(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return the positional parameters of a function that have no default."""
    parameters = signature_of(function).parameters.values()
    return [p for p in parameters if p.kind in _POSITIONAL and p.default is p.empty]


def uses_torch(function: Any) -> bool:
    """Say whether a function takes PyTorch's tensors: a class derived from PyTorch's, or by annotation."""
    kinds = [kind.__module__.partition(".")[0] for kind in getattr(function, "__mro__", ())]
    hints = [str(p.annotation) for p in signature_of(function).parameters.values()]
    return "torch" in sys.modules and ("torch" in kinds or any("torch" in hint for hint in hints))


def arguments_stub(name: str, forward: Callable[..., Any], torch: bool) -> str:
    """Return a function that makes the arguments of a forward.

    Parameters
    ----------
    name : str
        The name of what is checked.
    forward : callable
    torch : bool
        Whether it takes PyTorch's tensors.
    """
    lines = ["    import torch"] if torch else []
    for parameter in (parameters := required(forward)):
        value = _value(parameter)
        if torch and value == _ARRAY:
            value = f"torch.asarray({value})"
        if value != parameter.name:
            lines.append(f"    {parameter.name} = {value}" + "  # fill in" * (value == _UNKNOWN))
    names = [p.name for p in parameters] or ["x"]
    lines += [] if parameters else [f"    x = {_ARRAY}"]
    made = f"    return {', '.join(names)}" + "," * (len(names) == 1)
    return "\n".join([f"def {name}_args(rng):", *lines, made])


def instance_stub(kind: type, taken: Collection[str]) -> str:
    """Return a line that makes an instance of a class, under a name that is not taken."""
    name = kind.__name__.lower()
    if name in taken or keyword.iskeyword(name):
        name += "_layer"
    widths = iter([str(DEFAULT_SHAPE[-1])])
    values = []
    for parameter in required(kind):
        value = _value(parameter)
        if value == "1" or (value == _ARRAY and _SIZES & set(_words(parameter.name))):
            value = next(widths, "3")  # the first takes arguments of the usual shape
        value = _UNKNOWN if "rng" in value else value
        by_name = parameter.kind is not parameter.POSITIONAL_ONLY
        values.append(f"{parameter.name}={value}" if by_name else value)
    unknown = any(value.endswith(_UNKNOWN) for value in values)
    return f"{name} = {kind.__name__}({', '.join(values)})" + "  # fill in" * unknown


def forward_stub(
    name: str, own: str, forward: Callable[..., Any], backward: Callable[..., Any], count: int
) -> str:
    """Return a forward ``name_forward`` that calls the user's, and returns y and a cache.

    Parameters
    ----------
    name : str
        The name of the pair.
    own : str
        The name of the user's forward.
    forward, backward : callable
    count : int
        The number of values that it returns.
    """
    args = ", ".join(p.name for p in required(forward))
    called = own if own == name else f"_{name}"
    start = [] if own == name else [f"{called} = {own}", ""]
    start.append(f"def {name}_forward({args}):")
    if count > 1:
        return "\n".join([*start, f"    *y, cache = {called}({args})", "    return tuple(y), cache"])
    wanted = required(backward)[-1:]
    cache = f"({args})" if "," in args else args
    if wanted and normal(wanted[0].name) in _RESULTS:
        cache = "y"
    comment = f"  # the cache: replace {cache} if {name}_backward takes something else"
    return "\n".join([*start, f"    y = {called}({args})", f"    return y, {cache}{comment}"])


def _value(parameter: inspect.Parameter) -> str:
    """Guess the source of a value for a parameter from its annotation or, without one, from its name."""
    if parameter.annotation is not parameter.empty:
        hint = inspect.formatannotation(parameter.annotation)
        words = set(re.findall(r"\w+", hint))
        if words & _ARRAY_TYPES:
            return _ARRAY
        return _BY_TYPE.get(hint.strip("'\"").removesuffix(" | None").rpartition(".")[2], _UNKNOWN)
    parts = _words(parameter.name)
    ends = [value for value, names in _BY_NAME.items() if parts[-1] in names]
    starts = [value for value, names in _BY_START.items() if parts[0] in names]
    return next(iter(ends + starts), _ARRAY)


def _words(name: str) -> Sequence[str]:
    return [word for word in re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower().split("_") if word] or [name]
