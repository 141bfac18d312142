"""The derivations of the posterior: drawing, the KL divergence, and the importance-weighted bound."""

import math

import numpy as np

from npvae.core.gaussian import (
    free_bits_forward,
    kl_backward,
    kl_forward,
    reparameterize_backward,
    reparameterize_forward,
)
from npvae.core.objectives import (
    importance_bound_backward,
    importance_bound_forward,
    log_ratio_backward,
    log_ratio_forward,
)
from npvae.course.derive import Derivation, Line, Part
from npvae.course.derive_formulas import Expectation, Formula, Number, Symbol, Total, exp, expm1, larger, ln
from npvae.course.derive_lines import difference, entries, one

_LN_4 = math.log(4)  # the log-variance of sigma = 2


def reparameterize() -> Derivation:
    """Derive z = mu + std eps."""
    m, v, e, g = 1.0, _LN_4, -0.5, 3.0
    mu, log_var, eps, dz = Symbol("μ", m), Symbol("v", v), Symbol("ε", e), Symbol("dz", g)

    def draw(noise: float, m: float = m, v: float = v) -> float:
        return float(reparameterize_forward(one(m), one(v), one(noise))[0][0, 0])

    z, cache = reparameterize_forward(one(m), one(v), one(e))
    d_mu, d_log_var = (float(d[0, 0]) for d in reparameterize_backward(one(g), cache))
    std = Symbol("σ", float(cache[0][0, 0]))
    mean, variance = (draw(-1) + draw(1)) / 2, (draw(-1) ** 2 + draw(1) ** 2) / 2 - m**2
    forward = (
        Line(Symbol("σ", 0), exp(log_var / 2), float(cache[0][0, 0])),
        Line(Symbol("z", 0), mu + std * eps, float(z[0, 0])),
        Line(
            Symbol("E z", 0),
            Expectation("ε", lambda eps: mu + std * eps, 0.0, 1.0),
            mean,
            "Mean and variance of all draws: ε of mean 0 and variance 1 is replaced by -1 and 1.",
        ),
        Line(
            Symbol("Var z", 0), Expectation("ε", lambda eps: (mu + std * eps - mu) ** 2, 0.0, 1.0), variance
        ),
        Line(None, exp(log_var), variance),
    )
    backward = (
        Line(Symbol("d_μ", 0), dz * Number(1), d_mu),
        Line(Symbol("d_v", 0), dz * eps * std / 2, d_log_var),
        difference(Symbol("d_μ", 0), lambda a: g * draw(e, m=a), "μ", m, d_mu, "dz · z"),
        difference(Symbol("d_v", 0), lambda a: g * draw(e, v=a), "v", v, d_log_var, "dz · z"),
    )
    given = "μ = 1, v = ln 4 = 1.38629 (σ = 2) and ε = -0.5"
    return Derivation(
        "reparameterize",
        Part(reparameterize_forward, given, forward),
        Part(reparameterize_backward, f"{given}, and dz = 3", backward),
    )


def kl() -> Derivation:
    """Derive the KL divergence of N(mu, exp(v)) from N(0, 1)."""
    m, v, d = 1.0, _LN_4, 2.0
    mu, log_var, d_kl = Symbol("μ", m), Symbol("v", v), Symbol("d", d)

    def divergence(m: float = m, v: float = v) -> float:
        return float(kl_forward(one(m), one(v))[0][0])

    value, cache = kl_forward(one(m), one(v))
    d_mu, d_log_var = (float(g[0, 0]) for g in kl_backward(np.array([d]), cache))
    computed = float(value[0])

    with_expm1 = "As the code computes it, with expm1(v) = exp(v) - 1:"

    def log_ratio(z: Formula) -> Formula:
        return -((z - mu) ** 2 / (2 * exp(log_var))) - log_var / 2 + z**2 / 2

    forward = (
        Line(
            Symbol("KL", 0),
            Expectation("z", log_ratio, m, 2.0),
            computed,
            "The expectation under N(μ, σ²) of a quadratic function of z is the mean of its values at μ - σ "
            "and μ + σ, here -1 and 3:",
        ),
        Line(None, -(Number(1) / 2) - log_var / 2 + (mu**2 + exp(log_var)) / 2, computed),
        Line(None, (mu**2 + (exp(log_var) - 1) - log_var) / 2, computed),
        Line(None, (mu**2 + expm1(log_var) - log_var) / 2, computed, with_expm1),
    )
    backward = (
        Line(Symbol("d_μ", 0), d_kl * mu, d_mu),
        Line(Symbol("d_v", 0), d_kl * (exp(log_var) - 1) / 2, d_log_var),
        Line(None, d_kl * expm1(log_var) / 2, d_log_var, with_expm1),
        difference(Symbol("d_μ", 0), lambda a: d * divergence(m=a), "μ", m, d_mu, "d · KL"),
        difference(Symbol("d_v", 0), lambda a: d * divergence(v=a), "v", v, d_log_var, "d · KL"),
    )
    given = "μ = 1 and v = ln 4 = 1.38629 (σ = 2)"
    return Derivation(
        "kl", Part(kl_forward, given, forward), Part(kl_backward, f"{given}, and d_kl = d = 2", backward)
    )


