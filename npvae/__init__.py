"""npvae: an autoencoder and a variational autoencoder from scratch in NumPy.

Letters used for shapes everywhere:

==  ==================================================================
N   samples (rows of a batch)
D   features of a sample (pixels of an image)
H   units of a hidden layer
Z   latent dimensions
==  ==================================================================

``d_name`` (``dW``, ``dx`` for single letters) is always dL/d(name), with the
shape of ``name``. ``log_var`` is ln sigma^2 and nothing else; ``std`` is
exp(log_var / 2). Likelihoods, divergences and losses are in nats per sample.

The code to learn from is ``npvae.core``; read its modules in the order given in its docstring. `fit` runs a
compiled equivalent of core. With the environment variable ``NPVAE_KERNELS=reference`` it runs core itself,
so breakpoints in ``vae.py`` work.
"""

from typing import TYPE_CHECKING, Any

from npvae.version import __version__

__all__ = ["VAE", "Autoencoder", "__version__", "load"]

if TYPE_CHECKING:
    from npvae.estimators import VAE, Autoencoder, load


def __getattr__(name: str) -> Any:
    """Import the estimators, and with them scikit-learn, when they are first asked for."""
    if name in ("VAE", "Autoencoder", "load"):
        from npvae.kernels.interrupts import interrupts_held

        with interrupts_held():
            from npvae import estimators

        return getattr(estimators, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
