"""What a model says of data: its posterior, its likelihood, its reconstructions."""
