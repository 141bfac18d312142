"""All exercises, in the order in which they build on each other."""

from typing import Any

import numpy as np

from npvae.core.likelihoods import bernoulli_backward, bernoulli_forward
from npvae.core.objectives import importance_bound_backward, importance_bound_forward
from npvae.course.exercises.codes import KL, REPARAMETERIZE
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
