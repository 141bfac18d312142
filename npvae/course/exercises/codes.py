"""The exercises on the distribution of the codes: the draw, and the divergence from the prior."""

import numpy as np

from npvae.course.exercises.exercise import Array, Exercise, Mistake, Task, from_catalogue
from npvae.course.exercises.points import N, Z, normal


def _rows(d_samples: Array) -> Array:
    return d_samples[:, None]


REPARAMETERIZE = Exercise(
    "reparameterize",
    "the draw z = mu + exp(log_var / 2) * eps",
    (
        "Take one entry, with eps a fixed number such as 2. If mu grows by a little, by how much does z "
        "grow? And if log_var does?",
        "For log_var use the chain rule in two steps: from z to sigma, and from sigma = exp(log_var / 2) to "
        "log_var. The second step has an inner derivative.",
        "The derivative of z with respect to sigma is eps. The derivative of exp(v / 2) with respect to v is "
        "exp(v / 2) times a number. Multiply both with dz.",
    ),
    (
        Task(
            "reparameterize",
            ("mu", "log_var", "eps"),
            normal((N, Z), (N, Z), (N, Z)),
            ("mu", "log_var"),
            (
                from_catalogue(
                    "draw_half_forgotten",
                    "log_var",
                    1,
                    "it is twice the right value: the inner derivative of log_var / 2 is missing",
                ),
                from_catalogue(
                    "draw_exp_forgotten",
                    "log_var",
                    1,
                    "the standard deviation is missing as a factor: exp(v / 2), differentiated, is a "
                    "multiple of itself",
                ),
                from_catalogue(
                    "draw_variance_for_deviation",
                    "log_var",
                    1,
                    "the variance exp(log_var) stands where the standard deviation exp(log_var / 2) belongs",
                ),
                from_catalogue(
                    "draw_noise_forgotten",
                    "log_var",
                    1,
                    "eps is missing: it needs no gradient, but it is the factor that sigma is multiplied "
                    "with",
                ),
                from_catalogue(
                    "draw_noise_of_the_first_row",
                    "log_var",
                    1,
                    "the noise of the first sample has been used for all samples",
                ),
                Mistake(
                    "log_var",
                    "it stops at sigma: the chain rule's second step, from sigma = exp(log_var / 2) to "
                    "log_var, is missing",
                    lambda dz, mu, v, eps: dz * eps,
                ),
                Mistake(
                    "log_var",
                    "the variance exp(log_var) stands where the standard deviation exp(log_var / 2) belongs, "
                    "and the inner derivative of log_var / 2 is missing",
                    lambda dz, mu, v, eps: dz * eps * np.exp(v),
                ),
                Mistake(
                    "log_var",
                    "eps is missing, which sigma is multiplied with, and so is the inner derivative of "
                    "log_var / 2",
                    lambda dz, mu, v, eps: dz * np.exp(v / 2),
                ),
                *(
                    Mistake(
                        "log_var",
                        "log_var stands where the standard deviation sigma = exp(log_var / 2) belongs: the "
                        "derivative of exp is exp itself",
                        gradient,
                    )
                    for gradient in (
                        lambda dz, mu, v, eps: dz * eps * v,
                        lambda dz, mu, v, eps: dz * eps * v / 2,
                    )
                ),
                Mistake(
                    "log_var",
                    "eps is missing, which sigma is multiplied with, and the variance exp(log_var) stands "
                    "where the standard deviation exp(log_var / 2) belongs",
                    lambda dz, mu, v, eps: dz * np.exp(v) / 2,
                ),
                Mistake(
                    "log_var",
                    "it is dz unchanged, as if log_var were added to z like mu",
                    lambda dz, mu, v, eps: dz,
                ),
                *(
                    Mistake(
                        "mu",
                        "it depends on eps or log_var, but mu is only added: see how z grows with mu alone",
                        gradient,
                    )
                    for gradient in (
                        lambda dz, mu, v, eps: dz * eps,
                        lambda dz, mu, v, eps: dz * np.exp(v / 2),
                        lambda dz, mu, v, eps: dz * eps * np.exp(v / 2),
                    )
                ),
            ),
        ),
    ),
    derivation="reparameterize",
)

