"""Where training starts: random weights, and an output bias from the data's mean."""

import numpy as np
import numpy.typing as npt

from npvae.core.parameters import Parameters, Shapes

SCHEMES = ("uniform", "he", "glorot")


def init_parameters(
    shapes: Shapes,
    rng: np.random.Generator,
    scheme: str = "uniform",
    dtype: npt.DTypeLike = np.float32,
) -> Parameters:
    """Draw initial parameters.

    Parameters
    ----------
    shapes : mapping of str to tuple of int
        A network's `shapes()`.
    rng : Generator
    scheme : {"uniform", "he", "glorot"}
        "uniform": W and b from U(-1, 1) / sqrt(fan_in), as PyTorch's Linear does.
        "he": W from N(0, 2 / fan_in), b = 0; keeps the variance from layer to layer through relu.
        "glorot": W from U(-1, 1) * sqrt(6 / (fan_in + fan_out)), b = 0; keeps about the variance of
        activations and of gradients, where tanh is nearly linear.
    dtype : dtype

    Returns
    -------
    params : Parameters
        A name that ends neither in .W nor in .b is left at zero.

    References
    ----------
    He, Zhang, Ren & Sun (2015), Delving deep into rectifiers, equation 10.
    Glorot & Bengio (2010), Understanding the difficulty of training deep feedforward neural networks,
    equation 16.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"init must be one of {', '.join(SCHEMES)}, got {scheme!r}")
    params = Parameters(shapes, dtype=dtype)
    for name in params:
        layer, _, kind = name.rpartition(".")
        if kind not in ("W", "b"):
            continue
        fan_in, fan_out = params[f"{layer}.W"].shape
        shape = shapes[name]
        if scheme == "uniform":
            params[name] = rng.uniform(-1, 1, shape) / np.sqrt(fan_in)
        elif kind == "W" and scheme == "he":
            params[name] = rng.standard_normal(shape) * np.sqrt(2 / fan_in)
        elif kind == "W":
            params[name] = rng.uniform(-1, 1, shape) * np.sqrt(6 / (fan_in + fan_out))
    return params


def output_bias(mean: np.ndarray, likelihood: str) -> np.ndarray:
    """Return the output bias (D,) with which a decoder whose input is 0 predicts the data's mean (D,).

    For "bernoulli" it is a logit, of the mean clipped to 0.001 .. 0.999. Burda, Grosse & Salakhutdinov (2016)
    do so in their code.
    """
    if likelihood == "gaussian":
        return mean
    p = np.clip(mean, 0.001, 0.999)
    return np.log(p) - np.log1p(-p)
