"""The questions of the quiz: mistakes that people make, and right code that looks like one."""

from collections.abc import Callable

import numpy as np

from npvae.checks.faults import FAULTS, pair_of
from npvae.checks.faults.composition import heads_forward
from npvae.checks.faults.fault import Array
from npvae.checks.faults.reparameterisation import draw_forward
from npvae.course.quiz import snippets
from npvae.course.quiz.item import Checked, Item, from_catalogue
from npvae.course.quiz.network import Pieces
from npvae.course.quiz.snippets import kl_forward

N, Z, D = 5, 3, 4


def _normal(*shapes: tuple[int, ...]) -> Callable[[np.random.Generator], list[Array]]:
    return lambda rng: [rng.standard_normal(shape) for shape in shapes]


def _positive(*shapes: tuple[int, ...]) -> Callable[[np.random.Generator], list[Array]]:
    return lambda rng: [rng.uniform(1, 2, shape) for shape in shapes]


def _logits_and_pixels(rng: np.random.Generator) -> list[Array]:
    return [rng.standard_normal((N, D)), rng.random((N, D))]


def _mean_pixels_and_noise(rng: np.random.Generator) -> list[Array]:
    return [rng.random((N, D)), rng.random((N, D)), rng.standard_normal(1)]


HALF = Item(
    name="half",
    title="the gradient of the KL divergence",
    setting="mu and log_var are (N, Z), log_var is ln(sigma^2), and d_kl (N,) is the gradient of kl.",
    shown={"kl_forward": kl_forward, "kl_backward": snippets.kl_backward_half},
    options=(
        "Right.",
        "Wrong: d_mu lacks the factor 2 that the square brings down.",
        "Wrong: d_log_var is twice what it should be.",
        "Wrong: d_log_var should be exp(log_var) times log_var.",
    ),
    right=2,
    is_bug=True,
    explanation="The 1/2 in front of the sum applies to all terms. In d_mu it cancels with the 2 of the "
    "square; in d_log_var nothing cancels it: (exp(log_var) - 1) / 2.",
    implementation=snippets.KL_HALF,
    make_args=_normal((N, Z), (N, Z)),
    verdict="fail",
    pieces=Pieces(kl=snippets.KL_HALF),
    told="Training hardly shows it: the negative ELBO ends at {this:.1f} nats per image, with the right "
    "code at {right:.1f}. The variances are pulled twice as hard towards 1: the codes' standard "
    "deviations end at {std:.2f} on average, with the right code at {right_std:.2f}. A falling loss "
    "proves nothing.",
    holds=lambda n: 0.1 < n["this"] - n["right"] < 2 and n["std"] > n["right_std"] + 0.05,
)

VARIANCE = Item(
    name="variance",
    title="the gradient of the draw",
    setting="z is drawn with mean mu and variance exp(log_var); eps is noise from N(0, 1).",
    shown={
        "draw_forward": draw_forward,
        "draw_backward": pair_of(FAULTS["draw_variance_for_deviation"].wrong)[1],
    },
    options=(
        "Right.",
        "Wrong: d_log_var has the variance as a factor where the standard deviation belongs.",
        "Wrong: d_mu lacks a factor eps.",
        "Wrong: nothing can be differentiated through a random draw.",
    ),
    right=1,
    is_bug=True,
    explanation="z depends on log_var through the standard deviation exp(log_var / 2), whose derivative is "
    "exp(log_var / 2) / 2. Here exp(log_var) / 2 is used, which is too small wherever the variance is below "
    "1.",
    **from_catalogue("draw_variance_for_deviation"),
    verdict="fail",
    pieces=Pieces(draw=FAULTS["draw_variance_for_deviation"].wrong),
    told="Training works all the same, a little worse: the negative ELBO ends at {this:.1f} nats per "
    "image, with the right code at {right:.1f}. The sign of the gradient is right everywhere, and Adam "
    "rescales its size.",
    holds=lambda n: 0.05 < n["this"] - n["right"] < 2,
)

