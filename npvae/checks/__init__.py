"""Checks of npvae with its own gradient checker, and of the checker on wrong gradients.

- `own` checks every forward/backward pair, both networks and all kernels with `npvae.gradcheck`;
- `faults` is a catalogue of wrong backward passes, and `planted` runs the checker on it;
- `targets` finds the pairs, layers and losses in a user's file.
"""
