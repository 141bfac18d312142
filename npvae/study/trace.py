"""The path of one image through a VAE in numbers: values forward, gradients backward, and their proof."""

from dataclasses import dataclass

import numpy as np

from npvae.core.gaussian import kl_backward, kl_forward, reparameterize_backward, reparameterize_forward
from npvae.core.layers import dense_forward, mlp_backward, mlp_forward
from npvae.core.parameters import Parameters
from npvae.core.vae import VAENetwork
from npvae.gradcheck.differences import central_difference, rounding_noise

# Steps for numbers of about unit size: see `npvae.gradcheck.differences.central_difference`.
_LARGEST_STEP = 1e-3
_SMALLEST_STEP = 1e-7
_TABLE_SPACING = 1e-9

FORMULAS = {
    "x": "the image",
    "hidden": "the encoder's last hidden layer",
    "mu": "hidden W_mu + b_mu",
    "log_var": "hidden W_log_var + b_log_var",
    "std": "exp(log_var / 2)",
    "eps": "a draw from N(0, 1)",
    "z": "mu + std * eps",
    "output": "the decoder's output",
    "reconstruction": "-ln p(x | z)",
    "kl": "KL(N(mu, std^2) || N(0, I))",
}


@dataclass(frozen=True)
class Node:
    """One number on the path, and dL/d(number).

    Attributes
    ----------
    name : str
        A key of `FORMULAS`.
    index : int or None
        Which entry of the node; None if it has only one.
    width : int
        How many entries the node has.
    value : float
    gradient : float
        By the handwritten backward pass.
    from_reconstruction, from_kl : float
        Its two parts.
    numeric : float
        The same gradient by central differences of the forward pass from this node on.
    error_bar : float
        Of `numeric`.
    """

    name: str
    index: int | None
    width: int
    value: float
    gradient: float
    from_reconstruction: float
    from_kl: float
    numeric: float
    error_bar: float


@dataclass(frozen=True)
class Trace:
    """The nodes in forward order, and the loss, reconstruction + beta * kl, in nats."""

    nodes: tuple[Node, ...]
    loss: float
    beta: float
    likelihood: str


def trace(network: VAENetwork, params: Parameters, x: np.ndarray, eps: np.ndarray) -> Trace:
    """Follow one image through the network and the gradient back.

    Parameters
    ----------
    network : VAENetwork
    params : Parameters
        Used in float64.
    x : (D,) array
        In the network's units: pixels in [0, 1].
    eps : (Z,) array
        The draw from N(0, I).

    Returns
    -------
    Trace
        Every latent dimension of mu, log_var, std, eps and z is a node. Of x, the hidden layer and the
        output, which are wide, it is the entry with the largest |value * gradient|: an entry of zero, a
        unit that relu has switched off for example, passes nothing on.

    Raises
    ------
    ValueError
        `x` or `eps` has another length than the network asks for.

    Notes
    -----
    The backward pass is linear in the gradients of its two terms, so running it with (1, 0) and with
    (0, beta) gives the two parts. The image enters the loss twice, as the encoder's input and as what is
    to be reconstructed; its gradient here is that of the first role.

    The numeric gradients come from forward functions alone: one entry of one node is moved, and
    everything after that node is computed again.
    """
    if x.shape != (network.n_features,) or eps.shape != (network.latent_dim,):
        raise ValueError(
            f"x must have {network.n_features} entries and eps {network.latent_dim}, "
            f"got shapes {x.shape} and {eps.shape}"
        )
    params = params.astype(np.float64)
    x, eps = x.astype(np.float64)[None], eps.astype(np.float64)[None]
    values = _forward_from(network, params, x, {"x": x, "eps": eps})
    parts = [
        _gradients(network, params, x, eps, weights) for weights in [(1.0, 0.0), (0.0, float(network.beta))]
    ]
    nodes = []
    for name in FORMULAS:
        if name == "hidden" and not network.hidden:
            continue  # the heads are computed from x itself
        total = parts[0][name] + parts[1][name]
        for index in _entries_to_show(name, values[name], total):
            numeric, bar = _by_differences(network, params, x, values, name, index)
            nodes.append(
                Node(
                    name=name,
                    index=index if total.size > 1 else None,
                    width=total.size,
                    value=float(values[name].flat[index]),
                    gradient=float(total.flat[index]),
                    from_reconstruction=float(parts[0][name].flat[index]),
                    from_kl=float(parts[1][name].flat[index]),
                    numeric=numeric,
                    error_bar=bar,
                )
            )
    return Trace(
        nodes=tuple(nodes),
        loss=float(values["loss"][0]),
        beta=float(network.beta),
        likelihood=network.likelihood,
    )


