"""The derivations of the dense layer, the activations, and a chain of both."""

from collections.abc import Callable

import numpy as np

from npvae.core.activations import get_activation
from npvae.core.layers import dense_backward, dense_forward, mlp_backward, mlp_forward
from npvae.course.derive import Derivation, Line, Part
from npvae.course.derive_formulas import (
    Choice,
    Formula,
    Number,
    Symbol,
    Total,
    exp,
    larger,
    ln,
    tanh,
    written,
)
from npvae.course.derive_lines import difference, entries, one

SLOPE = 0.2  # of leaky_relu

Rule = Callable[[Symbol], Formula]

#: By activation: y as formulas of x, and y' as a formula of y.
FORMULAS: dict[str, tuple[tuple[Rule, ...], Rule]] = {
    "identity": ((lambda x: x,), lambda y: Number(1)),
    "relu": (
        (lambda x: larger(x, 0),),
        lambda y: Choice(y, Number(0), Number(1), Number(0)),
    ),
    "leaky_relu": (
        (lambda x: Choice(x, Number(0), x, Symbol("slope", SLOPE) * x),),
        lambda y: Choice(y, Number(0), Number(1), Symbol("slope", SLOPE)),
    ),
    "tanh": (
        (lambda x: (exp(x) - exp(-x)) / (exp(x) + exp(-x)), lambda x: tanh(x)),
        lambda y: 1 - y**2,
    ),
    "sigmoid": (
        (lambda x: 1 / (1 + exp(-x)), lambda x: exp(x) / (1 + exp(x))),
        lambda y: y * (1 - y),
    ),
    "softplus": (
        (lambda x: ln(1 + exp(x)), lambda x: x + ln(1 + exp(-x))),
        lambda y: 1 - exp(-y),
    ),
}


def dense() -> Derivation:
    """Derive y = x W + b for two samples, two inputs and two outputs."""
    x_value, W_value = np.array([[1.0, 2.0], [3.0, -1.0]]), np.array([[0.5, 1.0], [-1.0, 2.0]])
    b_value, dy_value = np.array([0.1, 0.2]), np.array([[1.0, 2.0], [0.5, -1.0]])
    y, cache = dense_forward(x_value, W_value, b_value)
    dx, dW, db = dense_backward(dy_value, cache)
    x, W, b, dy = entries("x", x_value), entries("W", W_value), entries("b", b_value), entries("dy", dy_value)

    def total(index: str, left: tuple[str, str], right: tuple[str, str], terms: list[Formula]) -> Total:
        body = Symbol(left[0], 0, left[1]) * Symbol(right[0], 0, right[1])
        return Total(index, body, tuple(terms))

    def loss(a: float) -> float:
        W_moved = W_value.copy()
        W_moved[0, 1] = a
        return float(np.sum(dy_value * dense_forward(x_value, W_moved, b_value)[0]))

    forward = tuple(
        Line(
            Symbol("y", 0, f"{n + 1}{o + 1}"),
            total("i", ("x", f"{n + 1}i"), ("W", f"i{o + 1}"), [x[n][i] * W[i][o] for i in (0, 1)]) + b[o],
            float(y[n, o]),
        )
        for n in (0, 1)
        for o in (0, 1)
    )
    of_x = tuple(
        Line(
            Symbol("dx", 0, f"{n + 1}{i + 1}"),
            total("o", ("dy", f"{n + 1}o"), ("W", f"{i + 1}o"), [dy[n][o] * W[i][o] for o in (0, 1)]),
            float(dx[n, i]),
            "dx = dy Wᵀ: every output that used the input sends its part back." if n + i == 0 else "",
        )
        for n in (0, 1)
        for i in (0, 1)
    )
    of_W = tuple(
        Line(
            Symbol("dW", 0, f"{i + 1}{o + 1}"),
            total("n", ("x", f"n{i + 1}"), ("dy", f"n{o + 1}"), [x[n][i] * dy[n][o] for n in (0, 1)]),
            float(dW[i, o]),
            "dW = xᵀ dy: both samples use the same weights." if i + o == 0 else "",
        )
        for i in (0, 1)
        for o in (0, 1)
    )
    of_b = tuple(
        Line(
            Symbol("db", 0, str(o + 1)),
            Total("n", Symbol("dy", 0, f"n{o + 1}"), (dy[0][o], dy[1][o])),
            float(db[o]),
            "db: the column sums of dy." if o == 0 else "",
        )
        for o in (0, 1)
    )
    by_difference = difference(
        Symbol("dW", 0, "12"), loss, "W_12", float(W_value[0, 1]), float(dW[0, 1]), "Σ dy · y"
    )
    given = "x = [[1, 2], [3, -1]], W = [[0.5, 1], [-1, 2]] and b = [0.1, 0.2]"
    return Derivation(
        "dense",
        Part(dense_forward, given, forward),
        Part(
            dense_backward,
            f"{given}, and dy = [[1, 2], [0.5, -1]]",
            (*of_x, *of_W, *of_b, by_difference),
        ),
    )


