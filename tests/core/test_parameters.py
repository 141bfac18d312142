import copy
import pickle

import joblib
import numpy as np
import pytest

from npvae.core.parameters import Parameters

SHAPES = {
    "encoder.0.W": (2, 3),
    "mu.W": (3, 2),
    "mu.b": (2,),
    "log_var.W": (3, 2),
    "log_var.b": (2,),
    "output.log_noise_var": (1,),
}
SIZE = 6 + 6 + 2 + 6 + 2 + 1


@pytest.fixture
def params():
    return Parameters(SHAPES, np.arange(SIZE, dtype=np.float64))


def assert_views_alive(params):
    """Writing through a name shows in the vector, and the other way round, for every entry."""
    params.flat[:] = 0
    for k, name in enumerate(params):
        params[name] = np.full(params[name].shape, k + 1.0)
    assert np.all(params.flat > 0)
    params.flat[:] = -1
    assert all(np.all(view == -1) for view in params.values())


def test_names_come_in_the_order_of_the_shapes(params):
    assert list(params) == list(SHAPES)
    assert len(params) == 6
    assert "mu.W" in params
    assert "mu" not in params


def test_vector_is_used_and_not_copied():
    flat = np.zeros(SIZE)
    assert Parameters(SHAPES, flat).flat is flat


def test_zeros_of_float32_by_default():
    params = Parameters(SHAPES)
    assert params.flat.dtype == np.float32
    assert not params.flat.any()


def test_values_lie_where_the_order_says(params):
    np.testing.assert_array_equal(params["encoder.0.W"], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(params["mu.W"], [[6, 7], [8, 9], [10, 11]])
    np.testing.assert_array_equal(params["mu.b"], [12, 13])
    np.testing.assert_array_equal(params["log_var.W"], [[14, 15], [16, 17], [18, 19]])


def test_views_are_alive(params):
    assert_views_alive(params)


def test_setting_copies_the_values(params):
    value = np.ones((2, 3))
    params["encoder.0.W"] = value
    value[:] = 7
    np.testing.assert_array_equal(params.flat[:6], 1)


@pytest.mark.parametrize("value", [1.0, np.ones((3, 2)), np.ones(3), np.ones((1, 2, 3))])
def test_setting_another_shape_is_refused(params, value):
    before = params.flat.copy()
    with pytest.raises(ValueError, match=r"encoder\.0\.W has shape \(2, 3\)"):
        params["encoder.0.W"] = value
    np.testing.assert_array_equal(params.flat, before)


def test_setting_an_unknown_name_is_refused(params):
    with pytest.raises(KeyError):
        params["encoder.1.W"] = np.ones((2, 3))


@pytest.mark.parametrize(
    ("shapes", "flat", "match"),
    [
        (SHAPES, np.zeros(SIZE + 1), f"contiguous vector of {SIZE} entries"),
        (SHAPES, np.zeros((SIZE, 1)), f"contiguous vector of {SIZE} entries"),
        (SHAPES, np.zeros(2 * SIZE)[::2], "contiguous"),
    ],
)
def test_bad_layouts_are_refused(shapes, flat, match):
    with pytest.raises(ValueError, match=match):
        Parameters(shapes, flat)


def test_equality_compares_names_shapes_and_values(params):
    assert params == params.copy()
    assert params == params.astype(np.float32)
    changed = params.copy()
    changed.flat[3] += 1
    assert params != changed
    assert params != Parameters({"all": (SIZE,)}, params.flat)
    assert params != params.flat.tolist()


def test_parameters_are_not_hashable(params):
    with pytest.raises(TypeError):
        hash(params)


def test_repr_says_how_many_and_which(params):
    assert "23 of float64" in repr(params)
    assert "mu.W (3, 2)" in repr(params)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble, np.complex128])
def test_astype_keeps_values_and_leaves_the_original(params, dtype):
    other = params.astype(dtype)
    assert other.flat.dtype == dtype
    assert other == params
    assert all(view.dtype == dtype for view in other.values())
    assert_views_alive(other)
    np.testing.assert_array_equal(params.flat, np.arange(SIZE))


@pytest.mark.parametrize(
    "duplicate",
    [
        Parameters.copy,
        copy.copy,
        copy.deepcopy,
        lambda params: pickle.loads(pickle.dumps(params)),
        lambda params: pickle.loads(pickle.dumps(params, protocol=pickle.HIGHEST_PROTOCOL)),
        lambda params: params.astype(params.flat.dtype),
    ],
    ids=["copy()", "copy.copy", "deepcopy", "pickle", "pickle, newest protocol", "astype"],
)
def test_views_of_a_duplicate_are_alive(params, duplicate):
    other = duplicate(params)
    assert other == params
    assert list(other) == list(params)
    assert np.shares_memory(other.flat, other["mu.W"])
    assert_views_alive(other)


@pytest.mark.parametrize("duplicate", [Parameters.copy, copy.deepcopy])
def test_a_copy_has_a_vector_of_its_own(params, duplicate):
    other = duplicate(params)
    other.flat[:] = -5
    np.testing.assert_array_equal(params.flat, np.arange(SIZE))


def test_zeros_like(params):
    zeros = params.zeros_like()
    assert (list(zeros), zeros.flat.dtype) == (list(params), params.flat.dtype)
    assert not zeros.flat.any()
    assert params.flat.any()


def test_joblib_worker_gets_read_only_views_and_its_copy_can_be_trained(params):
    def in_worker(received):
        views_alive = all(np.shares_memory(view, received.flat) for view in received.values())
        own = received.copy()
        own["mu.b"] = [100.0, 200.0]
        return {
            "kind": type(received.flat).__name__,
            "writable": received.flat.flags.writeable,
            "views alive": views_alive,
            "entries of the copy": own.flat[12:14].tolist(),
            "params": received,
        }

    with joblib.Parallel(n_jobs=2, backend="loky", max_nbytes=1) as parallel:
        results = parallel(joblib.delayed(in_worker)(params) for _ in range(2))
    for result in results:
        assert (result["kind"], result["writable"]) == ("memmap", False)
        assert result["views alive"]
        assert result["entries of the copy"] == [100, 200]
        assert result["params"] == params


def test_read_only_vector_can_be_read_and_copied(params):
    params.flat.flags.writeable = False
    frozen = Parameters(SHAPES, params.flat)
    with pytest.raises(ValueError, match="read-only"):
        frozen["mu.b"] = [1, 2]
    assert_views_alive(frozen.copy())
