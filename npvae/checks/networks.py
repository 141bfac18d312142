"""The AE and the VAE with every activation and likelihood, at random parameters."""

from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from npvae.core.activations import ACTIVATIONS
from npvae.core.autoencoder import AutoencoderNetwork
from npvae.core.objectives import OBJECTIVES, FreeBitsVAENetwork, MultiSampleVAENetwork
from npvae.core.parameters import Parameters
from npvae.core.vae import VAENetwork
from npvae.gradcheck import Report, check_network

N, D, Z = 4, 3, 2
BETAS = (1.0, 0.0, 4.0)
LIKELIHOODS: dict[str, dict[str, Any]] = {
    "bernoulli": {"likelihood": "bernoulli"},
    "gaussian": {"likelihood": "gaussian", "noise_variance": 0.3},
    "learned noise": {"likelihood": "gaussian", "noise_variance": "learned"},
}


def network_cases() -> dict[str, VAENetwork | AutoencoderNetwork]:
    """Return AEs and VAEs by name: every activation and likelihood, with zero, one or two hidden layers.

    The VAEs cycle through beta = 1, 0 and 4. For every activation there is also a VAE with several draws of
    z; these VAEs cycle through the likelihoods and objectives. One VAE of every likelihood has free bits.
    """
    cases: dict[str, VAENetwork | AutoencoderNetwork] = {}
    kinds = product(ACTIVATIONS, LIKELIHOODS)
    for i, (activation, likelihood) in enumerate(kinds):
        hidden = [(5,), (5, 4)][i % 2]
        for hidden_widths in [(), hidden] if activation == "identity" else [hidden]:
            settings: dict[str, Any] = {
                "n_features": D,
                "latent_dim": Z,
                "hidden": hidden_widths,
                "activation": activation,
                "negative_slope": 0.2,
                **LIKELIHOODS[likelihood],
            }
            beta = BETAS[(i + i // 3) % 3]
            widths = "-".join(map(str, (D, *hidden_widths, Z)))
            cases[f"AE {widths}, {activation}, {likelihood}"] = AutoencoderNetwork(**settings)
            cases[f"VAE {widths}, {activation}, {likelihood}, beta {beta:g}"] = VAENetwork(
                beta=beta, **settings
            )
            if i % 3 != (i // 3) % 3:
                continue
            if i < len(LIKELIHOODS) ** 2 and hidden_widths:
                cases[f"VAE {widths}, {activation}, {likelihood}, free bits, beta {beta:g}"] = (
                    FreeBitsVAENetwork(free_bits=0.2, beta=beta, **settings)
                )
            objective = OBJECTIVES[i % 2]
            cases[f"VAE {widths}, {activation}, {likelihood}, {objective}, beta {beta:g}, 3 draws"] = (
                MultiSampleVAENetwork(objective=objective, n_draws=3, beta=beta, **settings)
            )
    return cases


def check_case(network: VAENetwork | AutoencoderNetwork, dtype: npt.DTypeLike, seed: int) -> Report:
    """Check a network's gradients with respect to all parameters, at random parameter values.

    Parameters
    ----------
    network : VAENetwork or AutoencoderNetwork
    dtype : dtype
        The dtype of parameters, data and noise.
    seed : int

    Returns
    -------
    Report
    """
    rng = np.random.default_rng(seed)
    params = Parameters(network.shapes(), dtype=dtype)
    params.flat[:] = 0.5 * rng.standard_normal(params.flat.size)
    inputs = [rng.random((N, D)).astype(dtype)]
    if isinstance(network, VAENetwork):
        inputs.append(rng.standard_normal(network.noise_shape(N)).astype(dtype))
    return check_network(network, params, *inputs, seed=seed)
