"""Check gradients that were derived by hand.

This package depends only on NumPy, not on the rest of npvae. Its interface consists of five functions:

- `check_vjp` takes a forward and a backward function;
- `check_layer` takes an object with ``forward(x)``, ``backward(dy)`` and parameters in attributes;
- `check_gradient` takes a scalar function and its gradient;
- `check_network` takes an object with ``loss_and_grad(params, ...)``;
- `check_hvp` takes a gradient and a function that returns Hessian-vector products.

They return a `Report`. It has one `Entry` for each argument or parameter, with the index of the largest
error, the analytic and the numeric value there, the error bar of the numeric value, and a verdict; and one
`Check` for everything else that a backward can get wrong. In tests, use `assert_gradients` or the pytest
fixture ``gradcheck``.

Code can be checked in the form in which it was written:

===============================================  ===================================================
``forward(*args) -> (y, cache)``,                ``check_vjp(forward, backward, args)``
``backward(dy, cache) -> gradients``
``forward(x) -> (h, c, cache)``,                 ``check_vjp(forward, backward, [x])``
``backward(dh, dc, cache)``
``forward(x) -> (y, pull)``, ``pull(dy)``        ``check_vjp(forward, None, [x])``
``layer.forward(x)``, ``layer.backward(dy)``     ``check_layer(layer, x)``
``layer.up(x)``, ``layer.down(dy)``              ``check_layer(layer, x, forward="up", backward="down")``
``forward(ctx, x)``, ``backward(ctx, dy)``       ``check_layer(Function, x)``
``f(x) -> number``, ``g(x) -> gradient``         ``check_gradient(f, g, x)``
``f(x) -> (number, gradient)``                   ``check_gradient(f, None, x)``
``f(x) -> vector``, ``jac(x) -> Jacobian``       ``check_gradient(f, jac, x)``
``f(x)`` and ``f_prime(x)`` of each entry        ``check_gradient(f, f_prime, x)``
===============================================  ===================================================

To read the code, begin with `differences` (two ways to differentiate numerically), then `objective` (what is
differentiated, and in which directions), `measure` (both oracles in all directions), `kinks` (where there is
no derivative), `judge` (what to conclude) and `hints` (what a wrong gradient looks like). `case` brings a
forward and a backward into that form; `protocol` and `variations` check more than the values; `checks` runs
all of these, for functions and for `layer`. `calls` and `layer_parameters` find out how to call a layer and
which parameters it has; `arguments` matches gradients with arguments, and `objects` searches, copies and
restores arbitrary objects.

A gradient check shows that a backward agrees with its forward. It cannot show that the forward is right.

Examples
--------
A backward with a forgotten factor:

>>> import numpy as np
>>> from npvae.gradcheck import check_vjp
>>> report = check_vjp(lambda x: (x**2, x), lambda dy, x: dy * x, [np.array([1.0, -3.0])])
>>> report.verdict, report.entries[0].hint
('fail', 'half the right value: a missing factor 2, or a 1/2 too many?')
"""

from .checks import assert_gradients, check_gradient, check_hvp, check_vjp
from .layer import check_layer
from .network import check_network
from .report import Check, Entry, Reason, Report

__all__ = [
    "Check",
    "Entry",
    "Reason",
    "Report",
    "assert_gradients",
    "check_gradient",
    "check_hvp",
    "check_layer",
    "check_network",
    "check_vjp",
]
