"""The lesson: pure functions on arrays, each forward pass next to its backward pass.

Read ``dense``, ``activations``, ``mlp`` (layers and how they chain), then ``gaussian`` and
``likelihoods`` (the probability), then ``parameters``, ``init`` and ``architecture`` (how a
network is put together), and last ``autoencoder`` and ``vae``. ``multi_sample`` goes on
from there, to the bound of importance-weighted autoencoders.

A pair is ``f_forward(inputs) -> (y, cache)`` and ``f_backward(dy, cache) -> gradients``. The
backward pass is the vector-Jacobian product of its forward pass and changes none of its inputs.
"""
