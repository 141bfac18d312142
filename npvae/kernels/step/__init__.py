"""The compiled network step: a network's loss and its gradient in one function, with which `fit` trains.

``network.py`` runs through the layers; ``draws.py`` contains the sampling of z and the terms of the loss,
``blocks.py`` the activations, and ``sums.py`` sums; ``pointers.py`` lets compiled code call kernels by
their addresses.

The specification is `npvae.core`. The code here may change to become faster, as long as the results equal
core's up to rounding and do not depend on the number of threads; ``tests/training/test_fused.py`` and
``test_fused_draws.py`` check both.
"""
