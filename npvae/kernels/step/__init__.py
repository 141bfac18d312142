"""The compiled network step: a network's loss and its gradient in one function, with which `fit` trains.

``network.py`` goes through the layers; ``draws.py`` has what lies between encoder and decoder and the terms
of the loss, ``blocks.py`` the activations, ``sums.py`` sums; ``pointers.py`` lets compiled code call kernels
by their addresses.

The specification is `npvae.core`: whatever is faster may change here as long as the results are core's up to
rounding and do not depend on the number of threads, which ``tests/training/test_fused.py`` and
``test_fused_draws.py`` hold it to.
"""
