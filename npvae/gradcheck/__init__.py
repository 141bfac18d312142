"""Check gradients that were derived by hand.

Nothing here knows of npvae, and NumPy is all that it needs. Five functions are the interface:

- `check_vjp` takes a forward and a backward function;
- `check_layer` takes an object with ``forward(x)``, ``backward(dy)`` and parameters in attributes;
- `check_gradient` takes a scalar function and its gradient;
- `check_network` takes an object with ``loss_and_grad(params, ...)``;
- `check_hvp` takes a gradient and a function that multiplies its Hessian with a vector.

They return a `Report`: one `Entry` for each argument or parameter, with the worst place, the analytic and the
numeric value there, the numeric one's error bar, and a verdict; and a `Check` for everything else that a
backward can get wrong. In tests, `assert_gradients`, or the pytest fixture ``gradcheck``.

To read the code, begin with `oracles` (two ways to differentiate numerically), then `probes` (in which
directions), `measure` (both oracles in all directions), `kinks` (where there is no derivative), `comparison`
and `verdicts` (what to conclude) and `hints` (what a wrong gradient looks like); `protocol` and `variations`
look beyond the values. `nesting`, the modules that begin with `layer` and those that begin with `network`
bring what people write into the form of a forward and a backward.

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

from .assertion import assert_gradients
from .gradient import check_gradient
from .layer import check_layer
from .network import check_network
from .report import Check, Entry, Report
from .second_order import check_hvp
from .vjp import check_vjp

__all__ = [
    "Check",
    "Entry",
    "Report",
    "assert_gradients",
    "check_gradient",
    "check_hvp",
    "check_layer",
    "check_network",
    "check_vjp",
]
