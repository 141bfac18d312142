"""Check gradients that were derived by hand.

Nothing here knows of npvae, and NumPy is all that it needs. Two functions are the interface:

- `check_vjp` takes a forward and a backward function;
- `check_network` takes an object with ``loss_and_grad(params, ...)``.

Both return a `Report`: one `Entry` for each argument or parameter, with the worst place, the analytic and the
numeric value there, the numeric one's error bar, and a verdict.

To read the code, begin with `oracles` (two ways to differentiate numerically), then `probes` (in which
directions), `measure` (both oracles in all directions), `verdicts` (what to conclude) and `hints` (what a
wrong gradient looks like).

A gradient check shows that a backward agrees with its forward. It cannot show that the forward is right.

Examples
--------
A backward with a forgotten factor:

>>> import numpy as np
>>> from npvae.gradcheck import check_vjp
>>> report = check_vjp(lambda x: (x**2, x), lambda dy, x: dy * x, [np.array([1.0, -3.0])])
>>> report.verdict, report.entries[0].hint
('fail', 'half the right value: a factor 2 lost, or a 1/2 too many?')
"""

from .network import check_network
from .report import Entry, Report
from .vjp import check_vjp

__all__ = ["Entry", "Report", "check_network", "check_vjp"]
