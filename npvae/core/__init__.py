"""The lesson: functions on arrays, each forward pass next to its backward pass, in NumPy.

In reading order: ``activations`` and ``layers`` (a dense layer, and how layers chain), ``gaussian`` and
``likelihoods`` (the probability), ``parameters``, ``init`` and ``architecture`` (how a network is put
together), ``autoencoder``, ``vae``. ``objectives`` goes on from there, to the bound of importance-weighted
autoencoders and to free bits, a KL term against posterior collapse.

A pair is ``f_forward(inputs) -> (y, cache)`` and ``f_backward(dy, cache) -> gradients``. With L the loss, dy
stands for ∂L/∂y; the backward pass is the vector-Jacobian product of its forward pass. A network's stages
write the gradients of its parameters into `grads`.

`fit` trains with a compiled equivalent of all this (`npvae.kernels`), and ``@compiled_twin`` puts a compiled
version, equal up to rounding, in a formula's place: ignore it while reading. With the environment variable
``NPVAE_KERNELS=reference`` core itself runs, and a breakpoint in ``vae.py`` is hit.
"""
