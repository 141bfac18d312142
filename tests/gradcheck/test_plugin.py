import subprocess
import sys

import numpy as np
import pytest


def test_the_fixture(gradcheck):
    x = np.arange(3.0)
    assert gradcheck.vjp(lambda x: (x**2, x), lambda dy, x: 2 * dy * x, [x]).passed
    assert gradcheck.gradient(lambda x: np.sum(x**2), lambda x: 2 * x, x).passed
    assert gradcheck.hvp(lambda x: 2 * x, lambda x, v: 2 * v, x).passed
    with pytest.raises(AssertionError, match="twice the right value"):
        gradcheck.gradient(lambda x: np.sum(x**2), lambda x: 4 * x, x)


def test_it_costs_nothing_until_used():
    code = (
        "import sys, pytest; before = set(sys.modules); import npvae.pytest_plugin;"
        "print([m for m in set(sys.modules) - before if m.split('.')[0] in ('numpy', 'numba')"
        " or m.startswith('npvae.gradcheck')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
