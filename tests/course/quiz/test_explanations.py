"""What the explanations of the quiz say beside the measurements: identities, and the variance of draws."""

import numpy as np
import pytest

from npvae.checks.faults import pair_of
from npvae.checks.faults.losses import BERNOULLI
from npvae.checks.faults.reparameterisation import DRAW
from npvae.core.gaussian import kl_forward
from npvae.core.likelihoods import gaussian_backward, gaussian_forward
from npvae.course.quiz import snippets
from npvae.course.quiz.network import OBJECTIVE
from npvae.gradcheck import check_vjp

N, Z, D = 64, 3, 64


@pytest.fixture
def terms(rng):
    """Reconstruction and KL of a batch."""
    return rng.random(N) * 30, rng.random(N) * 5


@pytest.mark.parametrize(
    ("draw", "variance"),
    [
        (DRAW, np.exp),  # the right one
        (snippets.DRAW_EXP, lambda v: np.exp(2 * v)),
        (snippets.DRAW_LITTLE, lambda v: 1e-4 * np.exp(v)),
        (snippets.DRAW_OF_LOG_SIGMA, lambda s: np.exp(2 * s)),
    ],
    ids=["right", "exp", "little", "log sigma"],
)
def test_the_variance_of_draws(draw, variance, rng):
    """What a gradient check does not see."""
    number = np.array([-1.0, 0.3, 0.8])
    z, _ = draw.forward(0.0, number, rng.standard_normal((40_000, 3)))
    np.testing.assert_allclose(z.var(axis=0), variance(number), rtol=0.05)


def test_in_log_sigma_draw_and_divergence_agree(rng):
    mu, s = rng.standard_normal((2, 5, Z))
    np.testing.assert_allclose(snippets.KL_OF_LOG_SIGMA.forward(mu, s)[0], kl_forward(mu, 2 * s)[0])
    args = [mu, s, rng.standard_normal((5, Z))]
    assert check_vjp(*snippets.DRAW_OF_LOG_SIGMA, args, wrt=(0, 1)).passed


def test_a_mean_and_a_sum_make_beta_the_batch_size(terms):
    reconstruction, kl = terms
    loss, cache = snippets.LOSS_MEAN_AND_SUM.forward(reconstruction, kl)
    assert loss == pytest.approx(np.mean(reconstruction + 64 * kl))
    d_reconstruction, d_kl = snippets.LOSS_MEAN_AND_SUM.backward(1.0, cache)
    np.testing.assert_allclose(d_kl, 64 * d_reconstruction)


def test_a_sum_has_the_gradient_of_the_mean_times_n(terms):
    for sum_, mean in zip(
        snippets.LOSS_SUM.backward(1.0, N), OBJECTIVE.backward(np.ones(()), N), strict=True
    ):
        np.testing.assert_allclose(sum_, N * mean)
    assert snippets.LOSS_SUM.forward(*terms)[0] == pytest.approx(N * OBJECTIVE.forward(*terms)[0])


def test_a_mean_over_pixels_is_the_sum_divided_by_their_number(rng):
    logits, x = rng.standard_normal((5, D)), rng.random((5, D))
    mean, _ = snippets.PIXEL_MEAN.forward(logits, x)
    np.testing.assert_allclose(D * mean, BERNOULLI.forward(logits, x)[0])


def test_the_factor_that_has_cancelled_is_at_most_a_quarter(rng):
    logits, x = 3 * rng.standard_normal((5, D)), rng.random((5, D))
    loss, cache = snippets.CROSS_ENTROPY_AGAIN.forward(logits, x)
    right, right_cache = BERNOULLI.forward(logits, x)
    np.testing.assert_allclose(loss, right)
    ratio = snippets.CROSS_ENTROPY_AGAIN.backward(np.ones(5), cache) / BERNOULLI.backward(
        np.ones(5), right_cache
    )
    assert 0 < ratio.min() < 0.05 < ratio.max() <= 0.25


def test_the_gaussian_loss_that_is_shown_is_the_one_that_is_trained_with(rng):
    mean, x, s = rng.random((5, D)), rng.random((5, D)), np.array([-3.0])
    loss, cache = snippets.GAUSSIAN_LOSS.forward(mean, x, s)
    log_likelihood, core_cache = gaussian_forward(x, mean, s)
    np.testing.assert_allclose(loss, -log_likelihood)
    d_loss = rng.standard_normal(5)
    for shown, core in zip(
        snippets.GAUSSIAN_LOSS.backward(d_loss, cache), gaussian_backward(-d_loss, core_cache), strict=True
    ):
        np.testing.assert_allclose(shown, core)


def test_noise_drawn_again_carries_no_message_from_the_images(rng):
    """The mean of d_log_var over new noise is zero; with the noise of the draw it is not."""
    mu, log_var, eps = rng.standard_normal((3, 4, Z))
    dz = rng.standard_normal((4, Z))
    again, right = pair_of(snippets.NoiseAgain), DRAW
    _, cache = again.forward(mu, log_var, eps)
    mean = np.mean([again.backward(dz, cache)[1] for _ in range(20_000)], axis=0)
    scale = np.abs(dz) * np.exp(log_var / 2) / 2
    assert np.max(np.abs(mean) / scale) < 5 / np.sqrt(20_000)
    assert np.max(np.abs(right.backward(dz, right.forward(mu, log_var, eps)[1])[1]) / scale) > 1
