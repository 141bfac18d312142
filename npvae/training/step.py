"""One training step; it raises an error if the loss or its gradient is not finite."""

import math
from typing import Any

import numpy as np

from npvae.core.autoencoder import AutoencoderLoss, AutoencoderNetwork
from npvae.core.parameters import Parameters
from npvae.core.vae import VAELoss, VAENetwork
from npvae.kernels import has_compiled_products
from npvae.training.fused import FusedGradient, Network, fused_gradient
from npvae.training.noise_variance import LOG_NOISE_VARIANCE, follow_residuals
from npvae.training.optimizers import Optimizer
from npvae.training.parallel import Ranks
from npvae.training.units import Units


class TrainingDivergedError(FloatingPointError):
    """A loss or a gradient is infinite or not a number; the parameters are those before that step.

    Parameters
    ----------
    what : str
        What was not finite.
    where : str, optional
        Epoch and batch.
    """

    def __init__(self, what: str, where: str = "") -> None:
        super().__init__(what, where)
        self.what, self.where = what, where

    def __str__(self) -> str:
        return (
            f"{self.what} is not finite{self.where}. Lower learning_rate, set max_grad_norm (100, say), "
            "scale the data to about unit range, or use kl_warmup_epochs. The parameters from before this "
            "step are kept."
        )


