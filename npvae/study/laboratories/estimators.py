"""Five ways to estimate the gradient of an expectation from draws, and how much each of them scatters.

The reconstruction term is an expectation over z ~ q(z | x), and the parameters to differentiate by are those
of q. Every estimator here has the right mean; what one pays for is variance.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from npvae.core.gaussian import kl_backward, kl_forward, reparameterize_backward, reparameterize_forward
from npvae.core.objectives import log_ratio_backward, log_ratio_forward, one_row_per_draw
from npvae.core.parameters import Parameters
from npvae.core.vae import VAENetwork
from npvae.data import Dataset
from npvae.estimators import VAE
from npvae.study.jsonable import to_jsonable
from npvae.study.posterior.information import Estimate

#: By name: how each estimates the gradient.
ESTIMATORS = {
    "score": "score function",
    "leave-one-out": "score function, leave-one-out baseline",
    "path": "path, analytic KL",
    "path, Monte Carlo KL": "path, Monte Carlo KL",
    "sticking the landing": "sticking the landing",
}

Gradients = tuple[np.ndarray, np.ndarray]  # of mu and log_var, one estimate for every image and draw


class ExactCase(NamedTuple):
    """An estimator of d/dtheta E[x²], x ~ N(theta, 1), which is 2 theta.

    Attributes
    ----------
    mean : Estimate
        Of the draws; the standard error allows for the baseline, which couples draws.
    variance : float
        Of one draw's estimate, measured; of k draws with a baseline, k times that of their mean.
    exact : float
        The same by the formula.
    """

    mean: Estimate
    variance: float
    exact: float


class Scatter(NamedTuple):
    """An estimator of the gradient of minus the ELBO by mu and log_var.

    Attributes
    ----------
    variance_mu, variance_log_var : float
        Of one draw's estimate, in nats squared; means over images and latent dimensions.
    largest_error : float
        The largest distance of a mean from the reference, in standard errors of that distance; over the
        latent dimensions, mu and log_var. Of estimators with the right mean it is seldom above 4.
    largest_size : float
        The largest absolute value of a single estimate.
    """

    variance_mu: float
    variance_log_var: float
    largest_error: float
    largest_size: float


@dataclass(frozen=True)
class EstimatorsLaboratory:
    """What was measured.

    Attributes
    ----------
    theta : float
        Of the exact case.
    exact : dict of ExactCase
        "score", "leave-one-out" and "path".
    true_posterior : dict of Scatter
        At the optimum of a model whose posterior is normal, where the gradient is 0.
    trained : dict of dict of Scatter
        By latent dimension.
    group : int
        Draws that share a baseline.
    """

    theta: float
    exact: dict[str, ExactCase]
    true_posterior: dict[str, Scatter]
    trained: dict[int, dict[str, Scatter]]
    group: int

    def numbers(self) -> dict[str, Any]:
        """Return what was measured in JSON's types."""
        return to_jsonable(self)


