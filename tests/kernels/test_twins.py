"""Each compiled twin gives what its formula gives."""

import inspect

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npvae.checks.kernel_twins import twin_names
from npvae.kernels import FORMULAS, gemm, tiles, twins, using
from tests.kernels.cases import (
    COMPILED,
    ELEMENTWISE,
    LAYERS,
    NAMES,
    NUMPY,
    OPTIMIZERS,
    arguments,
    arrays,
    both_dtypes,
    both_twins,
    mapped,
    optimizer_arguments,
)

floats = pytest.mark.parametrize("name", [*ELEMENTWISE, *LAYERS])
elementwise = pytest.mark.parametrize("name", ELEMENTWISE)


@pytest.fixture(autouse=True)
def compiled(request):
    """Products exist for some processors only."""
    name = getattr(request.node, "callspec", None) and request.node.callspec.params.get("name")
    if name in LAYERS and not tiles.VECTOR_BYTES:
        pytest.skip("products are those of BLAS here")
    with using("compiled"):
        yield


def assert_twins_agree(name, args):
    results, expected = arrays(getattr(COMPILED, name)(*args)), arrays(getattr(NUMPY, name)(*args))
    n_terms = max(len(args[0].T), len(args[0]), 20) if name in LAYERS else 20
    for result, right in zip(results, expected, strict=True):
        assert result.dtype == right.dtype
        assert result.shape == right.shape
        # Of a sum of terms of both signs, roundings of the terms remain.
        tolerance = 8 * np.finfo(result.dtype).eps
        np.testing.assert_allclose(result, right, rtol=tolerance, atol=tolerance * n_terms)


def test_every_formula_has_a_twin_of_the_same_arguments():
    public = {
        name
        for name, f in vars(twins).items()
        if inspect.isfunction(f) and f.__module__ == twins.__name__ and not name.startswith("_")
    }
    assert public == set(FORMULAS) == set(NAMES) == set(twin_names())
    for name in public - {"adam"}:  # which hands its settings on
        wanted = list(inspect.signature(FORMULAS[name]).parameters)
        assert list(inspect.signature(getattr(twins, name)).parameters) == wanted


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")
@pytest.mark.parametrize(
    "loop",
    ["_sigmoid", "_softplus", "_bernoulli", "_take_pixels", "_sgd", "_adagrad", "_adam", "_sum", "multiply"],
)
def test_compiler_is_not_told_that_there_are_no_nans_and_starts_no_threads(loop):
    options = getattr(gemm if loop == "multiply" else twins, loop).targetoptions
    allowed = {"contract", "nsz", "arcp", "afn"} | ({"reassoc"} if loop == "_sum" else set())
    assert set(options["fastmath"]) <= allowed
    assert options["nogil"]
    assert not options.get("parallel")


@both_dtypes
@floats
@settings(max_examples=40)
@given(shape=st.tuples(st.integers(0, 20), st.integers(0, 40)), seed=st.integers(0, 2**32 - 1))
def test_any_shape(name, dtype, shape, seed):
    assert_twins_agree(name, arguments(name, np.random.default_rng(seed), shape, dtype))


@both_dtypes
@floats
@pytest.mark.parametrize("shape", [(1, 7), (0, 7), (7, 0), (1, 1), (3, 1000)])
def test_edge_shapes(name, dtype, shape, rng):
    assert_twins_agree(name, arguments(name, rng, shape, dtype))


@both_dtypes
@floats
def test_read_only_arguments(name, dtype, rng):
    args = arguments(name, rng, dtype=dtype)
    for array in arrays(args):
        array.flags.writeable = False
    assert_twins_agree(name, args)


@pytest.mark.parametrize(
    "layout",
    [
        np.asfortranarray,
        lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
        lambda a: a[..., ::-1].copy()[..., ::-1],
        lambda a: np.concatenate([a, a], axis=-1)[..., a.shape[-1] :],
    ],
    ids=["fortran", "every other", "backwards", "right half"],
)
@both_dtypes
@floats
def test_any_memory_layout(name, dtype, layout, rng):
    args = arguments(name, rng, dtype=dtype)
    expected = arrays(getattr(NUMPY, name)(*args))
    for result, right in zip(arrays(FORMULAS[name](*mapped(layout, args))), expected, strict=True):
        assert result.dtype == dtype
        np.testing.assert_allclose(result, right, rtol=1e-5, atol=1e-5)


