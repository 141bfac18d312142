"""What the AE and the VAE have in common: their description, the decoder and the reconstruction term."""

import sys
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, TypeGuard

import numpy as np

from npvae.core.activations import Activation, get_activation, sigmoid_forward
from npvae.core.layers import Weights, dense_backward, dense_forward, mlp_backward, mlp_forward
from npvae.core.likelihoods import bernoulli_backward, bernoulli_forward, gaussian_backward, gaussian_forward
from npvae.core.parameters import Parameters

LIKELIHOODS = ("bernoulli", "gaussian")


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The numbers that describe a network; the parameters are kept apart.

    Parameters
    ----------
    n_features : int
        D, the width of the data.
    latent_dim : int
        Z, the width of the code.
    hidden : tuple of int
        Widths of the encoder's hidden layers; the decoder has the same in reverse. Empty: both are linear.
    activation : str
        A name in `npvae.core.activations.ACTIVATIONS`; follows every hidden layer.
    negative_slope : float
        Of leaky_relu.
    likelihood : {"bernoulli", "gaussian"}
        What the decoder's output means: logits, or the mean of a normal distribution.
    noise_variance : float or "learned"
        Of the normal distribution. "learned" makes it a parameter, ``output.log_noise_var``.
    """

    n_features: int
    latent_dim: int
    hidden: tuple[int, ...] = (400,)
    activation: str = "relu"
    negative_slope: float = 0.01
    likelihood: str = "gaussian"
    noise_variance: float | Literal["learned"] = 1.0

    def __post_init__(self) -> None:
        for name, width in [("n_features", self.n_features), ("latent_dim", self.latent_dim)]:
            if not is_count(width):
                raise ValueError(f"{name} must be an integer of at least 1, got {width!r}")
        if not (isinstance(self.hidden, tuple) and all(is_count(width) for width in self.hidden)):
            raise ValueError(
                f"hidden must be a tuple of positive integers such as (400,), got {self.hidden!r}"
            )
        get_activation(self.activation)
        if not is_number(self.negative_slope) or not 0 < self.negative_slope < np.inf:
            raise ValueError(f"negative_slope must be positive, got {self.negative_slope!r}")
        if self.likelihood not in LIKELIHOODS:
            raise ValueError(f"likelihood must be one of {', '.join(LIKELIHOODS)}, got {self.likelihood!r}")
        learned = self.noise_variance == "learned"
        if not learned and not (is_number(self.noise_variance) and 0 < float(self.noise_variance) < np.inf):
            raise ValueError(
                f'noise_variance must be a positive number or "learned", got {self.noise_variance!r}'
            )

    def encoder_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return names and shapes of the parameters of the encoder's hidden layers, encoder.0 and on."""
        return _shapes("encoder", (self.n_features, *self.hidden))

    def head_shapes(self, name: str) -> dict[str, tuple[int, ...]]:
        """Return names and shapes of the parameters of a layer from the last hidden one to the code."""
        width = self.hidden[-1] if self.hidden else self.n_features
        return {f"{name}.W": (width, self.latent_dim), f"{name}.b": (self.latent_dim,)}

    def decoder_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return names and shapes of the decoder's parameters: hidden layers, output layer, noise."""
        widths = (self.latent_dim, *reversed(self.hidden))
        shapes = _shapes("decoder", widths)
        shapes |= {"output.W": (widths[-1], self.n_features), "output.b": (self.n_features,)}
        if self.likelihood == "gaussian" and self.noise_variance == "learned":
            shapes["output.log_noise_var"] = (1,)
        return shapes

    def hidden_layers(self, part: str, params: Parameters) -> list[Weights]:
        """Return W and b of each hidden layer of the "encoder" or the "decoder"."""
        return [(params[f"{part}.{i}.W"], params[f"{part}.{i}.b"]) for i in range(len(self.hidden))]

    def get_activation(self) -> Activation:
        """Return the pair of the hidden layers' activation."""
        return get_activation(self.activation, self.negative_slope)

    def decoder_forward(self, params: Parameters, z: np.ndarray) -> tuple[np.ndarray, Any]:
        """Decode z (N, Z) into the output (N, D): logits or means, as the likelihood says."""
        g, hidden_cache = mlp_forward(z, self.hidden_layers("decoder", params), self.get_activation())
        output, output_cache = dense_forward(g, params["output.W"], params["output.b"])
        return output, (hidden_cache, output_cache)

    def decoder_backward(self, d_output: np.ndarray, cache: Any, grads: Parameters) -> np.ndarray:
        """Carry dL/doutput (N, D) back to dz (N, Z); write the decoder's gradients into `grads`."""
        hidden_cache, output_cache = cache
        dg, grads["output.W"], grads["output.b"] = dense_backward(d_output, output_cache)
        dz, gradients = mlp_backward(dg, hidden_cache)
        write_layers("decoder", gradients, grads)
        return dz

    def reconstruction_forward(
        self, params: Parameters, x: np.ndarray, output: np.ndarray
    ) -> tuple[np.ndarray, Any]:
        """Compute -ln p(x | z) (N,), in nats, of data x (N, D) from the decoder's output (N, D)."""
        log_likelihood: np.ndarray
        cache: Any
        if self.likelihood == "bernoulli":
            log_likelihood, cache = bernoulli_forward(x, output)
        else:
            log_likelihood, cache = gaussian_forward(x, output, self._log_noise_var(params))
        return -log_likelihood, cache

    def reconstruction_backward(
        self, d_reconstruction: np.ndarray, cache: Any, grads: Parameters
    ) -> np.ndarray:
        """Carry dL/dreconstruction (N,) back to the output (N, D), and to the noise where it is learned."""
        if self.likelihood == "bernoulli":
            return bernoulli_backward(-d_reconstruction, cache)
        d_output, d_log_noise_var = gaussian_backward(-d_reconstruction, cache)
        if self.noise_variance == "learned":
            grads["output.log_noise_var"] = d_log_noise_var
        return d_output

    def decode(self, params: Parameters, z: np.ndarray) -> np.ndarray:
        """Return E[x | z] (N, D) for z (N, Z): probabilities for Bernoulli, means for Gaussian."""
        output, _ = self.decoder_forward(params, z)
        return sigmoid_forward(output)[0] if self.likelihood == "bernoulli" else output

    def noise_var(self, params: Parameters) -> float:
        """Return the variance of the Gaussian likelihood, in the data's units squared."""
        return float(np.exp(self._log_noise_var(params)[0]))

    def _log_noise_var(self, params: Parameters) -> np.ndarray:
        if self.noise_variance == "learned":
            return params["output.log_noise_var"]
        return np.log(np.array([self.noise_variance], dtype=params.flat.dtype))


