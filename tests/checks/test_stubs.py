"""Lines to add to a file are Python, with values that fit the parameters' annotations or names."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from npvae.checks.stubs import arguments_stub, instance_stub

ARRAY = "rng.standard_normal((5, 4))"


def annotated(x: np.ndarray, size: np.ndarray | None, a: bool, b: float, c: int | None, d: Callable, e=2): ...


def named(W, rng, is_training, p_dropout, n_heads, axis, stride, eps, pool_fun, dropout_mask): ...


@pytest.mark.parametrize(
    ("function", "values"),
    [
        (annotated, {"x": ARRAY, "size": ARRAY, "a": "True", "b": "0.5", "c": "1", "d": "...  # fill in"}),
        (
            named,
            {
                "W": ARRAY,
                "is_training": "True",
                "p_dropout": "0.5",
                "n_heads": "1",
                "axis": "1",
                "stride": "1",
                "eps": "1e-5",
                "pool_fun": "...  # fill in",
                "dropout_mask": ARRAY,
            },
        ),
    ],
)
def test_values_of_arguments(function, values):
    stub = arguments_stub("f", function, torch=False)
    lines = [line.strip() for line in stub.splitlines()[1:-1]]
    assert lines == [f"{name} = {value}" for name, value in values.items()]
    made = {}
    exec(stub, made)
    assert len(made["f_args"](np.random.default_rng(0))) == len(values) + ("rng" in stub.splitlines()[-1])


class Lambda:
    def __init__(self, function, size: int): ...


class Conv2D:
    def __init__(self, in_channels, out_channels, kernel_size, bias=True): ...


class Scale:
    def __init__(self, w, /): ...


@pytest.mark.parametrize(
    ("kind", "taken", "line"),
    [
        (Lambda, [], "lambda_layer = Lambda(function=..., size=4)  # fill in"),
        (Conv2D, [], "conv2d = Conv2D(in_channels=4, out_channels=3, kernel_size=3)"),
        (Scale, ["scale"], "scale_layer = Scale(...)  # fill in"),
    ],
)
def test_instances(kind, taken, line):
    assert instance_stub(kind, taken) == line
