import json
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from npvae.study.jsonable import to_jsonable


class Pair(NamedTuple):
    a: np.ndarray
    b: float


@dataclass
class Record:
    pair: Pair
    name: str | None


def test_everything_becomes_what_json_says():
    value = {
        "r": Record(Pair(np.array([[1.5, np.inf]], np.float32), float("nan")), None),
        3: (True, np.int8(2)),
    }
    plain = to_jsonable(value)
    assert plain == {
        "r": {"pair": {"a": [[1.5, None]], "b": None}, "name": None},
        "3": [True, 2],
    }
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
