"""What `fit` trains: the network and the stepper that an estimator's parameters and its data describe."""

import copy
import dataclasses
import math
import warnings
from abc import abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils._param_validation import InvalidParameterError

from npvae.core.init import init_parameters, output_bias
from npvae.core.vae import VAENetwork
from npvae.counted import counted
from npvae.data.file_rows import row_numbers
from npvae.estimators.base import LatentVariableModel
from npvae.estimators.columns import Columns, least_noise_variance, scale_warning
from npvae.estimators.estimator_saving import HeldOut, as_python
from npvae.estimators.inputs import make_generator, remember_features
from npvae.kernels import interrupts_held
from npvae.memory import check_fits
from npvae.training import Stepper, TrainingSettings
from npvae.training.noise_variance import LOG_NOISE_VARIANCE
from npvae.training.optimizers import Optimizer, get_optimizer
from npvae.training.parallel import share_state
from npvae.training.step import Network
from npvae.training.units import Units

# Limits if max_epochs is None: 40 epochs or 20,000 steps, whichever is more.
_FEWEST_EPOCHS, _MOST_STEPS = 40, 20_000


class SteppedModel(LatentVariableModel):
    """Adds to `LatentVariableModel` the stepper that trains it."""

    _stepper: Stepper
    _held_out: HeldOut

    @abstractmethod
    def _make_network(self, n_features: int) -> Network:
        """Return the core's description of the network."""

    def _network_settings(self, n_features: int) -> dict[str, Any]:
        """Return the parameters that describe the network of an autoencoder and of a VAE."""
        names = ("latent_dim", "hidden", "activation", "negative_slope", "likelihood", "noise_variance")
        values = self._python_values()
        return {name: values[name] for name in names} | {"n_features": n_features}

    def _python_values(self) -> dict[str, Any]:
        """Return the parameters, with NumPy's numbers as Python's, in which sums do not overflow."""
        return {name: as_python(getattr(self, name)) for name in self._parameter_constraints}

    def _new_network(self, n_features: int) -> Network:
        """Return `_make_network`'s, after checking that its training fits into memory.

        Training holds the parameters as the estimator and the stepper have them, their gradient, and one or
        two vectors of the optimizer.
        """
        network = self._make_network(n_features)
        n_params = sum(map(math.prod, network.shapes().values()))
        what = f"training a network with latent_dim={network.latent_dim} and hidden={network.hidden}"
        check_fits(4 * 4 * n_params, what)
        return network

    def check_settings(self, n_features: int) -> None:
        """Raise a ValueError unless `fit` could train on data with `n_features` features."""
        self._validate_params()
        self._new_network(n_features)

    def _validate_params(self) -> None:
        """Raise an InvalidParameterError unless the parameters are allowed, each and together."""
        super()._validate_params()
        try:
            self._settings(1)
            self._make_network(1)
            get_optimizer(self.optimizer)
        except ValueError as error:
            raise InvalidParameterError(str(error)) from error

    def _settings(self, n_rows: int) -> TrainingSettings:
        if self.dynamic_binarization and self.likelihood != "bernoulli":
            raise ValueError('dynamic_binarization makes binary data; it needs likelihood="bernoulli"')
        values = self._python_values()
        names = {field.name for field in dataclasses.fields(TrainingSettings)} & values.keys()
        values |= {"max_epochs": 1 if self.max_epochs is None else values["max_epochs"]}
        settings = TrainingSettings(**{name: values[name] for name in names})
        if self.max_epochs is not None:
            return settings
        n_steps = -(-n_rows // settings.batch_size)
        n_epochs = max(_FEWEST_EPOCHS, -(-_MOST_STEPS // n_steps))
        return dataclasses.replace(settings, max_epochs=settings.kl_warmup_epochs + n_epochs)

    def _start(
        self,
        X: npt.ArrayLike,
        data: np.ndarray,
        rows: np.ndarray,
        rng: np.random.Generator,
        columns: Columns | None,
    ) -> Stepper:
        """Set all fitted attributes, after everything that can raise an error.

        `columns` are the statistics of all rows, or None for pixels, for which they are computed only if
        needed.
        """
        network = self._new_network(data.shape[1])
        check_noise_fits(network, min(int(self.batch_size), len(rows)))
        pixels, gaussian = columns is None, self.likelihood == "gaussian"
        data_range = np.array([[0.0], [1.0]]).repeat(data.shape[1], axis=1)
        if columns is not None:
            data_range = np.array([columns.low, columns.high])
        if len(rows) < len(data) or (columns is None and (gaussian or self.init_output_bias)):
            columns = Columns.of(data, rows)
        units = self._units(columns)
        least = least_noise_variance(data_range)
        params = init_parameters(network.shapes(), rng, self.init)
        if columns is not None and self.init_output_bias:
            params["output.b"] = 0 * columns.mean if units else output_bias(columns.mean, self.likelihood)
        if columns is not None and units is None and LOG_NOISE_VARIANCE in params:
            params[LOG_NOISE_VARIANCE] = [np.log(max(columns.variance.mean(), least))]  # with units it is 0
        if units is not None:
            params = units.params_out(params)
        optimizer = get_optimizer(self.optimizer)
        stepper = Stepper(network, params, optimizer, rng, self.max_grad_norm, least, units)
        if hasattr(self, "params_"):
            warnings.warn(
                f"fit starts from scratch: the parameters of {counted(self.n_iter_, 'earlier epoch')} are "
                "replaced. To continue training, set warm_start=True, or call partial_fit",
                UserWarning,
                stacklevel=3,
            )
        remember_features(self, X)
        self._stepper, self.network_, self.params_ = stepper, network, params
        self.data_range_, self.pixels_ = data_range, pixels
        if columns is not None and gaussian and not pixels:
            warning = scale_warning(columns, getattr(self, "feature_names_in_", None))
            if warning:
                warnings.warn(warning, UserWarning, stacklevel=3)
        return stepper

    def _units(self, columns: Columns | None) -> Units | None:
        """Return the units to train in; None for the Bernoulli likelihood, which needs data in [0, 1]."""
        if columns is None or self.likelihood != "gaussian" or not columns.variance.any():
            return None
        return Units(columns.mean, float(np.sqrt(columns.variance.mean())))

    def _check_continues(self) -> None:
        """Raise a ValueError unless the settings describe a network that has the present parameters."""
        network = self._make_network(self.n_features_in_)
        if type(network) is not type(self.network_) or network.shapes() != self.network_.shapes():
            raise ValueError(
                "warm_start=True continues with the present parameters, but the settings now describe a "
                f"network with other parameters: {network}; the trained one is {self.network_}. Set "
                "warm_start=False to start from scratch"
            )

    def _continue(self, columns: Columns | None) -> Stepper:
        """Return the stepper of the training so far, with the network that the settings now describe."""
        network = self._make_network(self.n_features_in_)
        optimizer = get_optimizer(self.optimizer)
        stepper = self._own_stepper(columns)
        if stepper.optimizer != optimizer:
            stepper = self._make_stepper(network, optimizer, stepper.rng, stepper.units)
        stepper.retarget(network, self.max_grad_norm)
        self._stepper, self.network_ = stepper, network
        self._widen_range(columns)
        return stepper

    def _own_stepper(self, columns: Columns | None) -> Stepper:
        """Return the stepper of the training so far.

        A model from a file without the state of training has none, and gets one with a fresh optimizer
        state, in units of the new data.
        """
        if not hasattr(self, "_stepper"):
            rng, optimizer = self._new_generator(), get_optimizer(self.optimizer)
            units = self._units(columns)
            self._stepper = self._make_stepper(self.network_, optimizer, rng, units)
        if not self._stepper.params.flat.flags.writeable:  # joblib hands its workers read-only memory maps
            self._stepper = copy.deepcopy(self._stepper)
            self.params_ = self._stepper.data_params()
        self._stepper.take(self.params_)  # which may have been changed by hand
        return self._stepper

    def _new_generator(self) -> np.random.Generator:
        """Return the generator of a new training, in the same state on all ranks under mpirun."""
        rng = make_generator(self.random_state)
        share_state(rng, self.random_state if isinstance(self.random_state, int | np.integer) else None)
        return rng

    def _make_stepper(
        self, network: Network, optimizer: Optimizer, rng: np.random.Generator, units: Units | None
    ) -> Stepper:
        least = least_noise_variance(self.data_range_)
        return Stepper(network, self.params_, optimizer, rng, self.max_grad_norm, least, units)

    def _split(self, n: int, rng: np.random.Generator, *, again: bool) -> HeldOut:
        """Set rows aside for early stopping; continued training on as many rows keeps the same split."""
        kept, fraction = getattr(self, "_held_out", None), float(self.validation_fraction)
        if again and kept is not None and kept[0] == (n, fraction):
            return kept
        return (n, fraction), split_rows(n, fraction, rng)

    def _widen_range(self, columns: Columns | None) -> None:
        if columns is not None:
            low, high = self.data_range_
            self.data_range_ = np.array([np.minimum(low, columns.low), np.maximum(high, columns.high)])


def check_noise_fits(network: Network, n_rows: int) -> None:
    """Raise a MemoryError unless the noise of a step with so many rows fits into memory."""
    if isinstance(network, VAENetwork):
        what = f"the noise of a step with {n_rows} rows, n_draws={network.n_draws} and "
        what += f"latent_dim={network.latent_dim}"
        check_fits(4 * math.prod(network.noise_shape(n_rows)), what)


def split_rows(n: int, fraction: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Split the row numbers 0 .. n - 1 at random; the second part holds `fraction` of them."""
    if math.ceil(fraction * n) >= n:
        raise InvalidParameterError(
            "validation_fraction must leave at least one sample for training and one for validation, got "
            f"{fraction!r} of {n} samples"
        )
    with interrupts_held():
        from sklearn.model_selection import train_test_split  # it loads much that is not needed elsewhere

    train_rows, held_out = train_test_split(
        row_numbers(n), test_size=fraction, random_state=int(rng.integers(2**31))
    )
    return train_rows, held_out
