"""npvae under its own gradient checker, and the checker under wrong gradients.

- `own` puts every forward/backward pair, both networks and all kernels through `npvae.gradcheck`;
- `faults` is a catalogue of wrong backward passes, `planted` runs it;
- `targets` finds what there is to check in somebody's own file.
"""
