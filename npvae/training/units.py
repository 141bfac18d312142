"""Training in units in which the data have mean 0 and variance 1, on average over the columns.

The initial weights suit such data, and an optimizer's steps have about the size of the learning rate in any
units. The affine map between the data and these units can be moved into the first and the last layer, so a
network trained in these units can be converted to the data's own units.
"""

import dataclasses
import math
from typing import NamedTuple, TypeVar

import numpy as np

from npvae.core.architecture import Architecture
from npvae.core.parameters import Parameters

Network = TypeVar("Network", bound=Architecture)


class Units(NamedTuple):
    """The map from data x to (x - mean) / scale.

    Attributes
    ----------
    mean : (D,) array, float64
    scale : float > 0
        One for all columns: the likelihood has one noise variance for all.
    """

    mean: np.ndarray
    scale: float

    def standardize(self, x: np.ndarray) -> np.ndarray:
        """Return x (N, D) in these units, in x's own type."""
        return (x - self.mean.astype(x.dtype)) / x.dtype.type(self.scale)

    def network_in(self, network: Network) -> Network:
        """Return the network of data in these units: a fixed noise variance changes with the scale."""
        if network.noise_variance == "learned":
            return network
        return dataclasses.replace(network, noise_variance=float(network.noise_variance) / self.scale**2)

    def params_in(self, params: Parameters) -> Parameters:
        """Convert parameters for data in their own units to parameters for data in these units."""
        inverse = Units(-self.mean / self.scale, 1 / self.scale)
        return inverse.params_out(params)

    def params_out(self, params: Parameters) -> Parameters:
        """Convert parameters for data in these units to parameters for data in their own units.

        Notes
        -----
        In the first layers (x - m) / s W + b = x (W / s) + (b - m W / s); behind the last one, a mean y of
        data in these units is s y + m, and a variance is multiplied by s^2.
        """
        exact, result = params.astype(np.float64), params.copy()
        first = ("encoder.0",) if "encoder.0.W" in params else ("mu", "log_var", "code")
        for layer in first:
            if f"{layer}.W" in params:
                W = exact[f"{layer}.W"] / self.scale
                result[f"{layer}.W"], result[f"{layer}.b"] = W, exact[f"{layer}.b"] - self.mean @ W
        result["output.W"] = exact["output.W"] * self.scale
        result["output.b"] = exact["output.b"] * self.scale + self.mean
        if "output.log_noise_var" in params:
            result["output.log_noise_var"] = exact["output.log_noise_var"] + 2 * math.log(self.scale)
        return result
