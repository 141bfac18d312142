import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npvae.data import split_indices


@given(n=st.integers(2, 300), fraction=st.floats(0.3, 0.7), seed=st.integers(0, 2**32))
def test_parts_are_sorted_disjoint_and_complete(n, fraction, seed):
    train, test = split_indices(n, fraction, seed)
    assert len(test) == round(fraction * n)
    assert np.all(np.diff(train) > 0)
    assert np.all(np.diff(test) > 0)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(n))


@given(labels=st.lists(st.integers(0, 4), min_size=10, max_size=200), seed=st.integers(0, 2**32))
def test_each_class_gives_its_share(labels, seed):
    labels = np.array(labels)
    _, test = split_indices(len(labels), 0.4, seed, labels=labels)
    for label in np.unique(labels):
        assert np.sum(labels[test] == label) == round(0.4 * np.sum(labels == label))


def test_seed_decides():
    first, again, other = (split_indices(100, 0.2, seed)[1] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
def test_impossible_fractions_are_refused(fraction):
    with pytest.raises(ValueError, match="test_fraction must be between 0 and 1"):
        split_indices(10, fraction, seed=0)


@pytest.mark.parametrize(("n", "fraction"), [(3, 0.1), (3, 0.9), (1, 0.5)])
def test_empty_parts_are_refused(n, fraction):
    with pytest.raises(ValueError, match="both need at least one"):
        split_indices(n, fraction, seed=0)
