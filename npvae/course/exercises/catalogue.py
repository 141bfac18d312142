"""All exercises, in the order in which they build on each other."""

from typing import Any

import numpy as np

from npvae.core.likelihoods import bernoulli_backward, bernoulli_forward
from npvae.core.objectives import importance_bound_backward, importance_bound_forward
from npvae.course.exercises.exercise import Array, Exercise, Mistake, Task, from_catalogue
from npvae.course.exercises.points import (
    D_VAE,
    H_VAE,
    IN,
    N_VAE,
    OUT,
    Z_VAE,
    D,
    K,
    N,
    Z,
    extreme_log_weights,
    extreme_logits,
    logits_and_pixels,
    normal,
    pixels_mean_and_noise,
    probabilities_and_pixels,
    with_a_zero,
)


def _bernoulli_forward(logits: Array, x: Array) -> tuple[Array, Any]:
    return bernoulli_forward(x, logits)


def _rows(d_samples: Array) -> Array:
    return d_samples[:, None]


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _slope(logits: Array) -> Array:
    return _sigmoid(logits) * _sigmoid(-logits)


DENSE = Exercise(
    "dense",
    "the dense layer y = x W + b",
    (
        "Write one entry with its sums: y[n, o] = sum over i of x[n, i] W[i, o], plus b[o]. Which entries of "
        "y does W[i, o] appear in, and with which factor? Sum over them.",
        "dL/dW[i, o] is a sum over the samples n, because every sample uses the same W; so is dL/db[o]. "
        "dL/dx[n, i] is a sum over the outputs o. A sum over a shared index is a matrix product.",
        "Let the shapes guide you: from dy (N, O) and x (N, I) make (I, O); from dy (N, O) and W (I, O) make "
        "(N, I). There is one matrix product that does it, each with one matrix transposed.",
    ),
    (
        Task(
            "dense",
            ("x", "W", "b"),
            normal((N, IN), (IN, OUT), (OUT,)),
            ("x", "W", "b"),
            (
                from_catalogue("dense_bias_of_the_last_row", "b", 2, "it holds the last sample's share only"),
                from_catalogue(
                    "dense_bias_averaged",
                    "b",
                    2,
                    f"it is 1/{N} of the right value, and {N} is the number of samples: an average over the "
                    "batch where a sum belongs (dy is the gradient of the whole loss already)",
                ),
                Mistake(
                    "W",
                    f"it is 1/{N} of the right value, and {N} is the number of samples: an average over the "
                    "batch where a sum belongs (dy is the gradient of the whole loss already)",
                    lambda dy, x, W, b: x.T @ dy / len(x),
                ),
            ),
        ),
    ),
    derivation="dense",
)

RELU = Exercise(
    "relu",
    "the rectified linear unit y = max(x, 0)",
    (
        "Draw y over x. What is the slope to the left of zero, and what to the right of it?",
        "Where the slope is 1, a small change of x changes y by as much, so dy arrives at x unchanged. Where "
        "it is 0, x has no influence on the loss.",
        "x > 0 is an array of True and False; multiplied with numbers, they count as 1 and 0. np.where does "
        "it too.",
    ),
    (
        Task(
            "relu",
            ("x",),
            with_a_zero,
            ("x",),
            (
                Mistake(
                    "x",
                    "dy is passed on everywhere, also where x is negative and y stays 0",
                    lambda dy, x: dy,
                ),
                from_catalogue(
                    "relu_mask_of_the_gradient",
                    "x",
                    0,
                    "it is dy where dy itself is positive; look at the sign of another array",
                ),
                Mistake(
                    "x",
                    "it is max(x, 0) times dy: the value of y where its slope belongs",
                    lambda dy, x: dy * np.maximum(x, 0),
                ),
                Mistake(
                    "x",
                    "it is x times dy: the value of x where the slope of y belongs",
                    lambda dy, x: dy * x,
                ),
                Mistake(
                    "x",
                    "where x is negative, it is minus dy: look at the slope of y there",
                    lambda dy, x: dy * np.sign(x),
                ),
                Mistake(
                    "x",
                    "dy is passed on where x is negative, and stopped where x is positive",
                    lambda dy, x: dy * (x < 0),
                ),
            ),
        ),
    ),
    derivation="relu",
)