LOG_SIGMA = Item(
    name="log-sigma",
    title="a draw, to be used with a KL divergence",
    setting="The encoder's second output is called log_var. The KL term of the same network is the usual "
    "(mu^2 + exp(log_var) - 1 - log_var) / 2.",
    shown={"draw_forward": snippets.draw_exp_forward, "draw_backward": snippets.draw_exp_backward},
    options=(
        "Right.",
        "Wrong: d_log_var lacks a factor 1/2.",
        "Wrong: forward and backward do not belong together.",
        "Wrong: the draw reads log_var as ln sigma, and the KL term reads it as ln(sigma^2).",
    ),
    right=3,
    is_bug=True,
    explanation="exp(log_var) is the variance, and it is used as a standard deviation. The backward is the "
    "right gradient of this wrong forward, so a gradient check passes: it compares the two with each other, "
    "not with what was meant. Test the draw itself: the variance of many draws should be exp(log_var).",
    implementation=snippets.DRAW_EXP,
    make_args=_normal((N, Z), (N, Z), (N, Z)),
    wrt=(0, 1),
    verdict="pass",
    pieces=Pieces(draw=snippets.DRAW_EXP),
    told="Training reports {reported:.1f} nats per image on the training images, and {right_reported:.1f} "
    "with the right code, so it looks better. Measured with right functions on test images, the model is "
    "worse: {this:.1f}, with the right code {right:.1f}. The codes get less noise than the KL term accounts "
    "for, so the images are easier to reconstruct.",
    holds=lambda n: n["reported"] < n["right_reported"] - 1 and n["this"] > n["right"] + 0.3,
    reported=True,
)

LOG_SIGMA_RIGHT = Item(
    name="log-sigma-everywhere",
    title="a draw and a KL divergence in ln sigma",
    setting="The encoder's second output is ln sigma. Compare with the usual formulas in ln(sigma^2).",
    shown={
        "draw_forward": snippets.draw_of_log_sigma_forward,
        "draw_backward": snippets.draw_of_log_sigma_backward,
        "kl_forward": snippets.kl_of_log_sigma_forward,
        "kl_backward": snippets.kl_of_log_sigma_backward,
    },
    options=(
        "Right.",
        "Wrong: d_log_sigma of the draw lacks a factor 1/2.",
        "Wrong: d_log_sigma of the KL term lacks a factor 1/2.",
        "Wrong: exp(2 * log_sigma) is the fourth power of sigma.",
    ),
    right=0,
    is_bug=False,
    explanation="With s = ln sigma, the variance is exp(2 s), and ln(sigma^2) is 2 s. The "
    "derivative of (exp(2 s) - 1 - 2 s) / 2 is exp(2 s) - 1: the inner derivative 2 cancels the 1/2. What "
    "matters is that draw and KL read the number in the same way.",
    implementation=snippets.KL_OF_LOG_SIGMA,
    make_args=_normal((N, Z), (N, Z)),
    others=(Checked(snippets.DRAW_OF_LOG_SIGMA, _normal((N, Z), (N, Z), (N, Z)), (0, 1)),),
    verdict="pass",
    pieces=Pieces(draw=snippets.DRAW_OF_LOG_SIGMA, kl=snippets.KL_OF_LOG_SIGMA),
    yardstick=Pieces(draw=snippets.DRAW_OF_LOG_SIGMA, kl=snippets.KL_OF_LOG_SIGMA),
    told="It trains as well as the usual form: the negative ELBO ends at {this:.1f} nats per image, that of "
    "the usual form at {right:.1f}.",
    holds=lambda n: abs(n["this"] - n["right"]) < 0.3,
    label="with ln sigma",
)

NOISE_AGAIN = Item(
    name="noise-again",
    title="a draw that saves memory",
    setting="Two methods of a layer; self.rng is a random number generator. To save memory, eps is not "
    "kept for the backward pass, which draws noise from the same distribution again.",
    shown={"draw_forward": snippets.NoiseAgain.forward, "draw_backward": snippets.NoiseAgain.backward},
    options=(
        "Right: noise is noise, and its distribution is the same.",
        "Wrong: d_mu lacks the noise as a factor.",
        "Wrong: d_log_var needs the noise with which z was computed.",
        "Wrong: the noise should not enter the gradient at all.",
    ),
    right=2,
    is_bug=True,
    explanation="Once eps is drawn, z is a function of mu and log_var with eps as a constant, and dz "
    "belongs to that z. New noise has nothing to do with dz: on average over it, the part of d_log_var "
    "that comes back from the images is zero, and log_var is driven by the KL term alone.",
    implementation=snippets.NoiseAgain,
    make_args=_normal((N, Z), (N, Z), (N, Z)),
    wrt=(0, 1),
    verdict="fail",
    pieces=Pieces(draw=snippets.NoiseAgain),
    told="The encoder does not learn how exact a code has to be: the codes' standard deviations end at "
    "{std:.2f} on average, with the right code at {right_std:.2f}. The negative ELBO ends at {this:.1f} "
    "nats per image, with the right code at {right:.1f}.",
    holds=lambda n: n["this"] > n["right"] + 0.5 and n["std"] > n["right_std"] + 0.05,
)

