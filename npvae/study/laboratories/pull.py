"""What the two new parts of a VAE do, each alone and together: the noise, and the pull of the KL term."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from npvae.core.parameters import Parameters
from npvae.core.vae import VAENetwork
from npvae.data import Dataset
from npvae.estimators import VAE
from npvae.study.laboratories.measuring import CasesLaboratory, Measurer, intended_collapse, model_settings

BETAS = (0.0, 0.1, 1.0, 3.0, 10.0)


@dataclass(frozen=True, kw_only=True)
class NoiselessVAENetwork(VAENetwork):
    """A VAE whose decoder gets mu instead of a draw: the KL term without the noise.

    Notes
    -----
    With z = mu, log_var enters the loss through the KL alone, whose minimum is log_var = 0. What is left of
    the KL is mu² / 2 for each dimension: a penalty on the size of codes. A decoder with larger weights undoes
    a smaller code, so codes shrink as far as the optimizer gets; nothing makes neighbouring codes look alike.
    """

    def forward(
        self, params: Parameters, x: np.ndarray, eps: np.ndarray
    ) -> tuple[tuple[np.ndarray, np.ndarray], tuple[Any, ...]]:
        """Compute the two terms of the loss of every sample; the noise is replaced by 0."""
        return super().forward(params, x, np.zeros_like(eps))


class NoiselessVAE(VAE):
    """`VAE` with a `NoiselessVAENetwork`; the parameters are the same."""

    def _make_network(self, n_features: int) -> VAENetwork:
        return NoiselessVAENetwork(**dataclasses.asdict(super()._make_network(n_features)))


def case_name(beta: float) -> str:
    """Return what the VAE of this beta is called.

    Examples
    --------
    >>> case_name(0.0), case_name(3.0)
    ('noise, no KL', 'beta = 3')
    """
    return f"beta = {beta:g}" if beta else "noise, no KL"


def run_pull(
    data: Dataset,
    *,
    betas: tuple[float, ...] = BETAS,
    n_epochs: int = 60,
    seed: int = 0,
    verbose: bool = False,
) -> CasesLaboratory:
    """Train VAEs of two latent dimensions that differ in beta alone, and one without noise.

    Parameters
    ----------
    data : Dataset
        In [0, 1].
    betas : tuple of float
        0 is noise without the KL term.
    n_epochs, seed : int
    verbose : bool
        Show the progress of training on stderr.

    Returns
    -------
    CasesLaboratory

    Notes
    -----
    The noise alone does not hold: without the KL term a smaller sigma only lowers the loss, so q(z | x)
    shrinks to a point, or the codes move apart, until the noise no longer matters, and what is left is an AE.
    The KL term alone is a penalty on the size of codes: see `NoiselessVAENetwork`. Together they make codes
    overlap and fill N(0, I). The larger beta, the more of the reconstruction is given up for that, until
    q(z | x) is the prior for all x and the codes say nothing.

    References
    ----------
    Higgins et al. (2017), beta-VAE, section 2. Ghosh, Sajjadi, Vergari, Black & Scholkopf (2020), From
    variational to deterministic autoencoders, section 3.
    """
    settings = model_settings(n_epochs, seed, verbose)
    measurer, cases = Measurer(data.X_train, data.X_test, seed), {}
    with intended_collapse():
        for beta in betas:
            cases[case_name(beta)] = measurer.measure(VAE(2, beta=beta, **settings).fit(data.X_train))
        noiseless = NoiselessVAE(2, **settings).fit(data.X_train)
    cases["KL, no noise"] = measurer.measure(noiseless, noiseless.transform(data.X_test))
    return CasesLaboratory(cases, data.y_test, data.image_shape, measurer.control())