def exact_case(theta: float, n_draws: int, group: int, rng: np.random.Generator) -> dict[str, ExactCase]:
    """Estimate d/dtheta E[x²] = 2 theta with x = theta + eps, eps ~ N(0, 1), in three ways.

    Parameters
    ----------
    theta : float
    n_draws : int
        A multiple of `group`.
    group : int
        k >= 2 draws share a baseline.
    rng : Generator

    Returns
    -------
    dict of ExactCase

    Notes
    -----
    E[x²] = theta² + 1, so the derivative is 2 theta. With d/dtheta ln N(x; theta, 1) = x - theta = eps:

        score function   g = x² eps = theta² eps + 2 theta eps² + eps³
                         E g² = theta⁴ + 4 theta² 3 + 15 + 2 theta² 3,  as E eps² = 1, E eps⁴ = 3, E eps⁶ = 15
                         Var g = E g² - 4 theta² = theta⁴ + 14 theta² + 15
        path             g = d/dtheta (theta + eps)² = 2 x,  Var g = 4

    The first does not differentiate x² at all; the second needs its derivative. A constant b may be taken
    from x² without changing the mean, as E[b eps] = 0. With b_i the mean of the k - 1 other draws, and h =
    x² - E[x²] = 2 theta eps + eps² - 1:

        g_i = (h_i - mean of the other h_j) eps_i
        k Var(mean of g) = Var(h eps) + (Var h + (2 theta)²) / (k - 1)
                         = (8 theta² + 10) + (8 theta² + 2) / (k - 1),

    since the products h_i eps_i and h_j eps_l of different draws are uncorrelated except for h_j eps_i with
    h_i eps_j. At theta = 2: 87, 4, and 42 + 34 / (k - 1).

    References
    ----------
    Williams (1992), Simple statistical gradient-following algorithms. Kingma & Welling (2014), section 2.4.
    Kool, van Hoof & Welling (2019), Buy 4 REINFORCE samples, get a baseline for free!
    Mohamed, Rosca, Figurnov & Mnih (2020), Monte Carlo gradient estimation in machine learning, sections 4
    and 5.
    """
    eps = rng.standard_normal((n_draws // group, group))
    x = theta + eps
    others = (np.sum(x**2, axis=1, keepdims=True) - x**2) / (group - 1)
    draws = {"score": x**2 * eps, "leave-one-out": (x**2 - others) * eps, "path": 2 * x}
    k = group
    exact = {
        "score": theta**4 + 14 * theta**2 + 15,
        "leave-one-out": 8 * theta**2 + 10 + (8 * theta**2 + 2) / (k - 1),
        "path": 4.0,
    }
    cases = {}
    for name, g in draws.items():
        means = g.mean(axis=1)  # draws with a baseline are not independent, groups are
        variance = k * means.var(ddof=1) if name == "leave-one-out" else g.var(ddof=1)
        cases[name] = ExactCase(Estimate.mean_of(means), float(variance), float(exact[name]))
    return cases


def gradient_draws(
    network: VAENetwork, params: Parameters, x: np.ndarray, eps: np.ndarray
) -> dict[str, Gradients]:
    """Estimate the gradient of minus the ELBO by mu and log_var, once for every draw.

    Parameters
    ----------
    network : VAENetwork
    params : Parameters
        In float64.
    x : (N, D) array, float64
    eps : (N, k, Z) array, float64
        Noise; the leave-one-out baseline of a draw is the mean over the image's other k - 1.

    Returns
    -------
    dict of pairs of (N, k, Z) arrays
        By the names in `ESTIMATORS`.

    Notes
    -----
    R = -ln p(x | z) with z = mu + std eps and dz = dR/dz. The score function is d ln q(z | x) / d mu =
    eps / std and d ln q / d log_var = (eps² - 1) / 2, at fixed z.

        score function        R eps / std,                          R (eps² - 1) / 2,           and the KL's
        leave-one-out         the same with R minus the mean of the other draws
        path, analytic KL     dz,                                   dz eps std / 2,             and the KL's
        path, Monte Carlo KL  dz + z,                               (dz + z) eps std / 2 - 1 / 2
        sticking the landing  dz + z - eps / std = g,               g eps std / 2

    The KL's own are mu and (exp(log_var) - 1) / 2. The Monte Carlo KL is ln q(z | x) - ln p(z), which depends
    on mu and log_var through z and, in ln q, directly: d ln q / dz = -eps / std. The direct part is the score
    function, whose mean is 0. Sticking the landing leaves it out and keeps the part through z. Where
    q(z | x) is the true posterior, ln p(x, z) - ln q(z | x) = ln p(x) does not depend on z, so g = 0 for
    every draw; the other two still scatter there.

    References
    ----------
    Roeder, Wu & Duvenaud (2017), Sticking the landing: simple, lower-variance gradient estimators for
    variational inference.
    """
    n, k, latent_dim = eps.shape
    x_k, eps_k = one_row_per_draw(x, eps)
    mu, log_var = network.encode(params, x_k)
    z, z_cache = reparameterize_forward(mu, log_var, eps_k)
    std, _ = z_cache
    output, decoder_cache = network.decoder_forward(params, z)
    R, likelihood_cache = network.reconstruction_forward(params, x_k, output)
    ones, grads = np.ones_like(R), params.zeros_like()
    d_output = network.reconstruction_backward(ones, likelihood_cache, grads)
    dz = network.decoder_backward(d_output, decoder_cache, grads)

    of_kl = kl_backward(ones, kl_forward(mu, log_var)[1])
    dz_ratio, d_log_var_ratio = log_ratio_backward(ones, log_ratio_forward(z, log_var, eps_k)[1])
    path = reparameterize_backward(dz, z_cache)
    monte_carlo = reparameterize_backward(dz + dz_ratio, z_cache)
    R = R.reshape(n, k)
    centred = (R - (R.sum(axis=1, keepdims=True) - R) / (k - 1)).reshape(-1, 1)
    score = eps_k / std, (eps_k**2 - 1) / 2  # of ln q(z | x)
    draws: dict[str, Gradients] = {
        "score": (R.reshape(-1, 1) * score[0] + of_kl[0], R.reshape(-1, 1) * score[1] + of_kl[1]),
        "leave-one-out": (centred * score[0] + of_kl[0], centred * score[1] + of_kl[1]),
        "path": (path[0] + of_kl[0], path[1] + of_kl[1]),
        "path, Monte Carlo KL": (monte_carlo[0], monte_carlo[1] + d_log_var_ratio),
        "sticking the landing": reparameterize_backward(dz + dz_ratio - eps_k / std, z_cache),
    }
    shape = (n, k, latent_dim)
    return {name: (d_mu.reshape(shape), d_lv.reshape(shape)) for name, (d_mu, d_lv) in draws.items()}


def scatter(
    network: VAENetwork,
    params: Parameters,
    x: np.ndarray,
    *,
    n_groups: int,
    group: int,
    rng: np.random.Generator,
) -> dict[str, Scatter]:
    """Measure mean and variance of every estimator.

    Parameters
    ----------
    network : VAENetwork
    params : Parameters
    x : (N, D) array
        In the network's units.
    n_groups, group : int
        `n_groups` times `group` >= 2 draws for each image.
    rng : Generator

    Returns
    -------
    dict of Scatter
        By the names in `ESTIMATORS`.

    Notes
    -----
    The reference for the means is "path" with other draws. Means are compared for the gradient of a batch
    of these images, the mean over them.
    """
    params, x = params.astype(np.float64), x.astype(np.float64)
    n, latent_dim = len(x), network.latent_dim

    def measure() -> dict[str, np.ndarray]:
        """Return estimates (2, n_groups, group, N, Z)."""
        parts: dict[str, list[np.ndarray]] = {name: [] for name in ESTIMATORS}
        for _ in range(n_groups):
            eps = rng.standard_normal((n, group, latent_dim))
            for name, pair in gradient_draws(network, params, x, eps).items():
                parts[name].append(np.stack(pair).swapaxes(1, 2))
        return {name: np.stack(groups, axis=1) for name, groups in parts.items()}

    reference, reference_error = _batch_mean(measure()["path"])
    results = {}
    for name, draws in measure().items():
        mean, error = _batch_mean(draws)
        if name == "leave-one-out":  # draws that share a baseline are not independent
            variance = group * draws.mean(axis=2).var(axis=1, ddof=1)
        else:
            variance = draws.reshape(2, -1, n, latent_dim).var(axis=1, ddof=1)
        spread = np.sqrt(error**2 + reference_error**2)
        distance = np.abs(mean - reference)
        errors = np.divide(distance, spread, out=np.zeros_like(distance), where=spread > 0)
        v_mu, v_log_var = variance.mean(axis=(1, 2))
        results[name] = Scatter(
            float(v_mu), float(v_log_var), float(errors.max()), float(np.abs(draws).max())
        )
    return results


def _batch_mean(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean gradient of the batch, (2, Z), and its standard error, from independent groups."""
    of_groups = draws.mean(axis=(2, 3))  # (2, n_groups, Z)
    return of_groups.mean(axis=1), of_groups.std(axis=1, ddof=1) / np.sqrt(of_groups.shape[1])


def true_posterior_case() -> tuple[VAENetwork, Parameters, np.ndarray]:
    """Return a VAE that is at the optimum for its data: network, parameters, x.

    Notes
    -----
    z ~ N(0, 1) and x | z ~ N(z, 1) have the posterior z | x ~ N(x / 2, 1 / 2): the precisions of prior and
    likelihood add up, 1 + 1, and the mean is the likelihood's share of x. A linear encoder can say that.
    There the gradients' variances by mu are known: path with analytic KL, dz + mu = (z - x) + x / 2 = std
    eps, so 1 / 2; with Monte Carlo KL, (z - x) + z = 2 std eps, so 2; sticking the landing 0.
    """
    network = VAENetwork(n_features=1, latent_dim=1, hidden=(), noise_variance=1.0)
    params = Parameters(network.shapes(), dtype=np.float64)
    params["mu.W"], params["log_var.b"], params["output.W"] = [[0.5]], [np.log(0.5)], [[1.0]]
    return network, params, np.array([[-2.0], [0.5], [3.0]])


def run_estimators(
    data: Dataset,
    *,
    theta: float = 2.0,
    latent_dims: tuple[int, ...] = (2, 10),
    n_epochs: int = 40,
    n_images: int = 20,
    n_groups: int = 250,
    group: int = 8,
    seed: int = 0,
    verbose: bool = False,
) -> EstimatorsLaboratory:
    """Compare the estimators where the answer is known, at a true posterior, and in trained VAEs.

    Parameters
    ----------
    data : Dataset
        In [0, 1].
    theta : float
        Of the exact case.
    latent_dims : tuple of int
        A VAE is trained for each.
    n_epochs : int
        Of training.
    n_images : int
        Test images whose gradients are estimated.
    n_groups, group : int
        `n_groups` times `group` draws for each image; those of a group share the baseline.
    seed : int
    verbose : bool
        Show the progress of training on stderr.

    Returns
    -------
    EstimatorsLaboratory
    """
    rng = np.random.default_rng(seed)
    exact = exact_case(theta, 500 * n_groups * group, group, rng)
    network, params, x = true_posterior_case()
    at_posterior = scatter(network, params, x, n_groups=n_groups, group=group, rng=rng)
    trained = {}
    for latent_dim in latent_dims:
        vae = VAE(
            latent_dim, hidden=(64,), likelihood="bernoulli", batch_size=32, max_epochs=n_epochs, tol=None,
            random_state=seed, verbose=int(verbose),
        ).fit(data.X_train)  # fmt: skip
        images = data.X_test[:n_images]
        trained[latent_dim] = scatter(
            vae.network_, vae.params_, images, n_groups=n_groups, group=group, rng=rng
        )
    return EstimatorsLaboratory(theta, exact, at_posterior, trained, group)
