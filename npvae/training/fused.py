"""Compute a network's loss and gradient with one compiled function, if one supports it."""

import math
from functools import partial

import numpy as np

from npvae.core.autoencoder import AutoencoderLoss, AutoencoderNetwork
from npvae.core.objectives import MultiSampleVAENetwork
from npvae.core.parameters import Parameters
from npvae.core.vae import VAELoss, VAENetwork
from npvae.kernels import current_team, has_compiled_products, importing_numba

Network = VAENetwork | AutoencoderNetwork

_MOST_THREADS = 8  # a layer of 400 units has 25 vectors of columns to share out


class FusedGradient:
    """Computes what `network.loss_and_grad` computes, up to rounding, in one compiled call.

    Parameters
    ----------
    network : VAENetwork, MultiSampleVAENetwork or AutoencoderNetwork
    """

    def __init__(self, network: Network) -> None:
        with importing_numba():
            from npvae.kernels import spinning
            from npvae.kernels.step import network as step

        self._network, self._compiled, self._dismissed = network, step, spinning.DISMISSED
        n_draws, self._is_iwae = 1, False
        if isinstance(network, VAENetwork):
            n_draws, self._is_iwae = network.n_draws, network.objective == "iwae"
        code_layer = len(network.hidden)
        is_vae = isinstance(network, VAENetwork)
        starts, start = {}, 0
        layers: list[list[int]] = []
        outputs = 0  # of all layers so far, for each sample
        heads = 0
        for name, shape in network.shapes().items():
            starts[name] = start
            if name.endswith(".W") and name != "log_var.W":
                fan_in, fan_out = shape
                place = start
                if (
                    name == "mu.W"
                ):  # mu and log_var are one layer of 2 Z outputs, whose weights are kept apart
                    place, fan_out = 0, 2 * fan_out
                    heads = (fan_in + 1) * fan_out
                rows = n_draws if len(layers) > code_layer else 1  # for each sample
                inputs = layers[-1][step.OUTPUT] if layers else -1
                layers.append([fan_in, fan_out, place, place + fan_in * fan_out, inputs, outputs, rows])
                outputs += rows * fan_out
            start += math.prod(shape)
        self._heads, self._d_heads = np.empty(heads, np.float32), np.empty(heads, np.float32)
        layers[code_layer + 1][step.INPUT] = outputs  # where z is
        self._layers, self._n_params = np.array(layers), start
        settings = {
            step.CODE_LAYER: code_layer,
            step.LATENT_DIM: network.latent_dim,
            step.IS_VAE: is_vae,
            step.LOG_NOISE_VAR: starts.get("output.log_noise_var", -1),
            step.N_DRAWS: n_draws,
            step.IS_IWAE: self._is_iwae,
            step.HEADS: starts.get("mu.W", 0),
        }
        self._settings = np.array([settings[place] for place in range(len(settings))])
        self._numbers = np.zeros(3, np.float32)
        self._numbers[step.SLOPE] = network.negative_slope
        if network.noise_variance != "learned":
            self._numbers[step.FIXED_LOG_NOISE_VAR] = np.log(network.noise_variance)
        self._results = np.zeros(step.PIECES + -(-start // step.PIECE), np.float32)
        self._size = step.workspace_size(self._layers, network.latent_dim, n_draws)
        self._work = np.empty(0, np.float32)
        self._kernels = step.kernels(network.activation, network.likelihood, self._is_iwae)
        self._addresses: np.ndarray | None = None

    def __call__(
        self, params: Parameters, x: np.ndarray, eps: np.ndarray | None, beta: float, out: Parameters
    ) -> tuple[VAELoss | AutoencoderLoss, float]:
        """Return the mean loss of x (N, D) and the gradient's squared norm; write the gradient into `out`.

        Parameters
        ----------
        params : Parameters
            In float32, as all arrays.
        x : (N, D) array
        eps : (N, Z) or (N, k, Z) array, or None
            The noise of a VAE, of the network's `noise_shape`.
        beta : float
            Weight of a VAE's KL term.
        out : Parameters

        Raises
        ------
        ValueError
            x, eps or the parameters do not fit the network, or there is no sample.
        """
        step, n = self._compiled, len(x)
        self._check(params, x, eps, out)
        if n * self._size > len(self._work):
            self._work = np.empty(n * self._size, np.float32)
        self._numbers[step.BETA] = beta
        if x.dtype != np.float32 or not (x.flags.c_contiguous and x.flags.writeable):
            x = np.array(x, np.float32, order="C")  # other dtypes and layouts would trigger a recompilation
        if eps is None:
            eps = np.empty((n, 0), np.float32)
        elif eps.ndim > 2:
            eps = eps.reshape(-1, eps.shape[-1])
        meeting = np.zeros(1, np.int64)
        addresses, arguments = self._load_kernels(), self._arguments(meeting, params, x, eps, out)
        team = current_team()
        n_threads = min(team.n_threads, _MOST_THREADS) if team is not None and team.awake else 1
        if team is None or n_threads == 1:
            step.loss_and_gradient(addresses, 0, 1, *arguments)
        else:
            parts = [
                partial(step.loss_and_gradient, addresses, i, n_threads, *arguments) for i in range(n_threads)
            ]
            team.run(parts, abandon=partial(meeting.fill, self._dismissed))
        reconstruction, kl, bound, squared_norm = self._results[: step.PIECES].tolist()
        if isinstance(self._network, VAENetwork):
            total = -bound if self._is_iwae else reconstruction + beta * kl
            return VAELoss(total, reconstruction, kl), squared_norm
        return AutoencoderLoss(reconstruction, reconstruction), squared_norm

    def load(self, params: Parameters) -> bool:
        """Load the compiled functions from disk, or compile them; return whether some had to be compiled."""
        from npvae.kernels.compiled import load
        from npvae.kernels.compiling import count_compilations, no_garbage_collection

        x, eps = (np.empty((1, width), np.float32) for width in (self._network.n_features, 0))
        arguments = self._arguments(np.zeros(1, np.int64), params, x, eps, params)
        with no_garbage_collection():
            before = count_compilations(self._kernels.values())
            addresses = self._load_kernels()
            compiled = count_compilations(self._kernels.values()) > before
            return load(self._compiled.loss_and_gradient, (addresses, 0, 1, *arguments)) or compiled

    def _load_kernels(self) -> np.ndarray:
        if self._addresses is None:
            self._addresses = self._compiled.addresses(self._kernels)
        return self._addresses

    def _arguments(
        self, meeting: np.ndarray, params: Parameters, x: np.ndarray, eps: np.ndarray, out: Parameters
    ) -> tuple[np.ndarray, ...]:
        return (
            meeting, x, eps, params.flat, out.flat, self._heads, self._d_heads, self._layers, self._settings,
            self._numbers, self._work, self._results,
        )  # fmt: skip

    def _check(self, params: Parameters, x: np.ndarray, eps: np.ndarray | None, out: Parameters) -> None:
        """Check all shapes, because compiled code does not check array bounds."""
        network = self._network
        if x.ndim != 2 or x.shape[1] != network.n_features or len(x) == 0:
            raise ValueError(f"x must be (N, {network.n_features}) with at least one sample, got {x.shape}")
        if isinstance(network, VAENetwork):
            shape = network.noise_shape(len(x))
            if eps is None:
                raise ValueError(f"a VAE needs noise: eps must have shape {shape}, got None")
            if eps.shape != shape:
                raise ValueError(f"eps must be {shape}, got {eps.shape}")
        for flat in (params.flat, out.flat):
            if flat.shape != (self._n_params,):
                raise ValueError(f"params and out need {self._n_params} entries, got {flat.shape}")


def fused_gradient(network: Network, params: Parameters) -> FusedGradient | None:
    """Return a `FusedGradient` if there is one for this network, these parameters and this processor."""
    known = (VAENetwork, MultiSampleVAENetwork, AutoencoderNetwork)
    fits = type(network) in known and params.flat.dtype == np.float32
    return FusedGradient(network) if fits and has_compiled_products() else None
