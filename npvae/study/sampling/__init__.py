"""Distributions over the latent space, and drawing from them."""