def activation(name: str) -> Derivation:
    """Derive an activation at x = 0.5 and x = -1, with dy = 2."""
    pair, (values, slope) = get_activation(name, SLOPE), FORMULAS[name]
    forward: list[Line] = []
    backward: list[Line] = []
    dy = Symbol("dy", 2.0)
    for at in (0.5, -1.0):
        x = Symbol("x", at)
        y_value, cache = pair.forward(one(at))
        y, dx = Symbol("y", float(y_value[0, 0])), float(pair.backward(one(2.0), cache)[0, 0])
        for i, formula in enumerate(values):
            said = f"At x = {at:g}:" if i == 0 else ""
            forward.append(Line(None if i else Symbol("y", 0), formula(x), y.number, said))

        def loss(a: float) -> float:
            return 2 * float(pair.forward(one(a))[0][0, 0])

        backward.append(Line(Symbol("y'", 0), slope(y), dx / 2, f"At x = {at:g}, y = {written(y.number)}:"))
        backward.append(Line(Symbol("dx", 0), dy * Symbol("y'", slope(y).value()), dx))
        backward.append(difference(Symbol("dx", 0), loss, "x", at, dx, "dy · y"))
    constant = f", slope = {SLOPE:g}" if name == "leaky_relu" else ""
    return Derivation(
        name,
        Part(pair.forward, f"x = 0.5 and x = -1{constant}", tuple(forward)),
        Part(pair.backward, f"x = 0.5 and x = -1{constant}, and dy = 2", tuple(backward)),
    )


def chain(name: str) -> Derivation:
    """Derive two layers of one unit each, with an activation: forwards, and back by the chain rule."""
    pair, (values, slope) = get_activation(name, SLOPE), FORMULAS[name]
    x_value, W_value, b_value, d = 2.0, (0.5, -1.5), (-0.25, 2.0), 3.0
    layers = [(one(W), np.array([b])) for W, b in zip(W_value, b_value, strict=True)]
    h_value, caches = mlp_forward(one(x_value), layers, pair)
    dx, gradients = mlp_backward(one(d), caches)
    x, W, b = Symbol("x", x_value), entries("W", np.array(W_value)), entries("b", np.array(b_value))

    forward: list[Line] = []
    before, a, h = x, [], []
    for i in (0, 1):
        a_value, _ = dense_forward(one(before.number), *layers[i])
        after, _ = pair.forward(a_value)
        a.append(Symbol("a", float(a_value[0, 0]), str(i + 1)))
        h.append(Symbol("h", float(after[0, 0]), str(i + 1)))
        forward.append(Line(a[i], before * W[i] + b[i], a[i].number))
        forward.append(Line(h[i], values[0](a[i]), float(h_value[0, 0]) if i else h[i].number))
        before = h[i]

    backward: list[Line] = []
    upstream = Symbol("dh", d, "2")
    for i in (1, 0):
        inputs = (x, h[0])[i]
        dW, db = (float(g.ravel()[0]) for g in gradients[i])
        _, cache = pair.forward(one(a[i].number))
        da_value = pair.backward(one(upstream.number), cache)
        da = Symbol("da", float(da_value[0, 0]), str(i + 1))
        backward.append(Line(da, upstream * slope(h[i]), da.number))
        backward.append(Line(Symbol("dW", 0, str(i + 1)), inputs * da, dW))
        backward.append(Line(Symbol("db", 0, str(i + 1)), da, db))
        if i:
            _, dense_cache = dense_forward(one(inputs.number), *layers[i])
            upstream = Symbol("dh", float(dense_backward(da_value, dense_cache)[0][0, 0]), "1")
            backward.append(Line(Symbol("dh", 0, "1"), da * W[1], upstream.number))
        else:
            backward.append(Line(Symbol("dx", 0), da * W[0], float(dx[0, 0])))

    def loss(value: float) -> float:
        return d * float(mlp_forward(one(value), layers, pair)[0][0, 0])

    backward.append(difference(Symbol("dx", 0), loss, "x", x_value, float(dx[0, 0]), "dh_2 · h_2"))
    constant = f", slope = {SLOPE:g}" if name == "leaky_relu" else ""
    given = f"x = 2, W_1 = 0.5, b_1 = -0.25, W_2 = -1.5, b_2 = 2{constant}"
    return Derivation(
        f"mlp, {name}",
        Part(mlp_forward, given, tuple(forward)),
        Part(mlp_backward, f"{given}, and dh_2 = 3", tuple(backward)),
    )