LITTLE_NOISE = Item(
    name="little-noise",
    title="a draw with less noise",
    setting="The noise is scaled by 0.01 so that reconstructions get sharper. The KL term is the usual one.",
    shown={"draw_forward": snippets.draw_little_forward, "draw_backward": snippets.draw_little_backward},
    options=(
        "Right: less noise is still noise.",
        "Wrong: the gradient of log_var lacks the factor 0.01.",
        "Wrong: z is no draw from the distribution that the KL term is computed for.",
        "Wrong: d_mu has to be divided by 0.01.",
    ),
    right=2,
    is_bug=True,
    explanation="The gradient is right for this forward (0.01 is in the cached eps), so a gradient check "
    "passes. But the codes have a hundredth of the standard deviation that log_var states. The KL term is "
    "kept small by stating one of about 1, while the decoder gets codes with hardly any noise: this is an "
    "autoencoder with the loss of a VAE.",
    implementation=snippets.DRAW_LITTLE,
    make_args=_normal((N, Z), (N, Z), (N, Z)),
    wrt=(0, 1),
    verdict="pass",
    pieces=Pieces(draw=snippets.DRAW_LITTLE),
    told="Training reports {reported:.1f} nats per image on the training images, and {right_reported:.1f} "
    "with the right code, so it looks much better. With the noise that log_var states, the loss on test "
    "images is {this:.1f}, with the right code {right:.1f}: the decoder has never seen such codes, and the "
    "samples show it.",
    holds=lambda n: n["reported"] < n["right_reported"] - 4 and n["this"] > n["right"] + 10,
    reported=True,
)

BATCH = Item(
    name="batch",
    title="the loss of a batch",
    setting="reconstruction and kl are (N,), one number for each image of the batch; N is 64.",
    shown={
        "loss_forward": snippets.loss_mean_and_sum_forward,
        "loss_backward": snippets.loss_mean_and_sum_backward,
    },
    options=(
        "Right.",
        "Wrong: the two terms are weighted differently, the KL term N times as strongly.",
        "Wrong: the loss is as it should be, but d_kl is not its gradient.",
        "Wrong: both terms have to be summed, not averaged.",
    ),
    right=1,
    is_bug=True,
    explanation="The gradient is right for this loss, so a gradient check passes. But a mean and a sum are "
    "added: in effect, beta is 64 instead of 1. Both terms have to be reduced in the same way.",
    implementation=snippets.LOSS_MEAN_AND_SUM,
    make_args=_positive((N,), (N,)),
    verdict="pass",
    pieces=Pieces(objective=snippets.LOSS_MEAN_AND_SUM),
    told="The posterior collapses: the KL term falls to {kl:.2f} nats per image, with the right code it is "
    "{right_kl:.1f}. The decoder ignores z, and all samples are the same image. The negative ELBO ends at "
    "{this:.1f} nats per image, with the right code at {right:.1f}.",
    holds=lambda n: n["kl"] < 0.1 and n["right_kl"] > 2 and n["this"] > n["right"] + 1 and n["spread"] < 0.03,
)

