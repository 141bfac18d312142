"""Laboratories: one question of the lecture each, measured; `npvae lab` runs them."""
