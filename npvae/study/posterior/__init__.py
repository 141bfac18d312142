"""Measurements of a model on data: its posterior, its likelihood and its reconstructions."""