PIXELS = Item(
    name="pixels",
    title="a reconstruction term that is a mean",
    setting="logits and x are (N, D). The total loss is the mean over the batch of this and of the KL term, "
    "whose latent dimensions are summed.",
    shown={
        "reconstruction_forward": snippets.pixel_mean_forward,
        "reconstruction_backward": snippets.pixel_mean_backward,
    },
    options=(
        "Right: a mean over pixels makes losses of images of different sizes comparable.",
        "Wrong: the gradient should not be divided by the number of pixels.",
        "Wrong: p - x lacks the sigmoid's derivative p (1 - p).",
        "Wrong: the mean over D pixels makes the KL term D times as strong.",
    ),
    right=3,
    is_bug=True,
    explanation="The gradient is right for this loss, so a gradient check passes. But ln p(x | z) is a sum "
    "over pixels. Frameworks' losses take the mean unless they are told otherwise; then beta is in effect D, "
    "here 64.",
    implementation=snippets.PIXEL_MEAN,
    make_args=_logits_and_pixels,
    wrt=(0,),
    verdict="pass",
    pieces=Pieces(reconstruction=snippets.PIXEL_MEAN),
    told="The posterior collapses: the KL term falls to {kl:.2f} nats per image, with the right code it is "
    "{right_kl:.1f}, and all samples are the same image. The negative ELBO, summed over pixels, ends at "
    "{this:.1f} nats per image, with the right code at {right:.1f}.",
    holds=lambda n: n["kl"] < 0.1 and n["right_kl"] > 2 and n["this"] > n["right"] + 1 and n["spread"] < 0.03,
)

SIGMOID_AGAIN = Item(
    name="sigmoid-again",
    title="the gradient of the cross-entropy",
    setting="logits and x are (N, D), p is the sigmoid of the logits, d_loss (N,) is the gradient of loss.",
    shown={
        "cross_entropy_forward": snippets.cross_entropy_forward,
        "cross_entropy_backward": snippets.cross_entropy_backward_again,
    },
    options=(
        "Right: p - x from the cross-entropy, p (1 - p) from the sigmoid.",
        "Wrong: the factor p (1 - p) does not belong there.",
        "Wrong: it should be x - p.",
        "Wrong: d_loss[:, None] should be d_loss.",
    ),
    right=1,
    is_bug=True,
    explanation="The derivative of the cross-entropy with respect to p is (p - x) / (p (1 - p)); times the "
    "sigmoid's p (1 - p), it is p - x. The factor has cancelled already. With it, pixels that are "
    "confidently wrong get no gradient.",
    implementation=snippets.CROSS_ENTROPY_AGAIN,
    make_args=_logits_and_pixels,
    wrt=(0,),
    verdict="fail",
    pieces=Pieces(reconstruction=snippets.CROSS_ENTROPY_AGAIN),
    told="The images' part of the gradient is at most a quarter of what it should be, while that of the KL "
    "term is whole. The KL term falls to {kl:.2f} nats per image, with the right code it is {right_kl:.1f}; "
    "the negative ELBO ends at {this:.1f} nats per image, with the right code at {right:.1f}.",
    holds=lambda n: n["kl"] < 1 and n["right_kl"] > 2 and n["this"] > n["right"] + 1,
)

SIGN = Item(
    name="sign",
    title="the gradient of the KL divergence, once more",
    setting="mu and log_var are (N, Z), log_var is ln(sigma^2), and d_kl (N,) is the gradient of kl.",
    shown={"kl_forward": kl_forward, "kl_backward": snippets.kl_backward_sign},
    options=(
        "Right: the KL term pulls mu towards zero, hence the minus sign.",
        "Wrong: d_log_var lacks a minus sign as well.",
        "Wrong: the sign of d_mu is flipped.",
        "Wrong: d_mu lacks a factor 1/2.",
    ),
    right=2,
    is_bug=True,
    explanation="The gradient of mu^2 / 2 is mu. The optimizer goes against the gradient; that is what pulls "
    "mu towards zero. The minus sign comes from formulas of the ELBO, which is maximised.",
    implementation=snippets.KL_SIGN,
    make_args=_normal((N, Z), (N, Z)),
    verdict="fail",
    pieces=Pieces(kl=snippets.KL_SIGN),
    told="The codes are pushed away from the origin, and faster the further away they are. The negative "
    "ELBO ends at {this:.1e} nats per image, with the right code at {right:.1f}.",
    holds=lambda n: n["this"] > 1000,
)

