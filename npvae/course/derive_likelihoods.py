"""The derivations of the two likelihoods."""

import math

import numpy as np

from npvae.core.likelihoods import bernoulli_backward, bernoulli_forward, gaussian_backward, gaussian_forward
from npvae.course.derive import Derivation, Line, Part
from npvae.course.derive_formulas import Number, Symbol, Total, exp, larger, ln, size
from npvae.course.derive_lines import difference, entries, one


def bernoulli() -> Derivation:
    """Derive the Bernoulli likelihood of one pixel."""
    x_value, l_value, d = 0.25, 0.5, 2.0
    x, logit, upstream = Symbol("x", x_value), Symbol("l", l_value), Symbol("d", d)
    value, residual = bernoulli_forward(one(x_value), one(l_value))
    d_logit = float(bernoulli_backward(np.array([d]), residual)[0, 0])
    computed, p_value = float(value[0]), x_value - float(residual[0, 0])
    p = Symbol("p", p_value)

    def loss(a: float) -> float:
        return d * float(bernoulli_forward(one(x_value), one(a))[0][0])

    forward = (
        Line(Symbol("p", 0), 1 / (1 + exp(-logit)), p_value),
        Line(Symbol("ln p", 0), logit - ln(1 + exp(logit)), math.log(p_value)),
        Line(Symbol("ln (1 - p)", 0), -ln(1 + exp(logit)), math.log1p(-p_value)),
        Line(Symbol("log-likelihood", 0), x * ln(p) + (1 - x) * ln(1 - p), computed),
        Line(None, x * logit - ln(1 + exp(logit)), computed),
        Line(None, x * logit - larger(logit, 0) - ln(1 + exp(-size(logit))), computed),
    )
    backward = (
        Line(
            Symbol("d_l", 0),
            upstream * (x - exp(logit) / (1 + exp(logit))),
            d_logit,
        ),
        Line(None, upstream * (x - p), d_logit),
        difference(Symbol("d_l", 0), loss, "l", l_value, d_logit, "d · log-likelihood"),
    )
    given = "x = 0.25 and the logit l = 0.5"
    return Derivation(
        "bernoulli",
        Part(bernoulli_forward, given, forward),
        Part(bernoulli_backward, f"{given}, and d = 2", backward),
    )


def gaussian() -> Derivation:
    """Derive the Gaussian likelihood of a sample of two features."""
    x_value, m_value = np.array([[1.0, 0.5]]), np.array([[0.5, 1.5]])
    s_value, d = math.log(0.5), 2.0
    value, cache = gaussian_forward(x_value, m_value, np.array([s_value]))
    d_mean, d_s = gaussian_backward(np.array([d]), cache)
    x, m = entries("x", x_value[0]), entries("m", m_value[0])
    s, S = Symbol("s", s_value), Symbol("S", float((cache[0] ** 2).sum()))
    v, upstream, computed = Symbol("v", math.exp(s_value)), Symbol("d", d), float(value[0])
    squares = Total(
        "i", (Symbol("x", 0, "i") - Symbol("m", 0, "i")) ** 2, tuple((x[i] - m[i]) ** 2 for i in (0, 1))
    )
    n_features, two_pi = Number(2), Number(2 * math.pi)

    def loss_of_mean(a: float) -> float:
        return d * float(gaussian_forward(x_value, np.array([[a, 1.5]]), np.array([s_value]))[0][0])

    def loss_of_s(a: float) -> float:
        return d * float(gaussian_forward(x_value, m_value, np.array([a]))[0][0])

    forward = (
        Line(Symbol("S", 0), squares, S.number, "The squared error, and the variance:"),
        Line(Symbol("v", 0), exp(s), v.number),
        Line(
            Symbol("log-likelihood", 0),
            -((S / v + n_features * (ln(v) + ln(two_pi))) / 2),
            computed,
        ),
        Line(None, -((S * exp(-s) + n_features * (s + ln(two_pi))) / 2), computed, "With s = ln v:"),
    )
    backward = (
        Line(Symbol("d_m", 0, "1"), upstream * (x[0] - m[0]) * exp(-s), float(d_mean[0, 0])),
        Line(Symbol("d_m", 0, "2"), upstream * (x[1] - m[1]) * exp(-s), float(d_mean[0, 1])),
        Line(Symbol("d_s", 0), upstream * (S * exp(-s) - n_features) / 2, float(d_s[0])),
        difference(
            Symbol("d_m", 0, "1"), loss_of_mean, "m_1", 0.5, float(d_mean[0, 0]), "d · log-likelihood"
        ),
        difference(Symbol("d_s", 0), loss_of_s, "s", s_value, float(d_s[0]), "d · log-likelihood"),
    )
    given = "x = (1, 0.5), m = (0.5, 1.5) and v = 0.5 (s = ln v = -0.693147)"
    return Derivation(
        "gaussian",
        Part(gaussian_forward, given, forward),
        Part(gaussian_backward, f"{given}, and d = 2", backward),
    )
