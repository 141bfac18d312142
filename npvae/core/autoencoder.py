"""The autoencoder: x -> code -> x', trained to reconstruct."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from npvae.core.architecture import Architecture, batch_mean, write_layers
from npvae.core.layers import dense_backward, dense_forward, mlp_backward, mlp_forward
from npvae.core.parameters import Parameters


class AutoencoderLoss(NamedTuple):
    """Means over the batch, in nats per sample; the two are the same number."""

    total: Any
    reconstruction: Any


@dataclass(frozen=True, kw_only=True)
class AutoencoderNetwork(Architecture):
    """An autoencoder; parameters as for `Architecture`.

    Notes
    -----
    Its loss is -ln p(x | z = code(x)). The codes only have to let the decoder tell images apart: the loss
    constrains neither where they lie nor what points between them decode to. So nothing makes N(0, I), or any
    distribution known beforehand, the one to draw codes from.

    References
    ----------
    Hinton & Salakhutdinov (2006), Reducing the dimensionality of data with neural networks.
    """

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return names and shapes of all parameters."""
        return self.encoder_shapes() | self.head_shapes("code") | self.decoder_shapes()

    def encode(self, params: Parameters, x: np.ndarray) -> np.ndarray:
        """Return the codes (N, Z) of x (N, D)."""
        h, _ = mlp_forward(x, self.hidden_layers("encoder", params), self.get_activation())
        return dense_forward(h, params["code.W"], params["code.b"])[0]

    def forward(self, params: Parameters, x: np.ndarray) -> tuple[np.ndarray, tuple[Any, ...]]:
        """Compute -ln p(x | code(x)) (N,), in nats, of every sample of x (N, D)."""
        h, hidden_cache = mlp_forward(x, self.hidden_layers("encoder", params), self.get_activation())
        code, code_cache = dense_forward(h, params["code.W"], params["code.b"])
        output, decoder_cache = self.decoder_forward(params, code)
        reconstruction, likelihood_cache = self.reconstruction_forward(params, x, output)
        return reconstruction, (params, hidden_cache, code_cache, decoder_cache, likelihood_cache)

    def backward(self, d_reconstruction: np.ndarray, cache: tuple[Any, ...]) -> Parameters:
        """Carry dL/dreconstruction (N,) back to every parameter."""
        params, hidden_cache, code_cache, decoder_cache, likelihood_cache = cache
        grads = params.zeros_like()
        d_output = self.reconstruction_backward(d_reconstruction, likelihood_cache, grads)
        d_code = self.decoder_backward(d_output, decoder_cache, grads)
        dh, grads["code.W"], grads["code.b"] = dense_backward(d_code, code_cache)
        _, gradients = mlp_backward(dh, hidden_cache)
        write_layers("encoder", gradients, grads)
        return grads

    def loss(self, params: Parameters, x: np.ndarray) -> AutoencoderLoss:
        """Return the mean loss of x (N, D), without gradients."""
        reconstruction, _ = self.forward(params, x)
        total, _ = batch_mean(reconstruction)
        return AutoencoderLoss(total, total)

    def loss_and_grad(self, params: Parameters, x: np.ndarray) -> tuple[AutoencoderLoss, Parameters]:
        """Return the mean loss of x (N, D) and its gradient for every parameter."""
        reconstruction, cache = self.forward(params, x)
        total, d_reconstruction = batch_mean(reconstruction)
        return AutoencoderLoss(total, total), self.backward(d_reconstruction, cache)
