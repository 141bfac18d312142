"""VAE and Autoencoder as scikit-learn estimators, and their files."""

from npvae.estimators.autoencoder import Autoencoder
from npvae.estimators.model_loading import load
from npvae.estimators.vae import VAE

__all__ = ["VAE", "Autoencoder", "load"]