SIGMOID = Exercise(
    "sigmoid",
    "the sigmoid with the cross-entropy",
    (
        "With p = 1 / (1 + exp(-l)), dp/dl = exp(-l) / (1 + exp(-l))^2. Write that with p alone: "
        "exp(-l) / (1 + exp(-l)) is 1 - p.",
        "The cross-entropy of one pixel is -x ln p - (1 - x) ln(1 - p). Differentiate the two terms one by "
        "one; the inner derivative of 1 - p is -1. d_loss has shape (N,), and d_loss[:, None] has shape "
        "(N, 1), which NumPy multiplies with (N, D).",
        "In the third function, bring the two fractions of dL/dp to the common denominator p (1 - p). What "
        "is left in the numerator when all products are multiplied out? And which factor cancels?",
    ),
    (
        Task(
            "sigmoid",
            ("logits",),
            normal((N, D)),
            ("logits",),
            (
                Mistake("logits", "a factor is missing: it is dp times p", lambda dp, x: dp * _sigmoid(x)),
                Mistake(
                    "logits", "a factor is missing: it is dp times 1 - p", lambda dp, x: dp * _sigmoid(-x)
                ),
                from_catalogue(
                    "sigmoid_twice",
                    "logits",
                    0,
                    "the sigmoid has been applied to p, which is the sigmoid's output already",
                ),
            ),
        ),
        Task(
            "cross_entropy",
            ("p", "x"),
            probabilities_and_pixels,
            ("p",),
            (
                Mistake(
                    "p",
                    "only the first term, x ln p, has been differentiated",
                    lambda d, p, x: -_rows(d) * x / p,
                ),
                Mistake(
                    "p",
                    "the inner derivative of 1 - p, a sign, is missing in the second term",
                    lambda d, p, x: -_rows(d) * (x / p + (1 - x) / (1 - p)),
                ),
                Mistake(
                    "p",
                    "it is the right gradient times p (1 - p): that is the gradient of the logits",
                    lambda d, p, x: _rows(d) * (p - x),
                ),
            ),
        ),
        Task(
            "both",
            ("logits", "x"),
            logits_and_pixels,
            ("logits",),
            (
                from_catalogue(
                    "loss_sigmoid_derivative_again",
                    "logits",
                    0,
                    "it is the right gradient times p (1 - p): the sigmoid's derivative has cancelled "
                    "already",
                ),
                Mistake(
                    "logits",
                    "it is the gradient of p; the way from p to the logits is missing",
                    lambda d, logits, x: _rows(d) * (_sigmoid(logits) - x) / _slope(logits),
                ),
            ),
        ),
    ),
    derivation="sigmoid",
)

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

BERNOULLI = Exercise(
    "bernoulli",
    "the Bernoulli likelihood, from logits of any size",
    (
        "For l > 0, ln(1 + exp(l)) = l + ln(1 + exp(-l)). So there is a form in which the exponential of a "
        "positive number is never taken. (NumPy also has a function that adds in logarithms.)",
        "With m = max(l, 0), ln(1 + exp(l)) = m + ln(exp(-m) + exp(l - m)) for any l, and neither exponent "
        "is positive. The terms of a sample's pixels are added; samples stay apart, so the result is (N,).",
        "The derivative of ln(1 + exp(l)) is the sigmoid of l. Write the sigmoid without overflow too: "
        "1 / (1 + exp(-l)) for positive l, exp(l) / (1 + exp(l)) for the others; with e = exp(-|l|) both are "
        "quotients of 1, e and 1 + e.",
    ),
    (
        Task(
            "bernoulli",
            ("logits", "x"),
            logits_and_pixels,
            ("logits",),
            (
                Mistake(
                    "logits",
                    "the sign is flipped: this is the gradient of the cross-entropy, which is minus "
                    "the log-likelihood",
                    lambda d, logits, x: _rows(d) * (_sigmoid(logits) - x),
                ),
                Mistake(
                    "logits",
                    "the logit itself stands where its probability belongs",
                    lambda d, logits, x: _rows(d) * (x - logits),
                ),
                Mistake(
                    "logits",
                    "it is the right gradient times p (1 - p): the sigmoid's derivative is in it twice",
                    lambda d, logits, x: _rows(d) * (x - _sigmoid(logits)) * _slope(logits),
                ),
                Mistake(
                    "logits", "only the term x l has been differentiated", lambda d, logits, x: _rows(d) * x
                ),
            ),
            reference=(_bernoulli_forward, bernoulli_backward),
            extremes=extreme_logits,
        ),
    ),
    derivation="bernoulli",
)

GAUSSIAN = Exercise(
    "gaussian",
    "the Gaussian likelihood with a learned noise variance",
    (
        "Write v as exp(s), so that 1 / v is exp(-s) and ln v is s. Then differentiate with respect to one "
        "entry of m, which occurs in S only, and with respect to s.",
        "The derivative of exp(-s) with respect to s is -exp(-s). The term D s / 2 has a derivative too, and "
        "it does not depend on the data.",
        "One s is used by every sample, so dL/ds is a sum over the samples, each with its own factor "
        "d_log_likelihood[n]; return it with shape (1,), by np.reshape(..., (1,)) for example.",
    ),
    (
        Task(
            "gaussian",
            ("x", "mean", "log_noise_var"),
            pixels_mean_and_noise,
            ("mean", "log_noise_var"),
            (
                Mistake(
                    "mean",
                    "the variance is missing: the squares are divided by v",
                    lambda d, x, m, s: _rows(d) * (x - m),
                ),
                Mistake(
                    "mean",
                    "it is divided by s where v belongs: log_noise_var is the logarithm of the variance",
                    lambda d, x, m, s: _rows(d) * (x - m) / s,
                ),
                Mistake(
                    "mean",
                    "it is divided by v^2 where v belongs",
                    lambda d, x, m, s: _rows(d) * (x - m) * np.exp(-2 * s),
                ),
                Mistake(
                    "log_noise_var",
                    "only the term S / v has been differentiated: D ln v depends on s too",
                    lambda d, x, m, s: np.reshape((d * ((x - m) ** 2).sum(axis=1)).sum() * np.exp(-s) / 2, 1),
                ),
                Mistake(
                    "log_noise_var",
                    "D is missing: every pixel contributes its own ln v",
                    lambda d, x, m, s: np.reshape(
                        (d * (((x - m) ** 2).sum(axis=1) * np.exp(-s) - 1)).sum() / 2, 1
                    ),
                ),
                Mistake(
                    "log_noise_var",
                    "that is the derivative with respect to v, not to its logarithm s",
                    lambda d, x, m, s: np.reshape(
                        (d * (((x - m) ** 2).sum(axis=1) * np.exp(-s) - x.shape[1])).sum() / 2 * np.exp(-s), 1
                    ),
                ),
            ),
        ),
    ),
    derivation="gaussian",
)