def free_bits() -> Derivation:
    """Derive the KL term with free bits, for two samples and two latent dimensions."""
    m = np.array([[2.0, 0.2], [1.0, -0.4]])
    v, limit = np.zeros((2, 2)), 0.5
    term, cache = free_bits_forward(m, v, limit)
    d = np.full(2, 0.5)
    d_mu, _ = kl_backward(d, cache)
    mu, free, share = entries("μ", m), Symbol("λ", limit), Symbol("d", 0.5)
    of_entry = [[float(kl_forward(m[n : n + 1, j : j + 1], one(0.0))[0][0]) for j in (0, 1)] for n in (0, 1)]
    kl_nj = entries("KL", np.array(of_entry))
    K = [Symbol("K", float(kl_forward(m[:, [j]], v[:, [j]])[0].mean()), str(j + 1)) for j in (0, 1)]

    def objective(n: int, j: int, a: float) -> float:
        moved = m.copy()
        moved[n, j] = a
        return float(free_bits_forward(moved, v, limit)[0].mean())

    forward = (
        Line(kl_nj[0][0], mu[0][0] ** 2 / 2, of_entry[0][0], "The KL of each entry; at v = 0 it is μ² / 2:"),
        Line(kl_nj[1][0], mu[1][0] ** 2 / 2, of_entry[1][0]),
        Line(kl_nj[0][1], mu[0][1] ** 2 / 2, of_entry[0][1]),
        Line(kl_nj[1][1], mu[1][1] ** 2 / 2, of_entry[1][1]),
        Line(K[0], (kl_nj[0][0] + kl_nj[1][0]) / 2, K[0].number, "The means over the batch:"),
        Line(K[1], (kl_nj[0][1] + kl_nj[1][1]) / 2, K[1].number),
        Line(
            Symbol("objective", 0),
            larger(free, K[0]) + larger(free, K[1]),
            float(term.mean()),
            "K_1 > λ counts, K_2 < λ is free:",
        ),
        Line(Symbol("term", 0, "1"), kl_nj[0][0] + free, float(term[0]), "Written for every sample:"),
        Line(Symbol("term", 0, "2"), kl_nj[1][0] + free, float(term[1])),
        Line(
            Symbol("mean", 0),
            (Symbol("term", float(term[0]), "1") + Symbol("term", float(term[1]), "2")) / 2,
            float(term.mean()),
        ),
    )
    backward = (
        Line(Symbol("d_μ", 0, "11"), share * mu[0][0], float(d_mu[0, 0]), "The dimension that counts:"),
        Line(Symbol("d_μ", 0, "12"), share * Number(0), float(d_mu[0, 1]), "The dimension that is free:"),
        difference(
            Symbol("d_μ", 0, "11"), lambda a: objective(0, 0, a), "μ_11", 2.0, float(d_mu[0, 0]), "objective"
        ),
        difference(
            Symbol("d_μ", 0, "12"), lambda a: objective(0, 1, a), "μ_12", 0.2, float(d_mu[0, 1]), "objective"
        ),
    )
    given = "free_bits = λ = 0.5, μ = [[2, 0.2], [1, -0.4]] and v = 0"
    return Derivation(
        "free_bits",
        Part(free_bits_forward, given, forward),
        Part(kl_backward, f"{given}, and d = 1/2 for each of the two samples", backward),
    )


