"""The laboratory of gradient estimators: tables, findings, and how far the estimates scatter."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from npvae.study.laboratories.estimators import ESTIMATORS, EstimatorsLaboratory, Scatter
from npvae.study.table import Table, wrapped
from npvae.view.draw.style import CLASS_COLOURS, INK, TEXT_SIZE, TICK_SIZE, new_figure, open_frame, set_title

_SHORT = {
    "score": "score\nfunction",
    "leave-one-out": "with leave-\none-out\nbaseline",
    "path": "path,\nanalytic\nKL",
    "path, Monte Carlo KL": "path,\nMonte Carlo\nKL",
    "sticking the landing": "sticking\nthe\nlanding",
}
#: What each does to estimate the gradient of E[f(z)], z ~ q, from draws of z; f is -ln p(x | z).
_EXPLAINED = (
    "score function: f(z) times the gradient of ln q(z), without differentiating f (also: REINFORCE).",
    "leave-one-out baseline: the mean of f over the other draws is first subtracted from f(z). This does not "
    "change the mean of the estimates.",
    "path: the derivative of f(mu + sigma eps) through z, the reparameterization trick. The KL is analytic, "
    "by its formula, or Monte Carlo: ln q(z) - ln p(z) of the draws.",
    "sticking the landing: path with Monte Carlo KL, but ln q is differentiated through z alone. The part "
    "that is left out has mean 0.",
)
_DISTANCE = (
    "Distance of the means: the mean estimate is compared with that of the path with other draws. Shown is "
    "the largest distance over latent dimensions, in standard errors; of an unbiased estimator it is seldom "
    "above 4."
)
_MOST_ERRORS = 4  # of an unbiased estimator
_COLOURS = dict(zip(ESTIMATORS, CLASS_COLOURS[:5], strict=True))


def text(result: EstimatorsLaboratory) -> str:
    """Return tables of means and variances, and what they show."""
    theta = result.theta
    explained = wrapped("\n".join(("Estimators of the gradient of E[f(z)], z ~ q:", *_EXPLAINED)))
    exact = Table(
        f"An exact case: d/dtheta E[x²] = 2 theta = {2 * theta:g} at theta = {theta:g}, x ~ N(theta, 1)",
        ("estimator", "mean", "standard error", "variance", "by the formula"),
        [
            (
                ESTIMATORS[name],
                f"{case.mean.value:.4f}",
                f"{case.mean.standard_error:.4f}",
                f"{case.variance:.2f}",
                f"{case.exact:.2f}",
            )
            for name, case in result.exact.items()
        ],
        f"Variances of one draw's estimate. The baseline is the mean of the other {result.group - 1} draws.",
    )
    posterior = Table(
        "At a true posterior, where the gradient is 0: x | z ~ N(z, 1), q(z | x) = N(x / 2, 1 / 2)",
        ("estimator", "variance, mu", "variance, log_var", "largest estimate"),
        [
            (ESTIMATORS[name], f"{s.variance_mu:.3g}", f"{s.variance_log_var:.3g}", f"{s.largest_size:.2g}")
            for name, s in result.true_posterior.items()
        ],
    )
    trained = [
        Table(
            f"A VAE trained with {latent_dim} latent dimensions: variance over that of the path, analytic KL",
            ("estimator", "mu", "log_var", "distance of the means"),
            [
                (
                    ESTIMATORS[name],
                    _factor(s.variance_mu / of_path(scatters).variance_mu),
                    _factor(s.variance_log_var / of_path(scatters).variance_log_var),
                    f"{s.largest_error:.1f}",
                )
                for name, s in scatters.items()
            ],
            "" if i else _DISTANCE,
        )
        for i, (latent_dim, scatters) in enumerate(result.trained.items())
    ]
    parts = [explained, *(table.text() for table in (exact, posterior, *trained))]
    return "\n\n".join(parts) + "\n\n" + "\n".join(wrapped(line, "- ") for line in findings(result))


def findings(result: EstimatorsLaboratory) -> list[str]:
    """Return sentences about the numbers."""
    errors = [s.largest_error for scatters in result.trained.values() for s in scatters.values()]
    verdict = "no bias is seen" if max(errors) < _MOST_ERRORS else "more than chance explains"
    lines = [
        "In the trained VAEs the means of all five differ from the reference by at most "
        f"{max(errors):.1f} standard errors: {verdict}."
    ]
    for latent_dim, scatters in result.trained.items():
        path = of_path(scatters)
        factors = {name: s.variance_mu / path.variance_mu for name, s in scatters.items()}
        lines.append(
            f"{latent_dim} latent dimensions: the score function needs {factors['score']:,.0f} times as many "
            f"draws as the path for the same standard error, with a baseline {factors['leave-one-out']:.1f} "
            f"times as many; sticking the landing needs {factors['sticking the landing']:.2f} times as many."
        )
    landing = result.true_posterior["sticking the landing"]
    lines.append(
        "At the true posterior every single estimate of sticking the landing is 0, up to rounding "
        f"({landing.largest_size:.0e}); the path's variance is still "
        f"{of_path(result.true_posterior).variance_mu:.2f}."
    )
    return lines


def of_path(scatters: dict[str, Scatter]) -> Scatter:
    """Return the path estimator's with the analytic KL, to which the others are compared."""
    return scatters["path"]


