"""A network, run so that only what it is given can make a difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt

from .agreement import allowance
from .arguments import copied, is_floating, quiet
from .noise import Noise

Array = npt.NDArray[Any]


def named(params: Any) -> dict[str, Any]:
    """Return parameters by name; those of a list are ``params[0]``, ``params[1]`` and so on.

    Raises
    ------
    TypeError
        When they are neither a mapping nor a list, or one of them is a container itself.
    """
    if isinstance(params, Mapping):
        found = {name: params[name] for name in params}
    elif isinstance(params, list | tuple):
        found = {f"params[{k}]": value for k, value in enumerate(params)}
    else:
        raise TypeError(f"params must map names to arrays, or be a list of arrays, not {_kind(params)}")
    for name, value in found.items():
        if isinstance(value, Mapping | list | tuple):
            place = name if isinstance(params, list | tuple) else f"params[{name!r}]"
            raise TypeError(
                f"{place} is {_kind(value)}: params must hold arrays, each under a name of its own"
            )
    return found


class NetworkRun:
    """A network's two functions on parameters by name, all generators as they were at first.

    Parameters
    ----------
    network : object
        With ``loss_and_grad(params, *args)``, and perhaps ``loss(params, *args)``.
    params : mapping of str to array, or list of arrays
        As the network takes them.

    Attributes
    ----------
    noise : Noise
        The generators.
    has_loss : bool
        Whether the loss is evaluated by ``network.loss``.

    Raises
    ------
    TypeError
        When the network has no method loss_and_grad.
    """

    def __init__(self, network: Any, params: Any) -> None:
        if not callable(getattr(network, "loss_and_grad", None)):
            raise TypeError(
                f"{_kind(network)} has no method loss_and_grad; check_network needs an object with "
                "loss_and_grad(params, *args) -> (loss, grads)"
            )
        self.noise = Noise(network)
        self.has_loss = callable(getattr(network, "loss", None))
        self._network = network
        self._params = params
        self._looks = 0

    def kept(self) -> AbstractContextManager[None]:
        """Leave all generators afterwards as they were at first."""
        return self.noise.kept()

    def loss_and_grad(self, point: Any, args: Sequence[Any]) -> tuple[Any, dict[str, Any]]:
        """Return the loss, and copies of the gradients by name; None stays None."""
        result = self._call(self._network.loss_and_grad, point, args)
        if not isinstance(result, tuple | list) or len(result) != 2:
            raise TypeError(f"loss_and_grad must return a pair (loss, grads), not {_kind(result)}")
        grads = result[1]
        if isinstance(self._params, list | tuple):
            if not isinstance(grads, list | tuple):
                raise TypeError(f"params is a list, so the gradients must be one too, not {_kind(grads)}")
            grads = {f"params[{k}]": gradient for k, gradient in enumerate(grads)}
        elif not isinstance(grads, Mapping):
            raise TypeError(f"the gradients must be a mapping, with the names of params, not {_kind(grads)}")
        copies = {name: None if grads[name] is None else np.array(grads[name]) for name in grads}
        return _number(result[0]), copies

    def loss(self, point: Any, args: Sequence[Any]) -> Any:
        """Return the loss alone."""
        if self.has_loss:
            return _number(self._call(self._network.loss, point, args))
        result = self._call(self._network.loss_and_grad, point, args)
        return _number(result[0])

    def settle_loss(self, expected: Any, point: Any, args: Sequence[Any], dtype: npt.DTypeLike) -> str:
        """Use ``network.loss`` only where it returns the loss of loss_and_grad; say why, if it does not."""
        if not self.has_loss:
            return ""
        try:
            with quiet():
                found = self.loss(point, args)
        except Exception as error:  # it may be another function altogether
            reason = f"it raises {type(error).__name__}"
        else:
            if same_loss(found, expected, dtype):
                return ""
            reason = f"it returns {found:.8g}, loss_and_grad {expected:.8g}"
        self.has_loss = False
        return f"the method loss is not used: {reason}"

    def _call(self, function: Any, point: Any, args: Sequence[Any]) -> Any:
        if isinstance(self._params, list | tuple):
            values, kind = list(point.values()), type(self._params)
            point = kind(*values) if hasattr(kind, "_fields") else kind(values)
        self.noise.reset()
        result = function(point, *args)
        if self._looks < 3:  # loss_and_grad, loss, and one of them elsewhere
            self._looks += 1
            self.noise.look()
        return result


def same_loss(a: Any, b: Any, dtype: npt.DTypeLike) -> bool:
    """Say whether two losses are equal up to rounding in a dtype; NaN equals NaN."""
    if a == b or (np.isnan(a) and np.isnan(b)):
        return True
    return bool(abs(a - b) <= allowance(dtype, abs(b), abs(b)))


def converted(params: Any, dtype: npt.DTypeLike | None) -> Any:
    """Copy a mapping of parameters, the floating ones into another dtype where one is given."""
    if hasattr(params, "astype"):
        return params.copy() if dtype is None else params.astype(dtype)
    return {name: copied(array, dtype) for name, array in params.items()}


def floating_names(params: Mapping[str, Any]) -> list[str]:
    """Return the names of the parameters that can be differentiated.

    Raises
    ------
    ValueError
        When there is none.
    """
    names = [name for name, value in params.items() if is_floating(value)]
    if not names:
        raise ValueError("no parameter is a floating array: there is nothing to differentiate")
    return names


def _number(loss: Any) -> Any:
    """Return the loss as a scalar: it itself, or what it has as ``total``."""
    value = getattr(loss, "total", loss)
    if isinstance(value, tuple | list | Mapping) or np.asarray(value).dtype.kind not in "fciu":
        raise TypeError(
            f"the loss must be a real number, or have one as loss.total, but it is {_kind(value)}"
        )
    if np.size(value) != 1:
        raise TypeError(f"the loss must be a single number, but it has shape {np.shape(value)}")
    return value if np.ndim(value) == 0 else np.reshape(value, ())[()]


def _kind(value: Any) -> str:
    """Say what kind of thing a value is."""
    name = type(value).__name__
    article = "an" if name[0].lower() in "aeiou" else "a"
    count = f" of {len(value)}" if isinstance(value, tuple | list | Mapping) else ""
    return "None" if value is None else f"{article} {name}{count}"