def log_ratio() -> Derivation:
    """Derive ln q(z | x) - ln p(z) of a draw."""
    v, e, d = _LN_4, 0.5, 2.0
    m, two_pi = 1.0, Number(2 * math.pi)
    z_value = float(reparameterize_forward(one(m), one(v), one(e))[0][0, 0])
    ratio, cache = log_ratio_forward(one(z_value), one(v), one(e))
    dz, d_log_var = (float(g[0, 0]) for g in log_ratio_backward(np.array([d]), cache))
    z, log_var, eps, upstream = Symbol("z", z_value), Symbol("v", v), Symbol("ε", e), Symbol("d", d)

    def loss(z: float = z_value, v: float = v) -> float:
        return d * float(log_ratio_forward(one(z), one(v), one(e))[0][0])

    computed = float(ratio[0])
    forward = (
        Line(
            Symbol("z", 0),
            Symbol("μ", m) + exp(log_var / 2) * eps,
            z_value,
        ),
        Line(
            Symbol("ln q - ln p", 0),
            (z**2 + ln(two_pi)) / 2 - (eps**2 + log_var + ln(two_pi)) / 2,
            computed,
        ),
        Line(None, (z**2 - eps**2 - log_var) / 2, computed),
    )
    backward = (
        Line(Symbol("dz", 0), upstream * z, dz),
        Line(Symbol("d_v", 0), -(upstream / 2), d_log_var),
        difference(Symbol("dz", 0), lambda a: loss(z=a), "z", z_value, dz, "d · (ln q - ln p)"),
        difference(Symbol("d_v", 0), lambda a: loss(v=a), "v", v, d_log_var, "d · (ln q - ln p)"),
    )
    given = "μ = 1, v = ln 4 = 1.38629 (σ = 2) and ε = 0.5"
    return Derivation(
        "log_ratio",
        Part(log_ratio_forward, given, forward),
        Part(log_ratio_backward, f"{given}, and d = 2", backward),
    )


def importance_bound() -> Derivation:
    """Derive the importance-weighted bound of two draws."""
    log_weights, d = np.array([[-1.0, -3.0]]), 2.0
    bound, shares = importance_bound_forward(log_weights)
    d_log = importance_bound_backward(np.array([d]), shares)[0]
    a, b = (Symbol("ln w", float(w), str(i + 1)) for i, w in enumerate(log_weights[0]))
    w = [exp(a), exp(b)]
    letters = exp(Symbol("ln w", 0, "i"))
    total = Total("i", letters, (w[0], w[1]))
    upstream, computed = Symbol("d", d), float(bound[0])

    def loss(x: float) -> float:
        return d * float(importance_bound_forward(np.array([[x, log_weights[0, 1]]]))[0][0])

    forward = (
        Line(Symbol("L_k", 0), ln(total / 2), computed),
        Line(
            None,
            a + ln((exp(a - a) + exp(b - a)) / 2),
            computed,
            "The largest logarithm is taken out of the sum:",
        ),
        Line(
            Symbol("ELBO", 0),
            (a + b) / 2,
            float(log_weights.mean()),
            "The mean of the logarithms, which is never larger than the logarithm of the mean:",
        ),
    )
    backward = (
        Line(Symbol("share", 0, "1"), w[0] / total, float(shares[0, 0])),
        Line(Symbol("share", 0, "2"), w[1] / total, float(shares[0, 1])),
        Line(Symbol("d_ln w", 0, "1"), upstream * (w[0] / total), float(d_log[0])),
        Line(Symbol("d_ln w", 0, "2"), upstream * (w[1] / total), float(d_log[1])),
        difference(Symbol("d_ln w", 0, "1"), loss, "ln w_1", -1.0, float(d_log[0]), "d · L_k"),
    )
    given = "k = 2 draws, ln w_1 = -1 and ln w_2 = -3"
    return Derivation(
        "importance_bound",
        Part(importance_bound_forward, given, forward),
        Part(importance_bound_backward, f"{given}, and d = 2", backward),
    )
