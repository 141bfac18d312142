"""Follow one image through a network and the gradient back: every value, every gradient, and their proof."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from npvae.core.activations import sigmoid_forward
from npvae.core.autoencoder import AutoencoderNetwork
from npvae.core.gaussian import kl_backward, kl_forward, reparameterize_backward, reparameterize_forward
from npvae.core.layers import dense_backward, dense_forward, mlp_backward, mlp_forward
from npvae.core.parameters import Parameters
from npvae.core.vae import VAENetwork
from npvae.data.scaling import as_floats
from npvae.gradcheck.differences import central_difference, rounding_noise
from npvae.study.trace_record import AE_FORMULAS, FORMULAS, Average, Node, Step, Trace

if TYPE_CHECKING:
    from npvae.estimators import VAE, Autoencoder

# Steps for numbers of about unit size: see `npvae.gradcheck.differences.central_difference`.
_LARGEST_STEP = 1e-3
_SMALLEST_STEP = 1e-7
_TABLE_SPACING = 1e-9
_SIGN_KNOWN = 2  # standard errors between a mean and 0
_BLOCK = 1000  # draws of eps that are decoded at once

_WIDE = ("x", "hidden", "output")


def trace_image(
    model: "VAE | Autoencoder",
    x: npt.ArrayLike,
    eps: npt.ArrayLike | None = None,
    *,
    reparameterized: bool = True,
    n_average: int = 0,
    learning_rate: float = 1e-3,
    random_state: int = 0,
) -> Trace:
    """Follow one image through a fitted model, and the gradient back.

    Parameters
    ----------
    model : VAE or Autoencoder
        Fitted.
    x : (D,) array
        In the units of the training data; uint8 for pixels.
    eps : (Z,) array, optional
        The noise of a VAE; by default a draw from N(0, I) with `random_state`.
    reparameterized : bool
        False draws z directly from N(mu, std^2): the gradient of the reconstruction ends at z.
    n_average : int
        Draws of eps over which gradients are averaged too; 0 for none. Not used for an AE.
    learning_rate : float
        Of one step of gradient descent on this image.
    random_state : int
        Seed of all draws.

    Returns
    -------
    Trace

    Raises
    ------
    NotFittedError, ValueError
        The model is not fitted; `x` or `eps` has the wrong length or is not finite.

    Notes
    -----
    The backward pass is linear in the gradients of the loss's two terms, so running it with (1, 0) and with
    (0, beta) gives the two parts. The image enters the loss twice, as the encoder's input and as the target
    of the reconstruction; its gradient here is that of the input.

    The numeric gradients use forward functions only: one entry of a node is moved, and everything after that
    node is computed again.
    """
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(model, "params_")
    network = model.network_
    rng = np.random.default_rng(random_state)
    noise = None
    if isinstance(network, VAENetwork):
        noise = rng.standard_normal(network.latent_dim) if eps is None else np.asarray(eps, dtype=np.float64)
    image = as_floats(np.asarray(x)[None], np.dtype(np.float64))[0]
    return trace_network(
        network,
        model.params_,
        image,
        noise,
        reparameterized=reparameterized,
        n_average=n_average,
        learning_rate=learning_rate,
        rng=rng,
    )


def trace_network(
    network: VAENetwork | AutoencoderNetwork,
    params: Parameters,
    x: np.ndarray,
    eps: np.ndarray | None = None,
    *,
    reparameterized: bool = True,
    n_average: int = 0,
    learning_rate: float = 1e-3,
    rng: np.random.Generator | None = None,
) -> Trace:
    """Follow one image through a network: `trace_image` without an estimator.

    Parameters
    ----------
    network : VAENetwork or AutoencoderNetwork
    params : Parameters
        Used in float64.
    x : (D,) array, float
    eps : (Z,) array or None
        None for an AE.
    reparameterized, n_average, learning_rate
        As for `trace_image`.
    rng : Generator, optional
        Draws the noise to average over.

    Returns
    -------
    Trace

    Raises
    ------
    ValueError
        `x` or `eps` has the wrong length or is not finite.
    """
    path = _Path(network, params.astype(np.float64), x, eps, reparameterized)
    values = path.forward({})
    parts, grads = path.backward()
    formulas = FORMULAS if path.is_vae else AE_FORMULAS
    nodes = []
    for name in formulas:
        if name == "hidden" and not network.hidden:
            continue  # the heads are computed from x itself
        total = parts[0][name] + parts[1][name]
        for index in _entries_to_show(name, values[name], total):
            numeric, bar = path.differences(values, name, index)
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
    output = values["output"][0]
    return Trace(
        kind="VAE" if path.is_vae else "AE",
        nodes=tuple(nodes),
        loss=float(values["loss"][0]),
        reconstruction=float(values["reconstruction"][0]),
        kl=float(values["kl"][0]) if path.is_vae else 0.0,
        beta=path.beta,
        likelihood=network.likelihood,
        reparameterized=reparameterized,
        image=path.x[0],
        reconstructed=sigmoid_forward(output)[0] if network.likelihood == "bernoulli" else output,
        step=path.step(grads, learning_rate, float(values["loss"][0])),
        average=path.average(n_average, rng or np.random.default_rng(0))
        if n_average and path.is_vae
        else None,
    )


class _Path:
    """One image's way through a network, every node of which may be given."""

    def __init__(
        self,
        network: VAENetwork | AutoencoderNetwork,
        params: Parameters,
        x: np.ndarray,
        eps: np.ndarray | None,
        reparameterized: bool,
    ) -> None:
        self.is_vae = isinstance(network, VAENetwork)
        self.beta = float(network.beta) if isinstance(network, VAENetwork) else 0.0
        n_noise = network.latent_dim if self.is_vae else 0
        eps = np.empty(0) if eps is None else eps
        if x.shape != (network.n_features,) or eps.shape != (n_noise,):
            raise ValueError(
                f"x must have {network.n_features} entries and eps {n_noise}, "
                f"got shapes {x.shape} and {eps.shape}"
            )
        if not (np.isfinite(x).all() and np.isfinite(eps).all()):
            raise ValueError("x and eps must be finite")
        self.network, self.params, self.reparameterized = network, params, reparameterized
        self.x, self.eps = x.astype(np.float64)[None], eps.astype(np.float64)[None]

    def forward(
        self, given: dict[str, np.ndarray], params: Parameters | None = None
    ) -> dict[str, np.ndarray]:
        """Compute every node that is not given from those before it."""
        network, p = self.network, self.params if params is None else params
        nodes = {"x": self.x} | given
        if "hidden" not in nodes:
            nodes["hidden"], _ = mlp_forward(
                nodes["x"], network.hidden_layers("encoder", p), network.get_activation()
            )
        for head in ("mu", "log_var") if self.is_vae else ("code",):
            if head not in nodes:
                nodes[head], _ = dense_forward(nodes["hidden"], p[f"{head}.W"], p[f"{head}.b"])
        if self.is_vae:
            nodes.setdefault("eps", self.eps)
            z, (std, _) = reparameterize_forward(nodes["mu"], nodes["log_var"], nodes["eps"])
            nodes.setdefault("z", nodes["mu"] + nodes["std"] * nodes["eps"] if "std" in nodes else z)
            nodes.setdefault("std", std)
            nodes.setdefault("kl", kl_forward(nodes["mu"], nodes["log_var"])[0])
        code = nodes["z" if self.is_vae else "code"]
        nodes.setdefault("output", network.decoder_forward(p, code)[0])
        target = np.broadcast_to(self.x, (len(nodes["output"]), self.x.shape[1]))
        nodes.setdefault("reconstruction", network.reconstruction_forward(p, target, nodes["output"])[0])
        nodes["loss"] = (
            nodes["reconstruction"] + self.beta * nodes["kl"] if self.is_vae else nodes["reconstruction"]
        )
        return nodes

    def backward(self) -> tuple[list[dict[str, np.ndarray]], Parameters]:
        """Return the gradients of the nodes from either term, and those of the parameters from both."""
        grads, parts = self.params.zeros_like(), []
        for weights in [(1.0, 0.0), (0.0, self.beta)]:
            part, of_part = self._vae_part(*weights) if self.is_vae else self._ae_part(weights[0])
            grads.flat[:] += of_part.flat
            parts.append(part)
        return parts, grads

    def _vae_part(
        self, d_reconstruction: float, d_kl: float, eps: np.ndarray | None = None
    ) -> tuple[dict[str, np.ndarray], Parameters]:
        """Run `VAENetwork.backward` stage by stage; with eps (n, Z), for n draws of it."""
        network = self.network
        assert isinstance(network, VAENetwork)
        noise = self.eps if eps is None else eps
        x, n = np.repeat(self.x, len(noise), axis=0), len(noise)
        _, cache = network.forward(self.params, x, noise)
        _, encoder_cache, z_cache, decoder_cache, likelihood_cache, kl_cache = cache
        grads = self.params.zeros_like()
        d_output = network.reconstruction_backward(np.full(n, d_reconstruction), likelihood_cache, grads)
        dz = network.decoder_backward(d_output, decoder_cache, grads)
        d_mu, d_log_var = reparameterize_backward(dz, z_cache)
        std, _ = z_cache
        d_std, d_eps = dz * noise, dz * std
        if not self.reparameterized:  # a draw has no derivative
            d_mu, d_log_var, d_std, d_eps = (np.zeros_like(dz) for _ in range(4))
        d_mu_kl, d_log_var_kl = kl_backward(np.full(n, d_kl), kl_cache)
        d_mu, d_log_var = d_mu + d_mu_kl, d_log_var + d_log_var_kl
        d_hidden = network.encoder_backward(d_mu, d_log_var, encoder_cache, grads)
        dx, _ = mlp_backward(d_hidden, encoder_cache[0])
        return {
            "x": dx,
            "hidden": d_hidden,
            "mu": d_mu,
            "log_var": d_log_var,
            "std": d_std,
            "eps": d_eps,
            "z": dz,
            "output": d_output,
            "reconstruction": np.full(n, d_reconstruction),
            "kl": np.full(n, d_kl),
        }, grads

    def _ae_part(self, d_reconstruction: float) -> tuple[dict[str, np.ndarray], Parameters]:
        """Run `AutoencoderNetwork.backward` stage by stage."""
        network = self.network
        assert isinstance(network, AutoencoderNetwork)
        _, cache = network.forward(self.params, self.x)
        _, hidden_cache, code_cache, decoder_cache, likelihood_cache = cache
        weight = np.array([d_reconstruction])
        grads = network.backward(weight, cache)
        d_output = network.reconstruction_backward(weight, likelihood_cache, self.params.zeros_like())
        d_code = network.decoder_backward(d_output, decoder_cache, self.params.zeros_like())
        d_hidden, _, _ = dense_backward(d_code, code_cache)
        dx, _ = mlp_backward(d_hidden, hidden_cache)
        return {
            "x": dx,
            "hidden": d_hidden,
            "code": d_code,
            "output": d_output,
            "reconstruction": weight,
        }, grads

    def differences(self, values: dict[str, np.ndarray], name: str, index: int) -> tuple[float, float]:
        """Return the gradient of one entry of a node by central differences, and its error bar."""
        names = list(FORMULAS if self.is_vae else AE_FORMULAS)
        before = names[: names.index(name)]
        given = {earlier: values[earlier] for earlier in (*before, "eps") if earlier in values}
        if not self.reparameterized:
            given["z"] = values["z"]  # the draw is what it is

        def phi(t: float) -> float:
            moved = values[name].copy()
            moved.flat[index] += t
            return float(self.forward({**given, name: moved})["loss"][0])

        noise = rounding_noise(phi, _TABLE_SPACING)
        difference = central_difference(phi, phi(0.0), _LARGEST_STEP, _SMALLEST_STEP, noise)
        return difference.value, difference.bar

    def step(self, grads: Parameters, learning_rate: float, loss: float) -> Step:
        """Take one step of gradient descent."""
        after = self.params.copy()
        after.flat[:] -= learning_rate * grads.flat
        return Step(
            learning_rate=learning_rate,
            loss_before=loss,
            loss_after=float(self.forward({}, after)["loss"][0]),
            expected_change=float(-learning_rate * (grads.flat @ grads.flat)),
        )

    def average(self, n: int, rng: np.random.Generator) -> Average:
        """Return mean and standard deviation of the gradients of mu and log_var over n draws of eps."""
        drawn: dict[str, list[np.ndarray]] = {"mu": [], "log_var": []}
        for start in range(0, n, _BLOCK):
            eps = rng.standard_normal((min(_BLOCK, n - start), self.eps.shape[1]))
            part, _ = self._vae_part(1.0, self.beta, eps)
            for name, gradients in drawn.items():
                gradients.append(part[name])
        mu, log_var = (np.concatenate(gradients) for gradients in drawn.values())
        return Average(
            n,
            *(mu.mean(axis=0), mu.std(axis=0), _wrong_sign(mu)),
            *(log_var.mean(axis=0), log_var.std(axis=0), _wrong_sign(log_var)),
        )


def _wrong_sign(gradients: np.ndarray) -> np.ndarray:
    """Return the share (Z,) of gradients (n, Z) with another sign than their mean, where it has a sign."""
    mean = gradients.mean(axis=0)
    standard_error = gradients.std(axis=0) / np.sqrt(len(gradients))
    share = np.mean(gradients * mean < 0, axis=0)
    return np.where(np.abs(mean) < _SIGN_KNOWN * standard_error, np.nan, share)


def _entries_to_show(name: str, value: np.ndarray, gradient: np.ndarray) -> Sequence[int]:
    if name in _WIDE:
        return [int(np.argmax(np.abs(value * gradient)))]
    return range(gradient.size)
