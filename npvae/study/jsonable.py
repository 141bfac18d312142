"""Convert results to JSON's types."""

import dataclasses
import math
from typing import Any

import numpy as np


def to_jsonable(value: Any) -> Any:
    """Convert a result to JSON's types.

    Parameters
    ----------
    value : dataclass, NamedTuple, mapping, sequence, array, number, string or None
        Nested in any way. NaN and infinity, which JSON does not have, become None.

    Examples
    --------
    >>> to_jsonable({"mean": np.array([0.5, np.nan]), "n": np.int64(3)})
    {'mean': [0.5, None], 'n': 3}
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_jsonable(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if hasattr(value, "_asdict"):
        return {name: to_jsonable(entry) for name, entry in value._asdict().items()}
    if isinstance(value, dict):
        return {str(name): to_jsonable(entry) for name, entry in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return to_jsonable(value.tolist())
    if isinstance(value, list | tuple):
        return [to_jsonable(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
