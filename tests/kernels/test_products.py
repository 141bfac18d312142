"""What is cut into pieces is what it would be whole, and the same with any number of threads."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from npvae import kernels
from npvae.kernels import reference
from npvae.kernels.products import cuts
from tests.kernels.cases import OPTIMIZERS, optimizer_arguments

SHAPES = [(3, 4, 5), (128, 784, 400), (784, 128, 400), (128, 400, 784), (700, 301, 333), (2, 2000, 4000)]


def with_threads(n_threads, function, *arguments):
    with threadpool_limits(1, user_api="blas"), kernels.using_team(n_threads):
        return function(*arguments)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [(shape, dtype) for shape in SHAPES for dtype in (np.float32, np.float64)]
    + [((3, 4, 5), np.complex128), ((160, 200, 300), np.complex128)],
    ids=str,
)
@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_product(shape, n_threads, dtype, rng):
    n, k, m = shape
    a, b = rng.standard_normal((n, k)).astype(dtype), rng.standard_normal((k, m)).astype(dtype)
    exact = a.astype(np.complex128) @ b
    tolerance = 4 * k * np.finfo(dtype).eps
    for first in (a, np.asfortranarray(a)):
        for second in (b, np.asfortranarray(b)):
            y = with_threads(n_threads, kernels.product, first, second)
            assert y.dtype == dtype
            np.testing.assert_allclose(y, exact, atol=tolerance)
            out = np.full((n, m), np.nan, dtype)
            assert with_threads(n_threads, kernels.product, first, second, out) is out
            np.testing.assert_array_equal(out, y)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_bits_do_not_depend_on_the_number_of_threads(shape, rng):
    n, k, m = shape
    a, b = rng.standard_normal((n, k), np.float32), rng.standard_normal((k, m), np.float32)
    alone = with_threads(1, kernels.product, a, b)
    for n_threads in (2, 3, 4, 9):
        np.testing.assert_array_equal(with_threads(n_threads, kernels.product, a, b), alone)
    v = np.ravel(b)
    norms = {float(with_threads(n_threads, kernels.squared_norm, v)) for n_threads in (1, 2, 3, 9)}
    assert len(norms) == 1
    assert norms.pop() == pytest.approx(float(np.sum(v.astype(float) ** 2)), rel=1e-5)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_shared_by_a_team(name, rng):
    n_vectors = OPTIMIZERS[name][0]
    args = optimizer_arguments(name, rng, 200_003, np.float32)
    expected = [np.copy(arg) for arg in args[:n_vectors]]
    getattr(kernels, name)(*expected, *args[n_vectors:])
    for n_threads in (1, 2, 3):
        changed = [np.copy(arg) for arg in args[:n_vectors]]
        with_threads(n_threads, getattr(kernels, name), *changed, *args[n_vectors:])
        for result, right in zip(changed, expected, strict=True):
            np.testing.assert_array_equal(result, right)


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize("mixed", [False, True])
def test_bernoulli_shared_by_a_team(n_threads, mixed, rng):
    x, logits = rng.random((128, 784), np.float32), rng.standard_normal((128, 784), np.float32)
    x = x.astype(np.float64) if mixed else x
    expected = kernels.bernoulli(x, logits)
    for result, right in zip(with_threads(n_threads, kernels.bernoulli, x, logits), expected, strict=True):
        np.testing.assert_array_equal(result, right)
        assert result.dtype == right.dtype
    for result, right in zip(reference.bernoulli(x, logits), expected, strict=True):
        np.testing.assert_allclose(result, right, rtol=1e-4, atol=1e-5)


@given(n=st.integers(1, 10_000), n_pieces=st.integers(1, 9))
def test_cuts_cover_everything_once(n, n_pieces):
    ends = cuts(n, n_pieces)
    assert ends[0][0] == 0
    assert ends[-1][1] == n
    assert all(a[1] == b[0] for a, b in pairwise(ends))
    assert all(start < stop for start, stop in ends)
    assert len(ends) <= n_pieces
    assert len({stop - start for start, stop in ends[:-1]}) <= 1
    assert all((stop - start) % 16 == 0 for start, stop in ends[:-1])