KL = Exercise(
    "kl",
    "the divergence KL(N(mu, sigma^2) || N(0, 1))",
    (
        "The dimensions are independent and their terms are added, so look at a single one: "
        "(mu^2 + exp(v) - 1 - v) / 2 with v = log_var. Differentiate it with respect to mu, and to v.",
        "Mind the 1/2 in front: it applies to every term. Check your result at the prior, mu = 0 and v = 0, "
        "where the divergence is smallest: there both derivatives must be 0.",
        "Every entry of row n of mu and log_var contributes to kl[n], so d_kl[n] multiplies that whole row: "
        "d_kl[:, None] has shape (N, 1), which NumPy multiplies with (N, Z).",
    ),
    (
        Task(
            "kl",
            ("mu", "log_var"),
            normal((N, Z), (N, Z)),
            ("mu", "log_var"),
            (
                Mistake(
                    "mu",
                    "it is half the right value: what does the square bring down in front of mu?",
                    lambda d, mu, v: _rows(d) * mu / 2,
                ),
                Mistake(
                    "mu",
                    "it is twice the right value: the 1/2 in front of the sum is missing",
                    lambda d, mu, v: _rows(d) * 2 * mu,
                ),
                Mistake(
                    "log_var",
                    "it is twice the right value: the 1/2 in front of the sum is missing",
                    lambda d, mu, v: _rows(d) * (np.exp(v) - 1),
                ),
                Mistake(
                    "log_var",
                    "a term is missing: one that is linear in log_var, so its derivative is a constant",
                    lambda d, mu, v: _rows(d) * np.exp(v) / 2,
                ),
                Mistake(
                    "log_var",
                    "log_var stands where the variance exp(log_var) belongs",
                    lambda d, mu, v: _rows(d) * (v - 1) / 2,
                ),
                Mistake(
                    "log_var",
                    "that is the derivative with respect to the variance, not to its logarithm",
                    lambda d, mu, v: _rows(d) * (1 - np.exp(-v)) / 2,
                ),
                Mistake(
                    "log_var",
                    "that is the derivative with respect to ln sigma, but log_var is ln(sigma^2)",
                    lambda d, mu, v: _rows(d) * (np.exp(2 * v) - 1),
                ),
                Mistake(
                    "log_var",
                    "the standard deviation exp(log_var / 2) stands where the variance exp(log_var) belongs; "
                    "the 1/2 is a factor in front of the sum, not in the exponent",
                    lambda d, mu, v: _rows(d) * (np.exp(v / 2) - 1),
                ),
                Mistake(
                    "log_var",
                    "the standard deviation exp(log_var / 2) stands where the variance exp(log_var) belongs",
                    lambda d, mu, v: _rows(d) * (np.exp(v / 2) - 1) / 2,
                ),
                *(
                    Mistake(
                        "log_var",
                        "the 1/2 in front of the sum applies to every term, and here to one only: are "
                        "parentheses missing?",
                        gradient,
                    )
                    for gradient in (
                        lambda d, mu, v: _rows(d) * (np.exp(v) / 2 - 1),
                        lambda d, mu, v: _rows(d) * (np.exp(v) - 1 / 2),
                    )
                ),
                *(
                    Mistake(
                        "log_var",
                        "d_kl multiplies one of the terms only, and it belongs to every term: are "
                        "parentheses missing?",
                        gradient,
                    )
                    for gradient in (
                        lambda d, mu, v: np.exp(v) / 2 - _rows(d),
                        lambda d, mu, v: np.exp(v) / 2 - _rows(d) / 2,
                        lambda d, mu, v: np.exp(v) - _rows(d) / 2,
                        lambda d, mu, v: np.exp(v) - _rows(d),
                        lambda d, mu, v: _rows(d) * np.exp(v) / 2 - 1,
                        lambda d, mu, v: _rows(d) * np.exp(v) / 2 - 1 / 2,
                        lambda d, mu, v: _rows(d) * np.exp(v) - 1 / 2,
                        lambda d, mu, v: _rows(d) * np.exp(v) - 1,
                    )
                ),
                Mistake(
                    "log_var",
                    "a term is missing, one that is linear in log_var, and so is the 1/2 in front of the sum",
                    lambda d, mu, v: _rows(d) * np.exp(v),
                ),
                *(
                    Mistake(
                        "log_var",
                        "a term of KL stands there that has not been differentiated with respect to log_var",
                        gradient,
                    )
                    for gradient in (
                        lambda d, mu, v: _rows(d) * (np.exp(v) - v) / 2,
                        lambda d, mu, v: _rows(d) * (np.exp(v) - 1 - v) / 2,
                    )
                ),
                Mistake(
                    "log_var",
                    "exp(log_var) has been multiplied by log_var, but the derivative of exp is exp itself",
                    lambda d, mu, v: _rows(d) * (v * np.exp(v) - 1) / 2,
                ),
                Mistake(
                    "log_var",
                    "the sign of one term is flipped: log_var is subtracted in KL",
                    lambda d, mu, v: _rows(d) * (np.exp(v) + 1) / 2,
                ),
                Mistake(
                    "log_var",
                    "log_var stands where the derivative of exp(log_var) - log_var belongs",
                    lambda d, mu, v: _rows(d) * v / 2,
                ),
                *(
                    Mistake(
                        argument,
                        "d_kl has been added up or averaged over the batch; kl[n] depends on row n alone, so "
                        "d_kl[n] multiplies row n alone",
                        gradient,
                    )
                    for argument, gradient in (
                        ("mu", lambda d, mu, v: d.sum() * mu),
                        ("mu", lambda d, mu, v: d.mean() * mu),
                        ("log_var", lambda d, mu, v: d.sum() * (np.exp(v) - 1) / 2),
                        ("log_var", lambda d, mu, v: d.mean() * (np.exp(v) - 1) / 2),
                    )
                ),
            ),
        ),
    ),
    derivation="kl",
)
