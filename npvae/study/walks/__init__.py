"""Walks through the latent space: between images, along its axes, over its plane."""