VAE = Exercise(
    "vae",
    "the whole backward pass of a VAE",
    (
        "Start at the loss: it is a mean, so every sample's reconstruction and kl has the gradient 1/N. Then "
        "d_logits, as in the exercise sigmoid; then back through two dense layers and a ReLU to dz, as in "
        "the exercises dense and relu.",
        "Two gradients arrive at mu, and two at log_var: one through z, as in the exercise reparameterize, "
        "and one from kl, as in the exercise kl. Add them before you go on to mu.W and log_var.W.",
        "h is read by both heads, so dh is a sum of two matrix products. Behind it are a ReLU, whose mask "
        "is the sign of a, and the first dense layer, whose input is x.",
    ),
    hint_for={"mu": 2, "log_var": 2, "encoder": 3},
    example=f"{N_VAE} samples, {D_VAE} pixels, {H_VAE} hidden units, {Z_VAE} latent dimensions",
)

IWAE = Exercise(
    "iwae",
    "the bound of the importance-weighted autoencoder",
    (
        "Ignore `largest` on paper: it cancels. With u_i = ln w_i, the bound is ln(sum of exp(u_i)) - ln k. "
        "Differentiate it with respect to one u_i.",
        "The derivative of ln(S) is 1/S times that of S, and the derivative of exp(u_i) is itself. The "
        "result is the share of one draw in a sum; what do the shares of one sample add up to?",
        "To compute shares without overflow, subtract the row's largest logarithm first, as the forward pass "
        "does; it cancels in the quotient. Multiply row n by d_bound[n].",
    ),
    (
        Task(
            "iwae",
            ("log_weights",),
            normal((N, K)),
            ("log_weights",),
            (
                Mistake(
                    "log_weights",
                    "every draw gets the same share, 1/k: that is the gradient of the ELBO, in "
                    "which the logarithms are averaged and not the weights",
                    lambda d, u: _rows(d) * np.ones_like(u) / u.shape[1],
                ),
                Mistake(
                    "log_weights",
                    "the shares of a sample do not add up to 1: divide by their sum",
                    lambda d, u: _rows(d) * np.exp(u),
                ),
                Mistake(
                    "log_weights",
                    "the shares of a sample do not add up to 1: they are divided by the largest "
                    "weight where the sum belongs",
                    lambda d, u: _rows(d) * np.exp(u - u.max(axis=1, keepdims=True)),
                ),
                Mistake(
                    "log_weights",
                    "the shares of all samples together add up to 1, where those of each sample "
                    "should: sum along the other axis",
                    lambda d, u: _rows(d) * np.exp(u) / np.exp(u).sum(),
                ),
                Mistake(
                    "log_weights",
                    "it is divided by k once too often: the 1/k cancels in the share",
                    lambda d, u: _rows(d) * np.exp(u) / np.exp(u).sum(axis=1, keepdims=True) / u.shape[1],
                ),
            ),
            reference=(importance_bound_forward, importance_bound_backward),
            extremes=extreme_log_weights,
        ),
    ),
    derivation="importance_bound",
)

DIGITS = Exercise(
    "digits",
    "a VAE on digits, trained with your gradients; new digits",
    (
        "In update, loop over the names in params; velocity[name] *= momentum changes an array in place, and "
        "velocity[name] = ... in the loop is right as well. The new velocity enters the step, not the old "
        "one.",
        "In sample, the KL term has pulled the codes towards N(0, I), and that is where the decoder has "
        "learned to make digits. So draw z of shape (n, latent_dim) from it with rng, with nothing added "
        "and nothing multiplied.",
        "The decoder is in vae_forward: two dense layers with a ReLU between them. Its output are logits; "
        "the exercise sigmoid says how they become probabilities.",
    ),
    needs=("vae",),
    hint_for={"sample": 2},
)

EXERCISES = {
    exercise.name: exercise
    for exercise in (
        DENSE, RELU, SIGMOID, REPARAMETERIZE, KL, BERNOULLI, GAUSSIAN, VAE, IWAE, DIGITS,
    )
}  # fmt: skip