class Stepper:
    """A network, its parameters and the optimizer's state: all that a step reads and changes.

    Parameters
    ----------
    network : VAENetwork or AutoencoderNetwork
    params : Parameters
        Changed in place by `step`.
    optimizer : Optimizer
    rng : Generator
        Draws the noise of a VAE.
    max_grad_norm : float, optional
        Gradients with a larger Euclidean norm, over all parameters except a learned noise variance, are
        scaled down to this norm.
    least_noise_variance : float
        A learned noise variance does not fall below it.
    units : Units, optional
        Train in these units; all inputs and outputs stay in the data's own units.

    Attributes
    ----------
    network, params
        The trained network and parameters: `params` itself or, with `units`, a copy in these units.
    """

    def __init__(
        self,
        network: Network,
        params: Parameters,
        optimizer: Optimizer,
        rng: np.random.Generator,
        max_grad_norm: float | None = None,
        least_noise_variance: float = 1e-8,
        units: Units | None = None,
    ) -> None:
        self.network, self.data_network, self.units = network, network, units
        self.params, self.optimizer, self.rng = params, optimizer, rng
        self.max_grad_norm, self.least_noise_variance = max_grad_norm, least_noise_variance
        if units is not None:
            self.network, self.params = units.network_in(network), units.params_in(params)
            self.least_noise_variance /= units.scale**2
        self.state = optimizer.start(params.flat)
        self._grads = params.zeros_like()
        self._fused: FusedGradient | None = None

    def fused(self) -> FusedGradient | None:
        """Return the compiled gradient that replaces the network's own method, or None if there is none."""
        if not has_compiled_products():
            return None
        if self._fused is None:
            self._fused = fused_gradient(self.network, self.params)
        return self._fused

    def retarget(self, network: Network, max_grad_norm: float | None) -> None:
        """Continue with a network that has the same parameters but another beta or activation."""
        self.network = network if self.units is None else self.units.network_in(network)
        self.data_network, self.max_grad_norm, self._fused = network, max_grad_norm, None

    def data_params(self) -> Parameters:
        """Return the parameters in the data's own units: a copy, or the trained ones without `units`."""
        return self.params if self.units is None else self.units.params_out(self.params)

    def take(self, data_params: Parameters) -> None:
        """Continue from these parameters, in the data's own units, if they differ from the current ones."""
        if self.units is not None and data_params != self.data_params():
            self.params.flat[:] = self.units.params_in(data_params).flat

    def release(self) -> None:
        """Give back the memory that only steps need."""
        self._fused = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_fused": None}  # another machine may have no use for it

    def step(
        self,
        x: np.ndarray,
        learning_rate: float,
        kl_weight: float = 1.0,
        ranks: Ranks | None = None,
        n: int | None = None,
    ) -> VAELoss | AutoencoderLoss:
        """Take one step on a batch.

        Parameters
        ----------
        x : (N, D) array
            The batch, of the parameters' dtype, in the data's units.
        learning_rate : float
        kl_weight : float
            Multiplies a VAE's beta.
        ranks : Ranks, optional
            Take the step together with other processes; x are this rank's rows of the batch.
        n : int, optional
            Rows of the whole batch; those of x by default.

        Returns
        -------
        loss : VAELoss or AutoencoderLoss
            Before the step; means over the batch, in nats.

        Raises
        ------
        TrainingDivergedError
            The loss, its gradient, or the square of the gradient's norm is not finite. Nothing was changed.
        """
        if self.units is not None:
            x = self.units.standardize(x)
        n, n_features = len(x) if n is None else n, x.shape[1]
        eps = None
        if isinstance(self.network, VAENetwork):
            eps = draw_noise(self.network, self.rng, n, self.params.flat.dtype)
        if ranks is None or ranks.size == 1:
            loss, squared_norm = self._loss_and_gradient(x, eps, kl_weight)
        else:
            own_eps = None if eps is None else eps[ranks.rows(n)]
            loss, squared_norm = self._joint_loss_and_gradient(x, own_eps, kl_weight, ranks, n)
        grads = self._grads
        if not math.isfinite(loss.total):
            raise TrainingDivergedError(_describe_loss(loss, grads))
        norm = math.sqrt(squared_norm) if math.isfinite(squared_norm) else _large_norm(grads)
        if not math.isfinite(norm):
            raise TrainingDivergedError(f"the gradient of {_not_finite(grads)}")
        if LOG_NOISE_VARIANCE in grads:
            d_log_noise_var = float(grads[LOG_NOISE_VARIANCE][0])
            grads[LOG_NOISE_VARIANCE] = [0.0]  # the optimizer leaves it alone
            norm = math.sqrt(max(norm**2 - d_log_noise_var**2, 0.0))
            squared_norm -= d_log_noise_var**2
        if self.max_grad_norm is not None and norm > self.max_grad_norm:
            grads.flat *= float(self.max_grad_norm) / norm
        elif not math.isfinite(squared_norm):
            raise TrainingDivergedError(f"the squared norm of the gradient, {norm:.0e} ^ 2,")
        self.optimizer.update(self.params.flat, grads.flat, self.state, learning_rate)
        if LOG_NOISE_VARIANCE in grads:
            follow_residuals(self.params, d_log_noise_var, n, n_features, self.least_noise_variance)
        if self.units is None:
            return loss
        # p(x) = p((x - mean) / scale) / scale^D
        log_volume = n_features * math.log(self.units.scale)
        return loss._replace(total=loss.total + log_volume, reconstruction=loss.reconstruction + log_volume)

    def _joint_loss_and_gradient(
        self, x: np.ndarray, eps: np.ndarray | None, kl_weight: float, ranks: Ranks, n: int
    ) -> tuple[VAELoss | AutoencoderLoss, float]:
        """Return what `_loss_and_gradient` does, for a batch of n rows of which these are this rank's."""
        loss: VAELoss | AutoencoderLoss
        if len(x):
            loss, _ = self._loss_and_gradient(x, eps, kl_weight)
        else:  # fewer rows than ranks
            loss = AutoencoderLoss(0.0, 0.0) if eps is None else VAELoss(0.0, 0.0, 0.0)
        gradient = self._grads.flat
        loss = type(loss)(*ranks.add_up(gradient, loss, len(x) / n))
        with np.errstate(over="ignore", invalid="ignore"):  # `step` finds and reports it
            return loss, float(np.dot(gradient, gradient))

    def _loss_and_gradient(
        self, x: np.ndarray, eps: np.ndarray | None, kl_weight: float
    ) -> tuple[VAELoss | AutoencoderLoss, float]:
        """Return the loss of a batch and the squared norm of its gradient, which is in `_grads`."""
        network, params = self.network, self.params
        beta = float(network.beta) * kl_weight if isinstance(network, VAENetwork) else 0.0
        fused = self.fused()
        if fused is not None:
            return fused(params, x, eps, beta, self._grads)
        loss: VAELoss | AutoencoderLoss
        with np.errstate(over="ignore", invalid="ignore"):  # `step` finds and reports it
            if isinstance(network, VAENetwork) and eps is not None:
                loss, grads = network.loss_and_grad(params, x, eps, beta=beta)
            elif isinstance(network, AutoencoderNetwork):
                loss, grads = network.loss_and_grad(params, x)
            self._grads = grads
            return loss, float(np.dot(grads.flat, grads.flat))


def draw_noise(network: VAENetwork, rng: np.random.Generator, n: int, dtype: np.dtype) -> np.ndarray:
    """Return eps ~ N(0, I) for n samples, in float32 or float64."""
    return rng.standard_normal(network.noise_shape(n), dtype=dtype.type)


def _large_norm(grads: Parameters) -> float:
    """Return the Euclidean norm of gradients whose squares overflow, in float32 those above 1e19."""
    return float(np.linalg.norm(grads.flat.astype(np.longdouble)))


def _not_finite(grads: Parameters) -> str:
    return ", ".join(name for name, gradient in grads.items() if not np.isfinite(gradient).all())


def _describe_loss(loss: VAELoss | AutoencoderLoss, grads: Parameters) -> str:
    if isinstance(loss, VAELoss) and not np.isfinite(loss.kl):
        term = "the KL term of the loss (mu or log_var is too large)"
    else:
        term = "the reconstruction term of the loss"
    spoiled = _not_finite(grads)
    return f"{term}, and with it the gradient of {spoiled}," if spoiled else term
