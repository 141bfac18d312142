"""The autoencoder: x -> code -> x', trained to reconstruct."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from npvae.core.architecture import Architecture, DecoderCache, batch_mean
from npvae.core.dense import DenseCache, dense_backward, dense_forward
from npvae.core.mlp import LayerCache
from npvae.core.parameters import Block, Parameters


class AutoencoderLoss(NamedTuple):
    """Means over the batch, in nats per sample; the two are the same number."""

    total: Any
    reconstruction: Any


class AutoencoderCache(NamedTuple):
    """What each stage of the forward pass keeps, in order."""

    params: Parameters
    hidden: tuple[LayerCache, ...]
    code: DenseCache
    decoder: DecoderCache
    reconstruction: Any


@dataclass(frozen=True, kw_only=True)
class AutoencoderNetwork(Architecture):
    """An autoencoder; parameters as for `Architecture`.

    Notes
    -----
    Its loss is -ln p(x | z = code(x)). Nothing is asked of the codes but that the
    decoder can tell images by them: where they lie, and what is decoded from in between,
    is nobody's concern. That is why it cannot be sampled.
    """

    def blocks(self) -> list[Block]:
        """Return the layout of the parameters."""
        code = [
            Block(("code.W",), (self.code_width(), self.latent_dim)),
            Block(("code.b",), (self.latent_dim,)),
        ]
        return [*self.encoder_blocks(), *code, *self.decoder_blocks()]

    def encode(self, params: Parameters, x: np.ndarray) -> np.ndarray:
        """Return the codes (N, Z) of x (N, D)."""
        h, _ = self.hidden_forward(params, x)
        code, _ = dense_forward(h, params["code.W"], params["code.b"])
        return code

    def forward(self, params: Parameters, x: np.ndarray) -> tuple[np.ndarray, AutoencoderCache]:
        """Compute -ln p(x | code(x)) (N,), in nats, of every sample of x (N, D)."""
        h, hidden = self.hidden_forward(params, x)
        code, code_cache = dense_forward(h, params["code.W"], params["code.b"])
        output, decoder = self.decoder_forward(params, code)
        reconstruction, likelihood = self.reconstruction_forward(params, x, output)
        return reconstruction, AutoencoderCache(params, hidden, code_cache, decoder, likelihood)

    def backward(
        self, d_reconstruction: np.ndarray, cache: AutoencoderCache, *, out: Parameters | None = None
    ) -> Parameters:
        """Carry dL/dreconstruction (N,) back to every parameter; `out` is overwritten where it is given."""
        grads = out if out is not None else cache.params.zeros_like()
        d_output = self.reconstruction_backward(d_reconstruction, cache.reconstruction, grads)
        d_code = self.decoder_backward(d_output, cache.decoder, grads)
        dh, _, _ = dense_backward(d_code, cache.code, out=(grads["code.W"], grads["code.b"]))
        self.hidden_backward(dh, cache.hidden, grads)
        return grads

    def loss(self, params: Parameters, x: np.ndarray) -> AutoencoderLoss:
        """Return the mean loss of x (N, D), without gradients."""
        reconstruction, _ = self.forward(params, x)
        total, _ = batch_mean(reconstruction)
        return AutoencoderLoss(total, total)

    def loss_and_grad(
        self, params: Parameters, x: np.ndarray, *, out: Parameters | None = None
    ) -> tuple[AutoencoderLoss, Parameters]:
        """Return the mean loss of x (N, D) and its gradient for every parameter; for `out` see `backward`."""
        reconstruction, cache = self.forward(params, x)
        total, d_reconstruction = batch_mean(reconstruction)
        return AutoencoderLoss(total, total), self.backward(d_reconstruction, cache, out=out)
