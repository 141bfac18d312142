"""Walks through the latent space: between images, along latent dimensions, over a plane, to one point."""
