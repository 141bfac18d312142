"""What students start from: one file for each exercise, with the forward pass and an empty backward pass."""
