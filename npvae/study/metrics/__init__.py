"""Metrics that compare samples with data, and codes with N(0, I)."""