def draw(result: EstimatorsLaboratory) -> Figure:
    """Draw the variances: the exact case, the true posterior, and each trained VAE relative to the path."""
    figure = new_figure(16, 9)
    panels = figure.subplots(2, 2).ravel()
    exact, posterior, *trained = panels
    _bars(exact, {name: case.variance for name, case in result.exact.items()})
    for i, case in enumerate(result.exact.values()):
        exact.plot([i - 0.4, i + 0.4], [case.exact] * 2, color=INK, linewidth=2)
    theta = result.theta
    set_title(exact, f"d/dθ E[x²] at θ = {theta:g}: variance", "lines: by the formula", TEXT_SIZE + 1)
    _bars(posterior, {name: s.variance_mu for name, s in result.true_posterior.items()}, floor=1e-2)
    set_title(posterior, "at the true posterior: variance by μ", "zero is no bar", TEXT_SIZE + 1)
    for ax, (latent_dim, scatters) in zip(trained, result.trained.items(), strict=False):
        path = of_path(scatters).variance_mu
        _bars(ax, {name: s.variance_mu / path for name, s in scatters.items()}, floor=5e-2)
        ax.axhline(1, color=INK, linewidth=1, linestyle="--")
        title = f"trained VAE, {latent_dim} latent dimensions: variance by μ"
        set_title(ax, title, "relative to the path with analytic KL", TEXT_SIZE + 1)
    for ax in trained[len(result.trained) :]:
        ax.set_visible(False)
    return figure


def _factor(value: float) -> str:
    """Write a number with three digits, without an exponent; 0 where only rounding is left.

    Examples
    --------
    >>> _factor(1312.4), _factor(0.1566), _factor(7e-32)
    ('1,312', '0.157', '0')
    """
    return "0" if value < 1e-12 else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _bars(ax: Axes, values: dict[str, float], floor: float = 0.5) -> None:
    """Draw a bar for each estimator on a logarithmic scale, with its value on top."""
    for i, (name, value) in enumerate(values.items()):
        ax.bar(i, max(value, floor), bottom=0, color=_COLOURS[name], width=0.8)
        ax.annotate(
            _factor(value),
            (i, max(value, floor)),
            (0, 4),
            textcoords="offset points",
            ha="center",
            fontsize=TEXT_SIZE,
        )
    ax.set_yscale("log")
    ax.set_ylim(floor, 6 * max(values.values()))
    ax.set_xticks(np.arange(len(values)), [_SHORT[name] for name in values])
    open_frame(ax)
    ax.tick_params(labelsize=TICK_SIZE)