@both_dtypes
@floats
@both_twins
def test_arguments_are_left_alone(name, dtype, twin, rng):
    args = arguments(name, rng, dtype=dtype)
    before = mapped(np.copy, args)
    getattr(twin, name)(*args)
    for arg, old in zip(arrays(args), arrays(before), strict=True):
        np.testing.assert_array_equal(arg, old)


@both_dtypes
@elementwise
@both_twins
def test_nan_stays_nan(name, dtype, twin, rng):
    """A NaN in the first argument shows where it was, and nowhere else."""
    args = [np.abs(arg) for arg in arguments(name, rng, dtype=dtype)]
    args[0][2, 3] = np.nan
    first, last = getattr(twin, name)(*args)
    where = np.isnan(args[0])
    np.testing.assert_array_equal(np.isnan(last), where)
    np.testing.assert_array_equal(np.isnan(first), where if first.ndim == 2 else where.any(axis=1))


@both_dtypes
@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("size", [0, 1, 1003])
def test_optimizers(name, dtype, size, rng):
    args = optimizer_arguments(name, rng, size, dtype)
    expected = [np.copy(arg) for arg in args]
    getattr(COMPILED, name)(*args)
    getattr(NUMPY, name)(*expected[: OPTIMIZERS[name][0]], *args[OPTIMIZERS[name][0] :])
    for result, right in zip(args, expected, strict=True):
        tolerance = 20 * np.finfo(dtype).eps
        np.testing.assert_allclose(result, right, rtol=tolerance, atol=tolerance)


@both_dtypes
@both_twins
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_change_what_they_say_and_nothing_else(name, twin, dtype, rng):
    args = optimizer_arguments(name, rng, dtype=dtype)
    before = [np.copy(arg) for arg in args]
    assert getattr(twin, name)(*args) is None
    changed = [k for k, old in enumerate(before) if not np.array_equal(args[k], old)]
    assert changed == list(OPTIMIZERS[name][2])


@both_dtypes
@both_twins
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_nan_gradient_reaches_its_own_parameter_alone(name, twin, dtype, rng):
    args = optimizer_arguments(name, rng, dtype=dtype)
    args[1][4] = np.nan
    getattr(twin, name)(*args)
    assert np.flatnonzero(np.isnan(args[0])).tolist() == [4]


@pytest.mark.parametrize("shape", [(1, 1), (300, 7), (256, 784)])
def test_pixels_are_divided_exactly(shape, rng):
    X = rng.integers(0, 256, shape, dtype=np.uint8)
    X.flat[: min(256, X.size)] = np.arange(256)[: X.size]  # all of them
    rows = np.concatenate([np.arange(len(X)), rng.integers(0, len(X), 50)])
    expected = (X[rows].astype(np.float64) / 255).astype(np.float32)
    for taken in (COMPILED.take_pixels(X, rows), NUMPY.take_pixels(X, rows)):
        assert taken.dtype == np.float32
        np.testing.assert_array_equal(taken, expected)


@pytest.mark.parametrize("row", [-1, 5])
def test_pixels_of_a_row_that_is_not_there(row):
    with pytest.raises(IndexError):
        COMPILED.take_pixels(np.zeros((5, 3), np.uint8), np.array([0, row]))


@both_dtypes
@both_twins
@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_moments_that_have_decayed_become_zero_and_no_step_is_another(name, twin, dtype, rng):
    """With a gradient of zero from some step on, nothing is left that is subnormal."""
    args = optimizer_arguments(name, rng, 100, dtype)
    n_vectors, numbers, (_, moment, *_) = OPTIMIZERS[name]
    exact = [np.array(arg, np.longdouble) for arg in args[:n_vectors]]
    tiny = np.finfo(dtype).tiny
    for t in range(1, 9000):
        settings = (*numbers[:-1], t) if name == "adam" else numbers
        getattr(twin, name)(*args[:n_vectors], *settings)
        for vector in args[2:n_vectors]:
            assert not np.any((vector != 0) & (np.abs(vector) < tiny))
        if t <= 300:
            getattr(NUMPY, name)(*exact, *settings)
        if t == 1:
            args[1][:] = exact[1][:] = 0
    assert not args[moment].any()
    np.testing.assert_allclose(args[0], exact[0].astype(dtype), rtol=1e-4, atol=1e-5)