HEADS = Item(
    name="heads",
    title="two heads that read the same layer",
    setting="mu = h U and log_var = h V are computed from the same h; dy holds the gradients of both.",
    shown={"heads_forward": heads_forward, "heads_backward": pair_of(FAULTS["heads_overwrite"].wrong)[1]},
    options=(
        "Right.",
        "Wrong: dh has to be the sum of what comes back from both heads.",
        "Wrong: the gradients of U and V are exchanged.",
        "Wrong: h.T @ du should be du.T @ h.",
    ),
    right=1,
    is_bug=True,
    explanation="h influences the loss through both heads, so both gradients add. Here the second "
    "assignment replaces the first: the gradient that comes back through mu never reaches the encoder's "
    "first layer.",
    **from_catalogue("heads_overwrite"),
    verdict="fail",
    pieces=Pieces(heads=FAULTS["heads_overwrite"].wrong),
    told="The first layer learns from log_var alone, without any error message: the negative ELBO ends at "
    "{this:.1f} nats per image, with the right code at {right:.1f}.",
    holds=lambda n: n["this"] > n["right"] + 0.7,
)

SUM = Item(
    name="sum",
    title="a loss without a mean",
    setting="reconstruction and kl are (N,), one number for each image of the batch; N is 64. The optimizer "
    "is Adam.",
    shown={"loss_forward": snippets.loss_sum_forward, "loss_backward": snippets.loss_sum_backward},
    options=(
        "Right.",
        "Wrong: the KL term is N times as strong as it should be.",
        "Wrong: the gradients have to be divided by N.",
        "Wrong: the learning rate has to be divided by N, or training diverges.",
    ),
    right=0,
    is_bug=False,
    explanation="Both terms are N times as large, so their balance is the same, and so is the "
    "minimum. Adam divides by the gradient's own size, so even the steps are the same. With plain gradient "
    "descent the learning rate would have to be N times smaller; and losses of batches of different sizes do "
    "not compare.",
    implementation=snippets.LOSS_SUM,
    make_args=_positive((N,), (N,)),
    verdict="pass",
    pieces=Pieces(objective=snippets.LOSS_SUM),
    told="The two trainings cannot be told apart: the negative ELBO ends at {this:.1f} nats per image, with "
    "the mean at {right:.1f}.",
    holds=lambda n: abs(n["this"] - n["right"]) < 0.15,
    label="summed",
)

NEGATIVE = Item(
    name="negative",
    title="a loss that is below zero",
    setting="Minus the logarithm of a Gaussian likelihood with a learned variance. On pixels from 0 to 1, "
    "the whole loss of the VAE, KL term included, falls below zero.",
    shown={"loss_forward": snippets.gaussian_loss_forward, "loss_backward": snippets.gaussian_loss_backward},
    options=(
        "Right.",
        "Wrong: minus a logarithm of a probability cannot be negative.",
        "Wrong: the sign of log_noise_var is flipped in the forward pass.",
        "Wrong: the variance goes to zero, which has to be prevented.",
    ),
    right=0,
    is_bug=False,
    explanation="A density is no probability: where the standard deviation is small, it "
    "exceeds 1, and its logarithm is positive. Only differences of such losses mean something. In other "
    "units the same model has another loss: with pixels from 0 to 16, each of the 64 pixels adds ln 16.",
    implementation=snippets.GAUSSIAN_LOSS,
    make_args=_mean_pixels_and_noise,
    wrt=(0, 2),
    verdict="pass",
    told="The loss falls below zero and ends at {this:.1f} nats per image; the noise's standard deviation is "
    "{noise:.2f}. The same model, measured in units from 0 to 16, ends at {other:.1f}: the difference is 64 "
    "ln 16 = {shift:.1f} in every epoch, and the samples are the same.",
    holds=lambda n: (
        n["this"] < -10 and abs(n["other"] - n["this"] - n["shift"]) < 1e-6 and 0.05 < n["noise"] < 0.3
    ),
    label="pixels from 0 to 1",
)

ITEMS = {
    item.name: item
    for item in (
        HALF, SUM, LITTLE_NOISE, VARIANCE, NEGATIVE, BATCH, NOISE_AGAIN, LOG_SIGMA_RIGHT, LOG_SIGMA,
        SIGMOID_AGAIN, HEADS, PIXELS, SIGN,
    )
}  # fmt: skip