def _forward_from(
    network: VAENetwork, params: Parameters, target: np.ndarray, given: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Compute every node that is not given from those before it."""
    nodes = dict(given)
    if "hidden" not in nodes:
        layers, activation = network.hidden_layers("encoder", params), network.get_activation()
        nodes["hidden"], _ = mlp_forward(nodes["x"], layers, activation)
    mu, _ = dense_forward(nodes["hidden"], params["mu.W"], params["mu.b"])
    log_var, _ = dense_forward(nodes["hidden"], params["log_var.W"], params["log_var.b"])
    nodes.setdefault("mu", mu)
    nodes.setdefault("log_var", log_var)
    z, (std, _) = reparameterize_forward(nodes["mu"], nodes["log_var"], nodes["eps"])
    nodes.setdefault("z", nodes["mu"] + nodes["std"] * nodes["eps"] if "std" in nodes else z)
    nodes.setdefault("std", std)
    nodes.setdefault("output", network.decoder_forward(params, nodes["z"])[0])
    nodes.setdefault("reconstruction", network.reconstruction_forward(params, target, nodes["output"])[0])
    nodes.setdefault("kl", kl_forward(nodes["mu"], nodes["log_var"])[0])
    nodes["loss"] = nodes["reconstruction"] + network.beta * nodes["kl"]
    return nodes


def _gradients(
    network: VAENetwork, params: Parameters, x: np.ndarray, eps: np.ndarray, weights: tuple[float, float]
) -> dict[str, np.ndarray]:
    """Run `VAENetwork.backward`, stage by stage, with dL/dreconstruction and dL/dKL as given."""
    _, cache = network.forward(params, x, eps)
    _, encoder_cache, z_cache, decoder_cache, likelihood_cache, kl_cache = cache
    d_reconstruction, d_kl = (np.array([weight]) for weight in weights)
    grads = params.zeros_like()  # those of the parameters are not shown
    d_output = network.reconstruction_backward(d_reconstruction, likelihood_cache, grads)
    dz = network.decoder_backward(d_output, decoder_cache, grads)
    d_mu, d_log_var = reparameterize_backward(dz, z_cache)
    d_mu_kl, d_log_var_kl = kl_backward(d_kl, kl_cache)
    d_mu, d_log_var = d_mu + d_mu_kl, d_log_var + d_log_var_kl
    d_hidden = network.encoder_backward(d_mu, d_log_var, encoder_cache, grads)
    dx, _ = mlp_backward(d_hidden, encoder_cache[0])
    std, _ = z_cache
    return {
        "x": dx,
        "hidden": d_hidden,
        "mu": d_mu,
        "log_var": d_log_var,
        "std": dz * eps,
        "eps": dz * std,
        "z": dz,
        "output": d_output,
        "reconstruction": d_reconstruction,
        "kl": d_kl,
    }


def _entries_to_show(name: str, value: np.ndarray, gradient: np.ndarray) -> list[int]:
    if name in ("x", "hidden", "output"):
        return [int(np.argmax(np.abs(value * gradient)))]
    return list(range(gradient.size))


def _by_differences(
    network: VAENetwork,
    params: Parameters,
    target: np.ndarray,
    values: dict[str, np.ndarray],
    name: str,
    index: int,
) -> tuple[float, float]:
    before = list(FORMULAS)[: list(FORMULAS).index(name)]
    given = {earlier: values[earlier] for earlier in (*before, "eps") if earlier in values}

    def phi(t: float) -> float:
        moved = values[name].copy()
        moved.flat[index] += t
        return float(_forward_from(network, params, target, {**given, name: moved})["loss"][0])

    noise = rounding_noise(phi, _TABLE_SPACING)
    difference = central_difference(phi, phi(0.0), _LARGEST_STEP, _SMALLEST_STEP, noise)
    return difference.value, difference.bar