def write_layers(part: str, gradients: list[Weights], grads: Parameters) -> None:
    """Write dW and db of each hidden layer of the "encoder" or the "decoder" into `grads`."""
    for i, (dW, db) in enumerate(gradients):
        grads[f"{part}.{i}.W"], grads[f"{part}.{i}.b"] = dW, db


def batch_mean(terms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of terms (N,) over the batch, and its gradient 1/N (N,).

    This is the one place where a loss is divided by N.
    """
    n = len(terms)
    if n == 0:
        raise ValueError("a loss needs at least one sample")
    return terms.sum() / n, np.full(n, terms.dtype.type(1) / n)


def _shapes(part: str, widths: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for i, (fan_in, fan_out) in enumerate(pairwise(widths)):
        shapes |= {f"{part}.{i}.W": (fan_in, fan_out), f"{part}.{i}.b": (fan_out,)}
    return shapes


def is_count(value: Any) -> bool:
    """Say whether a value is an integer of at least 1; True is not."""
    is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool | np.timedelta64)
    return is_integer and bool(value >= 1)


def is_number(value: Any) -> TypeGuard[float]:
    """Say whether a value is a real number that a float can hold; True and NumPy's time spans are not."""
    if isinstance(value, bool | np.timedelta64):  # subclasses of int and np.integer
        return False
    if isinstance(value, int):
        return abs(value) <= sys.float_info.max
    return isinstance(value, float | np.integer | np.floating)
